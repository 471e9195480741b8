//! Scopes: the isolation boundary. Everything but agents belongs to exactly one.

use crate::refusal::{Code, Refusal};
use crate::role::{Caller, DEFAULT_SCOPE, SYSTEM_SCOPE};
use crate::slug::is_slug;
use crate::time::TimeMs;

/// Longest description in characters.
pub const MAX_DESCRIPTION_CHARS: usize = 200;

/// A scope as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    /// The slug.
    pub name: String,
    /// One line for people.
    pub description: String,
    /// When it was made.
    pub created_at: TimeMs,
}

/// Whether a scope of that name may be made: a slug, and not the reserved one.
///
/// # Errors
/// 422 `invalid` with what is wrong with the name.
pub fn admit(name: &str, description: &str) -> Result<(), Refusal> {
    if !is_slug(name) {
        return Err(Refusal::field(
            "/name",
            "a scope's name is 1 to 64 of a-z, 0-9, _ and -, not starting with _ or -",
        ));
    }
    if name == SYSTEM_SCOPE {
        return Err(Refusal::field("/name", "`system` is reserved for the store itself"));
    }
    if description.chars().count() > MAX_DESCRIPTION_CHARS {
        return Err(Refusal::field("/description", "at most 200 characters"));
    }
    Ok(())
}

/// Whether a scope may be deleted.
///
/// # Errors
/// 422 for `default` and `system`, which every store has.
pub fn may_delete(name: &str) -> Result<(), Refusal> {
    if matches!(name, DEFAULT_SCOPE | SYSTEM_SCOPE) {
        return Err(Refusal::field(
            "/name",
            format!("`{name}` belongs to every store and cannot be deleted"),
        ));
    }
    Ok(())
}

/// The scope in which a request makes or names a thing: the one it names, else the caller's only one.
///
/// # Errors
/// 403 `scope_forbidden` for a named scope that the caller does not have, 422 `scope_required` when none
/// is named and the caller has several.
pub fn resolve(caller: &Caller, named: Option<&str>) -> Result<String, Refusal> {
    match named {
        Some(scope) if !is_slug(scope) => Err(Refusal::field("/scope", "is not the name of a scope")),
        Some(scope) if caller.reach.covers(scope) => Ok(scope.to_owned()),
        Some(scope) => {
            Err(Refusal::new(Code::ScopeForbidden, format!("the token does not cover the scope `{scope}`")))
        }
        None => caller.reach.only().map(str::to_owned).ok_or_else(|| {
            Refusal::fault(
                Code::ScopeRequired,
                "/scope",
                "the token covers several scopes: name one, in the body or as ?scope=",
            )
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::role::Reach;

    fn caller(scopes: &[&str]) -> Caller {
        let scopes: Vec<String> = scopes.iter().map(|scope| (*scope).to_owned()).collect();
        Caller { reach: Reach::from_list(&scopes), ..Caller::system() }
    }

    // SEC4: a scope named without right is 403, none named with several 422.
    #[test]
    fn a_request_lands_in_one_scope() {
        assert_eq!(resolve(&caller(&["*"]), None).expect("default"), "default");
        assert_eq!(resolve(&caller(&["a"]), None).expect("only"), "a");
        assert_eq!(resolve(&caller(&["a"]), Some("b")).expect_err("foreign").code, Code::ScopeForbidden);
        assert_eq!(resolve(&caller(&["a", "b"]), None).expect_err("which").code, Code::ScopeRequired);
    }

    #[test]
    fn the_reserved_names_stay() {
        assert!(admit("system", "").is_err() && admit("Team", "").is_err() && admit("team", "").is_ok());
        assert!(may_delete("default").is_err() && may_delete("team").is_ok());
    }
}
