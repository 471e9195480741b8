//! A statement as the database knows it, and what its text says about standing together with others.

use crate::backend::Statement;
use tokio_postgres::types::{Kind, Type};

/// A prepared statement.
#[derive(Debug, Clone)]
pub(crate) struct Prepared {
    pub(crate) statement: tokio_postgres::Statement,
    /// Each parameter is a list: it takes many rows at once.
    pub(crate) many: bool,
    /// It changes rows that are there: the same row twice would be changed once.
    pub(crate) one_a_row: bool,
    /// The tables that it reads or writes.
    pub(crate) tables: Vec<&'static str>,
    /// The same for many rows by COPY, where it only puts them into a table.
    pub(crate) copy: Option<String>,
}

impl Prepared {
    pub(crate) fn new(own: &'static Statement, statement: tokio_postgres::Statement) -> Self {
        let is_list = |ty: &tokio_postgres::types::Type| matches!(ty.kind(), Kind::Array(_));
        Self {
            many: !statement.params().is_empty() && statement.params().iter().all(is_list),
            one_a_row: own.postgres.contains("UPDATE"),
            tables: tables(own.postgres),
            copy: copy(own.postgres),
            statement,
        }
    }
}

/// The names after `INTO`, `UPDATE`, `FROM` and `JOIN`; comments aside.
fn tables(text: &'static str) -> Vec<&'static str> {
    let words = text.lines().filter(|line| !line.starts_with("--")).flat_map(str::split_whitespace);
    let pairs = words.clone().zip(words.skip(1));
    let named = pairs.filter(|(word, _)| matches!(*word, "INTO" | "UPDATE" | "FROM" | "JOIN"));
    let names = named.map(|(_, name)| name.trim_matches(|letter: char| !letter.is_alphanumeric()));
    names.filter(|name| *name != "SET" && !name.starts_with("unnest")).collect()
}

/// The COPY that puts the rows of a statement with lists into their table, where the statement does just that: `INTO table
/// (columns)`, then everything of one `unnest(…)`, and nothing behind it.
fn copy(text: &str) -> Option<String> {
    let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with("--")).collect();
    let text = lines.join(" ");
    let (head, lists) = text.split_once("unnest(")?;
    let behind = lists.rsplit_once(')')?.1;
    let (into, how) = head.split_once(')')?;
    let target = into.split_once("INTO ")?.1;
    let everything = how.split_whitespace().eq(["SELECT", "*", "FROM"]);
    let only = everything && behind.trim().is_empty() && !lists.contains(" ON ");
    only.then(|| format!("COPY {target}) FROM STDIN (FORMAT binary)"))
}

/// The types of the items of a statement whose parameters are lists.
pub(crate) fn items(statement: &tokio_postgres::Statement) -> Vec<Type> {
    let item = |ty: &Type| match ty.kind() {
        Kind::Array(item) => item.clone(),
        _ => ty.clone(),
    };
    statement.params().iter().map(item).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_only_puts_rows_can_be_copied() {
        let plain = "-- Many.\nINSERT INTO a (b,\n  c)\nSELECT * FROM unnest($1::bigint[], $2::text[])\n";
        assert_eq!(copy(plain).as_deref(), Some("COPY a (b,   c) FROM STDIN (FORMAT binary)"));
        assert_eq!(copy("INSERT INTO a (b) SELECT * FROM unnest($1::bigint[]) ON CONFLICT DO NOTHING"), None);
        assert_eq!(copy("INSERT INTO a (b) SELECT n FROM unnest($1::bigint[]) AS n"), None);
        assert_eq!(
            copy("INSERT INTO a (b) SELECT * FROM unnest($1::bigint[]) ON CONFLICT (b) DO NOTHING"),
            None
        );
        assert!(copy(crate::backend::sql!("task/insert").postgres).is_some());
        assert!(copy(crate::backend::sql!("event/append").postgres).is_some());
    }

    #[test]
    fn a_text_tells_its_tables() {
        assert_eq!(
            tables("-- INTO x\nINSERT INTO a (b)\nSELECT * FROM unnest($1) JOIN c ON true"),
            ["a", "c"]
        );
        assert_eq!(tables("UPDATE task AS t SET a = 1 FROM unnest($1::bigint[]) AS n"), ["task"]);
        assert_eq!(tables("INSERT INTO a VALUES (1) ON CONFLICT (b) DO UPDATE SET c = 1"), ["a"]);
    }
}
