//! What a store is made of, in an order in which nothing refers to what is not there yet.

use super::cell::Cell;
use crate::backend::sql;

/// A table that is copied.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Table {
    pub(super) name: &'static str,
    /// The columns of its key.
    key: &'static [Key],
}

/// A column of a key.
#[derive(Debug, PartialEq, Eq)]
enum Key {
    Number(&'static str),
    Text(&'static str),
    Bytes(&'static str),
}

impl Key {
    fn name(&self) -> &'static str {
        match self {
            Self::Number(name) | Self::Text(name) | Self::Bytes(name) => name,
        }
    }

    /// What is before every value that a store holds.
    fn first(&self) -> Cell {
        match self {
            Self::Number(_) => Cell::Int(i64::MIN),
            Self::Text(_) => Cell::Text(String::new()),
            Self::Bytes(_) => Cell::Bytes(Vec::new()),
        }
    }
}

macro_rules! tables {
    ($($name:literal: $($kind:ident $column:literal),+;)+) => {
        &[$(Table { name: $name, key: &[$(Key::$kind($column)),+] }),+]
    };
}

/// Every table whose rows belong to the store, whichever database it lies in. What servers of a shared store tell each other
/// does not, nor does the record of the schema's steps.
pub(super) const TABLES: &[Table] = tables! {
    "actor": Number "id";
    "scope": Number "id";
    "scope_seq": Number "scope", Number "part";
    "queue": Number "id";
    "lane": Number "id";
    "agent": Number "id";
    "task": Number "id";
    "task_count": Number "queue", Number "state", Number "part";
    "attempt": Number "task", Number "generation";
    "dependency": Number "task", Number "depends_on";
    "unique_key": Number "task";
    "rate_start": Number "scope", Text "key", Number "second";
    "event": Number "seq";
    "audit": Text "chain", Number "seq";
    "audit_count": Text "chain", Text "action";
    "token": Number "id";
    "sign_in": Number "id";
    "idempotency": Number "day", Bytes "key";
    "template": Number "scope", Text "name";
    "dead_letter": Number "id";
    "artifact": Number "id";
    "repository": Number "scope", Text "name";
    "change": Number "id";
    "change_proposal": Number "change", Number "generation";
    "change_check": Number "change", Number "task";
    "gate": Number "id";
    "gate_vote": Number "gate", Number "seq";
    "pipeline_version": Number "id";
    "pipeline": Number "scope", Text "name";
    "pipeline_history": Number "scope", Text "name", Number "number";
    "run": Number "id";
    "run_input": Number "run";
    "stage": Number "run", Number "stage";
    "run_item": Number "run", Number "stage", Number "attempt", Number "item";
    "stage_attempt": Number "run", Number "stage", Number "attempt";
    "run_output": Number "run", Number "stage", Number "attempt", Number "item", Text "name";
    "run_timer": Number "run", Number "stage", Number "attempt", Number "item", Number "item_attempt", Number "what";
    "run_wait": Number "run", Number "stage", Number "attempt", Number "item", Number "item_attempt";
    "run_call": Number "run", Number "stage", Number "attempt", Number "item", Number "item_attempt";
    "schedule": Number "scope", Text "name";
    "schedule_start": Number "scope", Text "name", Number "revision", Number "at";
    "artifact_ref": Number "artifact", Number "run";
};

/// What the store knows of itself: written last, and then it is one.
pub(super) const META: Table = Table { name: "meta", key: &[Key::Text("key")] };

/// How a database writes a place for a value.
#[derive(Debug, Clone, Copy)]
pub(super) enum Dialect {
    Sqlite,
    Postgres,
}

impl Dialect {
    fn pick(self, statement: &'static crate::backend::Statement) -> &'static str {
        match self {
            Self::Sqlite => statement.sqlite,
            Self::Postgres => statement.postgres,
        }
    }

    fn place(self, number: usize) -> String {
        match self {
            Self::Sqlite => format!("?{number}"),
            Self::Postgres => format!("${number}"),
        }
    }

    fn places(self, count: usize) -> String {
        (1..=count).map(|number| self.place(number)).collect::<Vec<_>>().join(", ")
    }
}

impl Table {
    /// Where reading begins.
    pub(super) fn start(&self) -> Vec<Cell> {
        self.key.iter().map(Key::first).collect()
    }

    /// Where the columns of the key stand among all of them.
    pub(super) fn key_places(&self, columns: &[String]) -> Option<Vec<usize>> {
        let place = |key: &Key| columns.iter().position(|column| column == key.name());
        self.key.iter().map(place).collect()
    }

    /// The text that reads rows; its values are those of the last key, and how many rows.
    pub(super) fn page(&self, dialect: Dialect) -> String {
        let key = self.key.iter().map(Key::name).collect::<Vec<_>>().join(", ");
        let text = self.named(dialect.pick(sql!("copy/page"))).replace("{key}", &key);
        let (after, limit) = (dialect.places(self.key.len()), dialect.place(self.key.len() + 1));
        text.replace("{after}", &after).replace("{limit}", &limit)
    }

    pub(super) fn count(&self, dialect: Dialect) -> String {
        self.named(dialect.pick(sql!("copy/count")))
    }

    pub(super) fn empty(&self, dialect: Dialect) -> String {
        self.named(dialect.pick(sql!("copy/empty")))
    }

    /// The text that writes: a row of so many columns, or in a shared store all rows that follow.
    pub(super) fn write(&self, dialect: Dialect, columns: usize) -> String {
        self.named(dialect.pick(sql!("copy/write"))).replace("{values}", &dialect.places(columns))
    }

    pub(super) fn analyze(&self) -> String {
        self.named(sql!("copy/analyze").postgres)
    }

    fn named(&self, template: &str) -> String {
        let lines = template.lines().filter(|line| !line.starts_with("--"));
        lines.collect::<Vec<_>>().join("\n").replace("{table}", self.name)
    }
}
