//! A provider's key set: fetched by one worker for all, refreshed before it is too old, kept while the provider fails.
//!
//! Two slots of the [`Store`] carry it between workers: a small status that everyone reads on every tick, and the key
//! set itself, read when the status names another generation. Who fetches is decided by a compare-and-swap that puts a
//! lease into the status; the lease runs out, so that a worker which went away keeps nobody from fetching. Where the
//! host has no store, each worker fetches for itself.

use std::time::Duration;

use sha2::{Digest as _, Sha256};

use super::{
    CallAnswer, CallFailure, CallId, CallIds, Effects, Event, ProviderFailure, Store, Unavailable,
    document::{KeyDocument, read_discovery, read_key_set},
    endpoint::Endpoint,
    schedule::{Random, Timings},
    status::{GRACE, Status, millis},
};
use crate::{jose::jwk::KeySet, time::UnixTime};

/// A key set's place among a gateway's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeySourceId(pub usize);

/// Where a key set is and how it is kept fresh.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct KeySourceConfig {
    /// Where its keys are.
    pub origin: Origin,
    /// How they are kept fresh.
    pub timings: Timings,
}

/// Where keys are.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Origin {
    /// At a URL.
    Remote(Endpoint),
    /// Where a discovery document says (OpenID Connect Discovery 1.0).
    Discovery {
        /// Whose document it has to be.
        issuer: String,
        /// Where it is.
        document: Endpoint,
        /// The cluster for keys that are on another host.
        jwks_cluster: Option<String>,
    },
}

/// A key set as one worker knows it.
#[derive(Debug)]
pub struct KeySource {
    /// Its configuration path, for the log.
    place: String,
    config: KeySourceConfig,
    slots: Slots,
    status: Status,
    keys: Option<KeySet>,
    /// The generation of the status that `keys` belong to.
    loaded: u64,
    fetch: Option<Fetch>,
    /// Whether the host has refused the store: this worker then stands for itself.
    alone: bool,
    /// Whether a token of this worker names a key that is not in the set.
    unknown_key: bool,
}

/// What a worker works with: the time, what is shared, and where its doings go.
pub struct Work<'a> {
    /// The time.
    pub now: UnixTime,
    /// What the workers share.
    pub store: &'a mut dyn Store,
    /// Jitter, and the name of this worker.
    pub random: &'a mut Random,
    /// The numbers of its calls.
    pub calls: &'a mut CallIds,
    /// What is to be done.
    pub effects: &'a mut Effects,
}

/// What a step has changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// There are other keys: what the old ones verified has to be looked at.
    pub keys_changed: bool,
    /// Nobody fetches: whoever waits for a fetch can be decided.
    pub settled: bool,
}

/// What a request that needs keys has to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Availability {
    /// Wait: they are being fetched.
    Wait,
    /// Give up: they could not be fetched, and will be tried again after this time.
    Unavailable(Duration),
}

#[derive(Debug)]
struct Slots {
    status: String,
    keys: String,
}

/// A fetch of this worker.
#[derive(Debug)]
struct Fetch {
    call: CallId,
    stage: Stage,
    began: UnixTime,
    holder: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Discovery,
    Keys,
}

impl KeySource {
    /// A key set that is not known yet.
    #[must_use]
    pub fn new(place: String, config: KeySourceConfig) -> Self {
        let slots = Slots::of(&config);
        let status = Status::default();
        Self { place, config, slots, status, keys: None, loaded: 0, fetch: None, alone: false, unknown_key: false }
    }

    /// How long a request waits for a fetch at most, but for what the host takes to say so.
    #[must_use]
    pub fn patience(&self) -> Duration {
        self.config.timings.timeout
    }

    /// The keys, if there are any that may be used, or what to do without them.
    ///
    /// # Errors
    ///
    /// [`Availability`]
    pub fn keys(&self, now: UnixTime) -> Result<&KeySet, Availability> {
        let usable = self.status.is_usable(now, &self.config.timings);
        match self.keys.as_ref().filter(|_| usable) {
            Some(keys) => Ok(keys),
            None => Err(self.availability(now)),
        }
    }

    /// The keys, whether they may be used or not.
    #[must_use]
    pub fn known_keys(&self) -> Option<&KeySet> {
        self.keys.as_ref()
    }

    /// What to do about a token that names a key which is not in the set; none to refuse it. A fetch is asked for unless
    /// one has been a short while ago.
    pub fn on_unknown_key(&mut self, now: UnixTime) -> Option<Availability> {
        let fetching = self.status.is_leased(now, &self.config.timings);
        if !self.status.has_failed() && !fetching && self.status.cools_down(now, &self.config.timings) {
            return None;
        }
        let availability = self.availability(now);
        self.unknown_key |= availability == Availability::Wait;
        Some(availability)
    }

