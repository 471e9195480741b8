//! Where a registered repository is: a folder under an allowed root, or an address that git may be given.

use std::path::{Path, PathBuf};

use super::command::{Reach, Refused, RefusedCode};

/// The longest location that is accepted, in bytes.
pub const MAX_LOCATION_BYTES: usize = 4_096;

/// A place that git may be pointed at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// A repository on this machine, by its real path (no link in it).
    Folder(PathBuf),
    /// A repository behind `https`, `http` or `ssh`.
    Remote(String),
}

impl Location {
    /// What git is given as the repository.
    pub(crate) fn argument(&self) -> &std::ffi::OsStr {
        match self {
            Self::Folder(path) => path.as_os_str(),
            Self::Remote(url) => url.as_ref(),
        }
    }

    /// How far a call to it reaches.
    pub(crate) fn reach(&self) -> Reach<'_> {
        match self {
            Self::Folder(path) => Reach::Folder(path),
            Self::Remote(_) => Reach::Network,
        }
    }

    /// How far a push to it reaches.
    pub(crate) fn push_reach(&self) -> Reach<'_> {
        match self {
            Self::Folder(path) => Reach::Target(path),
            Self::Remote(_) => Reach::Network,
        }
    }
}

/// The folders under which a registered repository may lie.
#[derive(Debug, Clone, Default)]
pub struct AllowedRoots(Vec<PathBuf>);

impl AllowedRoots {
    /// Roots as the settings give them; one that does not exist allows nothing.
    pub fn new(roots: impl IntoIterator<Item = PathBuf>) -> Self {
        Self(roots.into_iter().filter_map(|root| root.canonicalize().ok()).collect())
    }

    /// Reads a location as a person wrote it: an absolute path, `file://…`, `https://…`, `http://…`, `ssh://…` or
    /// `user@host:path`. Refused: any other scheme (`ext::` runs programs), credentials in the address, a path that
    /// does not exist or whose real place is outside the roots.
    pub fn admit(&self, text: &str) -> Result<Location, Refused> {
        if text.is_empty() || text.len() > MAX_LOCATION_BYTES || text.contains(|c: char| c.is_control()) {
            return Err(bad(text, "it is empty, too long, or has control characters"));
        }
        if let Some(path) = text.strip_prefix("file://") {
            return self.folder(Path::new(path)).map(Location::Folder);
        }
        if text.starts_with('/') {
            return self.folder(Path::new(text)).map(Location::Folder);
        }
        remote(text)
    }

    /// The real place of a folder, when it is under a root.
    pub(crate) fn folder(&self, path: &Path) -> Result<PathBuf, Refused> {
        let real = path.canonicalize().map_err(|error| {
            let reason = format!("`{}` cannot be read: {error}", path.display());
            Refused::new(RefusedCode::Unreadable, reason)
        })?;
        if self.0.iter().any(|root| real.starts_with(root)) {
            return Ok(real);
        }
        let reason = format!(
            "`{}` is outside the folders where this agent may work with repositories; add its parent to the agent's setting `agent.roots`, or move it",
            real.display()
        );
        Err(Refused::new(RefusedCode::OutsideRoots, reason))
    }
}

fn remote(text: &str) -> Result<Location, Refused> {
    let schemes = ["https://", "http://", "ssh://"];
    let Some(scheme) = schemes.iter().find(|scheme| text.starts_with(**scheme)) else {
        return short_ssh(text);
    };
    let host = text[scheme.len()..].split(['/', '?', '#']).next().unwrap_or_default();
    let (user, host) = host.rsplit_once('@').unwrap_or(("", host));
    if user.contains(':') {
        return Err(bad(
            text,
            "it holds a password; leave it to a credential helper (`agent.git_credential_helper`) or to `~/.netrc` of the agent's user, or use ssh",
        ));
    }
    if host.is_empty() || host.starts_with('-') || user.starts_with('-') || text.contains(char::is_whitespace)
    {
        return Err(bad(text, "it names no host"));
    }
    Ok(Location::Remote(text.to_owned()))
}

/// `git@host:team/repo.git`, which git reads as ssh.
fn short_ssh(text: &str) -> Result<Location, Refused> {
    let plain = |part: &str| {
        !part.is_empty()
            && !part.starts_with('-')
            && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
    };
    match text.split_once(':') {
        Some((who, path)) if !path.is_empty() && !path.starts_with([':', '-', '/']) => {
            match who.split_once('@') {
                Some((user, host)) if plain(user) && plain(host) => Ok(Location::Remote(text.to_owned())),
                _ => Err(bad(text, NEITHER)),
            }
        }
        _ => Err(bad(text, NEITHER)),
    }
}

const NEITHER: &str = "give an absolute path, or an https, http or ssh address";

fn bad(text: &str, why: &str) -> Refused {
    let shown: String = super::command::masked(text).chars().filter(|c| !c.is_control()).take(200).collect();
    Refused::new(RefusedCode::BadLocation, format!("`{shown}` is not a repository's location: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c19_only_plain_addresses_are_admitted() {
        let roots = AllowedRoots::default();
        for good in ["https://forge.example/a/b.git", "ssh://git@h:2222/x", "git@h.example:team/x.git"] {
            assert_eq!(roots.admit(good), Ok(Location::Remote(good.to_owned())), "{good}");
        }
        let hostile = [
            "ext::sh -c id",
            "fd::7",
            "--upload-pack=id",
            "relative/path",
            "ftp://h/x",
            "https://u:p@h/x",
            "ssh://-oProxyCommand=id/x",
            "ssh://-o@h/x",
            "git@-oProxyCommand=id:x",
            "git@h:-x",
            "h:x",
            "",
            "https:///x",
            "git::https://h",
            "https://h/a b",
        ];
        for text in hostile {
            assert_eq!(roots.admit(text).expect_err(text).code, RefusedCode::BadLocation, "{text}");
        }
    }

    #[test]
    fn c19_a_secret_in_an_address_is_not_repeated() {
        let refused = AllowedRoots::default().admit("https://me:hunter2@h/x").expect_err("credentials");
        assert!(!refused.reason.contains("hunter2"), "{}", refused.reason);
    }

    #[test]
    fn c19_a_link_does_not_lead_out_of_the_roots() {
        let inside = tempfile::tempdir().unwrap();
        let outside = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink(outside.path(), inside.path().join("link")).unwrap();
        let roots = AllowedRoots::new([inside.path().to_owned()]);
        let link = inside.path().join("link");
        assert_eq!(roots.admit(link.to_str().unwrap()).unwrap_err().code, RefusedCode::OutsideRoots);
        let up = inside.path().join("..");
        assert_eq!(roots.admit(up.to_str().unwrap()).unwrap_err().code, RefusedCode::OutsideRoots);
        assert_eq!(roots.admit("/nonexistent/x").unwrap_err().code, RefusedCode::Unreadable);
        let file = format!("file://{}", inside.path().display());
        assert_eq!(roots.admit(&file), Ok(Location::Folder(inside.path().canonicalize().unwrap())));
    }
}
