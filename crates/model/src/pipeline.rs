//! Pipelines: named definitions of stages (D20). `docs/decision/0007-pipelines.md` says why the language is as it is.
//!
//! A definition is YAML or JSON with `input` (a JSON Schema) and `stages`. [`read()`] takes it and tells every mistake at
//! once, each with line and column: names that nobody has, needs in a circle, values that cannot be, expressions that
//! look up what is not there when they are evaluated. What is read and kept is the same wherever it came from:
//! [`Definition::to_value`] is its canonical form, and [`read_kept`] reads that again.

mod canonical;
pub mod expression;
pub mod file;
mod form;
mod graph;
pub mod lookup;
mod member;
mod names;
mod node;
pub mod outside;
mod place;
mod published;
mod read;
pub mod template;
pub mod timeout;
mod yaml;

use crate::event::Type;
use crate::gate::quorum::{Quorum, Who};
use crate::gate::{OnTimeout, SelfApproval};
use crate::task::retry::Backoff;
use crate::time::{DurationMs, HOUR_MS};
use expression::Expression;
use file::HandedOn;
use lookup::{Lookup, Needed};
use serde_json::{Map, Value};
use template::{Template, Unrendered};

use place::Trust;
pub use place::{MAX_MISTAKES, Mistake, Place};
pub use published::schema;
pub use yaml::{MAX_DEFINITION_BYTES, MAX_DEPTH, MAX_NODES};

/// Most stages of a definition.
pub const MAX_STAGES: usize = 1_000;
/// Most needs of all stages together.
pub const MAX_NEEDS: usize = 10_000;
/// Most outputs of a stage.
pub const MAX_OUTPUTS: usize = 32;
/// Longest path of an output's file, in bytes.
pub const MAX_PATH_BYTES: usize = 1_024;
/// Longest media type, in bytes.
pub const MAX_MEDIA_TYPE_BYTES: usize = 128;
/// Largest JSON or text that expressions can look up, in bytes; larger outputs are files.
pub const MAX_DOCUMENT_BYTES: usize = 1024 * 1024;
/// Largest input of a run, in bytes of its JSON.
pub const MAX_INPUT_BYTES: usize = 256 * 1024;
/// Most that the fields of a stage become that go with its task, in bytes of their JSON: its payload, of which a task takes
/// [`MAX_PAYLOAD_BYTES`](crate::task::admission::MAX_PAYLOAD_BYTES), and what describes it. Standard input beyond
/// [`MAX_INLINE_STDIN_BYTES`] and files are handed over beside it, and not counted.
pub const MAX_FIELDS_BYTES: usize = 200 * 1024;
/// Largest standard input that goes with the task itself, in bytes; a larger one is an artifact.
pub const MAX_INLINE_STDIN_BYTES: usize = 64 * 1024;
/// Longest argument of a program, and longest variable with its name and `=`, in bytes: what Linux takes.
pub const MAX_ARGUMENT_BYTES: usize = 128 * 1024 - 1;
/// Most files that a command gets.
pub const MAX_FILES: usize = 32;
/// Largest body of an `http` stage's answer that stands in its result, in bytes; a larger one is a file.
pub const MAX_INLINE_BODY_BYTES: usize = 32 * 1024;
/// Largest body of an `http` stage's answer, in bytes.
pub const MAX_BODY_BYTES: u64 = 8 * 1024 * 1024;
/// Attempts of a stage that says nothing of them: what a stage does in the world is not done twice unasked.
pub const DEFAULT_ATTEMPTS: u32 = 1;
/// Longest wait and longest time of a gate.
pub const MAX_WAIT_MS: DurationMs = 366 * 24 * HOUR_MS;
/// Most items of a `foreach`.
pub const MAX_FOREACH_ITEMS: usize = 10_000;
/// Items of a `foreach` that are worked on at once, where it says nothing.
pub const DEFAULT_CONCURRENCY: u32 = 10;
/// Most items of a `foreach` that are worked on at once.
pub const MAX_CONCURRENCY: u32 = 1_000;
/// Deepest nesting of runs that start runs.
pub const MAX_RUN_DEPTH: u32 = 8;
/// Most reminders of a gate.
pub const MAX_REMINDERS: usize = 10;
/// Times that a gate sends its run back, where it says nothing.
pub const DEFAULT_ROUNDS: u32 = 3;
/// Most times that a gate sends its run back by itself.
pub const MAX_ROUNDS: u32 = 20;
/// Most statuses that an `http` stage expects.
pub const MAX_STATUSES: usize = 32;

