//! The tie of a child to the process that started it (C4): standard input. The parent says one line and then
//! keeps its end open for as long as it lives, so the end of input is the parent's end, however it came.

use crate::exit::Failure;
use serde::{Deserialize, Serialize};
use std::io::{BufRead, BufReader, Read};
use std::sync::mpsc::{SyncSender, sync_channel};
use tiltyard_model::secret::Secret;
use tokio::sync::oneshot;

/// Longest line of a parent in bytes.
const MAX_WORD_BYTES: u64 = 4 * 1024;

/// What a parent says first. A token is said here because others can read the arguments of a process.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Word {
    /// The token to call with.
    #[serde(default)]
    pub token: Option<Secret<String>>,
}

impl Word {
    /// The line that says it; a secret masks itself when it is written, so this is done by hand.
    pub fn line(&self) -> String {
        #[derive(Serialize)]
        struct Plain<'a> {
            token: Option<&'a str>,
        }
        let token = self.token.as_ref().map(|token| token.expose().as_str());
        let text = serde_json::to_string(&Plain { token }).expect("a text always becomes JSON");
        format!("{text}\n")
    }
}

/// The process that started this one.
#[derive(Debug)]
pub struct Parent {
    word: Word,
    gone: oneshot::Receiver<()>,
}

impl Parent {
    /// Takes standard input, and waits for the parent's line.
    ///
    /// # Errors
    /// When no such line comes: somebody gave `--tied` by hand.
    pub fn hear() -> Result<Self, Failure> {
        let (said, heard) = sync_channel(1);
        let (alive, gone) = oneshot::channel::<()>();
        // A thread of its own: reading standard input cannot be called off, and must not hold up the end.
        std::thread::Builder::new().name("parent".to_owned()).spawn(move || {
            listen(std::io::stdin(), &said);
            drop(alive);
        })?;
        let no_parent = || Failure::usage("--tied is for `tiltyard up`: no word came on standard input");
        let line = heard.recv().map_err(|_| no_parent())?;
        let word = serde_json::from_str(&line).map_err(|_| no_parent())?;
        Ok(Self { word, gone })
    }

    /// The token that it said.
    pub fn token(&self) -> Option<&Secret<String>> {
        self.word.token.as_ref()
    }

    /// Waits for its end.
    pub async fn gone(&mut self) {
        // Nothing is ever sent: the sender goes with the input, and that is the message.
        drop((&mut self.gone).await);
    }
}

/// Waits for the end of the parent, which comes once; without one, for ever.
pub async fn gone(parent: &mut Option<Parent>) {
    match parent {
        Some(present) => present.gone().await,
        None => std::future::pending().await,
    }
    *parent = None;
}

/// Hands on the first line, then reads to the end of the input.
fn listen(input: impl Read, said: &SyncSender<String>) {
    let mut input = BufReader::new(input);
    let mut line = String::new();
    if input.by_ref().take(MAX_WORD_BYTES).read_line(&mut line).is_ok() && !line.is_empty() {
        // Whoever asked for the line has given up: then its end is all that matters.
        drop(said.send(line));
        // An input that breaks has ended as well.
        drop(std::io::copy(&mut input, &mut std::io::sink()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // C4: the token goes from parent to child on standard input.
    #[test]
    fn c4_a_word_is_heard_as_it_was_said() {
        let word = Word { token: Some(Secret::new("jst_hush".to_owned())) };
        let (said, heard) = sync_channel(1);
        listen(format!("{}more\n", word.line()).as_bytes(), &said);
        let line = heard.recv().expect("was said");
        assert_eq!(serde_json::from_str::<Word>(&line).expect("is a word"), word);
        assert_eq!(Word::default().line(), "{\"token\":null}\n");
        drop(said);
        let (said, heard) = sync_channel(1);
        listen(&b""[..], &said);
        drop(said);
        assert!(heard.recv().is_err(), "an empty input says nothing");
    }
}
