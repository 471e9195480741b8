//! A statement as the database knows it, and what its text says about standing together with others.

use super::Sessions;
use crate::backend::Statement;
use tokio_postgres::types::{Kind, Type};

/// A statement that the database has been asked about.
#[derive(Debug, Clone)]
pub(crate) struct Prepared {
    /// Its name in the session; none where the next transaction may be another session's.
    pub(crate) named: Option<tokio_postgres::Statement>,
    /// The types of its parameters.
    pub(crate) types: Vec<Type>,
    /// It gives rows.
    pub(crate) gives_rows: bool,
    pub(crate) shape: Shape,
}

/// What may stand together with what.
#[derive(Debug, Clone)]
pub(crate) struct Shape {
    /// Each parameter is a list: it takes many rows at once.
    pub(crate) many: bool,
    /// It changes rows that are there: the same row twice would be changed once.
    pub(crate) one_a_row: bool,
    /// The tables that it reads or writes.
    pub(crate) tables: Vec<&'static str>,
    /// So many parameters, from the first on, are the key of the row that it changes, where it is [`Self::one_a_row`].
    pub(crate) key: usize,
    /// It changes rows of one owner, whose key is its own, and reads no others: which of [`FAMILIES`] it is of.
    pub(crate) family: Option<usize>,
}

/// Tables whose rows belong to one owner each: a task, a stage, an item. Those of a family have keys of the same length.
const FAMILIES: &[&[&str]] = &[&["task", "attempt"], &["stage", "stage_attempt"], &["run_item"]];

/// Tables whose key, as statements name it, has more than one column; of a stage's attempts it is the stage that counts.
const KEYS: &[(&str, usize)] =
    &[("stage", 2), ("stage_attempt", 2), ("run_item", 4), ("run_wait", 5), ("run_timer", 6)];

impl Prepared {
    /// The name goes back with `statement` where it cannot be kept.
    pub(crate) fn new(
        own: &'static Statement,
        statement: tokio_postgres::Statement,
        sessions: Sessions,
    ) -> Self {
        let is_list = |ty: &tokio_postgres::types::Type| matches!(ty.kind(), Kind::Array(_));
        let many = !statement.params().is_empty() && statement.params().iter().all(is_list);
        Self {
            types: statement.params().to_vec(),
            gives_rows: !statement.columns().is_empty(),
            named: (sessions == Sessions::Own).then_some(statement),
            shape: Shape::of(own, many),
        }
    }
}

impl Shape {
    pub(crate) fn of(own: &'static Statement, many: bool) -> Self {
        let (one_a_row, tables) = (own.postgres.contains("UPDATE"), tables(own.postgres));
        let family = FAMILIES.iter().position(|family| tables.iter().all(|table| family.contains(table)));
        let long = KEYS.iter().find(|(table, _)| tables.first() == Some(table)).map(|(_, key)| *key);
        // What is no list of rows may change many of them, by a shorter key.
        let family = family.filter(|_| one_a_row && (many || long.is_none()));
        Self { many, one_a_row, key: long.filter(|_| many).unwrap_or(1), family, tables }
    }
}

/// The names after `INTO`, `UPDATE`, `FROM` and `JOIN`; comments aside.
fn tables(text: &'static str) -> Vec<&'static str> {
    let words = text.lines().filter(|line| !line.starts_with("--")).flat_map(str::split_whitespace);
    let pairs = words.clone().zip(words.skip(1));
    let named = pairs.filter(|(word, _)| matches!(*word, "INTO" | "UPDATE" | "FROM" | "JOIN"));
    let names = named.map(|(_, name)| name.trim_matches(|letter: char| !letter.is_alphanumeric()));
    names.filter(|name| !matches!(*name, "SET" | "SELECT") && !name.starts_with("unnest")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_tells_its_tables() {
        assert_eq!(
            tables("-- INTO x\nINSERT INTO a (b)\nSELECT * FROM unnest($1) JOIN c ON true"),
            ["a", "c"]
        );
        assert_eq!(tables("UPDATE task AS t SET a = 1 FROM unnest($1::bigint[]) AS n"), ["task"]);
        assert_eq!(
            tables("UPDATE task AS t SET a = 1 FROM (SELECT unnest($1::bigint[]) AS b) AS n"),
            ["task"]
        );
        assert_eq!(tables("INSERT INTO a VALUES (1) ON CONFLICT (b) DO UPDATE SET c = 1"), ["a"]);
    }
}
