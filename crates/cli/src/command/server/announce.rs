//! What a server says once it answers: where, and, once, its first token and a link to sign in with (SEC2).

use crate::client_file::{self, ClientFile};
use crate::command::ui::with_code;
use crate::context::Context;
use crate::exit::Failure;
use crate::output::style::{Colour, Paint};
use serde::{Deserialize, Serialize};
use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use tiltyard_model::secret::Secret;
use tiltyard_model::sign_in::CODE_MS;
use tiltyard_model::time::MINUTE_MS;
use tiltyard_server::First;

const CODE_MINUTES: i64 = CODE_MS / MINUTE_MS;

/// What is said.
#[derive(Debug, Clone)]
pub struct Announcement {
    /// Where to call.
    pub url: String,
    /// Where it listens.
    pub address: SocketAddr,
    /// The first token and a code to sign in with, when this start made them.
    pub first: Option<First>,
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
    /// A link that signs a browser in, once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
    /// The file that holds the token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_file: Option<PathBuf>,
    /// Where the client file of another token is now, which this one replaced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_file_before: Option<PathBuf>,
}

/// Where the first token is kept.
#[derive(Debug, Default)]
struct Kept {
    file: Option<PathBuf>,
    /// What was there before.
    before: Option<PathBuf>,
}

impl Announcement {
    /// Writes the client file and prints. A token that cannot be kept is printed all the same: it is made already.
    ///
    /// # Errors
    /// When standard output is closed.
    pub fn tell(&self, context: &Context) -> Result<(), Failure> {
        let kept = self.first.as_ref().map(|first| self.keep(context, &first.token)).unwrap_or_default();
        if context.output.is_json() {
            return context.output.json_line(&self.line(kept));
        }
        context.output.raw(&self.text(&kept, context.output.paint))
    }

    fn keep(&self, context: &Context, token: &Secret<String>) -> Kept {
        let Some(path) = client_file::path(&context.environment) else { return Kept::default() };
        let file = ClientFile { url: self.url.clone(), token: token.clone() };
        match file.replace(&path) {
            Ok(before) => Kept { file: Some(path), before },
            Err(error) => {
                // Standard error may be closed; the token itself goes to standard output.
                drop(writeln!(std::io::stderr(), "{} cannot be written: {error}", path.display()));
                Kept::default()
            }
        }
    }

    fn line(&self, kept: Kept) -> Line {
        Line {
            url: self.url.clone(),
            address: self.address,
            pid: std::process::id(),
            token: self.first.as_ref().map(|first| first.token.expose().clone()),
            link: self.first.as_ref().map(|first| with_code(&self.url, first.code.expose())),
            client_file: kept.file,
            client_file_before: kept.before,
        }
    }

    fn text(&self, kept: &Kept, paint: Paint) -> String {
        let mut text = format!("Tiltyard answers at {}\n", paint.colour(Colour::Cyan, &self.url));
        if let Some(First { token, code }) = &self.first {
            text.push_str(&format!("The first admin token, shown this once:\n  {}\n", token.expose()));
            let link = with_code(&self.url, code.expose());
            text.push_str(&format!(
                "A link that signs a browser in, once, within {CODE_MINUTES} minutes:\n  {link}\n"
            ));
            text.push_str("`tiltyard ui` prints another.\n");
        }
        if let Some(path) = &kept.file {
            text.push_str(&format!("It is kept in {}, where this command line finds it.\n", path.display()));
        }
        if let Some(path) = &kept.before {
            text.push_str(&format!("The token that was kept there before is in {} now.\n", path.display()));
        }
        if self.open_to_all {
            let warning = "NO TOKENS: whoever reaches this address is an admin (--no-auth).";
            text.push_str(&format!("{}\n", paint.colour(Colour::Red, warning)));
        }
        text
    }
}
