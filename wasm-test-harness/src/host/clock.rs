//! The settable clock: what `proxy_get_current_time_nanoseconds` and WASI's `clock_time_get` both tell.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

/// A clock that moves only when told; clones show the same time.
#[derive(Clone, Debug)]
pub struct Clock(Arc<AtomicU64>);

impl Clock {
    /// A clock that stands at a Unix time in seconds.
    pub fn at(seconds: u64) -> Self {
        Self(Arc::new(AtomicU64::new(seconds * NANOS)))
    }

    /// Nanoseconds since the Unix epoch.
    pub fn nanos(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }

    /// Whole seconds since the Unix epoch.
    pub fn seconds(&self) -> u64 {
        self.nanos() / NANOS
    }

    /// Moves the clock forward.
    pub fn advance(&self, by: Duration) {
        self.0.fetch_add(u64::try_from(by.as_nanos()).expect("less than 584 years"), Ordering::SeqCst);
    }
}

const NANOS: u64 = 1_000_000_000;
