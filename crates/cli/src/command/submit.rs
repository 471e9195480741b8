//! `tiltyard submit`

pub mod work;

use crate::argument::task_id;
use crate::context::Context;
use crate::exit::{Exit, Failure};
use crate::moment;
use crate::output::Output;
use clap::Args;
use std::io::{IsTerminal, Write};
use std::time::Duration;
use tiltyard_client::request::random_key;
use tiltyard_client::{Client, Request};
use tiltyard_model::id::Id;
use tiltyard_model::task::State;
use tiltyard_model::visible;
use tiltyard_wire::endpoint::call;
use tiltyard_wire::time::Time;
use tiltyard_wire::{change, task};

/// The kind whose end may need a person.
const CHANGE_KIND: &str = "change";
/// How often a task is looked at while waiting for its end.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Hand in work: an idea for a repository, a command, or anything a worker knows
///
/// An idea:    tiltyard submit "Fix the typo" --repo demo -- sh -c 'claude -p "$TILTYARD_PROMPT"'
/// A command:  tiltyard submit --queue builds -- make release
/// Other work: tiltyard submit "Resize" --kind resize --payload '{"width":100}'
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub struct Submit {
    /// One line for people
    title: Option<String>,
    #[command(flatten)]
    work: work::Work,
    #[command(flatten)]
    terms: Terms,
    /// Wait until it is final; 0 when it succeeded, else 1
    #[arg(long)]
    wait: bool,
}

/// When, where and how often.
#[derive(Debug, Args)]
#[command(next_help_heading = "Terms")]
struct Terms {
    /// Where it belongs
    #[arg(long, value_name = "NAME")]
    scope: Option<String>,
    /// Which lane [default: default]
    #[arg(long, value_name = "NAME")]
    queue: Option<String>,
    /// 1 to 10; 10 runs first [default: 5]
    #[arg(long, value_name = "NUMBER")]
    priority: Option<u8>,
    /// For people and filters
    #[arg(long, value_name = "NAME")]
    category: Option<String>,
    /// For people and filters; may be given many times
    #[arg(long = "label", value_name = "NAME")]
    labels: Vec<String>,
    /// What the agent must be able to do; may be given many times
    #[arg(long = "capability", value_name = "NAME")]
    capabilities: Vec<String>,
    /// A task that must succeed first; may be given many times
    #[arg(long = "after", value_name = "TASK", value_parser = task_id)]
    depends_on: Vec<Id>,
    /// Not before this moment
    #[arg(long, value_name = "TIME", value_parser = moment::read)]
    run_at: Option<Time>,
    /// Cancel what is unfinished then
    #[arg(long, value_name = "TIME", value_parser = moment::read)]
    deadline: Option<Time>,
    /// Longest time of one attempt [default: 1h]
    #[arg(long, value_name = "DURATION", value_parser = moment::read_duration)]
    timeout: Option<i64>,
    /// Attempts before it is dead [default: 3]
    #[arg(long, value_name = "COUNT")]
    max_attempts: Option<u32>,
    /// A second task with this key is the first one
    #[arg(long, value_name = "KEY")]
    unique_key: Option<String>,
    /// Only this agent may take it
    #[arg(long, value_name = "AGENT")]
    assign_to: Option<String>,
    /// Take what is not said here from this template
    #[arg(long, value_name = "NAME")]
    template: Option<String>,
}

impl Submit {
    /// Hands it in, and waits for its end if asked to.
    ///
    /// # Errors
    /// A refusal; with `--wait` also a task that ends otherwise than succeeded.
    pub fn run(&self, context: &Context) -> Result<(), Failure> {
        let body = self.body()?;
        let client = context.client()?;
        context.block_on(async {
            let request = Request::<call::TaskSubmit>::new().body(body).idempotent(random_key()?);
            let answered = client.exchange(request).await?;
            if !self.wait {
                return print(&context.output, &answered.value, answered.status == 201);
            }
            let task = until_final(context, &client, answered.value).await?;
            print(&context.output, &task, true)?;
            verdict(&task)
        })
    }

