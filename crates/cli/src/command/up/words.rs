//! What `up` says: where to go and what to do next; later only what people should know. For machines the same as
//! lines of JSON.

use super::begin::Begun;
use super::pid;
use crate::child::keep::News;
use crate::context::Context;
use crate::exit::Failure;
use crate::output::Output;
use crate::output::style::{Colour, Paint};
use serde_json::{Value, json};
use std::io::Write;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Both children run at the beginning; that is told by the first lines.
const CHILDREN: usize = 2;

/// What to do next, each with the command that does it.
const NEXT: &[(&str, &str)] = &[
    ("tiltyard repo add NAME PATH", "register a git repository"),
    ("tiltyard submit \"Fix it\" --repo NAME -- PROGRAM", "hand in an idea, and what does it"),
    ("tiltyard changes", "see what became of it; `tiltyard approve ID` says yes"),
    ("tiltyard events --follow", "watch what happens"),
];

/// Says things.
#[derive(Debug)]
pub(super) struct Words {
    output: Output,
    paint_of_stderr: Paint,
    /// How often a child has begun to run.
    starts: AtomicUsize,
}

impl Words {
    pub(super) fn of(context: &Context) -> Self {
        Self { output: context.output, paint_of_stderr: Paint::of_stderr(), starts: AtomicUsize::new(0) }
    }

    /// Where it answers, and what to do next.
    pub(super) fn begun(&self, begun: &Begun) -> Result<(), Failure> {
        if self.output.is_json() {
            return self.output.json_line(&document(begun));
        }
        self.output.raw(&text(begun, self.output.paint))
    }

    /// What became of a child.
    pub(super) fn news(&self, news: &News<'_>) {
        let is_first =
            matches!(news, News::Runs(_)) && self.starts.fetch_add(1, Ordering::Relaxed) < CHILDREN;
        if self.output.is_json() {
            // A closed standard output is no reason to end what runs.
            drop(self.output.json_line(&line(news)));
        } else if !is_first {
            let text = sentence(news, self.paint_of_stderr);
            // The same holds for standard error.
            drop(std::io::stderr().write_all(text.as_bytes()));
        }
    }
}

fn document(begun: &Begun) -> Value {
    json!({
        "url": begun.url,
        "agent": begun.agent_name,
        "connected": begun.connected,
        "pid": std::process::id(),
        "data": begun.data,
        "client_file": begun.client_file,
        "client_file_before": begun.client_file_before,
        "token": begun.token,
        "link": begun.link,
    })
}

fn line(news: &News<'_>) -> Value {
    match news {
        News::Runs(child) => json!({"part": child.name(), "state": "running", "pid": pid(child)}),
        News::Again(ended, pause) => {
            let again_in_ms = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX);
            json!({"part": ended.name, "state": "ended", "how": ended.how(), "again_in_ms": again_in_ms})
        }
    }
}

fn sentence(news: &News<'_>, paint: Paint) -> String {
    match news {
        News::Runs(child) => format!("the {} runs again\n", child.name()),
        News::Again(ended, pause) => {
            let what = format!("the {} {}", ended.name, ended.how());
            format!(
                "{}; it is started again in {:.1} s\n",
                paint.colour(Colour::Yellow, &what),
                pause.as_secs_f64()
            )
        }
    }
}

fn text(begun: &Begun, paint: Paint) -> String {
    let mut text = format!("{}\n", paint.colour(Colour::Bold, "Tiltyard is up."));
    let mut entry = |name: &str, value: &str| text.push_str(&format!("  {name:<8} {value}\n"));
    entry("address", &paint.colour(Colour::Cyan, &begun.url));
    if let Some(token) = &begun.token {
        entry("token", &format!("{token}  (an admin's, shown this once)"));
    }
    if let Some(link) = &begun.link {
        entry("console", &format!("{link}  (signs in once; `tiltyard ui` prints another)"));
    }
    if let Some(file) = &begun.client_file {
        entry("", &format!("this command line finds its token in {}", file.display()));
    }
    if let Some(file) = &begun.client_file_before {
        entry("", &format!("the token that was there before is in {} now", file.display()));
    }
    let connected = if begun.connected { "" } else { ", not connected yet: it goes on trying" };
    entry("agent", &format!("{}, {} tasks at once{connected}", begun.agent_name, begun.slots));
    entry("data", &format!("{}; logs in {}", begun.data.display(), begun.logs.display()));
    text.push_str("\nWhat to do next, in another terminal:\n");
    let width = NEXT.iter().map(|(command, _)| command.len()).max().unwrap_or_default();
    for (command, what) in NEXT {
        let command = paint.colour(Colour::Cyan, &format!("{command:width$}"));
        text.push_str(&format!("  {command}  {what}\n"));
    }
    text.push_str("\nCtrl-C ends both, in order.\n");
    text
}
