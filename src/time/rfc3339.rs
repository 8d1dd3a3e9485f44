//! Dates and times of RFC 3339, as an operator writes them.

use std::{fmt, time::Duration};

use chrono::{DateTime, Datelike as _, Timelike as _};

use super::UnixTime;

/// Reads a `date-time` (RFC 3339 §5.6). Nanoseconds are kept, and further digits of a fraction dropped. A leap second is
/// the first second of the next day, as Unix time has it.
pub(super) fn parse(text: &str) -> Option<UnixTime> {
    // What the library takes beyond the grammar: a blank for the `T`, and a minus sign of another alphabet.
    if !text.is_ascii() || text.contains(' ') {
        return None;
    }
    let time = DateTime::parse_from_rfc3339(text).ok()?;
    let seconds = u64::try_from(time.timestamp()).ok()?;
    let nanoseconds = time.timestamp_subsec_nanos();
    // The library counts a leap second's nanoseconds on, after any minute; there is one before midnight UTC alone (§5.7).
    let is_last_second = seconds.checked_add(1)?.is_multiple_of(SECONDS_OF_DAY);
    if nanoseconds >= NANOSECONDS && !is_last_second {
        return None;
    }
    Some(UnixTime(Duration::from_secs(seconds).checked_add(Duration::from_nanos(nanoseconds.into()))?))
}

/// A time as a `date-time`, in UTC and with milliseconds. One that is later than the library's calendar is its beginning.
pub(super) struct Written(pub(super) UnixTime);

impl fmt::Display for Written {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = i64::try_from(self.0.since_epoch().as_millis()).ok().and_then(DateTime::from_timestamp_millis);
        let time = millis.unwrap_or_default();
        write!(f, "{:04}-{:02}-{:02}T", time.year(), time.month(), time.day())?;
        let millis = time.nanosecond() / NANOSECONDS_OF_MILLISECOND;
        write!(f, "{:02}:{:02}:{:02}.{millis:03}Z", time.hour(), time.minute(), time.second())
    }
}

