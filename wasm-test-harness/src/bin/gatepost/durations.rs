//! Durations as configurations write them.

use std::time::Duration;

/// A duration in the largest unit that fits.
pub fn shown(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match duration.as_millis() {
        millis if millis % 1000 != 0 => format!("{millis}ms"),
        _ if seconds >= 3600 && seconds.is_multiple_of(3600) => format!("{}h", seconds / 3600),
        _ if seconds >= 60 && seconds.is_multiple_of(60) => format!("{}m", seconds / 60),
        _ => format!("{seconds}s"),
    }
}
