//! The time that several subcommands take.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use gatepost::engine::UnixTime;

use crate::failure::Failure;

/// The time of `--at`.
pub fn parse_time(text: &str) -> Result<Duration, String> {
    if let Ok(seconds) = text.parse() {
        return Ok(Duration::from_secs(seconds));
    }
    humantime::parse_rfc3339_weak(text)
        .ok()
        .and_then(|time| time.duration_since(UNIX_EPOCH).ok())
        .ok_or_else(|| "write Unix seconds or RFC 3339, for example 2027-01-01T00:00:00Z".to_owned())
}

/// The time that `--at` says, or now.
pub fn time(at: Option<Duration>) -> Result<UnixTime, Failure> {
    let now = at.unwrap_or_else(|| SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default());
    let nanos = u64::try_from(now.as_nanos())
        .map_err(|_| Failure::Usage("--at: gatepost's clock ends in the year 2554".to_owned()))?;
    Ok(UnixTime::from_nanos(nanos))
}
