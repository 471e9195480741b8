//! One act on many things: all are tried, each is told of, and the worst end is the command's.

use crate::context::Context;
use crate::exit::Failure;
use serde::Serialize;

/// Does one thing to each. What succeeds is printed (a line for people, the value for machines); what fails
/// is told with its name, and does not keep the others from being tried.
///
/// # Errors
/// The failure with the highest exit code; the messages of all.
pub fn each<I, T>(
    context: &Context,
    things: &[I],
    mut act: impl AsyncFnMut(&I) -> Result<(T, String), Failure>,
) -> Result<(), Failure>
where
    I: std::fmt::Display,
    T: Serialize,
{
    context.block_on(async {
        let mut failures: Vec<Failure> = Vec::new();
        for thing in things {
            match act(thing).await {
                Ok((value, _)) if context.output.is_json() => context.output.json_line(&value)?,
                Ok((_, line)) => context.output.line(&line)?,
                Err(failure) => failures.push(named(failure, thing, things.len())),
            }
        }
        worst(failures)
    })
}

fn named(failure: Failure, thing: &impl std::fmt::Display, count: usize) -> Failure {
    if count == 1 {
        return failure;
    }
    let code = failure.code.as_ref().map(|code| format!(" [{code}]")).unwrap_or_default();
    let message = format!("{thing}: {}{code}", failure.message);
    Failure { message, ..failure }
}

fn worst(failures: Vec<Failure>) -> Result<(), Failure> {
    let message = failures.iter().map(|failure| failure.message.as_str()).collect::<Vec<_>>().join("\n");
    match failures.into_iter().max_by_key(|failure| failure.exit as u8) {
        Some(failure) => Err(Failure { message, ..failure }),
        None => Ok(()),
    }
}
