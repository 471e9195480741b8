//! Floor 5: the human face. One file a command under `command/`; settings, logs and output beside it. A
//! library so that its tests reach it; the binary `tiltyard` is its one caller. The reference of commands is what the
//! binary itself says: `--help`, `tiltyard man FOLDER`, `tiltyard completions SHELL`.

pub mod argument;
pub mod child;
pub mod client_file;
pub mod command;
pub mod context;
pub mod decide;
pub mod each;
pub mod exit;
pub mod flag;
pub mod list;
pub mod log;
pub mod mistake;
pub mod moment;
pub mod output;
pub mod parent;
pub mod place;
pub mod ready_file;
pub mod settings;
pub mod signal;
pub mod version;

use clap::{CommandFactory, FromArgMatches};
use command::Cli;
use command::agent::machine::SHIM_ARGUMENT;
use context::Context;
use exit::{Exit, Failure};
use output::style::{Colour, Paint};
use output::{Format, Output};
use serde_json::json;
use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;
use tiltyard_model::visible;

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    // A shim is started before every program of a task: it reads no settings and knows no other argument.
    if arguments.next().is_some_and(|first| first == SHIM_ARGUMENT) {
        return tiltyard_agent::shim::run_shim(arguments);
    }
    let matches = match Cli::command().try_get_matches_from(asked(std::env::args_os().collect())) {
        Ok(matches) => matches,
        Err(error) => return explain(&error),
    };
    let cli = match Cli::from_arg_matches(&matches) {
        Ok(cli) => cli,
        Err(error) => return explain(&error),
    };
    let format = if cli.global.json { Format::Json } else { Format::Human };
    let context = Context::of_process(cli.global, Output::of_process(format));
    match command::run(cli.command, &context) {
        Ok(()) => Exit::Done.into(),
        Err(failure) => report(&with_page(failure, &context), format),
    }
}

/// `tiltyard help tasks` is `tiltyard tasks --help`.
fn asked(mut arguments: Vec<OsString>) -> Vec<OsString> {
    if arguments.get(1).is_some_and(|first| first == "help") {
        arguments.remove(1);
        arguments.push("--help".into());
    }
    arguments
}

/// Help and wrong usage: clap knows the text, the stream and the code (0 or 2). A program that asked for JSON gets its
/// failures so, this one too.
fn explain(error: &clap::Error) -> ExitCode {
    if error.use_stderr() && std::env::args_os().any(|argument| argument == "--json") {
        let text = error.render().to_string();
        let text = text.trim_end().strip_prefix("error: ").unwrap_or(text.trim_end());
        return report(&Failure::usage(text), Format::Json);
    }
    // A stream that is closed cannot be told so.
    drop(error.print());
    u8::try_from(error.exit_code()).map_or(Exit::Usage.into(), ExitCode::from)
}

/// The token in the client file goes to no other address than its own, also where both lead to the same server.
fn other_address(failure: &Failure, context: &Context) -> Option<String> {
    let asked = context.destination().ok().filter(|asked| asked.token.is_none())?;
    let path = client_file::path(&context.environment)
        .filter(|_| failure.code.as_deref() == Some("unauthenticated"))?;
    let file = client_file::ClientFile::read(&path).ok().flatten().filter(|file| file.url != asked.url)?;
    Some(format!(
        "the token in {} is for {} and is sent nowhere else, so not to {}: use that address, or say --token",
        path.display(),
        visible::line(&file.url),
        visible::line(&asked.url)
    ))
}

/// The page that explains a refusal is one of the server that refused; it is the next step where no other is known.
fn with_page(failure: Failure, context: &Context) -> Failure {
    let failure = match other_address(&failure, context) {
        Some(hint) => Failure { hint: Some(hint), ..failure },
        None => failure,
    };
    let hint = failure.hint.clone().or_else(|| {
        let (page, destination) = (failure.page.as_ref()?, context.destination().ok()?);
        Some(format!("{}{page}", destination.url))
    });
    Failure { hint, ..failure }
}

fn report(failure: &Failure, format: Format) -> ExitCode {
    let text = match format {
        _ if failure.message.is_empty() => String::new(),
        Format::Human => human(failure, Paint::of_stderr()),
        Format::Json => {
            let hint = failure.hint.as_deref();
            let value = json!({"error": failure.message, "code": failure.code, "hint": hint, "exit": failure.exit as u8});
            output::escape_json(&format!("{value}\n"))
        }
    };
    // A stream that is closed cannot be told so.
    drop(std::io::stderr().write_all(text.as_bytes()));
    failure.exit.into()
}

fn human(failure: &Failure, paint: Paint) -> String {
    let code = failure.code.as_ref().map(|code| format!(" [{code}]")).unwrap_or_default();
    // The failures of several things bear theirs already.
    let code = if failure.message.contains(&code) { String::new() } else { code };
    let message = format!("{}{code}", failure.message);
    let message = visible::block(&message);
    let mut text = format!("{} {message}\n", paint.colour(Colour::Red, "error:"));
    if let Some(hint) = &failure.hint {
        text.push_str(&format!("{} {}\n", paint.colour(Colour::Cyan, "next:"), visible::block(hint)));
    }
    text
}
