//! `tiltyard config`

use crate::context::Context;
use crate::exit::Failure;
use crate::flag::ServerFlags;
use crate::output::style::Colour;
use crate::output::table::{Cell, Table};
use crate::settings::key::{KEYS, Key};
use crate::settings::load::Loaded;
use crate::settings::origin::Origin;
use crate::settings::template::template;
use clap::Args;
use serde_json::{Value, json};

/// Show the effective settings and where each came from
///
/// A setting comes from the flags, else from the environment (TILTYARD_ and the key in capitals with
/// underscores for dots), else from the settings file, else it has its default.
#[derive(Debug, Args)]
pub struct Config {
    #[command(flatten)]
    flags: ServerFlags,
    /// Print a settings file with every key, its meaning and its default
    #[arg(long)]
    template: bool,
}

impl Config {
    /// Prints them.
    ///
    /// # Errors
    /// Every setting that cannot be used.
    pub fn run(&self, context: &Context) -> Result<(), Failure> {
        if self.template {
            return context.output.raw(&template());
        }
        let loaded = context.settings(&self.flags.given())?;
        if context.output.is_json() {
            return context.output.json(&document(&loaded));
        }
        let mut table = Table::new(&["setting", "value", "from"], "");
        for key in KEYS.iter() {
            table.row(row(&loaded, key));
        }
        context.output.table(&table)
    }
}

fn row(loaded: &Loaded, key: &Key) -> [Cell; 3] {
    let origin = loaded.origin(&key.path);
    let colour = if origin == Origin::Default { Colour::Dim } else { Colour::Cyan };
    [Cell::new(&key.path), Cell::new(shown(&loaded.value(key))), Cell::new(origin.to_string()).colour(colour)]
}

fn shown(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(shown).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

fn document(loaded: &Loaded) -> Value {
    let settings = KEYS.iter().map(|key| {
        json!({
            "key": key.path,
            "value": loaded.value(key),
            "origin": loaded.origin(&key.path),
            "default": key.default,
            "variable": key.variable(),
            "live": key.live,
            "about": key.about,
        })
    });
    json!({"file": loaded.file, "settings": settings.collect::<Vec<_>>()})
}
