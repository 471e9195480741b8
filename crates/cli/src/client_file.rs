//! Where the client calls, and with what token (O3): flags, else the environment, else the file that
//! `tiltyard up` wrote.

use crate::place::{Privacy, write_whole};
use crate::settings::DEFAULT_PORT;
use crate::settings::environment::Environment;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use tiltyard_model::secret::Secret;

/// Name of the file in the folder for state.
pub const FILE_NAME: &str = "client.toml";

/// Most files that are kept beside it; then nothing more is replaced until a person takes some away.
pub const MAX_ASIDE: usize = 100;

/// Name beside it of the n-th one, from 1, that a newer one replaced.
pub fn aside_name(number: usize) -> String {
    format!("client.before.{number}.toml")
}

/// What the file says.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClientFile {
    /// Address of the server.
    pub url: String,
    /// The token for it.
    pub token: Secret<String>,
}

/// Where to call, and as whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destination {
    /// Address of the server, without a slash at its end.
    pub url: String,
    /// The token, if any is known.
    pub token: Option<Secret<String>>,
}

/// `$XDG_STATE_HOME/tiltyard/client.toml`; `None` without a home folder.
pub fn path(environment: &Environment) -> Option<PathBuf> {
    environment.state_folder().map(|folder| folder.join(FILE_NAME))
}

impl ClientFile {
    /// Reads the file; `None` when there is none. One that others can read is made private first (SEC16).
    ///
    /// # Errors
    /// When it cannot be read, or is no client file.
    pub fn read(path: &Path) -> std::io::Result<Option<Self>> {
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        make_private(path)?;
        // The parser's own message would quote the line with the token.
        let file = toml::from_str(&text).map_err(|_| {
            std::io::Error::other(format!(
                "{} is no client file; `tiltyard up` writes a new one",
                path.display()
            ))
        })?;
        Ok(Some(file))
    }

    /// Puts this file in the place of the one that is there. One with another token is kept aside under
    /// [`aside_name`], also of the same address: two stores may have had it one after the other, and a token was
    /// shown once and may stand nowhere else. The answer is where the old one is now.
    ///
    /// # Errors
    /// When it cannot be written, or [`MAX_ASIDE`] are kept already; the old one stays then.
    pub fn replace(&self, path: &Path) -> std::io::Result<Option<PathBuf>> {
        // One that cannot be read is kept aside too: it may be worth mending.
        let other = match Self::read(path) {
            Ok(Some(old)) => old.token != self.token,
            Ok(None) => false,
            Err(_) => true,
        };
        let aside = other.then(|| keep_aside(path)).transpose()?;
        self.write(path)?;
        Ok(aside)
    }

    /// Writes the file, 0600.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, path: &Path) -> std::io::Result<()> {
        #[derive(Serialize)]
        struct Plain<'a> {
            url: &'a str,
            token: &'a str,
        }
        let plain = Plain { url: &self.url, token: self.token.expose() };
        let text = toml::to_string(&plain).map_err(std::io::Error::other)?;
        write_whole(path, text.as_bytes(), Privacy::Private)
    }
}

/// Copies the file to the first name that is free. A copy keeps the mode.
fn keep_aside(path: &Path) -> std::io::Result<PathBuf> {
    let mut names = (1..=MAX_ASIDE).map(|number| path.with_file_name(aside_name(number)));
    let free = names.find(|name| !name.exists()).ok_or_else(|| {
        let said =
            format!("{MAX_ASIDE} older ones are kept beside it: delete those of servers that are gone");
        std::io::Error::other(said)
    })?;
    std::fs::copy(path, &free)?;
    Ok(free)
}

#[cfg(unix)]
fn make_private(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let mode = std::fs::metadata(path)?.permissions().mode();
    if mode & 0o077 == 0 {
        return Ok(());
    }
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))
}

#[cfg(not(unix))]
fn make_private(_: &Path) -> std::io::Result<()> {
    Ok(())
}

/// Decides where to call. The token of the file is only for the server of the file: a `--server` of another
/// place never gets it.
///
/// # Errors
/// When the file is there and cannot be read.
pub fn resolve(
    server: Option<&str>,
    token: Option<&Secret<String>>,
    environment: &Environment,
) -> std::io::Result<Destination> {
    let file = path(environment).map(|path| ClientFile::read(&path)).transpose()?.flatten();
    let named = server.or_else(|| environment.get("TILTYARD_URL")).map(trim);
    let given =
        token.cloned().or_else(|| environment.get("TILTYARD_TOKEN").map(|text| Secret::new(text.to_owned())));
    let of_file = file.filter(|file| named.is_none_or(|named| named == trim(&file.url)));
    let url = named
        .or_else(|| of_file.as_ref().map(|file| trim(&file.url)))
        .map_or_else(default_url, str::to_owned);
    Ok(Destination { url, token: given.or_else(|| of_file.map(|file| file.token)) })
}

