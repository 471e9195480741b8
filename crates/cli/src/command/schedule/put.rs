//! `tiltyard schedule put`

use crate::argument;
use crate::context::Context;
use crate::exit::Failure;
use crate::moment;
use clap::{ArgGroup, Args, ValueEnum};
use serde_json::{Map, Value};
use tiltyard_model::schedule;
use tiltyard_wire::schedule::Put;
use tiltyard_wire::task::Submit;
use tiltyard_wire::time::Time;

/// Save a schedule: when to start a pipeline or a task
///
/// A pipeline each night: tiltyard schedule put nightly --cron "30 2 * * *" --timezone Europe/Berlin --pipeline checks
/// A task each 15 min:    tiltyard schedule put poll --every 15m --task '{"kind":"command","title":"Poll","payload":{"argv":["poll"]}}'
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
#[command(group(ArgGroup::new("when").required(true).args(["cron", "every"])))]
#[command(group(ArgGroup::new("what").required(true).args(["pipeline", "task"])))]
pub struct Save {
    /// Its name
    name: String,
    /// By the clock: minute, hour, day of month, month, day of week; six fields: the second first
    #[arg(long, value_name = "FIELDS")]
    cron: Option<String>,
    /// The IANA name of the zone that --cron goes by [default: UTC]
    #[arg(long, value_name = "ZONE", requires = "cron")]
    timezone: Option<String>,
    /// Every so often, at least 1s
    #[arg(long, value_name = "DURATION", value_parser = moment::read_duration)]
    every: Option<i64>,
    /// Slots are whole intervals after this [default: as before, or now]
    #[arg(long, value_name = "TIME", requires = "every", value_parser = moment::read)]
    from: Option<Time>,
    /// The pipeline to start, always in its newest version
    #[arg(long, value_name = "NAME")]
    pipeline: Option<String>,
    /// A value of its input, JSON or text; may be given many times
    #[arg(long = "input", value_name = "NAME=VALUE", requires = "pipeline", value_parser = entry)]
    inputs: Vec<(String, Value)>,
    /// Its whole input: a file with JSON, - for standard input
    #[arg(long, value_name = "FILE", requires = "pipeline", conflicts_with = "inputs")]
    input_file: Option<String>,
    /// The task to start: the JSON of a submission; @FILE reads a file, - standard input
    #[arg(long, value_name = "JSON")]
    task: Option<String>,
    /// What becomes of slots that nobody started in time [default: run-once]
    #[arg(long, value_name = "RULE")]
    missed: Option<Missed>,
    /// What becomes of a slot while what an earlier one started is not over [default: skip]
    #[arg(long, value_name = "RULE")]
    overlap: Option<Overlap>,
    /// Save it, and start nothing until it is resumed
    #[arg(long)]
    paused: bool,
    /// Its scope
    #[arg(long, value_name = "NAME")]
    scope: Option<String>,
}

/// What becomes of slots that nobody started in time.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Missed {
    /// One start for all of them
    #[value(alias = "run_once")]
    RunOnce,
    /// Nothing
    Skip,
}

/// What becomes of a slot while what an earlier one started is not over.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Overlap {
    /// Nothing
    Skip,
    /// It waits, at most ten do
    Queue,
    /// It starts all the same
    Allow,
}

impl Save {
    /// Saves it.
    ///
    /// # Errors
    /// What is no JSON; those of the call.
    pub(super) async fn run(&self, context: &Context) -> Result<(), Failure> {
        let body = self.body()?;
        super::save(context, &context.client()?, &self.name, body).await
    }

    fn body(&self) -> Result<Put, Failure> {
        let missed = match self.missed.unwrap_or(Missed::RunOnce) {
            Missed::RunOnce => schedule::Missed::RunOnce,
            Missed::Skip => schedule::Missed::Skip,
        };
        let overlap = match self.overlap.unwrap_or(Overlap::Skip) {
            Overlap::Skip => schedule::Overlap::Skip,
            Overlap::Queue => schedule::Overlap::Queue,
            Overlap::Allow => schedule::Overlap::Allow,
        };
        Ok(Put {
            scope: self.scope.clone(),
            cron: self.cron.clone(),
            timezone: self.timezone.clone(),
            every_ms: self.every,
            from: self.from,
            pipeline: self.pipeline.clone(),
            input: self.input()?,
            task: self.task.as_deref().map(task).transpose()?,
            missed,
            overlap,
            paused: self.paused,
        })
    }

    fn input(&self) -> Result<Option<Value>, Failure> {
        let Some(path) = &self.input_file else {
            let named: Map<String, Value> = self.inputs.iter().cloned().collect();
            return Ok(Some(Value::Object(named)).filter(|_| self.pipeline.is_some()));
        };
        let text = argument::file(path)?;
        let wrong = |error| Failure::usage(format!("the input is no JSON: {error}"));
        serde_json::from_str(&text).map(Some).map_err(wrong)
    }
}

fn task(argument: &str) -> Result<Box<Submit>, Failure> {
    let text = argument::text(argument)?;
    serde_json::from_str(&text).map(Box::new).map_err(|error| {
        Failure::usage(format!("the task is no submission: {error}")).hint(
            "as in `--task '{\"kind\":\"note\",\"title\":\"Look\"}'`; @FILE reads a file, - standard input",
        )
    })
}

/// `NAME=VALUE`, where what is no JSON is text.
fn entry(text: &str) -> Result<(String, Value), String> {
    let (name, value) = text.split_once('=').ok_or_else(|| "expected NAME=VALUE".to_owned())?;
    let value = serde_json::from_str(value).unwrap_or_else(|_| Value::String(value.to_owned()));
    Ok((name.to_owned(), value))
}
