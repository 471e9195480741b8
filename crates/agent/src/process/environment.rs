//! The environment a program gets: the agent's own without what would hand on the operator's rights (C6).

/// Variables with this prefix are ours: settings and tokens of the agent.
const OWN_PREFIX: &str = "TILTYARD_";
/// Tokens by name: `ADMIN_TOKEN` is an admin token in the server's environment.
const TOKEN_NAMES: [&str; 1] = ["ADMIN_TOKEN"];
/// What every token that we mint begins with.
const TOKEN_MARK: &str = "jst_";

/// The environment of this process without our own variables and without anything that holds one of our
/// tokens, whatever its name. Variables that are not UTF-8 are left out too: they cannot be looked through.
pub fn inherited() -> Vec<(String, String)> {
    let pairs = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    stripped(pairs)
}

/// `pairs` without our own variables and tokens.
pub fn stripped(pairs: impl IntoIterator<Item = (String, String)>) -> Vec<(String, String)> {
    pairs.into_iter().filter(|(name, value)| !is_ours(name, value)).collect()
}

fn is_ours(name: &str, value: &str) -> bool {
    name.starts_with(OWN_PREFIX)
        || TOKEN_NAMES.contains(&name)
        || value.contains(TOKEN_MARK)
        || name.contains(TOKEN_MARK)
}

/// Why a variable that a payload asks for cannot be set.
pub fn objection(name: &str, value: &str) -> Option<String> {
    if name.is_empty() || name.contains(['=', '\0']) {
        Some(format!("`{}` is no name of an environment variable", name.escape_default()))
    } else if name.starts_with(OWN_PREFIX) {
        Some(format!("`{name}` is reserved: variables that begin with {OWN_PREFIX} are set by the agent"))
    } else if value.contains('\0') {
        Some(format!("the value of `{name}` holds a NUL character"))
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(name: &str, value: &str) -> (String, String) {
        (name.to_owned(), value.to_owned())
    }

    #[test]
    fn c6_our_variables_and_tokens_are_stripped() {
        let secret = format!("jst_{}", "a".repeat(64));
        let given = [
            pair("PATH", "/bin"),
            pair("TILTYARD_TOKEN", "x"),
            pair("TILTYARD_URL", "http://127.0.0.1"),
            pair("ADMIN_TOKEN", "a-long-enough-secret"),
            pair("CURL_HEADER", &format!("Authorization: Bearer {secret}")),
            pair("HOME", "/root"),
        ];
        assert_eq!(stripped(given), [pair("PATH", "/bin"), pair("HOME", "/root")]);
    }

    #[test]
    fn names_that_cannot_be_set_are_told() {
        for (name, value) in [("", "x"), ("A=B", "x"), ("A\0", "x"), ("A", "\0"), ("TILTYARD_OUTPUT", "x")] {
            assert!(objection(name, value).is_some(), "{name:?}");
        }
        assert_eq!(objection("LANG", "C.UTF-8"), None);
    }
}