fn trim(url: &str) -> &str {
    url.trim_end_matches('/')
}

fn default_url() -> String {
    format!("http://127.0.0.1:{DEFAULT_PORT}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use tempfile::TempDir;

    fn home(variables: &[(&str, &str)]) -> (TempDir, Environment) {
        let folder = tempfile::tempdir().expect("a folder");
        let mut environment = Environment::default();
        let state = folder.path().to_str().expect("is UTF-8").to_owned();
        environment.variables.insert("XDG_STATE_HOME".to_owned(), state);
        for (name, value) in variables {
            environment.variables.insert((*name).to_owned(), (*value).to_owned());
        }
        (folder, environment)
    }

    fn write(environment: &Environment) -> PathBuf {
        let path = path(environment).expect("has a folder");
        let file = ClientFile { url: "http://127.0.0.1:9/".into(), token: Secret::new("jst_file".into()) };
        file.write(&path).expect("writes");
        path
    }

    fn token(destination: &Destination) -> Option<&str> {
        destination.token.as_ref().map(|token| token.expose().as_str())
    }

    // SEC2: a token is shown once, so a new first token pushes out none, of whatever address.
    #[test]
    fn sec2_a_file_with_another_token_is_kept_aside() {
        let (_folder, environment) = home(&[]);
        let path = write(&environment);
        let put = |url: &str, token: &str| {
            let file = ClientFile { url: url.into(), token: Secret::new(token.into()) };
            file.replace(&path).expect("writes")
        };
        assert_eq!(put("http://127.0.0.1:9", "jst_file"), None, "nothing would be lost");
        let asides = [put("http://127.0.0.1:9", "jst_second"), put("http://127.0.0.1:10", "jst_third")];
        let kept = asides.map(|aside| {
            let kept = ClientFile::read(&aside.expect("is kept")).expect("reads").expect("is there");
            kept.token.expose().clone()
        });
        assert_eq!(kept, ["jst_file", "jst_second"]);
        let now = ClientFile::read(&path).expect("reads").expect("is there");
        assert_eq!(now.token.expose(), "jst_third");
    }

    #[test]
    fn o3_without_anything_the_default_address_is_called() {
        let (_folder, environment) = home(&[]);
        let destination = resolve(None, None, &environment).expect("resolves");
        assert_eq!(destination, Destination { url: "http://127.0.0.1:8470".into(), token: None });
    }

    #[test]
    fn o3_flags_win_over_the_environment_and_that_over_the_file() {
        let (_folder, environment) = home(&[("TILTYARD_URL", "http://env/"), ("TILTYARD_TOKEN", "jst_env")]);
        write(&environment);
        let by_environment = resolve(None, None, &environment).expect("resolves");
        assert_eq!((by_environment.url.as_str(), token(&by_environment)), ("http://env", Some("jst_env")));
        let flag = Secret::new("jst_flag".to_owned());
        let by_flag = resolve(Some("http://flag"), Some(&flag), &environment).expect("resolves");
        assert_eq!((by_flag.url.as_str(), token(&by_flag)), ("http://flag", Some("jst_flag")));
    }

    #[test]
    fn o3_the_file_s_token_goes_to_the_file_s_server_only() {
        let (_folder, environment) = home(&[]);
        write(&environment);
        let own = resolve(None, None, &environment).expect("resolves");
        assert_eq!((own.url.as_str(), token(&own)), ("http://127.0.0.1:9", Some("jst_file")));
        assert_eq!(token(&resolve(Some("http://elsewhere"), None, &environment).expect("resolves")), None);
        let same = resolve(Some("http://127.0.0.1:9"), None, &environment).expect("resolves");
        assert_eq!(token(&same), Some("jst_file"));
    }

    #[cfg(unix)]
    #[test]
    fn o3_the_file_is_private_and_made_so_again() {
        use std::os::unix::fs::PermissionsExt;
        let (_folder, environment) = home(&[]);
        let path = write(&environment);
        let mode = || std::fs::metadata(&path).expect("is there").permissions().mode() & 0o777;
        assert_eq!(mode(), 0o600);
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).expect("changes");
        ClientFile::read(&path).expect("reads");
        assert_eq!(mode(), 0o600);
    }

    #[test]
    fn o20_a_broken_file_is_told_without_its_token() {
        let (_folder, environment) = home(&[]);
        let path = write(&environment);
        std::fs::write(&path, "url = 1\ntoken = \"jst_hush\"\n").expect("writes");
        let error = ClientFile::read(&path).expect_err("is no client file").to_string();
        assert!(error.contains("client.toml") && !error.contains("jst_hush"), "{error}");
    }
}
