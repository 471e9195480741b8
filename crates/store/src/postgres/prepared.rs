//! A statement as the database knows it, and what its text says about standing together with others.

use crate::backend::Statement;
use tokio_postgres::types::Kind;

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
}

impl Prepared {
    pub(crate) fn new(own: &'static Statement, statement: tokio_postgres::Statement) -> Self {
        let is_list = |ty: &tokio_postgres::types::Type| matches!(ty.kind(), Kind::Array(_));
        Self {
            many: !statement.params().is_empty() && statement.params().iter().all(is_list),
            one_a_row: own.postgres.contains("UPDATE"),
            tables: tables(own.postgres),
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
        assert_eq!(tables("INSERT INTO a VALUES (1) ON CONFLICT (b) DO UPDATE SET c = 1"), ["a"]);
    }
}
