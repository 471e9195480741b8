//! How a command ends: the only map from failures to exit codes (O3).

pub mod call;
pub mod store;

use std::process::ExitCode;

/// The exit codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Done.
    Done = 0,
    /// It did not work out.
    Failed = 1,
    /// The command line or a setting is wrong.
    Usage = 2,
    /// No server answers.
    Unreachable = 3,
    /// The server understood and said no.
    Refused = 4,
    /// The store is damaged, or the disk fails or is full.
    Storage = 5,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Why a command ends otherwise than done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// The exit code.
    pub exit: Exit,
    /// The stable code of a refusal, for `--json`.
    pub code: Option<String>,
    /// What happened and why.
    pub message: String,
    /// What to do next.
    pub hint: Option<String>,
    /// The page that explains the code, by its path on the server that refused, and the request.
    pub page: Option<String>,
}

impl Failure {
    /// A failure with that exit code.
    pub fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, code: None, message: message.into(), hint: None, page: None }
    }

    /// It did not work out.
    pub fn failed(message: impl Into<String>) -> Self {
        Self::new(Exit::Failed, message)
    }

    /// The command line or a setting is wrong.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, message)
    }

    /// Standard output is gone. Whoever closed it (`head`) wants no word about it.
    pub fn closed(error: &std::io::Error) -> Self {
        if error.kind() == std::io::ErrorKind::BrokenPipe {
            return Self::new(Exit::Done, "");
        }
        Self::failed(format!("standard output cannot be written: {error}"))
    }

    /// The same with a word on what to do next.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl From<crate::settings::origin::BadSettings> for Failure {
    fn from(bad: crate::settings::origin::BadSettings) -> Self {
        Self::usage(bad.to_string()).hint("`tiltyard config --template` lists every setting")
    }
}

impl From<crate::settings::origin::BadSetting> for Failure {
    fn from(bad: crate::settings::origin::BadSetting) -> Self {
        crate::settings::origin::BadSettings::from(bad).into()
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        let full = error.kind() == std::io::ErrorKind::StorageFull;
        Self::new(if full { Exit::Storage } else { Exit::Failed }, error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // O3: exit codes 0 done, 1 failed, 2 wrong usage, 3 not reachable, 4 refused, 5 storage failure.
    #[test]
    fn o3_the_exit_codes_are_a_contract() {
        let all = [Exit::Done, Exit::Failed, Exit::Usage, Exit::Unreachable, Exit::Refused, Exit::Storage];
        assert_eq!(all.map(|exit| exit as u8), [0, 1, 2, 3, 4, 5]);
    }

    #[test]
    fn o3_a_full_disk_is_a_storage_failure() {
        let full = std::io::Error::from(std::io::ErrorKind::StorageFull);
        assert_eq!(Failure::from(full).exit, Exit::Storage);
        let closed = std::io::Error::from(std::io::ErrorKind::BrokenPipe);
        assert_eq!(Failure::closed(&closed).exit, Exit::Done);
    }
}
