//! One field of an expression: a list of values, ranges and steps.

use super::BadCron;

/// A field: what it is called, its bounds, and names for its values.
pub(super) struct Field {
    pub name: &'static str,
    least: u8,
    most: u8,
    names: &'static [&'static str],
}

const MONTHS: [&str; 12] =
    ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const WEEKDAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
/// Sunday has two numbers, so that a week may end with it.
const OTHER_SUNDAY: u8 = 7;

pub(super) const SECOND: Field = Field { name: "second", least: 0, most: 59, names: &[] };
pub(super) const MINUTE: Field = Field { name: "minute", least: 0, most: 59, names: &[] };
pub(super) const HOUR: Field = Field { name: "hour", least: 0, most: 23, names: &[] };
pub(super) const DAY: Field = Field { name: "day of month", least: 1, most: 31, names: &[] };
pub(super) const MONTH: Field = Field { name: "month", least: 1, most: 12, names: &MONTHS };
pub(super) const WEEKDAY: Field =
    Field { name: "day of week", least: 0, most: OTHER_SUNDAY, names: &WEEKDAYS };

impl Field {
    /// The values as bits. `at` is the place of the field, from 1 on.
    pub(super) fn read(&self, at: usize, text: &str) -> Result<u64, BadCron> {
        let (mut bits, mut place) = (0, at);
        for item in text.split(',') {
            bits |= self.item(place, item)?;
            place += item.len() + 1;
        }
        if self.names.len() == WEEKDAYS.len() && bits & (1 << OTHER_SUNDAY) != 0 {
            bits = (bits | 1) & !(1 << OTHER_SUNDAY);
        }
        Ok(bits)
    }

    fn bad(&self, at: usize, error: impl Into<String>) -> BadCron {
        BadCron { field: self.name, at, error: error.into() }
    }

    fn item(&self, at: usize, item: &str) -> Result<u64, BadCron> {
        let (range, step) = match item.split_once('/') {
            Some((range, step)) => (range, Some((at + range.len() + 1, step))),
            None => (item, None),
        };
        let (from, to) = match range.split_once('-') {
            _ if range == "*" => (self.least, self.last()),
            Some((from, to)) => {
                let (from, to) = (self.value(at, from)?, self.value(at + from.len() + 1, to)?);
                // A week may end with Sunday by its name.
                let to = if to == 0 && from > 0 && self.most == OTHER_SUNDAY { OTHER_SUNDAY } else { to };
                if from > to {
                    let error = format!("`{range}` goes backwards; write two ranges with a comma");
                    return Err(self.bad(at, error));
                }
                (from, to)
            }
            None => {
                let value = self.value(at, range)?;
                if step.is_some() {
                    let error = format!("say where it ends: `{range}-{}/…`", self.last());
                    return Err(self.bad(at, error));
                }
                (value, value)
            }
        };
        let step = step.map_or(Ok(1), |(at, step)| self.step(at, step))?;
        Ok((from..=to).step_by(step).fold(0, |bits, value| bits | 1 << value))
    }

    /// The last value that `*` stands for.
    const fn last(&self) -> u8 {
        if self.most == OTHER_SUNDAY { OTHER_SUNDAY - 1 } else { self.most }
    }

    fn step(&self, at: usize, text: &str) -> Result<usize, BadCron> {
        let span = self.last() - self.least;
        match number(text) {
            Some(0) => Err(self.bad(at, "a step of 0 leads nowhere; write 1 or more")),
            Some(step) if step <= u32::from(span) => Ok(step as usize),
            _ => {
                let error = format!("`{}` is no step of this field; write 1 to {span}", shown(text));
                Err(self.bad(at, error))
            }
        }
    }

    fn value(&self, at: usize, text: &str) -> Result<u8, BadCron> {
        if let Some(place) = self.names.iter().position(|name| name.eq_ignore_ascii_case(text)) {
            // Months count from 1, days of the week from 0.
            return Ok(self.least + u8::try_from(place).unwrap_or(0));
        }
        if let Some(value) = number(text) {
            let fits = u8::try_from(value).ok().filter(|value| (self.least..=self.most).contains(value));
            return fits.ok_or_else(|| self.bad(at, self.bounds(text)));
        }
        let error = if text.is_empty() {
            "a value is missing".to_owned()
        } else if text == "?" {
            "`?` is not of this cron; write `*`".to_owned()
        } else if self.is_quartz(text) {
            "`L`, `W` and `#` are of other crons, not of the one with five or six fields".to_owned()
        } else {
            self.bounds(text)
        };
        Err(self.bad(at, error))
    }

    fn bounds(&self, text: &str) -> String {
        let names = match self.names {
            [first, .., last] => format!(", or {first} to {last}"),
            _ => String::new(),
        };
        format!("`{}` is no {}; write {} to {}{names}", shown(text), self.name, self.least, self.most)
    }

    /// `L`, `15W`, `LW`, `6#3`, `friL`.
    fn is_quartz(&self, text: &str) -> bool {
        let mut rest = text.to_ascii_lowercase();
        self.names.iter().for_each(|name| rest = rest.replace(name, ""));
        rest.contains(['l', 'w', '#']) && rest.bytes().all(|byte| b"lw#-0123456789".contains(&byte))
    }
}

fn number(text: &str) -> Option<u32> {
    let digits = !text.is_empty() && text.len() <= 9 && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}

fn shown(text: &str) -> String {
    text.chars().take(20).collect()
}
