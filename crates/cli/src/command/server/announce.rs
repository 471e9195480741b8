//! What a server says once it answers: where, and its first token, once (SEC2).

use crate::client_file::{self, ClientFile};
use crate::context::Context;
use crate::exit::Failure;
use crate::output::style::{Colour, Paint};
use serde::{Deserialize, Serialize};
use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use tiltyard_model::secret::Secret;

/// What is said.
#[derive(Debug, Clone)]
pub struct Announcement {
    /// Where to call.
    pub url: String,
    /// Where it listens.
    pub address: SocketAddr,
    /// The first token, when this start made it.
    pub token: Option<Secret<String>>,
    /// Whether it lets everybody in.
    pub open_to_all: bool,
}

/// The same as one line of JSON (`--json`).
#[derive(Debug, Serialize, Deserialize)]
pub struct Line {
    /// Where to call.
    pub url: String,
    /// Where it listens.
    pub address: SocketAddr,
    /// Its process.
    pub pid: u32,
    /// The first token, shown this once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// The file that holds it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_file: Option<PathBuf>,
}

impl Announcement {
    /// Writes the client file and prints. A token that cannot be kept is printed all the same: it is made already.
    ///
    /// # Errors
    /// When standard output is closed.
    pub fn tell(&self, context: &Context) -> Result<(), Failure> {
        let kept = self.token.as_ref().and_then(|token| self.keep(context, token));
        if context.output.is_json() {
            return context.output.json_line(&self.line(kept));
        }
        context.output.raw(&self.text(kept.as_deref(), context.output.paint))
    }

    fn keep(&self, context: &Context, token: &Secret<String>) -> Option<PathBuf> {
        let path = client_file::path(&context.environment)?;
        let file = ClientFile { url: self.url.clone(), token: token.clone() };
        match file.replace(&path) {
            Ok(()) => Some(path),
            Err(error) => {
                // Standard error may be closed; the token itself goes to standard output.
                drop(writeln!(std::io::stderr(), "{} cannot be written: {error}", path.display()));
                None
            }
        }
    }

    fn line(&self, kept: Option<PathBuf>) -> Line {
        Line {
            url: self.url.clone(),
            address: self.address,
            pid: std::process::id(),
            token: self.token.as_ref().map(|token| token.expose().clone()),
            client_file: kept,
        }
    }

    fn text(&self, kept: Option<&std::path::Path>, paint: Paint) -> String {
        let mut text = format!("Tiltyard answers at {}\n", paint.colour(Colour::Cyan, &self.url));
        if let Some(token) = &self.token {
            text.push_str(&format!("The first admin token, shown this once:\n  {}\n", token.expose()));
            text.push_str(&format!("Sign in with it at {}\n", self.url));
        }
        if let Some(path) = kept {
            text.push_str(&format!("It is kept in {}, where this command line finds it.\n", path.display()));
        }
        if self.open_to_all {
            let warning = "NO TOKENS: whoever reaches this address is an admin (--no-auth).";
            text.push_str(&format!("{}\n", paint.colour(Colour::Red, warning)));
        }
        text
    }
}
