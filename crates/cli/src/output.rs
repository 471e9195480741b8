//! What a command prints: for people, tables that fit the terminal; for machines, JSON. Text from outside is
//! shown with hostile characters escaped (SEC17).

pub mod card;
pub mod progress;
pub mod style;
pub mod table;

use crate::exit::Failure;
use serde::Serialize;
use std::io::{IsTerminal, Write};
use style::Paint;
use tiltyard_model::visible;

/// Columns taken when nobody can say how wide the terminal is: output into a file is not cut.
pub const WIDTH_WITHOUT_TERMINAL: usize = usize::MAX;

/// Whom a command speaks to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// A person.
    Human,
    /// A program: `--json`.
    Json,
}

/// Standard output of a command.
#[derive(Debug, Clone, Copy)]
pub struct Output {
    /// Whom it speaks to.
    pub format: Format,
    /// Columns of the terminal.
    pub width: usize,
    /// Whether there is colour.
    pub paint: Paint,
    /// Whether it is a terminal, which obeys what it is sent.
    pub terminal: bool,
}

impl Output {
    /// The one of this process.
    pub fn of_process(format: Format) -> Self {
        let terminal = std::io::stdout().is_terminal();
        Self { format, width: width(), paint: Paint::of_stdout(), terminal }
    }

    /// Whether a program reads.
    pub fn is_json(&self) -> bool {
        self.format == Format::Json
    }

    /// Whether it is a terminal.
    pub fn is_terminal(&self) -> bool {
        self.terminal
    }

    /// Prints text that is already safe to show, and a line feed.
    ///
    /// # Errors
    /// When standard output is closed.
    pub fn line(&self, text: &str) -> Result<(), Failure> {
        write(&format!("{text}\n"))
    }

    /// Prints text as it is, without a line feed: artifacts, diffs to a pipe.
    ///
    /// # Errors
    /// When standard output is closed.
    pub fn raw(&self, text: &str) -> Result<(), Failure> {
        write(text)
    }

    /// Prints a value as one JSON document: indented on a terminal, on one line elsewhere.
    ///
    /// # Errors
    /// When standard output is closed.
    pub fn json(&self, value: &impl Serialize) -> Result<(), Failure> {
        let text =
            if self.terminal { serde_json::to_string_pretty(value) } else { serde_json::to_string(value) };
        self.line(&escape_json(&text.map_err(|error| Failure::failed(error.to_string()))?))
    }

    /// Prints a value as one line of JSON: one element of a stream.
    ///
    /// # Errors
    /// When standard output is closed.
    pub fn json_line(&self, value: &impl Serialize) -> Result<(), Failure> {
        let text = serde_json::to_string(value).map_err(|error| Failure::failed(error.to_string()))?;
        self.line(&escape_json(&text))
    }

    /// Prints a card.
    ///
    /// # Errors
    /// When standard output is closed.
    pub fn card(&self, card: &card::Card) -> Result<(), Failure> {
        write(&card.render(self.paint))
    }

    /// Prints a table.
    ///
    /// # Errors
    /// When standard output is closed.
    pub fn table(&self, table: &table::Table) -> Result<(), Failure> {
        write(&table.render(self.width, self.paint))
    }
}

/// A reader that has seen enough (`head`) closes the pipe; that is no failure of ours to shout about.
fn write(text: &str) -> Result<(), Failure> {
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()).map_err(|error| Failure::closed(&error))
}

/// JSON may hold any character as it is; those that a terminal obeys are escaped, which means the same.
/// Line feeds outside of texts are layout and stay.
pub fn escape_json(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for letter in text.chars() {
        if letter == '\n' || !visible::is_hostile(letter) {
            shown.push(letter);
        } else {
            for unit in letter.encode_utf16(&mut [0; 2]) {
                shown.push_str(&format!("\\u{unit:04x}"));
            }
        }
    }
    shown
}

fn width() -> usize {
    let terminal = terminal_size::terminal_size_of(std::io::stdout());
    terminal.map_or(WIDTH_WITHOUT_TERMINAL, |(width, _)| usize::from(width.0).max(table::MIN_WIDTH))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sec17_json_keeps_its_meaning_and_loses_its_teeth() {
        let hostile = "a\u{202e}b\u{9b}c\x1b\u{e0041}";
        let shown = escape_json(&serde_json::to_string(hostile).expect("is JSON"));
        assert!(shown.is_ascii(), "{shown}");
        assert_eq!(serde_json::from_str::<String>(&shown).expect("is JSON"), hostile);
    }
}
