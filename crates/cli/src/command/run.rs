//! `tiltyard run`

pub mod follow;
pub mod input;

use crate::context::Context;
use crate::exit::Failure;
use crate::{argument, mistake};
use clap::Args;
use std::path::Path;
use tiltyard_client::request::random_key;
use tiltyard_client::{Client, Error, Request};
use tiltyard_model::pipeline::{self, Definition};
use tiltyard_model::visible;
use tiltyard_wire::endpoint::call;
use tiltyard_wire::page::ScopeQuery;
use tiltyard_wire::pipeline::Query;
use tiltyard_wire::run::{self, Start, View};

/// Endings that make an argument a file, whether it is there or not.
const FILE_ENDINGS: [&str; 3] = [".yaml", ".yml", ".json"];

/// Run a pipeline: a published one by its name, or a file
///
/// A file:  tiltyard run pipelines/release-notes.yaml --input since=v1.2.0 --input tag=v1.3.0 --follow
/// A name:  tiltyard run nightly-checks
/// Checked: tiltyard run pipelines/release-notes.yaml --check
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub struct Run {
    /// A file with a definition (YAML or JSON, - for standard input), or the name of a published pipeline
    #[arg(value_name = "FILE|NAME")]
    what: String,
    /// A member of the input; may be given many times. The pipeline says whether it is a text or JSON; @FILE reads a file
    #[arg(long = "input", value_name = "KEY=VALUE", value_parser = input::pair)]
    input: Vec<(String, String)>,
    /// The input as JSON, from this file or - for standard input; --input goes before what stands there
    #[arg(long, value_name = "FILE")]
    input_file: Option<String>,
    /// The published pipeline as it was with this number
    #[arg(long, value_name = "NUMBER")]
    number: Option<i64>,
    /// One line for people
    #[arg(long, value_name = "TEXT")]
    title: Option<String>,
    /// Where it belongs
    #[arg(long, value_name = "NAME")]
    scope: Option<String>,
    /// Tell every mistake in the file, and run nothing
    #[arg(long, conflicts_with_all = ["input", "input_file", "number", "title", "follow"])]
    check: bool,
    /// Tell what happens until it is over; 0 when it succeeded, else 1
    #[arg(short, long)]
    follow: bool,
}

impl Run {
    /// Starts it, and follows it if asked to.
    ///
    /// # Errors
    /// Mistakes in the file, with their places; a refusal; with `--follow` also a run that ends otherwise than succeeded.
    pub fn run(&self, context: &Context) -> Result<(), Failure> {
        if self.check {
            return self.look(context);
        }
        context.block_on(async {
            let client = context.client()?;
            let body = self.body(&client).await?;
            let request = Request::<call::RunStart>::new().body(body).idempotent(random_key()?);
            let started = client.call(request).await.map_err(|error| mistake::of_call(&self.what, error))?;
            if !self.follow {
                return print(context, &started);
            }
            follow::until_final(context, &client, started).await
        })
    }

    /// The text of the file that is meant; `None` for a name.
    fn text(&self) -> Result<Option<String>, Failure> {
        let what = &self.what;
        let named = what == "-"
            || what.contains(std::path::is_separator)
            || FILE_ENDINGS.iter().any(|ending| what.ends_with(ending))
            || Path::new(what).is_file();
        if !named {
            return Ok(None);
        }
        if self.number.is_some() {
            return Err(Failure::usage("--number is for a published pipeline, and this is a file"));
        }
        argument::file(what).map(Some)
    }

    async fn body(&self, client: &Client) -> Result<Start, Failure> {
        let mut start = Start { scope: self.scope.clone(), title: self.title.clone(), ..Start::default() };
        let schema = match self.text()? {
            Some(text) => {
                let definition = read(&self.what, &text)?;
                start.definition = Some(run::Definition::Text(text));
                definition.input
            }
            None => {
                (start.pipeline, start.number) = (Some(self.what.clone()), self.number);
                if self.input.is_empty() { None } else { self.schema(client).await? }
            }
        };
        start.input = input::read(schema.as_ref(), self.input_file.as_deref(), &self.input)?;
        Ok(start)
    }

    /// What the published pipeline takes.
    async fn schema(&self, client: &Client) -> Result<Option<serde_json::Value>, Failure> {
        let query = Query { scope: self.scope.clone(), number: self.number };
        let request = Request::<call::PipelineGet>::new().place(&self.what).query(query);
        let found = client.call(request).await.map_err(|error| self.no_pipeline(error))?;
        Ok(found.input)
    }

    fn no_pipeline(&self, error: Error) -> Failure {
        let is_missing = error.status() == Some(404);
        let failure = Failure::from(error);
        if is_missing { failure.hint("a file is meant by its path, such as ./NAME") } else { failure }
    }

    /// `--check`: what is wrong with the language is found here, also without a server; names that only a scope knows
    /// are looked up where a server answers.
    fn look(&self, context: &Context) -> Result<(), Failure> {
        let text = self.text()?;
        let text = text.ok_or_else(|| {
            Failure::usage(format!("{} is no file", self.what))
                .hint("a published pipeline was checked when it was published")
        })?;
        let definition = read(&self.what, &text)?;
        let stages = definition.stages.len();
        let asked = context.block_on(async { self.ask(context, text).await })?;
        if context.output.is_json() {
            let value = serde_json::json!({"ok": true, "stages": stages, "asked": asked.is_some()});
            return context.output.json(&value);
        }
        let noun = if stages == 1 { "stage" } else { "stages" };
        let names = match asked {
            Some(url) => format!("its names are known at {url}"),
            None => "no server was asked about the pipelines and repositories that it names".to_owned(),
        };
        context.output.line(&visible::line(&format!("{} is right: {stages} {noun}; {names}", self.what)))
    }

    /// Asks the server, where one answers; gives which one.
    async fn ask(&self, context: &Context, text: String) -> Result<Option<String>, Failure> {
        let client = context.client()?;
        let query = ScopeQuery { scope: self.scope.clone() };
        let look = Request::<call::PipelineValidate>::new().query(query).bytes(text, "application/yaml");
        match client.call(look).await {
            Ok(found) if found.mistakes.is_empty() => Ok(Some(client.url().to_owned())),
            Ok(found) => Err(mistake::failure(&self.what, &found.mistakes)),
            Err(Error::Unreachable { .. }) if !context.names_server() => Ok(None),
            Err(Error::Unreachable { url, reason }) => {
                eprintln_line(&format!("{url} does not answer ({reason}): names were not looked up"));
                Ok(None)
            }
            Err(error) => Err(error.into()),
        }
    }
}

/// A word beside the answer; a stream that is closed cannot be told so.
fn eprintln_line(text: &str) {
    use std::io::Write;
    drop(writeln!(std::io::stderr(), "{}", visible::line(text)));
}

fn read(file: &str, text: &str) -> Result<Definition, Failure> {
    pipeline::read(text).map_err(|mistakes| mistake::failure(file, &mistakes))
}

fn print(context: &Context, run: &View) -> Result<(), Failure> {
    if context.output.is_json() {
        return context.output.json(run);
    }
    context.output.line(&format!("{}  {}", run.id, run.state.as_str()))
}
