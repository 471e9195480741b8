//! `tiltyard runs artifacts`

use crate::argument::run_id;
use crate::context::Context;
use crate::exit::Failure;
use crate::list::{self, of_one};
use crate::output::table::{Cell, Table};
use clap::Args;
use std::fs::File;
use std::io::Write;
use tiltyard_client::{Client, Request};
use tiltyard_model::id::Id;
use tiltyard_wire::endpoint::call;
use tiltyard_wire::run::Artifact;

/// List what the stages of a run put out, or fetch one of it
#[derive(Debug, Args)]
pub struct Artifacts {
    /// The run
    #[arg(value_parser = run_id)]
    id: Id,
    /// Fetch this one: STAGE.OUTPUT, an output's name where only one stage has it, or an artifact's id; the newest attempt's
    #[arg(long, value_name = "NAME")]
    get: Option<String>,
    /// Into this file; without it to standard output
    #[arg(short, long, value_name = "FILE", requires = "get")]
    output: Option<String>,
}

impl Artifacts {
    /// Lists them, or fetches one.
    ///
    /// # Errors
    /// When there is none of that name, or several; those of the calls; when the file cannot be written.
    pub async fn run(&self, context: &Context) -> Result<(), Failure> {
        let client = context.client()?;
        let all = of_one::<call::RunArtifacts, Artifact>(&client, self.id).await?;
        let Some(name) = &self.get else { return list::print(context, &all, table) };
        let one = find(&all.items, name)?;
        fetch(&client, one.id, self.output.as_deref()).await?;
        match &self.output {
            Some(file) if !context.output.is_json() => {
                context.output.line(&format!("{file}  {} bytes", one.size))
            }
            Some(_) => context.output.json(one),
            None => Ok(()),
        }
    }
}

fn table(artifacts: &[Artifact]) -> Table {
    let empty = "No artifacts: none of its stages has put out anything.";
    let mut table = Table::new(&["stage", "output", "attempt", "item", "bytes", "type", "id"], empty);
    for one in artifacts {
        table.row([
            Cell::new(&one.stage),
            Cell::new(&one.output),
            Cell::new(one.attempt.to_string()),
            Cell::new(one.item.map_or_else(|| "-".to_owned(), |item| item.to_string())),
            Cell::new(one.size.to_string()),
            Cell::new(&one.media_type),
            Cell::new(one.id.to_string()),
        ]);
    }
    table
}

/// The one that is meant: of several attempts at one stage the newest, and the first item of a list's newest one.
fn find<'a>(all: &'a [Artifact], name: &str) -> Result<&'a Artifact, Failure> {
    let fits = |one: &&Artifact| {
        one.output == name || one.id.to_string() == name || format!("{}.{}", one.stage, one.output) == name
    };
    let found: Vec<&Artifact> = all.iter().filter(fits).collect();
    let missing = || {
        let known: Vec<String> = all.iter().map(|one| format!("{}.{}", one.stage, one.output)).collect();
        Failure::failed(format!("the run has put out nothing called {name}"))
            .hint(format!("there are {}", known.join(", ")))
    };
    let first = found.first().ok_or_else(missing)?;
    if let Some(other) = found.iter().find(|one| one.stage != first.stage) {
        let said = format!("{name} is an output of {} and of {}", first.stage, other.stage);
        return Err(Failure::usage(said).hint(format!("say --get {}.{name}", first.stage)));
    }
    if let Some(item) = found.iter().find(|one| one.item.is_some() && one.id.to_string() != name) {
        let said = format!("{name} is a list, with one for each item of {}", item.stage);
        return Err(Failure::usage(said).hint("say --get with an id"));
    }
    found.into_iter().max_by_key(|one| one.attempt).ok_or_else(missing)
}

/// Writes the bytes as they come; a file that was cut off is removed.
async fn fetch(client: &Client, id: Id, file: Option<&str>) -> Result<(), Failure> {
    let mut download = client.download(Request::<call::ArtifactGet>::new().place(id)).await?;
    let Some(path) = file.filter(|path| *path != "-") else {
        let mut stdout = std::io::stdout().lock();
        while let Some(piece) = download.next().await? {
            stdout.write_all(&piece).map_err(|error| Failure::closed(&error))?;
        }
        return stdout.flush().map_err(|error| Failure::closed(&error));
    };
    let mut out = File::create(path)?;
    loop {
        match download.next().await {
            Ok(Some(piece)) => out.write_all(&piece)?,
            Ok(None) => return Ok(out.sync_all()?),
            Err(error) => {
                // What is there is no whole; that it stays where it cannot be removed tells nothing more.
                drop(std::fs::remove_file(path));
                return Err(error.into());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit::Exit;
    use tiltyard_model::id::Noun;

    fn one(stage: &str, output: &str, attempt: u32, item: Option<u32>) -> Artifact {
        Artifact {
            id: Id::from_parts(Noun::Artifact, i64::from(attempt), 1),
            sha256: String::new(),
            size: 1,
            media_type: "text/plain".into(),
            name: None,
            stage: stage.into(),
            attempt,
            item,
            output: output.into(),
        }
    }

    // D22: the newest attempt is meant, unless its id says which.
    #[test]
    fn d22_one_is_found_by_the_name_that_it_has() {
        let all = [
            one("a", "notes", 1, None),
            one("a", "notes", 2, None),
            one("b", "log", 1, None),
            one("c", "log", 1, None),
        ];
        assert_eq!(find(&all, "notes").map(|found| found.attempt), Ok(2));
        assert_eq!(find(&all, "c.log").map(|found| found.stage.clone()), Ok("c".to_owned()));
        assert_eq!(find(&all, "log").map_err(|failure| failure.exit).err(), Some(Exit::Usage));
        assert!(
            find(&all, "x").is_err_and(|failure| failure.hint.is_some_and(|hint| hint.contains("b.log")))
        );
        assert!(find(&[one("d", "page", 1, Some(0))], "page").is_err());
    }
}