/// The output that every stage has.
pub const RESULT: &str = "result";
/// The output of a gate: what was approved, with what the approval patched.
pub const SUBJECT: &str = "subject";

/// What a pipeline is.
#[derive(Debug, Clone, PartialEq)]
pub struct Definition {
    /// The JSON Schema of its input; without one it takes none.
    pub input: Option<Value>,
    /// Its stages, as they are written.
    pub stages: Vec<Stage>,
    /// The stages by index, each after all that it needs.
    pub order: Vec<usize>,
}

/// A step of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct Stage {
    /// Its name in the definition, a slug.
    pub id: String,
    /// The stages that end before it begins, by index, without doubles.
    pub needs: Vec<usize>,
    /// Runs only where this is true.
    pub condition: Option<Expression>,
    /// The needed stages whose state its condition looks at, by index: it judges for itself what their failure means.
    pub judges: Vec<usize>,
    /// What it does.
    pub work: Work,
}

/// What a stage, or each item of a `foreach`, does.
#[derive(Debug, Clone, PartialEq)]
pub struct Work {
    /// The sort of work, with what is known of it beforehand.
    pub uses: Uses,
    /// Its fields, still with their expressions; those of a `foreach` without `do`.
    pub with: Template,
    /// How often it is tried.
    pub retry: Retry,
    /// Wall time of one attempt, or of all of a wait, pipeline or foreach, where it says one ([`Work::time_out_ms`]).
    pub timeout_ms: Option<DurationMs>,
    /// What it puts out beside its `result`.
    pub outputs: Vec<Output>,
}

/// A sort of work.
#[derive(Debug, Clone, PartialEq)]
pub enum Uses {
    /// A task of the kind `command`.
    Command,
    /// A task of the kind that it names.
    Agent,
    /// A task of the kind `change`.
    Change,
    /// A call to somewhere else.
    Http(Expect),
    /// A stop that people decide.
    Gate(Box<Gate>),
    /// A stop that time or an event ends.
    Wait(Until),
    /// A run of another pipeline, by its name.
    Pipeline(String),
    /// The same for each item of a list.
    Foreach(Box<Foreach>),
}

impl Uses {
    /// Every word of `uses`.
    pub const WORDS: [&'static str; 8] =
        ["command", "agent", "change", "http", "gate", "wait", "pipeline", "foreach"];

    /// The word in a definition.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Command => "command",
            Self::Agent => "agent",
            Self::Change => "change",
            Self::Http(_) => "http",
            Self::Gate(_) => "gate",
            Self::Wait(_) => "wait",
            Self::Pipeline(_) => "pipeline",
            Self::Foreach(_) => "foreach",
        }
    }

    /// Whether an agent does it, as a task; everything else runs in the engine.
    pub const fn is_task(&self) -> bool {
        matches!(self, Self::Command | Self::Agent | Self::Change)
    }
}

/// How often a stage is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retry {
    /// Attempts before it has failed, at least 1.
    pub max_attempts: u32,
    /// How long it waits after a failure.
    pub backoff: Backoff,
}

impl Default for Retry {
    fn default() -> Self {
        Self { max_attempts: DEFAULT_ATTEMPTS, backoff: Backoff::default() }
    }
}

/// What an answer must be like.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Expect {
    /// One of these; any from 200 to 299 when empty.
    pub statuses: Vec<u16>,
    /// The JSON Schema that its body meets.
    pub schema: Option<Value>,
}

impl Expect {
    /// Whether an answer with this status is a success.
    pub fn takes(&self, status: u16) -> bool {
        if self.statuses.is_empty() { (200..300).contains(&status) } else { self.statuses.contains(&status) }
    }
}

