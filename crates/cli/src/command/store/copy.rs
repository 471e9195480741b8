//! `tiltyard store copy`

use crate::context::Context;
use crate::exit::Failure;
use crate::flag::{SettingsFlags, secret};
use crate::output::progress;
use crate::output::table::{Cell, Table};
use crate::place::make_private_folder;
use crate::settings::store::Store;
use clap::Args;
use serde_json::json;
use std::io::BufRead;
use std::path::PathBuf;
use tiltyard_engine::copy::{self, Left, Progress, Report};
use tiltyard_engine::place::Place;
use tiltyard_engine::{blob, log};
use tiltyard_model::secret::Secret;

/// Characters of a SHA-256 that people compare.
const SHOWN_DIGEST: usize = 16;

/// Copy the store of a data folder into a database, or back
///
/// Stop every server of both first. The store that is read is not changed, and the other one must be empty. At the end every row
/// of both is compared, and the audit chains are read back; only then can a server open the copy. A copy that was interrupted,
/// however, goes on when the same command is run again. Ids, tokens and numbers of events stay; leases that run begin anew with
/// the first start. Logs and artifacts are files and stay where they are: the last lines say what to do with them.
#[derive(Debug, Args)]
#[command(group(clap::ArgGroup::new("direction").required(true)))]
pub struct Copy {
    #[command(flatten)]
    flags: SettingsFlags,
    /// From the data folder into this database (postgres://…); `-` reads the address from standard input, where no other user
    /// of this machine sees its password
    #[arg(long, value_name = "URL", value_parser = secret, group = "direction")]
    to: Option<Secret<String>>,
    /// From this database into the data folder; `-` as with --to
    #[arg(long, value_name = "URL", value_parser = secret, group = "direction")]
    from: Option<Secret<String>>,
    /// Remove what an interrupted copy has left there, and begin again
    #[arg(long)]
    anew: bool,
}

/// Which way it goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Out,
    Back,
}

impl Copy {
    /// Copies.
    ///
    /// # Errors
    /// Why it is not done.
    pub fn run(&self, context: &Context) -> Result<(), Failure> {
        let (way, given) = match (&self.to, &self.from) {
            (Some(url), _) => (Way::Out, url),
            (None, Some(url)) => (Way::Back, url),
            (None, None) => return Err(Failure::usage("--to or --from says which database")),
        };
        let (url, shown) = address(given)?;
        let data = context.settings(&self.flags.given())?.settings.data;
        if way == Way::Back {
            make_private_folder(&data)?;
        }
        let (folder, database) = (Place::Folder(data.clone()), Place::Database(url));
        let (from, to) = if way == Way::Out { (folder, database) } else { (database, folder) };
        let left = if self.anew { Left::Remove } else { Left::GoOn };
        let mut bar = Bar(None);
        let report = copy::copy(&from, &to, left, &mut |progress| bar.go(progress));
        drop(bar);
        tell(context, way, (&data, &shown), &report?)
    }
}

/// The address, and as it may be shown.
fn address(given: &Secret<String>) -> Result<(String, String), Failure> {
    let mut text = given.expose().clone();
    if text == "-" {
        text.clear();
        std::io::stdin().lock().read_line(&mut text)?;
    }
    let wrong = || Failure::usage("the database is named by an address that begins with postgres://");
    match serde_json::from_value::<Store>(text.trim().into()) {
        Ok(store @ Store::Shared(_)) => Ok((text.trim().to_owned(), store.shown().into_owned())),
        Ok(Store::Embedded) | Err(_) => Err(wrong()),
    }
}

/// A bar for what is under way.
struct Bar(Option<progress::Progress>);

impl Bar {
    fn go(&mut self, progress: Progress) {
        match progress {
            Progress::Copying { rows, done } => {
                let mut bar = progress::Progress::new("copying", rows);
                bar.add(done);
                self.0 = Some(bar);
            }
            Progress::Comparing { rows } => self.0 = Some(progress::Progress::new("comparing", rows)),
            Progress::Rows(rows) => {
                if let Some(bar) = &mut self.0 {
                    bar.add(rows);
                }
            }
        }
    }
}

fn tell(
    context: &Context,
    way: Way,
    (data, database): (&PathBuf, &str),
    report: &Report,
) -> Result<(), Failure> {
    let rows: u64 = report.tables.iter().map(|table| table.rows).sum();
    let folder = data.display().to_string();
    let (from, to) = if way == Way::Out { (folder.as_str(), database) } else { (database, folder.as_str()) };
    if context.output.is_json() {
        let one =
            |table: &copy::Table| json!({"name": table.name, "rows": table.rows, "sha256": table.sha256});
        let tables: Vec<_> = report.tables.iter().map(one).collect();
        let audit = json!({"chains": report.chains, "broken": report.broken_chains});
        let document = json!({
            "from": from, "to": to, "rows": rows, "found": report.found, "tables": tables, "audit": audit
        });
        return context.output.json(&document);
    }
    let mut table = Table::new(&["table", "rows", "sha256"], "No tables.");
    for own in report.tables.iter().filter(|own| own.rows > 0) {
        let digest = own.sha256.get(..SHOWN_DIGEST).unwrap_or_default();
        table.row([Cell::new(own.name), Cell::new(own.rows.to_string()), Cell::new(digest)]);
    }
    context.output.table(&table)?;
    let found =
        if report.found > 0 { format!(" ({} were there already)", report.found) } else { String::new() };
    context.output.line(&format!("copied from {from} to {to}: {rows} rows{found}, every one compared"))?;
    context.output.line(&chains(report))?;
    context.output.line(&files(way, data))
}

fn chains(report: &Report) -> String {
    if report.broken_chains.is_empty() {
        return format!("audit chains read back: {}, all whole", report.chains);
    }
    let broken = report.broken_chains.join("; ");
    format!("audit chains that were not whole before, copied as they are: {broken}")
}

/// What a copy leaves to do.
fn files(way: Way, data: &std::path::Path) -> String {
    let (logs, artifacts) = (data.join(log::FOLDER_NAME), data.join(blob::FOLDER_NAME));
    let both = format!("{} and {}", logs.display(), artifacts.display());
    match way {
        Way::Out => format!(
            "logs and artifacts are files: before the first server starts, put {both} into a folder that every server sees, and \
             name it in `shared.blobs` (docs/guide/scale-out.md)"
        ),
        Way::Back => format!(
            "logs and artifacts are files: put those that the servers shared into {both} before the server starts"
        ),
    }
}
