//! What a person reads: numbered steps, what happens with its time, and the end. Nothing of it is for machines.

use super::Stage;
use super::idea::Scripted;
use crate::exit::Failure;
use crate::output::Output;
use crate::output::style::Colour;
use std::cell::Cell;
use std::time::Instant;
use tiltyard_model::visible;

/// Width of the column with the ideas' names.
const NAME_COLUMNS: usize = 9;
/// Most lines of a diff that are shown.
const MAX_DIFF_LINES: usize = 40;

/// The one who tells.
#[derive(Debug)]
pub(super) struct Story {
    output: Output,
    started: Instant,
    steps: Cell<u32>,
}

/// How something that happened is to be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mood {
    /// It goes on.
    Plain,
    /// It has arrived.
    Good,
    /// It went wrong, as expected.
    Bad,
    /// Somebody has to do something.
    Waits,
}

impl Story {
    pub(super) const fn new(output: Output, started: Instant) -> Self {
        Self { output, started, steps: Cell::new(0) }
    }

    /// The heading of the next step, before it is done.
    pub(super) fn step(&self, text: &str) -> Result<(), Failure> {
        let number = self.steps.get() + 1;
        self.steps.set(number);
        let heading = format!("{number}  {text}");
        self.say(&format!("\n{}", self.output.paint.colour(Colour::Bold, &heading)))
    }

    /// A line below a step.
    pub(super) fn detail(&self, text: &str) -> Result<(), Failure> {
        self.say(&format!("   {}", visible::line(text)))
    }

    /// Something that happened to an idea.
    pub(super) fn beat(&self, idea: &Scripted, mood: Mood, text: &str) -> Result<(), Failure> {
        let paint = self.output.paint;
        let seconds = paint.colour(Colour::Dim, &format!("{:5.1} s", self.started.elapsed().as_secs_f64()));
        let text = visible::line(text);
        let text = match mood {
            Mood::Plain => text.into_owned(),
            Mood::Good => paint.colour(Colour::Green, &text),
            Mood::Bad => paint.colour(Colour::Red, &text),
            Mood::Waits => paint.colour(Colour::Yellow, &text),
        };
        let name = paint.colour(Colour::Cyan, &format!("{:NAME_COLUMNS$}", idea.name));
        self.say(&format!("   {seconds}  {name} {text}"))
    }

    /// A diff, with the colours that people know.
    pub(super) fn diff(&self, diff: &str) -> Result<(), Failure> {
        for line in diff.lines().take(MAX_DIFF_LINES) {
            let colour = match line.as_bytes() {
                [b'+', ..] => Some(Colour::Green),
                [b'-', ..] => Some(Colour::Red),
                _ => None,
            };
            let shown = visible::line(line);
            let shown =
                colour.map_or_else(|| shown.to_string(), |colour| self.output.paint.colour(colour, &shown));
            self.say(&format!("             {shown}"))?;
        }
        let more = diff.lines().count().saturating_sub(MAX_DIFF_LINES);
        if more > 0 { self.say(&format!("             … {more} more lines")) } else { Ok(()) }
    }

    /// Where to look afterwards, or that nothing is left.
    pub(super) fn ending(&self, stage: &Stage) -> Result<(), Failure> {
        match stage {
            Stage::Passing(_) => {
                self.say("\nThe folder is gone; `tiltyard demo --keep` leaves it to look at.\n")
            }
            Stage::Kept(path) => self.say(&kept(&path.display().to_string(), &program())),
        }
    }

    fn say(&self, line: &str) -> Result<(), Failure> {
        if self.output.is_json() { Ok(()) } else { self.output.line(line) }
    }
}

/// How this program is called again, also where it is not in the PATH.
fn program() -> String {
    std::env::current_exe().map_or_else(|_| "tiltyard".to_owned(), |path| path.display().to_string())
}

/// What is left, and the commands that look at it. The tokens of the demo are in its folder, not in the person's.
fn kept(path: &str, program: &str) -> String {
    format!(
        "\nEverything is left in {path}:\n   git -C {path}/shop log --stat\n\
         To look around in it, start it again:\n   \
         XDG_STATE_HOME={path}/state {program} up --listen 127.0.0.1:0 --data {path}/data --set agent.roots={path}\n\
         and in another terminal:\n   XDG_STATE_HOME={path}/state {program} changes\n"
    )
}
