//! One thing in full: names on the left, values on the right, longer texts below.

use super::style::{Colour, Paint};
use tiltyard_model::visible;

/// The lines about one thing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Card {
    lines: Vec<(String, String)>,
    blocks: Vec<(String, String)>,
}

impl Card {
    /// An empty card.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a line; hostile characters are escaped.
    #[must_use]
    pub fn line(mut self, name: &str, value: impl AsRef<str>) -> Self {
        self.lines.push((name.to_owned(), visible::line(value.as_ref()).into_owned()));
        self
    }

    /// Adds a line if there is a value that says something.
    #[must_use]
    pub fn maybe(self, name: &str, value: Option<impl AsRef<str>>) -> Self {
        match value {
            Some(value) if !value.as_ref().is_empty() => self.line(name, value),
            _ => self,
        }
    }

    /// Adds a text of several lines under a heading, unless it is empty.
    #[must_use]
    pub fn block(mut self, name: &str, text: impl AsRef<str>) -> Self {
        let text = visible::block(text.as_ref().trim_end()).into_owned();
        if !text.is_empty() {
            self.blocks.push((name.to_owned(), text));
        }
        self
    }

    /// The text of the card.
    pub fn render(&self, paint: Paint) -> String {
        let width = self.lines.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
        let mut text = String::new();
        for (name, value) in &self.lines {
            text.push_str(&format!("{}  {value}\n", paint.colour(Colour::Dim, &format!("{name:<width$}"))));
        }
        for (name, block) in &self.blocks {
            text.push_str(&format!("\n{}\n", paint.colour(Colour::Bold, name)));
            for line in block.lines() {
                text.push_str(format!("  {line}").trim_end());
                text.push('\n');
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sec17_a_card_shows_what_it_holds_and_obeys_nothing() {
        let card = Card::new()
            .line("id", "task_1")
            .maybe("agent", None::<&str>)
            .maybe("title", Some("a\x1b[2J\nb"))
            .block("Error", "one\r\n\ttwo\u{202e}\n");
        let text = "id     task_1\ntitle  a\\u{1b}[2J\\nb\n\nError\n  one\\r\n  \ttwo\\u{202e}\n";
        assert_eq!(card.render(Paint::Plain), text);
    }
}
