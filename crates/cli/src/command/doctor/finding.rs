//! What one check found.

use serde::Serialize;

/// How it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// As it should be.
    Ok,
    /// It works, and somebody should look.
    Warn,
    /// It does not work.
    Fail,
}

/// What one check found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The check.
    pub check: String,
    /// How it is.
    pub verdict: Verdict,
    /// What was found, one sentence.
    pub said: String,
    /// The command that mends it.
    pub mend: Option<String>,
}

impl Finding {
    fn new(check: &str, verdict: Verdict, said: impl Into<String>) -> Self {
        Self { check: check.to_owned(), verdict, said: said.into(), mend: None }
    }

    /// As it should be.
    pub fn ok(check: &str, said: impl Into<String>) -> Self {
        Self::new(check, Verdict::Ok, said)
    }

    /// It works, and somebody should look.
    pub fn warn(check: &str, said: impl Into<String>) -> Self {
        Self::new(check, Verdict::Warn, said)
    }

    /// It does not work.
    pub fn fail(check: &str, said: impl Into<String>) -> Self {
        Self::new(check, Verdict::Fail, said)
    }

    /// The same with the command that mends it.
    #[must_use]
    pub fn mend(mut self, command: impl Into<String>) -> Self {
        self.mend = Some(command.into());
        self
    }
}
