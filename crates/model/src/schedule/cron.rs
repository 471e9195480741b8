//! Cron expressions: what POSIX has, with the steps, names and seconds that everybody writes, and nothing else.

mod field;

use crate::refusal::{Code, Refusal};
use field::{DAY, Field, HOUR, MINUTE, MONTH, SECOND, WEEKDAY};
use jiff::civil::{Date, DateTime, date};
use std::str::FromStr;

/// Longest expression, in bytes.
pub const MAX_CRON_BYTES: usize = 512;
/// After so many years every pattern of days has come that ever comes: 29 February on a given weekday may take forty,
/// around a century without a leap day.
pub(super) const PERIOD_YEARS: i16 = 44;

/// An expression that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cron {
    seconds: u64,
    minutes: u64,
    hours: u64,
    days: u64,
    months: u64,
    weekdays: u64,
    either: Either,
    pace: Pace,
}

/// What holds where day of the month and day of the week are both given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Either {
    /// One of them is enough: neither begins with `*`.
    Enough,
    /// Both must fit.
    Both,
}

/// What a change of the clock does to a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pace {
    /// Hours are named: what the clock leaps over comes at the end of the leap, what it shows twice comes once.
    Daily,
    /// Every hour, or every few (`*`, `*/2`): it comes whenever the clock shows it.
    Hourly,
}

/// Why a text is no cron expression: where, and what to write.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}, at character {at}: {error}")]
pub struct BadCron {
    /// The field, or `expression` for the whole.
    pub field: &'static str,
    /// The place in the text, from 1 on.
    pub at: usize,
    /// What is wrong there.
    pub error: String,
}

impl From<BadCron> for Refusal {
    fn from(bad: BadCron) -> Self {
        let (at, field) = (bad.at, bad.field);
        Self::fault(Code::Invalid, "/cron", bad.to_string()).with("character", at).with("cron_field", field)
    }
}

impl FromStr for Cron {
    type Err = BadCron;

    fn from_str(text: &str) -> Result<Self, BadCron> {
        let (lead, rest) = fields(text)?;
        let [minute, hour, day, month, weekday] = rest;
        let read = |field: &Field, (at, text): (usize, &str)| field.read(at, text);
        let hours = read(&HOUR, hour)?;
        let hourly = hour.1.starts_with('*') || hours.count_ones() == 24;
        let both = day.1.starts_with('*') || weekday.1.starts_with('*');
        let cron = Self {
            seconds: lead.map_or(Ok(1), |second| read(&SECOND, second))?,
            minutes: read(&MINUTE, minute)?,
            hours,
            days: read(&DAY, day)?,
            months: read(&MONTH, month)?,
            weekdays: read(&WEEKDAY, weekday)?,
            either: if both { Either::Both } else { Either::Enough },
            pace: if hourly { Pace::Hourly } else { Pace::Daily },
        };
        match cron.day(date(2000, 1, 1), date(2000 + PERIOD_YEARS, 1, 1)) {
            Some(_) => Ok(cron),
            None => Err(BadCron {
                field: DAY.name,
                at: day.0,
                error: format!("no month of `{}` has a day `{}`, so it never comes", month.1, day.1),
            }),
        }
    }
}

/// A field with its place, from 1 on.
type Placed<'t> = (usize, &'t str);

fn fields(text: &str) -> Result<(Option<Placed<'_>>, [Placed<'_>; 5]), BadCron> {
    let whole = |at: usize, error: String| BadCron { field: "expression", at, error };
    if text.len() > MAX_CRON_BYTES {
        return Err(whole(MAX_CRON_BYTES + 1, format!("has more than {MAX_CRON_BYTES} bytes")));
    }
    if let Some(at) = text.bytes().position(|byte| !byte.is_ascii_graphic() && byte != b' ' && byte != b'\t')
    {
        return Err(whole(at + 1, "is not a letter, digit or sign that cron knows".to_owned()));
    }
    let mut found: Vec<Placed<'_>> = Vec::new();
    for part in text.split([' ', '\t']).filter(|part| !part.is_empty()) {
        found.push((part.as_ptr() as usize - text.as_ptr() as usize + 1, part));
    }
    match found.as_slice() {
        [(at, word), ..] if word.starts_with('@') => {
            let error = format!("`{word}` is not known; write the fields, for example `0 0 * * *` for daily");
            Err(whole(*at, error))
        }
        [a, b, c, d, e] => Ok((None, [*a, *b, *c, *d, *e])),
        [s, a, b, c, d, e] => Ok((Some(*s), [*a, *b, *c, *d, *e])),
        [.., (at, year)] if found.len() == 7 => {
            Err(whole(*at, format!("`{year}` would be a year, and cron has none; leave it out")))
        }
        _ => {
            let rule = "minute, hour, day of month, month and day of week, or six with the second first";
            let at = found.get(6).map_or(text.len() + 1, |(at, _)| *at);
            Err(whole(at, format!("has {} fields; there are five: {rule}", found.len())))
        }
    }
}

const fn has(mask: u64, value: i8) -> bool {
    mask & (1 << value) != 0
}

/// The first value of a mask that is `from` or more.
fn first(mask: u64, from: i8) -> Option<i8> {
    let rest = mask.checked_shr(u32::try_from(from).ok()?)?;
    (rest != 0).then(|| from + i8::try_from(rest.trailing_zeros()).unwrap_or(0))
}

impl Cron {
    pub(super) const fn pace(&self) -> Pace {
        self.pace
    }

    fn fits(&self, day: Date) -> bool {
        let (month, week) =
            (has(self.days, day.day()), has(self.weekdays, day.weekday().to_sunday_zero_offset()));
        match self.either {
            Either::Enough => month || week,
            Either::Both => month && week,
        }
    }

    /// The first day that fits, from `from` to before `end`; months that do not are passed over whole.
    fn day(&self, from: Date, end: Date) -> Option<Date> {
        let mut day = from;
        while day < end {
            if !has(self.months, day.month()) {
                day = day.last_of_month().tomorrow().ok()?;
            } else if self.fits(day) {
                return Some(day);
            } else {
                day = day.tomorrow().ok()?;
            }
        }
        None
    }

    /// The first time of a day, from this one on.
    fn time(&self, (hour, minute, second): (i8, i8, i8)) -> Option<(i8, i8, i8)> {
        let start = |mask: u64| first(mask, 0);
        if has(self.hours, hour) {
            if has(self.minutes, minute)
                && let Some(second) = first(self.seconds, second)
            {
                return Some((hour, minute, second));
            }
            if let Some(minute) = first(self.minutes, minute + 1) {
                return Some((hour, minute, start(self.seconds)?));
            }
        }
        let hour = first(self.hours, hour + 1)?;
        Some((hour, start(self.minutes)?, start(self.seconds)?))
    }

    /// The first time on the wall that fits, from `from` to before `end`; both are whole seconds.
    pub(super) fn at_or_after(&self, from: DateTime, end: DateTime) -> Option<DateTime> {
        let mut day = from.date();
        let mut time = (from.hour(), from.minute(), from.second());
        let last = end.date().tomorrow().unwrap_or(Date::MAX);
        loop {
            let found = self.day(day, last)?;
            if found != day {
                (day, time) = (found, (0, 0, 0));
            }
            if let Some((hour, minute, second)) = self.time(time) {
                let at = day.at(hour, minute, second, 0);
                return (at < end).then_some(at);
            }
            (day, time) = (day.tomorrow().ok()?, (0, 0, 0));
        }
    }
}
