//! Points in time, and the times and durations of a configuration.

mod rfc3339;

use std::{fmt, time::Duration};

/// A point in time, as Unix time. The filter reads no clock: its host hands one in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct UnixTime(Duration);

impl UnixTime {
    /// `seconds` after 1970-01-01T00:00:00Z.
    #[must_use]
    pub const fn from_secs(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds))
    }

    /// Later than any other.
    pub const NEVER: Self = Self(Duration::MAX);

    /// `nanoseconds` after 1970-01-01T00:00:00Z.
    #[must_use]
    pub const fn from_nanos(nanoseconds: u64) -> Self {
        Self(Duration::from_nanos(nanoseconds))
    }

    /// Reads a date and time of RFC 3339, strictly, from 1970 to 9999: `2027-01-01T00:00:00Z`.
    #[must_use]
    pub fn parse_rfc3339(text: &str) -> Option<Self> {
        rfc3339::parse(text)
    }

    /// As RFC 3339 writes it, in UTC and with milliseconds.
    #[must_use]
    pub fn rfc3339(self) -> impl fmt::Display {
        rfc3339::Written(self)
    }

    /// Seconds since 1970-01-01T00:00:00Z, with their fraction: a NumericDate (RFC 7519 §2).
    #[must_use]
    pub fn as_secs_f64(self) -> f64 {
        self.0.as_secs_f64()
    }

    /// The time since 1970-01-01T00:00:00Z.
    #[must_use]
    pub const fn since_epoch(self) -> Duration {
        self.0
    }

    /// The time that is `duration` later, or the end of time.
    #[must_use]
    pub fn saturating_add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(duration))
    }
}

/// Reads a duration as configurations write it: `500ms`, `30s`, `10m`, `1h`.
pub(crate) fn parse_duration(text: &str) -> Option<Duration> {
    let unit = text.find(|c: char| !c.is_ascii_digit())?;
    let (digits, unit) = text.split_at_checked(unit)?;
    let count: u64 = digits.parse().ok()?;
    match unit {
        "ms" => Some(Duration::from_millis(count)),
        "s" => Some(Duration::from_secs(count)),
        "m" => count.checked_mul(60).map(Duration::from_secs),
        "h" => count.checked_mul(3600).map(Duration::from_secs),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test::test;

    test!(durations_have_one_count_and_one_unit, {
        assert_eq!(parse_duration("500ms"), Some(Duration::from_millis(500)));
        assert_eq!(parse_duration("0s"), Some(Duration::ZERO));
        assert_eq!(parse_duration("10m"), Some(Duration::from_secs(600)));
        assert_eq!(parse_duration("1h"), Some(Duration::from_secs(3600)));
        for text in ["", "5", "s", "-1s", "+1s", "1.5s", "1 s", "1d", "1h30m", "99999999999999999999s"] {
            assert_eq!(parse_duration(text), None, "{text}");
        }
        assert_eq!(parse_duration("9999999999999999999h"), None);
    });
}
