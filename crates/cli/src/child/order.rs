//! What is started: a server or an agent, with settings and a word to begin with.

use super::Hearing;
use crate::parent::Word;
use crate::settings::load::Given;
use std::path::PathBuf;
use tiltyard_model::secret::Secret;

/// Variables that only the server may see: whoever has them is an admin.
const FOR_THE_SERVER: &[&str] = &["ADMIN_TOKEN", "TILTYARD_TOKEN"];

/// What is started, as often as it is needed.
#[derive(Debug, Clone)]
pub struct Order {
    /// What people call it: `server`, `agent`.
    pub name: &'static str,
    /// The arguments, the command first.
    pub arguments: Vec<String>,
    /// Variables that are set.
    pub set: Vec<(String, String)>,
    /// Variables that are taken away.
    pub unset: Vec<String>,
    /// Where it stands; the folder of this process when absent.
    pub folder: Option<PathBuf>,
    /// What it is told first.
    pub word: Word,
    /// What becomes of its lines.
    pub hearing: Hearing,
}

impl Order {
    /// A server with these settings; its first line tells where it answers.
    pub fn server(given: &Given, hearing: Hearing) -> Self {
        Self::new("server", given, hearing)
    }

    /// An agent with these settings, for the server at `url`. Its token is said and not written into its arguments,
    /// where others could read it.
    pub fn agent(given: &Given, url: &str, token: Option<Secret<String>>, hearing: Hearing) -> Self {
        let mut order = Self::new("agent", given, hearing).setting("agent.server", url);
        order.unset = FOR_THE_SERVER.iter().map(|name| (*name).to_owned()).collect();
        order.word = Word { token };
        order
    }

    fn new(name: &'static str, given: &Given, hearing: Hearing) -> Self {
        let mut arguments: Vec<String> = [name, "--tied", "--json"].map(str::to_owned).to_vec();
        if let Some(config) = &given.config {
            arguments.extend(["--config".to_owned(), config.display().to_string()]);
        }
        let (set, unset, folder, word) = (Vec::new(), Vec::new(), None, Word::default());
        let order = Self { name, arguments, set, unset, folder, word, hearing };
        given.overrides.iter().fold(order, |order, given| order.setting(&given.path, &given.value))
    }

    /// The same with a setting; the last one of a key counts.
    #[must_use]
    pub fn setting(mut self, key: &str, value: &str) -> Self {
        self.arguments.extend(["--set".to_owned(), format!("{key}={value}")]);
        self
    }

    /// The same with an argument more.
    #[must_use]
    pub fn argument(mut self, argument: &str) -> Self {
        self.arguments.push(argument.to_owned());
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::load::Override;

    // C4: the agent's token is in no argument.
    #[test]
    fn c4_a_token_is_said_and_not_shown() {
        let overrides = vec![Override { flag: "--data".into(), path: "data".into(), value: "/d".into() }];
        let given = Given { config: Some("/c".into()), overrides };
        let token = Some(Secret::new("jst_hush".to_owned()));
        let order = Order::agent(&given, "http://127.0.0.1:1", token.clone(), Hearing::Nothing);
        let said = ["agent", "--tied", "--json", "--config", "/c", "--set", "data=/d", "--set"];
        assert_eq!(order.arguments[..8], said);
        assert_eq!(order.arguments[8..], ["agent.server=http://127.0.0.1:1"]);
        assert!(order.unset.contains(&"ADMIN_TOKEN".to_owned()));
        assert_eq!(order.word, Word { token });
    }
}
