//! The settings of an agent that has joined: `[agent]` in the settings file, for its owner's eyes only.

use crate::exit::Failure;
use crate::place::{Privacy, write_whole};
use serde::Serialize;
use std::path::{Path, PathBuf};
use tiltyard_model::secret::Secret;

/// What is written.
#[derive(Debug)]
pub(super) struct OwnFile {
    path: PathBuf,
    /// What stands there already, without an `[agent]`.
    before: String,
}

/// The settings of the agent.
#[derive(Debug)]
pub(super) struct Entry<'a> {
    pub(super) server: &'a str,
    pub(super) token: &'a Secret<String>,
    pub(super) name: &'a str,
    pub(super) others: toml::Table,
}

impl OwnFile {
    /// Looks whether the file can take the settings, before anything is done.
    ///
    /// # Errors
    /// When it cannot be read, or has settings of an agent already.
    pub(super) fn look(path: PathBuf) -> Result<Self, Failure> {
        let before = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(Failure::failed(format!("{} cannot be read: {error}", path.display()))),
        };
        // The parser's own message would quote the line, and with it a token.
        let table: Result<toml::Table, _> = toml::from_str(&before);
        let table = table.map_err(|_| Failure::usage(format!("{} is no TOML", path.display())))?;
        if table.contains_key("agent") {
            let text = format!("{} has settings of an agent already", path.display());
            return Err(
                Failure::usage(text).hint("take its [agent] out, or say --config FILE for another file")
            );
        }
        Ok(Self { path, before })
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Writes the settings, 0600.
    ///
    /// # Errors
    /// When it cannot be written; what was there stays.
    pub(super) fn write(&self, entry: Entry<'_>) -> Result<(), Failure> {
        let text = self.text(entry).map_err(|error| Failure::failed(error.to_string()))?;
        write_whole(&self.path, text.as_bytes(), Privacy::Private)
            .map_err(|error| Failure::failed(format!("{} cannot be written: {error}", self.path.display())))
    }

    fn text(&self, entry: Entry<'_>) -> Result<String, toml::ser::Error> {
        #[derive(Serialize)]
        struct File {
            agent: toml::Table,
        }
        let mut agent = entry.others;
        for (name, value) in [("server", entry.server), ("token", entry.token.expose()), ("name", entry.name)]
        {
            agent.insert(name.to_owned(), value.into());
        }
        let own = toml::to_string(&File { agent })?;
        let before = self.before.trim_end();
        Ok(if before.is_empty() { own } else { format!("{before}\n\n{own}") })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn entry(token: &Secret<String>) -> Entry<'_> {
        let others = toml::Table::from_iter([("slots".to_owned(), toml::Value::Integer(2))]);
        Entry { server: "http://127.0.0.1:1", token, name: "builder", others }
    }

    #[test]
    fn c5_the_settings_go_behind_what_is_there_and_are_private() {
        let folder = tempfile::tempdir().expect("a folder");
        let (path, token) = (folder.path().join("tiltyard.toml"), Secret::new("jst_hush".to_owned()));
        std::fs::write(&path, "# mine\nlisten = \"127.0.0.1:1\"\n").expect("writes");
        OwnFile::look(path.clone()).expect("can take it").write(entry(&token)).expect("writes");
        let text = std::fs::read_to_string(&path).expect("is there");
        assert!(text.starts_with("# mine\nlisten = \"127.0.0.1:1\"\n\n[agent]\n"), "{text}");
        let settings: crate::settings::Settings = toml::from_str(&text).expect("is a settings file");
        assert_eq!((settings.agent.name.as_deref(), settings.agent.slots), (Some("builder"), 2));
        assert_eq!(std::fs::metadata(&path).expect("is there").permissions().mode() & 0o777, 0o600);
        let again = OwnFile::look(path).expect_err("has an agent already");
        assert!(again.message.contains("already"), "{again}");
    }
}
