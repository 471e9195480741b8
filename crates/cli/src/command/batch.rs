//! `tiltyard batch`

use crate::context::Context;
use crate::exit::Failure;
use crate::output::progress::Progress;
use clap::Args;
use serde_json::json;
use std::io::{BufRead, BufReader, Read};
use tiltyard_client::request::random_key;
use tiltyard_client::{Client, Error as CallError, Request};
use tiltyard_wire::endpoint::call;
use tiltyard_wire::page::ScopeQuery;
use tiltyard_wire::task::{Submit, SubmitBatch};

/// Longest line in bytes: a payload of 256 KiB with room around it.
const MAX_LINE_BYTES: u64 = 1024 * 1024;
/// Bytes of one request; the server takes 16 MiB.
const MAX_CHUNK_BYTES: usize = 8 * 1024 * 1024;

/// Hand in many tasks, one JSON object a line
///
/// Each chunk is taken whole or not at all. A line that is no task stops the batch before its chunk is sent.
#[derive(Debug, Args)]
pub struct Batch {
    /// The lines; - is standard input
    #[arg(default_value = "-")]
    file: String,
    /// Tasks a chunk
    #[arg(long, value_name = "COUNT", default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    chunk: u32,
    /// Where tasks belong that name no scope
    #[arg(long, value_name = "NAME")]
    scope: Option<String>,
}

/// What has been handed in so far.
#[derive(Debug, Default)]
struct Tally {
    submitted: u64,
    duplicates: u64,
}

impl Batch {
    /// Hands them in.
    ///
    /// # Errors
    /// A line that is no task, or a refusal; the message says how many went in before.
    pub fn run(&self, context: &Context) -> Result<(), Failure> {
        let (lines, bytes) = self.open()?;
        let client = context.client()?;
        let mut tally = Tally::default();
        let sent = context.block_on(self.send(&client, Chunks::new(lines, self.chunk), bytes, &mut tally));
        sent.map_err(|failure| note(failure, &tally))?;
        if context.output.is_json() {
            return context
                .output
                .json(&json!({"submitted": tally.submitted, "duplicates": tally.duplicates}));
        }
        context.output.line(&format!("{} tasks, {} of them there already", tally.submitted, tally.duplicates))
    }

    fn open(&self) -> Result<(Box<dyn Read>, u64), Failure> {
        if self.file == "-" {
            return Ok((Box::new(std::io::stdin()), 0));
        }
        let failed = |error| Failure::usage(format!("{} cannot be read: {error}", self.file));
        let file = std::fs::File::open(&self.file).map_err(failed)?;
        let bytes = file.metadata().map_err(failed)?.len();
        Ok((Box::new(file), bytes))
    }

    async fn send(
        &self,
        client: &Client,
        mut chunks: Chunks,
        bytes: u64,
        tally: &mut Tally,
    ) -> Result<(), Failure> {
        let mut bar = Progress::new("submitting", bytes);
        while let Some(Chunk { tasks, lines, bytes: read }) = chunks.next()? {
            let request = self.request(tasks)?;
            let answer = client.call(request).await.map_err(|error| located(error, &lines))?;
            tally.submitted += answer.tasks.len() as u64;
            tally.duplicates += answer.duplicates.len() as u64;
            bar.add(read);
        }
        Ok(())
    }

    fn request(&self, tasks: Vec<Submit>) -> Result<Request<call::TaskSubmitBatch>, Failure> {
        Ok(Request::new()
            .query(ScopeQuery { scope: self.scope.clone() })
            .body(SubmitBatch { scope: None, tasks })
            .idempotent(random_key()?))
    }
}

/// The refusal of one task, with its line in place of its index in the chunk, which nobody can count.
fn located(error: CallError, lines: &[u64]) -> Failure {
    let CallError::Refused(mut refused) = error else { return error.into() };
    let index = |text: &str, before: &str| -> Option<usize> {
        let rest = text.strip_prefix(before)?;
        rest[..rest.find(|c: char| !c.is_ascii_digit())?].parse().ok()
    };
    let line = |index: Option<usize>| index.and_then(|index| lines.get(index));
    if let Some(line) = line(index(&refused.detail, "task ")) {
        let said = refused.detail.split_once(": ").map_or_else(String::new, |(_, said)| said.to_owned());
        refused.problem.detail = format!("line {line}: {said}");
    }
    for fault in &mut refused.problem.details {
        if let Some(line) = line(index(&format!("{}/", fault.field), "/tasks/")) {
            let field = fault.field.split('/').skip(3).collect::<Vec<_>>().join("/");
            fault.field = format!("line {line}: /{field}");
        }
    }
    CallError::Refused(refused).into()
}

fn note(failure: Failure, tally: &Tally) -> Failure {
    let message = format!("{}; {} tasks went in before", failure.message, tally.submitted);
    Failure { message, ..failure }
}

/// What one request submits.
struct Chunk {
    tasks: Vec<Submit>,
    /// On which line each of them stands, from 1.
    lines: Vec<u64>,
    bytes: u64,
}

/// Reads lines into chunks.
struct Chunks {
    lines: BufReader<Box<dyn Read>>,
    size: usize,
    line: u64,
}

impl Chunks {
    fn new(lines: Box<dyn Read>, size: u32) -> Self {
        Self { lines: BufReader::new(lines), size: size as usize, line: 0 }
    }

    /// The next chunk; `None` at the end.
    fn next(&mut self) -> Result<Option<Chunk>, Failure> {
        let (mut tasks, mut lines, mut bytes) = (Vec::new(), Vec::new(), 0);
        while tasks.len() < self.size && bytes < MAX_CHUNK_BYTES {
            let Some(line) = self.line()? else { break };
            bytes += line.len();
            if !line.trim().is_empty() {
                let wrong = |error| Failure::usage(format!("line {} is no task: {error}", self.line));
                tasks.push(serde_json::from_str(&line).map_err(wrong)?);
                lines.push(self.line);
            }
        }
        Ok((!tasks.is_empty()).then_some(Chunk { tasks, lines, bytes: bytes as u64 }))
    }

    fn line(&mut self) -> Result<Option<String>, Failure> {
        self.line += 1;
        let mut line = String::new();
        let wrong = |why: &str| Failure::usage(format!("line {} cannot be read: {why}", self.line));
        let read = (&mut self.lines).take(MAX_LINE_BYTES + 1).read_line(&mut line);
        match read.map_err(|error| wrong(&error.to_string()))? {
            0 => Ok(None),
            bytes if bytes as u64 > MAX_LINE_BYTES => Err(wrong("it is larger than 1 MiB")),
            _ => Ok(Some(line)),
        }
    }
}