const NANOSECONDS_OF_MILLISECOND: u32 = 1_000_000;
const NANOSECONDS: u32 = 1_000_000_000;
const SECONDS_OF_DAY: u64 = 24 * 60 * 60;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test::test;

    /// Nanoseconds of Unix time.
    fn nanos(text: &str) -> Option<u128> {
        parse(text).map(|time| time.since_epoch().as_nanos())
    }

    fn secs(text: &str) -> Option<u64> {
        parse(text).map(|time| time.since_epoch().as_secs())
    }

    test!(the_examples_of_the_rfc_are_read, {
        // RFC 3339 §5.8; seconds by GNU date.
        assert_eq!(nanos("1985-04-12T23:20:50.52Z"), Some(482_196_050_520_000_000));
        assert_eq!(secs("1996-12-19T16:39:57-08:00"), Some(851_042_397));
        assert_eq!(secs("1990-12-31T23:59:60Z"), Some(662_688_000));
        assert_eq!(secs("1990-12-31T15:59:60-08:00"), Some(662_688_000));
        // The fifth has an offset that no clock has any more, and its year is before 1970.
        assert_eq!(secs("1937-01-01T12:00:27.87+00:20"), None);
    });

    test!(every_day_of_four_centuries_follows_the_one_before, {
        let mut expected = 0;
        for year in 1970..2400_u32 {
            // The calendar as people know it, by another rule than the parser's.
            let is_leap = if year % 100 == 0 { year % 400 == 0 } else { year % 4 == 0 };
            let february = if is_leap { 29 } else { 28 };
            for (month, days) in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31].iter().enumerate() {
                for day in 1..=*days {
                    let text = format!("{year:04}-{:02}-{day:02}T00:00:00Z", month + 1);
                    assert_eq!(secs(&text), Some(expected), "{text}");
                    expected += SECONDS_OF_DAY;
                }
                let text = format!("{year:04}-{:02}-{:02}T00:00:00Z", month + 1, days + 1);
                assert_eq!(parse(&text), None, "{text}");
            }
        }
        assert_eq!(secs("9999-12-31T23:59:59Z"), Some(253_402_300_799));
    });

    test!(what_is_written_is_what_was_read, {
        for text in ["1970-01-01T00:00:00.000Z", "2024-02-29T23:59:59.999Z", "2027-01-15T08:00:00.120Z"] {
            assert_eq!(parse(text).unwrap().rfc3339().to_string(), text);
        }
        assert_eq!(UnixTime::from_nanos(1_999_999).rfc3339().to_string(), "1970-01-01T00:00:00.001Z");
        assert_eq!(UnixTime::NEVER.rfc3339().to_string(), "1970-01-01T00:00:00.000Z");
    });

    test!(offsets_move_the_time, {
        let noon = secs("2027-01-01T12:00:00Z");
        for text in [
            "2027-01-01T12:00:00z",
            "2027-01-01t12:00:00+00:00",
            "2027-01-01T12:00:00-00:00",
            "2027-01-01T17:30:00+05:30",
            "2027-01-01T00:15:00-11:45",
            "2027-01-02T11:59:00+23:59",
            "2026-12-31T12:01:00-23:59",
        ] {
            assert_eq!(secs(text), noon, "{text}");
        }
        assert_eq!(secs("1970-01-01T01:00:00+01:00"), Some(0));
        assert_eq!(secs("1969-12-31T23:00:00-01:00"), Some(0));
        assert_eq!(secs("1969-12-31T23:59:59Z"), None);
        assert_eq!(secs("1970-01-01T00:59:59+01:00"), None);
        // Beyond the year 9999 in UTC alone.
        assert_eq!(secs("9999-12-31T23:59:59-00:01"), Some(253_402_300_859));
    });

    test!(fractions_are_kept_to_the_nanosecond, {
        assert_eq!(nanos("1970-01-01T00:00:00.5Z"), Some(500_000_000));
        assert_eq!(nanos("1970-01-01T00:00:00.000000001Z"), Some(1));
        assert_eq!(nanos("1970-01-01T00:00:00.1234567899999Z"), Some(123_456_789));
        assert_eq!(nanos("1970-01-01T00:00:00.999999999+00:00"), Some(999_999_999));
    });

    test!(leap_seconds_end_a_day_of_utc, {
        assert_eq!(secs("2016-12-31T23:59:60Z"), secs("2017-01-01T00:00:00Z"));
        assert_eq!(nanos("2016-12-31T23:59:60.5Z"), nanos("2017-01-01T00:00:00.5Z"));
        assert_eq!(secs("2017-01-01T07:59:60+08:00"), secs("2017-01-01T00:00:00Z"));
        assert_eq!(secs("2015-06-30T23:59:60Z"), secs("2015-07-01T00:00:00Z"));
        for text in
            ["2016-12-31T23:58:60Z", "2016-12-31T22:59:60Z", "2016-12-31T23:59:60+08:00", "2016-12-31T23:59:61Z"]
        {
            assert_eq!(parse(text), None, "{text}");
        }
    });

    test!(what_is_not_of_the_grammar_is_refused, {
        for text in [
            "",
            "2027-01-01",
            "2027-01-01T00:00:00",
            "2027-01-01 00:00:00Z",
            "2027-01-01T00:00Z",
            "2027-01-01T00:00:00.Z",
            "2027-01-01T00:00:00,5Z",
            "2027-01-01T00:00:00Z ",
            " 2027-01-01T00:00:00Z",
            "2027-01-01T00:00:00ZZ",
            "2027-01-01T00:00:00+0100",
            "2027-01-01T00:00:00+01",
            "2027-01-01T00:00:00+24:00",
            "2027-01-01T00:00:00+01:60",
            "2027-01-01T24:00:00Z",
            "2027-01-01T00:60:00Z",
            "2027-13-01T00:00:00Z",
            "2027-00-01T00:00:00Z",
            "2027-01-00T00:00:00Z",
            "2027-02-29T00:00:00Z",
            "2100-02-29T00:00:00Z",
            "2027-1-1T00:00:00Z",
            "+027-01-01T00:00:00Z",
            "12027-01-01T00:00:00Z",
            "2027-01-01T00:00:+0Z",
            "0000-01-01T00:00:00Z",
            "\u{662}027-01-01T00:00:00Z",
            "1800000000",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    });
}