    fn body(&self) -> Result<task::Submit, Failure> {
        let mut body = self.work.body(self.title.as_deref(), self.terms.template.is_some())?;
        let terms = &self.terms;
        body.scope.clone_from(&terms.scope);
        body.queue.clone_from(&terms.queue);
        body.priority = terms.priority;
        body.category.clone_from(&terms.category);
        body.labels.clone_from(&terms.labels);
        body.capabilities.clone_from(&terms.capabilities);
        body.depends_on.clone_from(&terms.depends_on);
        (body.run_at, body.deadline, body.timeout_ms) = (terms.run_at, terms.deadline, terms.timeout);
        body.max_attempts = terms.max_attempts;
        body.unique_key.clone_from(&terms.unique_key);
        body.assign_to.clone_from(&terms.assign_to);
        body.template.clone_from(&terms.template);
        Ok(body)
    }
}

fn print(output: &Output, task: &task::View, is_new: bool) -> Result<(), Failure> {
    if output.is_json() {
        return output.json(task);
    }
    let note = if is_new { "" } else { "  (was there already: same unique key)" };
    output.line(&format!("{}  {}{note}", task.id, task.state.as_str()))
}

/// A stream would be quicker, but asking for one task is a right that every token has. What happens meanwhile is told on
/// standard error: the answer alone is on standard output.
async fn until_final(
    context: &Context,
    client: &Client,
    mut task: task::View,
) -> Result<task::View, Failure> {
    let mut told = Told::default();
    told.state(context, &task);
    while !task.state.is_final() {
        if task.state == State::Waiting {
            told.decision(context, client, &task).await;
        }
        tokio::time::sleep(LOOK_EVERY).await;
        task = client.call(Request::<call::TaskGet>::new().place(task.id)).await?;
        told.state(context, &task);
    }
    Ok(task)
}

/// What was told already of a task that is waited for.
#[derive(Debug, Default)]
struct Told {
    state: Option<State>,
    gate: Option<Id>,
}

impl Told {
    /// Each state once; the last one is the answer itself. Whoever waits for a command in a script needs none of it; a
    /// change may wait for a person, who must hear which.
    fn state(&mut self, context: &Context, task: &task::View) {
        let hears = task.kind == CHANGE_KIND || std::io::stderr().is_terminal();
        if hears && self.state != Some(task.state) && !task.state.is_final() {
            self.state = Some(task.state);
            say(context, &format!("{}  {}", task.id, task.state.as_str()));
        }
    }

    /// Each gate once. A token that may not read changes waits all the same.
    async fn decision(&mut self, context: &Context, client: &Client, task: &task::View) {
        let filter =
            change::Filter { task: Some(task.id.to_string()), limit: Some(1), ..change::Filter::default() };
        let Ok(page) = client.call(Request::<call::ChangeList>::new().query(filter)).await else { return };
        let Some(change) = page.items.first() else { return };
        let asks = matches!(change.state.as_str(), "review" | "conflicted");
        if asks && change.gate.is_some() && self.gate != change.gate {
            self.gate = change.gate;
            let (id, why) = (change.id, change.reason.as_deref().unwrap_or("a person is asked"));
            let do_next =
                format!("tiltyard changes {id} says what is missing, tiltyard approve {id} says yes");
            say(context, &format!("{id}  waits for a decision ({}): {do_next}", visible::line(why)));
        }
    }
}

/// One line for people while they wait.
fn say(context: &Context, line: &str) {
    if !context.output.is_json() {
        // Nobody reads it: what is waited for is told in the end all the same.
        drop(writeln!(std::io::stderr(), "{line}"));
    }
}

fn verdict(task: &task::View) -> Result<(), Failure> {
    if task.state == State::Succeeded {
        return Ok(());
    }
    let why = task.error.as_deref().or(task.reason.as_deref()).unwrap_or("no reason was given");
    let failure = Failure::new(Exit::Failed, format!("{} is {}: {why}", task.id, task.state.as_str()));
    Err(failure.hint(format!("tiltyard logs {}", task.id)))
}