    /// Looks at what the workers share, and fetches if it is time and nobody else does.
    pub fn poll(&mut self, work: &mut Work<'_>) -> Progress {
        let expected = self.read_status(work.store);
        let keys_changed = self.load(work.store);
        let timings = &self.config.timings;
        let patience = timings.timeout.saturating_add(GRACE);
        if self.fetch.as_ref().is_some_and(|fetch| work.now > fetch.began.saturating_add(patience)) {
            self.fetch = None; // the host has lost the call
        }
        let fetching = self.fetch.is_some() || self.status.is_leased(work.now, timings);
        let unknown = std::mem::take(&mut self.unknown_key) && !self.status.cools_down(work.now, timings);
        let missing = unknown || self.keys.is_none();
        let wanted = self.status.is_due(work.now, timings) || (missing && !self.status.has_failed());
        if fetching || !wanted {
            return Progress { keys_changed, settled: !fetching };
        }
        let holder = work.random.number();
        let mut leased = self.status.leased(holder, work.now, timings);
        if unknown {
            leased.unknown = millis(work.now);
        }
        if self.write_status(leased, expected, work.store) {
            self.begin(holder, work);
        } // else somebody was faster
        Progress { keys_changed, settled: false }
    }

    /// Takes the answer to a call. None if the call is not one of this key set's.
    pub fn answer(
        &mut self,
        call: CallId,
        answer: Result<&CallAnswer, CallFailure>,
        work: &mut Work<'_>,
    ) -> Option<Progress> {
        let fetch = self.fetch.take_if(|fetch| fetch.call == call)?;
        let mut answer = answer.map_err(ProviderFailure::from);
        match answer.clone().and_then(|answer| self.find_keys(&fetch, answer)) {
            Ok(None) => {}
            Ok(Some(endpoint)) => {
                let elapsed = work.now.since_epoch().saturating_sub(fetch.began.since_epoch());
                let left = self.config.timings.timeout.saturating_sub(elapsed).max(LEAST_TIMEOUT);
                let call = work.calls.make();
                work.effects.calls.push(endpoint.get(call, left));
                self.fetch = Some(Fetch { call, stage: Stage::Keys, ..fetch });
                return Some(Progress::default());
            }
            Err(failure) => answer = Err(failure),
        }
        Some(self.finish(&fetch, answer, work))
    }

    /// Gives the lease back, so that another worker need not wait until it runs out.
    pub fn release(&mut self, store: &mut dyn Store) {
        let Some(fetch) = self.fetch.take() else {
            return;
        };
        let expected = self.read_status(store);
        if self.status.holder == fetch.holder {
            let released = Status { holder: 0, lease: 0, ..self.status };
            self.write_status(released, expected, store);
        }
    }

    fn availability(&self, now: UnixTime) -> Availability {
        let timings = &self.config.timings;
        if self.status.has_failed() && !self.status.is_leased(now, timings) && !self.status.is_due(now, timings) {
            return Availability::Unavailable(self.status.until_next(now));
        }
        Availability::Wait
    }

    fn begin(&mut self, holder: u64, work: &mut Work<'_>) {
        let (stage, endpoint) = match &self.config.origin {
            Origin::Remote(keys) => (Stage::Keys, keys),
            Origin::Discovery { document, .. } => (Stage::Discovery, document),
        };
        let call = work.calls.make();
        work.effects.calls.push(endpoint.get(call, self.config.timings.timeout));
        self.fetch = Some(Fetch { call, stage, began: work.now, holder });
    }

    /// Where a discovery document says that the keys are; none where the answer is the keys.
    fn find_keys(&self, fetch: &Fetch, answer: &CallAnswer) -> Result<Option<Endpoint>, ProviderFailure> {
        match &self.config.origin {
            Origin::Discovery { issuer, document, jwks_cluster } if fetch.stage == Stage::Discovery => {
                read_discovery(answer.body()?, issuer, document, jwks_cluster.as_deref()).map(Some)
            }
            _ => Ok(None),
        }
    }

