//! What surrounds the process: variables and folders. Read once, passed as an argument, so that tests need
//! no real environment.

use super::key::{ENVIRONMENT_PREFIX, KEYS, nearest};
use super::origin::{BadSetting, Origin};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use tiltyard_model::secret::Secret;

/// Variables with our prefix that are no settings: where the client calls, and what the agent tells the
/// programs that it runs.
pub const NOT_SETTINGS: &[&str] = &[
    "TILTYARD_URL",
    "TILTYARD_TOKEN",
    "TILTYARD_OUTPUT",
    "TILTYARD_PROMPT",
    "TILTYARD_PROMPT_FILE",
    "TILTYARD_CRITERIA",
    "TILTYARD_FEEDBACK",
    "TILTYARD_FEEDBACK_FILE",
    "TILTYARD_CONFLICTS",
    "TILTYARD_TASK",
    "TILTYARD_GENERATION",
    "TILTYARD_REPOSITORY",
    "TILTYARD_BASE",
];

/// Fewest characters of `ADMIN_TOKEN` (SEC2).
pub const MIN_ADMIN_TOKEN_CHARS: usize = 16;

/// The variables and the current folder of a process.
#[derive(Clone, Default)]
pub struct Environment {
    /// Variables; those that are no UTF-8 are left out.
    pub variables: BTreeMap<String, String>,
    /// The current folder.
    pub folder: PathBuf,
}

// Variables may hold tokens, so there is no derived Debug.
impl std::fmt::Debug for Environment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Environment").field("folder", &self.folder).finish_non_exhaustive()
    }
}

impl Environment {
    /// The one of this process.
    pub fn of_process() -> Self {
        let variables = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        Self { variables, folder: std::env::current_dir().unwrap_or_default() }
    }

    /// A variable that is set and not empty.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// The variables that are set and whose names begin so.
    pub fn with_prefix<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        let all = self.variables.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        all.filter(move |(name, value)| name.starts_with(prefix) && !value.is_empty())
    }

    /// The home folder.
    pub fn home(&self) -> Option<PathBuf> {
        self.get("HOME").map(PathBuf::from)
    }

    /// `tiltyard` in the folder for settings.
    pub fn config_folder(&self) -> Option<PathBuf> {
        self.xdg("XDG_CONFIG_HOME", ".config")
    }

    /// `tiltyard` in the folder for data.
    pub fn data_folder(&self) -> Option<PathBuf> {
        self.xdg("XDG_DATA_HOME", ".local/share")
    }

    /// `tiltyard` in the folder for state.
    pub fn state_folder(&self) -> Option<PathBuf> {
        self.xdg("XDG_STATE_HOME", ".local/state")
    }

    /// A path as seen from the current folder.
    pub fn absolute(&self, path: &Path) -> PathBuf {
        self.folder.join(path)
    }

    /// `ADMIN_TOKEN` (SEC2): an admin token beside the store, for as long as the variable says so.
    ///
    /// # Errors
    /// When it is set and shorter than [`MIN_ADMIN_TOKEN_CHARS`].
    pub fn admin_token(&self) -> Result<Option<Secret<String>>, BadSetting> {
        let Some(token) = self.get("ADMIN_TOKEN") else { return Ok(None) };
        if token.chars().count() >= MIN_ADMIN_TOKEN_CHARS {
            return Ok(Some(Secret::new(token.to_owned())));
        }
        let origin = Origin::Environment { variable: "ADMIN_TOKEN".to_owned() };
        let message = format!("needs at least {MIN_ADMIN_TOKEN_CHARS} characters");
        Err(BadSetting { origin, message })
    }

    /// The XDG rule: a relative path in the variable is ignored.
    fn xdg(&self, variable: &str, below_home: &str) -> Option<PathBuf> {
        let named = self.get(variable).map(PathBuf::from).filter(|path| path.is_absolute());
        let base = named.or_else(|| Some(self.home()?.join(below_home)))?;
        Some(base.join("tiltyard"))
    }

    /// Every variable that sets a setting, with its key's path and its text.
    pub(super) fn settings(&self) -> (Vec<(String, String, Origin)>, Vec<BadSetting>) {
        let (mut found, mut bad) = (Vec::new(), Vec::new());
        for name in self.variables.keys().filter(|name| name.starts_with(ENVIRONMENT_PREFIX)) {
            let origin = Origin::Environment { variable: name.clone() };
            let key = KEYS.iter().find(|key| key.variable() == *name);
            match (key, self.get(name)) {
                (Some(key), Some(value)) => found.push((key.path.clone(), value.to_owned(), origin)),
                (None, _) if !NOT_SETTINGS.contains(&name.as_str()) => bad.push(unknown(name, origin)),
                _ => {}
            }
        }
        (found, bad)
    }
}

fn unknown(name: &str, origin: Origin) -> BadSetting {
    let names: Vec<String> = KEYS.iter().map(super::key::Key::variable).collect();
    let all = names.iter().map(String::as_str).chain(NOT_SETTINGS.iter().copied());
    let near = nearest(name, all).unwrap_or_default();
    let message =
        format!("no setting has this variable; the nearest is {near}. Unset it or correct the name");
    BadSetting { origin, message }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(pairs: &[(&str, &str)]) -> Environment {
        let variables = pairs.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        Environment { variables, folder: "/work".into() }
    }

    #[test]
    fn o1_folders_follow_xdg() {
        let env = with(&[("HOME", "/home/ada"), ("XDG_STATE_HOME", "/state"), ("XDG_DATA_HOME", "relative")]);
        assert_eq!(env.config_folder(), Some("/home/ada/.config/tiltyard".into()));
        assert_eq!(env.state_folder(), Some("/state/tiltyard".into()));
        assert_eq!(env.data_folder(), Some("/home/ada/.local/share/tiltyard".into()));
        assert_eq!(with(&[]).data_folder(), None);
    }

    // C11: a program of a change that calls `tiltyard` itself is not told that its variables are no settings.
    #[test]
    fn c11_what_programs_are_told_is_no_setting() {
        for name in tiltyard_agent::executor::change::PROGRAM_VARIABLES {
            assert!(NOT_SETTINGS.contains(&name), "{name}");
        }
    }

    #[test]
    fn sec2_the_admin_token_has_16_characters() {
        assert_eq!(with(&[]).admin_token(), Ok(None));
        assert!(with(&[("ADMIN_TOKEN", "123456789012345")]).admin_token().is_err());
        let token = with(&[("ADMIN_TOKEN", "1234567890123456")]).admin_token().expect("is long enough");
        assert_eq!(token.expect("is set").expose(), "1234567890123456");
    }
}
