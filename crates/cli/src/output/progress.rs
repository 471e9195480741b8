//! A progress bar on standard error: only on a terminal, and only once something has taken a second.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

/// What is quicker needs no bar.
pub const QUIET: Duration = Duration::from_secs(1);
const REDRAW: Duration = Duration::from_millis(100);
const BAR_COLUMNS: u64 = 30;

/// A bar for work of known length.
#[derive(Debug)]
pub struct Progress {
    label: &'static str,
    total: u64,
    done: u64,
    began: Instant,
    drawn: Option<Instant>,
    terminal: bool,
}

impl Progress {
    /// Begins at nothing of `total`.
    pub fn new(label: &'static str, total: u64) -> Self {
        let terminal = std::io::stderr().is_terminal();
        Self { label, total, done: 0, began: Instant::now(), drawn: None, terminal }
    }

    /// Goes on by `count`.
    pub fn add(&mut self, count: u64) {
        self.done = self.total.min(self.done + count);
        if self.is_due(Instant::now()) {
            self.drawn = Some(Instant::now());
            draw(&self.text());
        }
    }

    fn is_due(&self, now: Instant) -> bool {
        let fresh = self.drawn.is_none_or(|drawn| now.duration_since(drawn) >= REDRAW);
        self.terminal && fresh && now.duration_since(self.began) >= QUIET
    }

    fn text(&self) -> String {
        let filled = (self.done * BAR_COLUMNS).checked_div(self.total).unwrap_or(BAR_COLUMNS);
        let bar: String = (0..BAR_COLUMNS).map(|column| if column < filled { '█' } else { '░' }).collect();
        format!("\r{} {bar} {}/{}", self.label, self.done, self.total)
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.drawn.is_some() {
            draw("\r\x1b[2K");
        }
    }
}

/// A bar that cannot be drawn is no failure of the work.
fn draw(text: &str) {
    let mut stderr = std::io::stderr().lock();
    drop(stderr.write_all(text.as_bytes()).and_then(|()| stderr.flush()));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn o3_a_bar_appears_after_a_second_and_on_a_terminal_only() {
        let mut bar = Progress::new("submitting", 10);
        bar.terminal = true;
        assert!(!bar.is_due(bar.began) && bar.is_due(bar.began + QUIET));
        bar.drawn = Some(bar.began + QUIET);
        assert!(!bar.is_due(bar.began + QUIET + REDRAW / 2) && bar.is_due(bar.began + QUIET + REDRAW));
        bar.terminal = false;
        assert!(!bar.is_due(bar.began + QUIET * 2));
        bar.drawn = None;
    }

    #[test]
    fn o3_the_bar_shows_how_far() {
        let mut bar = Progress::new("submitting", 4);
        bar.done = 2;
        assert_eq!(bar.text(), format!("\rsubmitting {}{} 2/4", "█".repeat(15), "░".repeat(15)));
    }
}