    /// Tells the workers how a fetch has ended.
    fn finish(&mut self, fetch: &Fetch, answer: Result<&CallAnswer, ProviderFailure>, work: &mut Work<'_>) -> Progress {
        let mut expected = self.read_status(work.store);
        let mut keys_changed = self.load(work.store);
        if self.status.holder != fetch.holder {
            // It took so long that the lease ran out, and another worker has begun anew.
            return Progress { keys_changed, settled: false };
        }
        let taken = answer.and_then(|answer| {
            let wait = self.config.timings.until_refresh(answer, work.random);
            self.take(answer.body()?, work).map(|taken| (taken, wait))
        });
        let place = self.place.clone();
        let next = match taken {
            Ok(((taken, refused), wait)) => {
                let mut next = self.status.released(work.now, wait);
                (next.fetched, next.failures) = (millis(work.now), 0);
                match taken {
                    Taken::Unchanged => {}
                    Taken::Stored(keys) => (self.keys, keys_changed) = (Some(keys), true),
                    Taken::New(keys) => {
                        (self.keys, keys_changed) = (Some(keys), true);
                        next.generation = next.generation.saturating_add(1);
                    }
                }
                self.loaded = next.generation;
                let keys = self.keys.as_ref().map(KeySet::len).unwrap_or_default();
                work.effects.events.push(Event::KeysFetched { place, keys, refused });
                next
            }
            Err(failure) => {
                work.effects.events.push(Event::FetchFailed { place, failure });
                let failures = self.status.failures.saturating_add(1);
                let wait = Timings::until_retry(failures, work.random);
                Status { failures, ..self.status.released(work.now, wait) }
            }
        };
        // Nobody else writes while the lease holds, but a worker that lost its own may just have done so.
        for _ in 0..MOST_TRIES {
            if self.write_status(next, expected, work.store) {
                break;
            }
            expected = self.read_status(work.store);
        }
        self.status = next;
        Progress { keys_changed, settled: true }
    }

    /// Takes a fetched key set, which is read only if it is another one, and puts it into its slot.
    /// Tells how many of its keys are not used.
    fn take(&mut self, body: &[u8], work: &mut Work<'_>) -> Result<(Taken, usize), ProviderFailure> {
        let slot = if self.alone { Ok(None) } else { work.store.get(&self.slots.keys) };
        let stored = slot.is_ok_and(|slot| slot.is_some_and(|(stored, _)| stored == body));
        if stored && self.keys.is_some() && self.loaded == self.status.generation && self.loaded > 0 {
            return Ok((Taken::Unchanged, 0));
        }
        let KeyDocument { keys, refused } = read_key_set(body)?;
        let count = refused.len();
        for (member, kind) in refused.into_iter().take(MOST_TOLD) {
            work.effects.events.push(Event::KeyRefused { place: self.place.clone(), member, kind });
        }
        if stored && self.status.generation > 0 {
            return Ok((Taken::Stored(keys), count));
        }
        // Before the status, so that no worker reads an old set under a new generation.
        if !self.alone && work.store.set(&self.slots.keys, body, 0).is_err() {
            self.alone = true;
        }
        Ok((Taken::New(keys), count))
    }

    /// Reads the status, and gives the number with which to write it.
    fn read_status(&mut self, store: &mut dyn Store) -> u32 {
        let slot = if self.alone { Err(Unavailable) } else { store.get(&self.slots.status) };
        match slot {
            Ok(Some((bytes, cas))) => {
                self.status = Status::decode(&bytes).unwrap_or_default();
                return cas;
            }
            Ok(None) => self.status = Status::default(),
            Err(Unavailable) => self.alone = true,
        }
        u32::MAX
    }

    /// Writes the status, unless another worker has done so since it was read.
    fn write_status(&mut self, status: Status, expected: u32, store: &mut dyn Store) -> bool {
        let written =
            if self.alone { Err(Unavailable) } else { store.set(&self.slots.status, &status.encode(), expected) };
        self.alone = written.is_err();
        if written != Ok(false) {
            self.status = status;
        }
        written != Ok(false)
    }

    /// Takes over the keys that another worker has fetched.
    fn load(&mut self, store: &mut dyn Store) -> bool {
        if self.alone || self.status.generation == self.loaded {
            return false;
        }
        let Ok(Some((body, _))) = store.get(&self.slots.keys) else {
            return false;
        };
        let Ok(document) = read_key_set(&body) else {
            return false; // not reached: nobody stores what is no key set
        };
        self.keys = Some(document.keys);
        self.loaded = self.status.generation;
        true
    }
}

/// What a fetched key set is to a worker.
enum Taken {
    /// The one that it has.
    Unchanged,
    /// The one that is shared, which this worker did not have.
    Stored(KeySet),
    /// One that nobody had.
    New(KeySet),
}

impl Slots {
    /// Key sets that are fetched alike are one, whatever plugin and configuration asks for them.
    fn of(config: &KeySourceConfig) -> Self {
        let digest = Sha256::digest(format!("{config:?}"));
        let name: String = digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
        // The number tells versions apart that write these slots in different ways.
        Self { status: format!("gatepost.keys.1.{name}.status"), keys: format!("gatepost.keys.1.{name}.set") }
    }
}

/// What is left of a fetch's time for its second call, however long the first one took.
const LEAST_TIMEOUT: Duration = Duration::from_millis(10);
const MOST_TRIES: usize = 4;
/// How many keys that are not used are told one by one.
const MOST_TOLD: usize = 8;

#[cfg(test)]
mod tests;