/// A gate as a definition describes it.
#[derive(Debug, Clone, PartialEq)]
pub struct Gate {
    /// What it asks about.
    pub subject: Subject,
    /// Who decides, and how many.
    pub quorum: Quorum,
    /// Whether whoever started the run may decide.
    pub self_approval: SelfApproval,
    /// How long it is open.
    pub timeout_ms: Option<DurationMs>,
    /// What the end of that time does.
    pub on_timeout: OnTimeout,
    /// What a reject does.
    pub on_reject: OnReject,
    /// When people are reminded, counted from its opening, in order.
    pub remind_after_ms: Vec<DurationMs>,
    /// Who else is told, and when.
    pub escalate: Option<Escalation>,
}

/// What a gate asks about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// The artifact that is this output of a stage.
    Output {
        /// The stage, by index.
        stage: usize,
        /// Its output.
        output: String,
    },
    /// A question: the text that `with.subject` becomes.
    Question,
}

/// What a reject does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnReject {
    /// The gate's stage has failed.
    Fail,
    /// The run goes back to a stage, with reason and patch as its `feedback`.
    Back {
        /// The stage, by index.
        stage: usize,
        /// How often at most; then the gate's stage has failed.
        rounds: u32,
    },
}

/// Who is told of a gate that nobody decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Escalation {
    /// When, counted from its opening.
    pub after_ms: DurationMs,
    /// They are told, and may decide from then on.
    pub who: Vec<Who>,
}

/// What ends a wait.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Until {
    /// So long: `with.for_ms`.
    Time,
    /// An event of this type since the run began (D28), of `with.event.subject` where that is there.
    Event(Type),
}

/// The same for each item.
#[derive(Debug, Clone, PartialEq)]
pub struct Foreach {
    /// What the item is called in expressions.
    pub name: String,
    /// How many are worked on at once.
    pub concurrency: u32,
    /// What is done for each; never a `foreach`.
    pub each: Work,
}

/// Something that a stage puts out.
#[derive(Debug, Clone, PartialEq)]
pub struct Output {
    /// What it is called; `result` gives the stage's result a schema.
    pub name: String,
    /// Where it comes from.
    pub from: From,
    /// The JSON Schema that it meets.
    pub schema: Option<Value>,
}

/// What sort of thing an output is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutputKind {
    /// JSON: can be looked up and patched; a list of such for a `foreach`.
    Document,
    /// A text: can be looked up.
    Text,
    /// A file: handed around as where it is kept.
    File,
}

/// Where an output comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum From {
    /// A file of the attempt's folder, as it is.
    File {
        /// Its path in that folder.
        path: String,
        /// What it is.
        media_type: Option<String>,
    },
    /// A file of the attempt's folder with one JSON document.
    Json {
        /// Its path in that folder.
        path: String,
    },
    /// Standard output, as one JSON document.
    StdoutJson,
    /// Standard output, as a text.
    StdoutText,
    /// What the stage's result is.
    Result,
}

/// Reads a definition.
///
/// # Errors
/// Every mistake in it (the first [`MAX_MISTAKES`]), in the order of the text. Where it is no YAML at all, or beyond
/// the limits of a text, that alone is told.
pub fn read(text: &str) -> Result<Definition, Vec<Mistake>> {
    read::of_text(text)
}

/// Reads a definition that came as JSON inside of something else.
///
/// # Errors
/// Every mistake in it, without lines and columns.
pub fn read_value(value: &Value) -> Result<Definition, Vec<Mistake>> {
    read::of_value(value, Trust::Judged)
}

/// Reads a definition that was judged before, from the canonical form that it was kept in. It is not judged again: a run
/// goes on though rules have become stricter, and what a later program has added to the language is left unread.
///
/// # Errors
/// What cannot be understood, without lines and columns.
pub fn read_kept(kept: &Value) -> Result<Definition, Vec<Mistake>> {
    read::of_value(kept, Trust::Kept)
}

