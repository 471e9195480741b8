//! Tables that fit the terminal: columns give way, the widest first, and what is cut ends in `…`. The first
//! column stays whole: it is what people copy.

use super::style::{Colour, Paint};
use tiltyard_model::visible;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Narrower terminals are treated as this wide.
pub const MIN_WIDTH: usize = 40;
const GAP: usize = 2;
/// No column is made narrower than this, even if the line then wraps.
const MIN_COLUMN: usize = 6;

/// One cell: text from anywhere, and its colour.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cell {
    text: String,
    colour: Option<Colour>,
}

impl Cell {
    /// A cell; hostile characters are escaped here, so that none reaches a terminal.
    pub fn new(text: impl AsRef<str>) -> Self {
        Self { text: visible::line(text.as_ref()).into_owned(), colour: None }
    }

    /// The same in a colour.
    #[must_use]
    pub fn colour(mut self, colour: Colour) -> Self {
        self.colour = Some(colour);
        self
    }

    fn width(&self) -> usize {
        self.text.width()
    }
}

impl<T: AsRef<str>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self::new(text)
    }
}

/// Rows under a heading.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    heading: Vec<Cell>,
    rows: Vec<Vec<Cell>>,
    empty: String,
}

impl Table {
    /// A table with these columns. `empty` is printed in its place when it has no row.
    pub fn new(heading: &[&str], empty: &str) -> Self {
        let heading =
            heading.iter().map(|name| Cell::new(name.to_uppercase()).colour(Colour::Bold)).collect();
        Self { heading, rows: Vec::new(), empty: empty.to_owned() }
    }

    /// Adds a row; missing cells are empty, cells beyond the heading are left out.
    pub fn row(&mut self, cells: impl IntoIterator<Item = Cell>) {
        let mut cells: Vec<Cell> = cells.into_iter().take(self.heading.len()).collect();
        cells.resize_with(self.heading.len(), || Cell::new(""));
        self.rows.push(cells);
    }

    /// The table in at most `width` columns.
    pub fn render(&self, width: usize, paint: Paint) -> String {
        if self.rows.is_empty() {
            return format!("{}\n", self.empty);
        }
        let widths = self.fit(width);
        let lines = std::iter::once(&self.heading).chain(&self.rows);
        lines.map(|cells| line(cells, &widths, paint)).collect()
    }

    fn fit(&self, width: usize) -> Vec<usize> {
        let widest = |column: usize| {
            let cells = std::iter::once(&self.heading).chain(&self.rows);
            cells.map(|row| row[column].width()).max().unwrap_or(0)
        };
        let mut widths: Vec<usize> = (0..self.heading.len()).map(widest).collect();
        let gaps = GAP * widths.len().saturating_sub(1);
        while widths.iter().sum::<usize>().saturating_add(gaps) > width {
            let Some(most) = widths.iter_mut().skip(1).max().filter(|most| **most > MIN_COLUMN) else {
                break;
            };
            *most -= 1;
        }
        widths
    }
}

fn line(cells: &[Cell], widths: &[usize], paint: Paint) -> String {
    let mut text = String::new();
    for (place, (cell, width)) in cells.iter().zip(widths).enumerate() {
        let shown = cut(&cell.text, *width);
        let last = place + 1 == cells.len();
        let pad = if last { 0 } else { width + GAP - shown.width() };
        text.push_str(&cell.colour.map_or(shown.clone(), |colour| paint.colour(colour, &shown)));
        text.push_str(&" ".repeat(pad));
    }
    format!("{}\n", text.trim_end())
}

/// The text in at most `width` columns; wide letters take two.
pub fn cut(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut shown = String::new();
    let mut used = 1;
    for letter in text.chars() {
        used += letter.width().unwrap_or(0);
        if used > width {
            break;
        }
        shown.push(letter);
    }
    format!("{}…", shown.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Table {
        let mut table = Table::new(&["id", "state", "title"], "No tasks.");
        table.row([
            "task_1".into(),
            Cell::new("ready").colour(Colour::Green),
            "Fix the README of the project".into(),
        ]);
        table.row(["task_22".into(), "dead".into(), "漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字".into()]);
        table
    }

    #[test]
    fn o3_a_table_is_as_wide_as_its_content() {
        let text = sample().render(usize::MAX, Paint::Plain);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "ID       STATE  TITLE");
        assert_eq!(lines[1], "task_1   ready  Fix the README of the project");
    }

    #[test]
    fn o3_a_table_fits_the_terminal() {
        for width in [MIN_WIDTH, 41, 55] {
            let text = sample().render(width, Paint::Plain);
            assert!(text.lines().all(|line| line.width() <= width), "{width}\n{text}");
        }
        let narrow = sample().render(MIN_WIDTH, Paint::Plain);
        assert!(narrow.contains("Fix the README of the p…") && narrow.contains("漢…"), "{narrow}");
    }

    #[test]
    fn o3_an_id_is_never_cut() {
        let mut table = Table::new(&["id", "title"], "");
        table.row(["task_01h2xcejqtf2nbrexx3vqjhp41".into(), "a title of some length".into()]);
        assert!(table.render(MIN_WIDTH, Paint::Plain).contains("task_01h2xcejqtf2nbrexx3vqjhp41  a titl…"));
    }

    #[test]
    fn o3_an_empty_table_says_so() {
        assert_eq!(Table::new(&["id"], "No tasks.").render(80, Paint::Plain), "No tasks.\n");
    }

    #[test]
    fn sec17_hostile_characters_in_cells_are_visible() {
        let mut table = Table::new(&["title"], "");
        table.row([Cell::new("a\x1b[2Jb\u{202e}\nc")]);
        assert_eq!(table.render(80, Paint::Plain), "TITLE\na\\u{1b}[2Jb\\u{202e}\\nc\n");
    }
}
