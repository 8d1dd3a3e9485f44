//! Rate limits that all workers of a proxy keep together.
//!
//! What is known of callers is in the host's shared data: a limit has a fixed number of slots, each with a few callers
//! (`bucket`), and of each caller one time is known ([`rate`]). So memory is bounded, and a limit costs a request one look
//! and, where the request passes, one write.
//!
//! A write that another worker has forestalled is made anew from what that one has written. Somebody wins every race, so
//! that waiting between tries would gain nothing; and only requests that pass write, so that a limit itself bounds how
//! many race for one slot. Whoever loses all the same, several times in a row, counts the request in this worker's own
//! memory: it passes if it passes there as well, and so does every request where the host has no store or it fails. Nobody
//! is locked out then, and the worst that can happen is that each worker keeps the limit for itself.

mod bucket;
pub mod caller;
pub mod rate;

use std::{fmt, time::Duration};

use sha2::{Digest as _, Sha256};

use crate::{
    host::{OwnStore, Store, Unavailable},
    time::UnixTime,
};
use bucket::Bucket;
use rate::{Arrival, Rate};

/// A limit of a configuration's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limit {
    /// How callers are told which one it was.
    pub name: &'static str,
    /// What tells it from the others of a plugin.
    pub place: Place,
    /// How many requests pass.
    pub rate: Rate,
    /// Who counts together.
    pub by: By,
}

/// Who counts together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum By {
    /// One identity; where there is none, one address.
    #[default]
    Identity,
    /// One address.
    Address,
    /// All callers of a route.
    Route,
}

/// A limit's place in a configuration, hashed. It stays if the configuration changes elsewhere, and so do the counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Place(u64);

/// A limit that a request counts against, and for whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Charge {
    /// The limit.
    pub limit: Limit,
    /// Who, as [`caller`] writes them.
    pub caller: String,
}

/// The limits that a request would exceed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exceeded {
    /// Each, and after how long the request would not.
    pub limits: Vec<(Limit, Duration)>,
}

/// What a worker counts with.
#[derive(Default)]
pub struct Limits {
    /// What tells a plugin's slots from another one's.
    plugin: u64,
    /// For what the host's store does not take: no more slots than there.
    own: OwnStore,
}

/// What was seen of a caller.
struct Seen {
    slot: String,
    caller: u64,
    bucket: Bucket,
    /// The slot's number, for writing it.
    number: u32,
    is_shared: bool,
}

impl Place {
    /// The place of a limit that is told from others by these texts.
    #[must_use]
    pub fn new(parts: &[&str]) -> Self {
        Self(hash(parts))
    }
}

impl Limits {
    /// Counts apart from the plugins of other names.
    pub fn set_plugin(&mut self, names: &[&str]) {
        self.plugin = hash(names);
    }

    /// Counts a request against all its limits, or against none if it exceeds one.
    ///
    /// # Errors
    ///
    /// The limits that it exceeds.
    pub fn take(&mut self, charges: &[Charge], now: UnixTime, store: &mut dyn Store) -> Result<(), Exceeded> {
        let seen = self.find_room(charges, now, store)?;
        for (index, (charge, seen)) in charges.iter().zip(seen).enumerate() {
            if let Err(wait) = self.enter(charge, seen, now, store) {
                for earlier in charges.iter().take(index) {
                    self.give_back(earlier, now, store);
                }
                return Err(Exceeded { limits: vec![(charge.limit.clone(), wait)] });
            }
        }
        Ok(())
    }

    /// Tells what [`take`](Self::take) would, and counts nothing.
    ///
    /// # Errors
    ///
    /// The limits that the request would exceed.
    pub fn look_at(&mut self, charges: &[Charge], now: UnixTime, store: &mut dyn Store) -> Result<(), Exceeded> {
        self.find_room(charges, now, store).map(|_| ())
    }

    /// What was seen of the callers, if there is room for a request of theirs.
    fn find_room(&mut self, charges: &[Charge], now: UnixTime, store: &mut dyn Store) -> Result<Vec<Seen>, Exceeded> {
        let seen: Vec<Seen> = charges.iter().map(|charge| self.look(charge, store)).collect();
        let refused = charges.iter().zip(&seen).filter_map(|(charge, seen)| {
            let wait = charge.limit.rate.admit(seen.arrival(), now).err()?;
            Some((charge.limit.clone(), wait))
        });
        let limits: Vec<_> = refused.collect();
        if !limits.is_empty() {
            return Err(Exceeded { limits });
        }
        Ok(seen)
    }