impl Definition {
    /// Its canonical form: the same for definitions that mean the same, however they are spelled.
    pub fn to_value(&self) -> Value {
        let mut definition = Map::new();
        if let Some(input) = &self.input {
            definition.insert("input".to_owned(), input.clone());
        }
        let stages = self.stages.iter().map(|stage| stage.to_value(&self.stages)).collect();
        definition.insert("stages".to_owned(), Value::Array(stages));
        Value::Object(definition)
    }

    /// The JSON Schema that an output meets, where it says one: also of what a gate approved, which is that of what it
    /// asked about, and so what a patch must meet.
    pub fn output_schema(&self, stage: usize, name: &str) -> Option<&Value> {
        let (stage, name) = self.made_by(stage, name)?;
        self.stages[stage].output(name)?.schema.as_ref()
    }

    /// What sort of thing an output is; `None` where there is no such output.
    pub fn output_kind(&self, stage: usize, name: &str) -> Option<OutputKind> {
        let (stage, name) = self.made_by(stage, name)?;
        if name == SUBJECT {
            return Some(OutputKind::Text);
        }
        match self.stages[stage].output(name).map(|output| &output.from) {
            Some(From::File { .. }) => Some(OutputKind::File),
            Some(From::StdoutText) => Some(OutputKind::Text),
            Some(From::Json { .. } | From::StdoutJson | From::Result) => Some(OutputKind::Document),
            None => (name == RESULT).then_some(OutputKind::Document),
        }
    }

    /// The stage and output that an output is a version of: gates hand on what others made.
    fn made_by<'a>(&'a self, mut stage: usize, mut name: &'a str) -> Option<(usize, &'a str)> {
        while name == SUBJECT {
            let Uses::Gate(gate) = &self.stages.get(stage)?.work.uses else { return None };
            match &gate.subject {
                Subject::Question => break,
                // A gate needs what it asks about, and needs go in no circle: this ends.
                Subject::Output { stage: other, output } => (stage, name) = (*other, output.as_str()),
            }
        }
        (stage < self.stages.len()).then_some((stage, name))
    }

    /// The index of a stage.
    pub fn stage(&self, id: &str) -> Option<usize> {
        self.stages.iter().position(|stage| stage.id == id)
    }
}

impl Stage {
    /// An output that it names (of a `foreach`: that of each item); its `result` only where that has a schema.
    pub fn output(&self, name: &str) -> Option<&Output> {
        let work = if let Uses::Foreach(foreach) = &self.work.uses { &foreach.each } else { &self.work };
        work.outputs.iter().find(|output| output.name == name)
    }

    /// What it looks up: what must be read before it can begin, for its condition, its fields and those of its items.
    pub fn looks_up(&self) -> Needed<'_> {
        let each = if let Uses::Foreach(foreach) = &self.work.uses { Some(&foreach.each) } else { None };
        let works = || std::iter::once(&self.work).chain(each);
        let expressions = self.condition.iter().chain(works().flat_map(|work| member::looked_up(&work.with)));
        let files = works().flat_map(Work::handed_on).map(|file| (file.stage, file.output));
        Needed::of(expressions.flat_map(Expression::paths), files.collect())
    }
}

impl Work {
    /// Its fields with values in place of expressions, in the kinds that they are wanted in. For `command` and `change` that
    /// is what the payload of the task is made of (`capabilities` is the task's own), for `agent` the fields of the task.
    /// `files` has what is to be written only: outputs that are handed on as they are stand in [`Self::handed_on`], and
    /// what is null is left out.
    ///
    /// # Errors
    /// The first field that cannot be, with a sentence for a person; also what is more than a task takes.
    pub fn render(&self, names: &dyn Lookup) -> Result<Map<String, Value>, Unrendered> {
        member::rendered(&self.uses, &self.with, names)
    }

    /// The outputs of other stages that a command gets as files, whatever their size and kind. One that is null (its
    /// stage was skipped) is left out.
    pub fn handed_on(&self) -> Vec<HandedOn<'_>> {
        member::handed_on(&self.with)
    }
}

#[cfg(test)]
mod tests;
