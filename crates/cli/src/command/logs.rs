//! `tiltyard logs`

use crate::argument::task_id;
use crate::context::Context;
use crate::exit::Failure;
use clap::Args;
use serde_json::json;
use std::io::Write;
use tiltyard_client::stream::Item;
use tiltyard_client::{Client, Request};
use tiltyard_model::id::Id;
use tiltyard_model::visible;
use tiltyard_wire::endpoint::call;
use tiltyard_wire::task::LogQuery;

/// Print what a task's program said
///
/// Control characters are made visible on a terminal; into a file or pipe the log goes as it is.
#[derive(Debug, Args)]
pub struct Logs {
    /// The task
    #[arg(value_parser = task_id)]
    id: Id,
    /// Go on until the attempt ends
    #[arg(short, long)]
    follow: bool,
    /// Of this attempt (its generation) [default: the last one]
    #[arg(long, value_name = "NUMBER")]
    attempt: Option<i64>,
}

impl Logs {
    /// Prints it.
    ///
    /// # Errors
    /// Those of the calls.
    pub fn run(&self, context: &Context) -> Result<(), Failure> {
        let client = context.client()?;
        context.block_on(async {
            if self.follow { self.follow(context, &client).await } else { self.whole(context, &client).await }
        })
    }

    fn request(&self, follow: bool) -> Request<call::TaskLog> {
        let query = LogQuery { generation: self.attempt, offset: None, follow: follow.then_some(true) };
        Request::<call::TaskLog>::new().place(self.id).query(query)
    }

    /// Piece by piece, as a log may be larger than memory should be. A piece may end within a letter.
    async fn whole(&self, context: &Context, client: &Client) -> Result<(), Failure> {
        if context.output.is_json() {
            let text = client.text(self.request(false)).await?;
            return context.output.json(&json!({"id": self.id, "text": text}));
        }
        let mut download = client.download(self.request(false)).await?;
        let (mut rest, mut empty) = (Vec::<u8>::new(), true);
        while let Some(piece) = download.next().await? {
            empty &= piece.is_empty();
            rest.extend_from_slice(&piece);
            let whole = whole_letters(&rest);
            print(context, &String::from_utf8_lossy(&rest[..whole]))?;
            rest.drain(..whole);
        }
        print(context, &String::from_utf8_lossy(&rest))?;
        if empty { self.explain(client).await } else { Ok(()) }
    }

    /// Why there is nothing, on standard error: standard output is the log only.
    async fn explain(&self, client: &Client) -> Result<(), Failure> {
        let task = client.call(Request::<call::TaskGet>::new().place(self.id)).await?;
        let text = if task.generation == 0 {
            format!("no attempt yet; `tiltyard why {}` says why", self.id)
        } else {
            "nothing was logged".to_owned()
        };
        Ok(writeln!(std::io::stderr(), "{text}")?)
    }

    async fn follow(&self, context: &Context, client: &Client) -> Result<(), Failure> {
        let mut stream = client.follow(self.request(true));
        while let Some(item) = stream.next().await? {
            let Item::Next(text) = item else { continue };
            if context.output.is_json() {
                context.output.json_line(&json!({"id": self.id, "text": text}))?;
            } else {
                print(context, &text)?;
            }
        }
        Ok(())
    }
}

fn print(context: &Context, text: &str) -> Result<(), Failure> {
    if context.output.is_terminal() {
        context.output.raw(&visible::block(text))
    } else {
        context.output.raw(text)
    }
}

/// How many bytes end on the edge of a letter: all but the beginning of one that is cut off.
fn whole_letters(bytes: &[u8]) -> usize {
    match std::str::from_utf8(bytes) {
        Err(error) if error.error_len().is_none() => error.valid_up_to(),
        _ => bytes.len(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_letter_waits_for_its_rest() {
        assert_eq!(whole_letters("aü".as_bytes()), 3);
        assert_eq!(whole_letters(&"aü".as_bytes()[..2]), 1);
        assert_eq!(whole_letters(b"a\xffb"), 3);
    }
}
