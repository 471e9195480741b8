//! The other user that programs may run as (`--user`, C6).

use serde::{Deserialize, Serialize};

/// Where the names of local users stand.
const PASSWD_FILE: &str = "/etc/passwd";

/// A user and its first group, as numbers. Further groups are not given: the fewer rights, the better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunAs {
    /// User id.
    pub uid: u32,
    /// Group id.
    pub gid: u32,
}

/// Why a text names no user.
#[derive(Debug, thiserror::Error)]
pub enum BadUser {
    /// The name is not there.
    #[error("there is no user `{0}` in {PASSWD_FILE}: give a local user's name, or numbers as UID:GID")]
    Unknown(String),
    /// The list of users cannot be read.
    #[error("cannot read {PASSWD_FILE}: {0}")]
    Unreadable(#[from] std::io::Error),
}

impl RunAs {
    /// Reads `UID:GID`, or the name of a local user.
    ///
    /// # Errors
    /// [`BadUser`] when no such user is known here.
    pub fn find(text: &str) -> Result<Self, BadUser> {
        match numbers(text) {
            Some(found) => Ok(found),
            None => in_passwd(&std::fs::read_to_string(PASSWD_FILE)?, text)
                .ok_or_else(|| BadUser::Unknown(text.escape_default().to_string())),
        }
    }
}

fn numbers(text: &str) -> Option<RunAs> {
    let (uid, gid) = text.split_once(':')?;
    Some(RunAs { uid: uid.parse().ok()?, gid: gid.parse().ok()? })
}

fn in_passwd(file: &str, wanted: &str) -> Option<RunAs> {
    file.lines().find_map(|line| {
        let mut fields = line.split(':');
        let (name, _, uid, gid) = (fields.next()?, fields.next()?, fields.next()?, fields.next()?);
        (name == wanted).then_some(RunAs { uid: uid.parse().ok()?, gid: gid.parse().ok()? })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c6_users_are_found_by_name_and_by_number() {
        let file = "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65533:nobody:/:/usr/sbin/nologin\nbroken\n";
        assert_eq!(in_passwd(file, "nobody"), Some(RunAs { uid: 65534, gid: 65533 }));
        assert_eq!(in_passwd(file, "broken"), None);
        assert_eq!(numbers("12:34"), Some(RunAs { uid: 12, gid: 34 }));
        assert!(matches!(RunAs::find("no such user"), Err(BadUser::Unknown(_))));
    }
}
