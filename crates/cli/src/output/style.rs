//! Colour: only on a terminal, and not with `NO_COLOR` (<https://no-color.org>).

use std::io::IsTerminal;

/// Whether output is coloured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Paint {
    /// Yes.
    Coloured,
    /// No.
    Plain,
}

/// The few colours that are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Colour {
    /// Bad.
    Red,
    /// Good.
    Green,
    /// Waits, or needs a look.
    Yellow,
    /// Names and links.
    Cyan,
    /// Headings.
    Bold,
    /// Of less interest.
    Dim,
}

impl Paint {
    /// The one for standard output.
    pub fn of_stdout() -> Self {
        Self::decide(std::io::stdout().is_terminal())
    }

    /// The one for standard error.
    pub fn of_stderr() -> Self {
        Self::decide(std::io::stderr().is_terminal())
    }

    fn decide(terminal: bool) -> Self {
        let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
        let dumb = set("TERM").is_some_and(|term| term == "dumb");
        if terminal && !dumb && set("NO_COLOR").is_none() { Self::Coloured } else { Self::Plain }
    }

    /// The text in that colour, or as it is.
    pub fn colour(self, colour: Colour, text: &str) -> String {
        if self == Self::Plain {
            return text.to_owned();
        }
        let code = match colour {
            Colour::Red => "31",
            Colour::Green => "32",
            Colour::Yellow => "33",
            Colour::Cyan => "36",
            Colour::Bold => "1",
            Colour::Dim => "2",
        };
        format!("\x1b[{code}m{text}\x1b[0m")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn o3_plain_output_has_no_escape_sequences() {
        assert_eq!(Paint::Plain.colour(Colour::Red, "dead"), "dead");
        assert_eq!(Paint::Coloured.colour(Colour::Red, "dead"), "\x1b[31mdead\x1b[0m");
        assert_eq!(Paint::decide(false), Paint::Plain);
    }
}
