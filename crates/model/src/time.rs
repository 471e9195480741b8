//! Time as the rules see it: a number that somebody else read from a clock.

/// A moment: milliseconds since 1970-01-01T00:00:00Z. Never negative in stored data.
pub type TimeMs = i64;

/// A length of time in milliseconds.
pub type DurationMs = i64;

/// One second in milliseconds.
pub const SECOND_MS: DurationMs = 1_000;
/// One minute in milliseconds.
pub const MINUTE_MS: DurationMs = 60 * SECOND_MS;
/// One hour in milliseconds.
pub const HOUR_MS: DurationMs = 60 * MINUTE_MS;
/// One day in milliseconds.
pub const DAY_MS: DurationMs = 24 * HOUR_MS;
/// The last moment that RFC 3339 can write (9999-12-31T23:59:59.999Z); later times are refused.
pub const MAX_TIME_MS: TimeMs = 253_402_300_799_999;

/// Writes `time` as RFC 3339 in UTC with milliseconds: `2026-11-20T07:14:00.123Z`.
///
/// The calendar arithmetic is Howard Hinnant's `civil_from_days`
/// (<https://howardhinnant.github.io/date_algorithms.html>).
pub fn rfc3339(time: TimeMs) -> String {
    let time = time.clamp(0, MAX_TIME_MS);
    let (day, rest) = (time.div_euclid(DAY_MS), time.rem_euclid(DAY_MS));
    let (year, month, date) = civil_from_days(day);
    let (hour, minute) = (rest / HOUR_MS, rest / MINUTE_MS % 60);
    let (second, milli) = (rest / SECOND_MS % 60, rest % SECOND_MS);
    format!("{year:04}-{month:02}-{date:02}T{hour:02}:{minute:02}:{second:02}.{milli:03}Z")
}

/// Reads RFC 3339 with any offset; fractions beyond milliseconds are cut off. `None` for anything else,
/// for moments before 1970 and after 9999.
pub fn parse_rfc3339(text: &str) -> Option<TimeMs> {
    let bytes = text.as_bytes();
    if bytes.len() < 20 || !text.is_ascii() || bytes[4] != b'-' || bytes[7] != b'-' {
        return None;
    }
    if !matches!(bytes[10], b'T' | b't' | b' ') || bytes[13] != b':' || bytes[16] != b':' {
        return None;
    }
    let day = date_part(text)?;
    let (hour, minute, second) = (number(text, 11, 13)?, number(text, 14, 16)?, number(text, 17, 19)?);
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let (milli, zone) = fraction(&text[19..])?;
    let offset = offset_ms(zone)?;
    let time = day * DAY_MS + hour * HOUR_MS + minute * MINUTE_MS + second * SECOND_MS + milli - offset;
    (0..=MAX_TIME_MS).contains(&time).then_some(time)
}

fn date_part(text: &str) -> Option<i64> {
    let (year, month, date) = (number(text, 0, 4)?, number(text, 5, 7)?, number(text, 8, 10)?);
    let day = days_from_civil(year, month, date);
    ((1..=12).contains(&month) && civil_from_days(day) == (year, month, date)).then_some(day)
}

fn number(text: &str, from: usize, to: usize) -> Option<i64> {
    let part = text.get(from..to)?;
    part.bytes().all(|byte| byte.is_ascii_digit()).then(|| part.parse().ok()).flatten()
}

fn fraction(rest: &str) -> Option<(i64, &str)> {
    let Some(after) = rest.strip_prefix('.') else { return Some((0, rest)) };
    let digits = after.bytes().take_while(u8::is_ascii_digit).count();
    let mut milli = 0;
    for place in 0..3 {
        let digit = after.as_bytes().get(place).filter(|_| place < digits).map_or(0, |byte| byte - b'0');
        milli = milli * 10 + i64::from(digit);
    }
    (digits > 0).then(|| (milli, &after[digits..]))
}

fn offset_ms(zone: &str) -> Option<i64> {
    if matches!(zone, "Z" | "z") {
        return Some(0);
    }
    let sign = match zone.as_bytes().first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let (hour, minute) = (number(zone, 1, 3)?, number(zone, 4, 6)?);
    (zone.len() == 6 && &zone[3..4] == ":" && hour < 24 && minute < 60)
        .then_some(sign * (hour * HOUR_MS + minute * MINUTE_MS))
}

fn civil_from_days(day: i64) -> (i64, i64, i64) {
    let shifted = day + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_index = (5 * day_of_year + 2) / 153;
    let date = day_of_year - (153 * month_index + 2) / 5 + 1;
    let month = if month_index < 10 { month_index + 3 } else { month_index - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, date)
}

fn days_from_civil(year: i64, month: i64, date: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let month_index = if month > 2 { month - 3 } else { month + 9 };
    let day_of_year = (153 * month_index + 2) / 5 + date - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_moments_are_written_and_read() {
        assert_eq!(rfc3339(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(rfc3339(951_827_696_789), "2000-02-29T12:34:56.789Z");
        assert_eq!(parse_rfc3339("2000-02-29T12:34:56.789Z"), Some(951_827_696_789));
        assert_eq!(parse_rfc3339("2000-02-29T14:34:56.7891234+02:00"), Some(951_827_696_789));
        assert_eq!(rfc3339(MAX_TIME_MS), "9999-12-31T23:59:59.999Z");
    }

    #[test]
    fn what_is_no_moment_is_refused() {
        for bad in
            ["", "2026-02-29T00:00:00Z", "2026-13-01T00:00:00Z", "2026-01-01", "2026-01-01T24:00:00Z", "x"]
        {
            assert_eq!(parse_rfc3339(bad), None, "{bad}");
        }
        assert_eq!(parse_rfc3339("2026-01-01T00:00:00.Z"), None);
        assert_eq!(parse_rfc3339("1969-12-31T23:59:59Z"), None);
    }

    #[test]
    fn every_day_survives_the_round_trip() {
        for day in (0..2_932_896).step_by(13) {
            let time = day * DAY_MS + 1_234;
            assert_eq!(parse_rfc3339(&rfc3339(time)), Some(time));
        }
    }
}
