//! Times and durations as people write and read them. Times are UTC, as everywhere.

use tiltyard_model::time::{DAY_MS, DurationMs, HOUR_MS, MINUTE_MS, SECOND_MS, parse_rfc3339};
use tiltyard_wire::time::Time;

/// `2026-11-20 07:14:00`, to the second.
pub fn short(time: Time) -> String {
    time.to_string()[..19].replace('T', " ")
}

/// `2026-11-20 07:14:00`, or `-`.
pub fn short_or_dash(time: Option<Time>) -> String {
    time.map_or_else(|| "-".to_owned(), short)
}

/// `350 ms`, `12 s`, `3 min`, `2 h`, `5 d`: the largest unit that is at least one.
pub fn duration(length: DurationMs) -> String {
    let units = [(DAY_MS, "d"), (HOUR_MS, "h"), (MINUTE_MS, "min"), (SECOND_MS, "s")];
    let unit = units.into_iter().find(|(unit, _)| length >= *unit);
    unit.map_or_else(|| format!("{length} ms"), |(unit, name)| format!("{} {name}", length / unit))
}

/// Reads `500ms`, `10s`, `5m`, `2h`, `1d`, or bare milliseconds.
///
/// # Errors
/// When it is none of them.
pub fn read_duration(text: &str) -> Result<DurationMs, String> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let unit = match &text[digits..] {
        "" | "ms" => 1,
        "s" => SECOND_MS,
        "m" | "min" => MINUTE_MS,
        "h" => HOUR_MS,
        "d" => DAY_MS,
        _ => 0,
    };
    let length = text[..digits].parse::<DurationMs>().ok().and_then(|count| count.checked_mul(unit));
    length
        .filter(|_| unit > 0)
        .ok_or_else(|| "expected a duration such as 500ms, 10s, 5m, 2h or 1d".to_owned())
}

/// Reads RFC 3339, also without its time zone (then UTC) and with a blank for the `T`.
///
/// # Errors
/// When it is no time.
pub fn read(text: &str) -> Result<Time, String> {
    let time = parse_rfc3339(text).or_else(|| parse_rfc3339(&format!("{text}Z")));
    time.map(Time).ok_or_else(|| "expected a time such as 2026-11-20T07:14:00Z (RFC 3339)".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_and_shown_in_utc() {
        let time = read("2026-11-20T09:14:00+02:00").expect("is a time");
        assert_eq!((short(time).as_str(), short_or_dash(None).as_str()), ("2026-11-20 07:14:00", "-"));
        assert_eq!(read("2026-11-20 07:14:00"), Ok(time));
        assert!(read("tomorrow").is_err());
    }

    #[test]
    fn durations_are_read_and_shown() {
        for (text, length) in [("500ms", 500), ("10s", 10_000), ("5m", 300_000), ("2h", 7_200_000), ("7", 7)]
        {
            assert_eq!(read_duration(text), Ok(length));
        }
        for bad in ["", "s", "5 m", "-1s", "1w", "99999999999999999d"] {
            assert!(read_duration(bad).is_err(), "{bad}");
        }
        let shown = [350, 12_000, 200_000, 7_200_000, 5 * DAY_MS].map(duration);
        assert_eq!(shown, ["350 ms", "12 s", "3 min", "2 h", "5 d"]);
    }
}
