//! `tiltyard doctor`

pub mod database;
pub mod finding;
pub mod host;
pub mod service;

use crate::context::Context;
use crate::exit::{Exit, Failure};
use crate::flag::ServerFlags;
use crate::output::style::{Colour, Paint};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use clap::Args;
use finding::{Finding, Verdict};
use serde_json::json;
use std::io::Write;
use tiltyard_model::visible;

/// Check this machine and the server, and say what mends what is wrong
///
/// Ends with 0 when nothing fails, else with 1. A server that does not answer fails where a flag, the environment or
/// the client file names one.
#[derive(Debug, Args)]
pub struct Doctor {
    #[command(flatten)]
    flags: ServerFlags,
    /// Copy the command that mends this check to the clipboard (by the terminal, OSC 52)
    #[arg(long, value_name = "CHECK")]
    copy: Option<String>,
}

impl Doctor {
    /// Checks.
    ///
    /// # Errors
    /// When something fails.
    pub fn run(&self, context: &Context) -> Result<(), Failure> {
        let findings = context.block_on(self.examine(context))?;
        if let Some(name) = &self.copy {
            return copy(name, &findings);
        }
        let worst = findings.iter().map(|finding| finding.verdict).max().unwrap_or(Verdict::Ok);
        if context.output.is_json() {
            context.output.json(&json!({"status": worst, "checks": findings}))?;
        } else {
            let texts: String = findings.iter().map(|finding| text(finding, context.output.paint)).collect();
            context.output.raw(&texts)?;
        }
        if worst == Verdict::Fail { Err(Failure::new(Exit::Failed, "")) } else { Ok(()) }
    }

    async fn examine(&self, context: &Context) -> Result<Vec<Finding>, Failure> {
        let mut findings = vec![host::git().await, host::clock()];
        match context.settings(&self.flags.given()) {
            Ok(loaded) => {
                findings.push(Finding::ok(
                    "settings",
                    loaded.file.map_or_else(|| "defaults".into(), |file| file.display().to_string()),
                ));
                findings
                    .extend([host::data_folder(&loaded.settings.data), host::disk(&loaded.settings.data)]);
                findings.extend(host::bytes(&loaded.settings));
                findings.extend(database::examine(&loaded.settings).await);
                findings.extend(service::examine(context, loaded.settings.listen).await);
            }
            Err(failure) => {
                let finding = Finding::fail("settings", failure.message);
                findings.push(finding.mend("tiltyard config --template"));
            }
        }
        Ok(findings)
    }
}

fn text(finding: &Finding, paint: Paint) -> String {
    let (word, colour) = match finding.verdict {
        Verdict::Ok => ("ok  ", Colour::Green),
        Verdict::Warn => ("warn", Colour::Yellow),
        Verdict::Fail => ("fail", Colour::Red),
    };
    let mut text =
        format!("{}  {:<16} {}\n", paint.colour(colour, word), finding.check, visible::line(&finding.said));
    if let Some(mend) = &finding.mend {
        text.push_str(&format!("{:24}{}\n", "", paint.colour(Colour::Cyan, mend)));
    }
    text
}

/// Asks the terminal to put the text on the clipboard, which also works over SSH.
fn copy(name: &str, findings: &[Finding]) -> Result<(), Failure> {
    let finding = findings.iter().find(|finding| finding.check == name);
    let finding = finding.ok_or_else(|| Failure::usage(format!("there is no check {name:?}")))?;
    let none = || Failure::failed(format!("nothing is known that mends {name:?}"));
    let mend = finding.mend.as_deref().ok_or_else(none)?;
    let mut stdout = std::io::stdout().lock();
    write!(stdout, "\x1b]52;c;{}\x07", BASE64_STANDARD.encode(mend))?;
    writeln!(stdout, "{mend}")?;
    Ok(())
}