    fn look(&mut self, charge: &Charge, store: &mut dyn Store) -> Seen {
        let (slot, caller) = self.find(charge);
        let (read, is_shared) = match store.get(&slot) {
            Ok(read) => (read, true),
            Err(Unavailable) => (self.own.get(&slot).unwrap_or_default(), false),
        };
        let (bucket, number) =
            read.map_or((Bucket::default(), ABSENT), |(bytes, number)| (Bucket::decode(&bytes), number));
        Seen { slot, caller, bucket, number, is_shared }
    }

    /// Counts a request that passed when it was looked at, if it still does.
    fn enter(&mut self, charge: &Charge, mut seen: Seen, now: UnixTime, store: &mut dyn Store) -> Result<(), Duration> {
        let rate = charge.limit.rate;
        for _ in 0..MOST_TRIES {
            if !seen.is_shared {
                break;
            }
            let arrival = rate.admit(seen.arrival(), now)?;
            match seen.write(arrival, rate, now, store) {
                Ok(true) => return Ok(()),
                Ok(false) => seen = self.look(charge, store),
                Err(Unavailable) => break,
            }
        }
        let mut seen = self.look_alone(charge);
        let arrival = rate.admit(seen.arrival(), now)?;
        let _ = seen.write(arrival, rate, now, &mut self.own); // nobody else writes there
        Ok(())
    }

    /// Takes back what was counted for a request that another limit has refused meanwhile. Where that fails, one request
    /// too many stays counted.
    fn give_back(&mut self, charge: &Charge, now: UnixTime, store: &mut dyn Store) {
        let rate = charge.limit.rate;
        for _ in 0..MOST_TRIES {
            let mut seen = self.look(charge, store);
            let Some(arrival) = seen.arrival() else { return };
            let store: &mut dyn Store = if seen.is_shared { &mut *store } else { &mut self.own };
            if seen.write(rate.give_back(arrival), rate, now, store) != Ok(false) {
                return;
            }
        }
    }

    fn look_alone(&mut self, charge: &Charge) -> Seen {
        let (slot, caller) = self.find(charge);
        let read = self.own.get(&slot).unwrap_or_default();
        let (bytes, number) = read.unwrap_or((Vec::new(), ABSENT));
        Seen { slot, caller, bucket: Bucket::decode(&bytes), number, is_shared: false }
    }

    /// A caller's slot, and the hash by which it is known there. The rate is part of the caller: what was counted at another
    /// one means something else.
    fn find(&self, charge: &Charge) -> (String, u64) {
        let Rate { requests, per, burst } = charge.limit.rate;
        let digest = Sha256::digest(format!("{requests} {per:?} {burst} {}", charge.caller));
        let (caller, rest) = digest.split_first_chunk().unwrap_or((&[0; 8], &[]));
        let index = rest.first_chunk().map_or(0, |index| u16::from_le_bytes(*index)) & LAST_SLOT;
        let Self { plugin, .. } = self;
        let Place(place) = charge.limit.place;
        // The number tells versions apart that write these slots in different ways.
        (format!("gatepost.limit.1.{plugin:016x}.{place:016x}.{index}"), u64::from_le_bytes(*caller))
    }
}

impl Exceeded {
    /// After how long a request would exceed none.
    #[must_use]
    pub fn retry_after(&self) -> Duration {
        self.limits.iter().map(|(_, wait)| *wait).max().unwrap_or_default()
    }
}

impl Seen {
    fn arrival(&self) -> Option<Arrival> {
        self.bucket.arrival(self.caller)
    }

    fn write(
        &mut self,
        arrival: Arrival,
        rate: Rate,
        now: UnixTime,
        store: &mut dyn Store,
    ) -> Result<bool, Unavailable> {
        self.bucket.set(self.caller, arrival, rate.horizon(), now);
        store.set(&self.slot, &self.bucket.encode(), self.number)
    }
}

impl fmt::Debug for Limits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Limits").finish_non_exhaustive()
    }
}

/// A hash that differs where a part does.
fn hash(parts: &[&str]) -> u64 {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_le_bytes());
        hasher.update(part);
    }
    hasher.finalize().first_chunk().map_or(0, |first| u64::from_le_bytes(*first))
}

/// The number with which a slot is written that nobody has written.
const ABSENT: u32 = u32::MAX;

/// How often a request is entered before this worker counts it for itself.
const MOST_TRIES: usize = 8;

/// A limit has 4096 slots, and thus 32,768 callers: up to 1.5 MB of the proxy's memory.
const LAST_SLOT: u16 = 4095;

#[cfg(test)]
mod tests;
