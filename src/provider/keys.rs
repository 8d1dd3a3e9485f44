//! A provider's key set: fetched by one worker for all, refreshed before it is too old, kept while the provider fails.
//!
//! Two slots of the [`Store`] carry it between workers: a small status that everyone reads on every tick, and the key
//! set itself, read when the status names another digest. Who fetches is decided by a compare-and-swap that puts a
//! lease into the status; the lease runs out, so that a worker which went away keeps nobody from fetching. Where the
//! host has no store, each worker fetches for itself.

use std::time::Duration;

use sha2::{Digest as _, Sha256};

use super::{
    CallAnswer, CallFailure, CallId, CallIds, Effects, Event, GRACE, ProviderFailure,
    document::{KeyDocument, read_discovery, read_key_set},
    endpoint::Endpoint,
    schedule::{Random, Timings},
    slots::Slots,
    status::{Status, is_overdue, millis},
};
use crate::{host::Store, jose::jwk::KeySet, time::UnixTime};

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
    /// As it was when it was last read.
    status: Status,
    polled: UnixTime,
    keys: Option<KeySet>,
    /// What `keys` were read from.
    digest: [u8; 32],
    fetch: Option<Fetch>,
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
        Self {
            place,
            slots: Slots::new(&config),
            config,
            status: Status::default(),
            polled: UnixTime::from_secs(0),
            keys: None,
            digest: [0; 32],
            fetch: None,
            unknown_key: false,
        }
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

    /// What to do about a token that names a key which is not in the set, in a request that came at a time; none to refuse
    /// it. A fetch is asked for unless one has been a short while ago.
    pub fn on_unknown_key(&mut self, came: UnixTime, now: UnixTime) -> Option<Availability> {
        if millis(came) < self.status.asked && !self.status.has_failed() {
            return None; // it has been asked for since
        }
        let timings = &self.config.timings;
        let settled = !self.status.has_failed() && !self.status.is_leased(now, timings);
        if settled && self.status.cools_down(now, timings) && !self.status.was_cut_off(now, timings) {
            // Another worker may just have fetched the key.
            let is_fresh = self.polled <= now && now < self.polled.saturating_add(FRESH);
            return (!is_fresh).then_some(Availability::Wait);
        }
        let availability = self.availability(now);
        self.unknown_key |= availability == Availability::Wait;
        Some(availability)
    }

    /// Looks at what the workers share, and fetches if it is time and nobody else does.
    pub fn poll(&mut self, work: &mut Work<'_>) -> Progress {
        let expected = self.read_status(work);
        let keys_changed = self.load(work.store);
        let patience = self.config.timings.timeout.saturating_add(GRACE);
        let is_lost = |fetch: &mut Fetch| is_overdue(fetch.began, patience, work.now);
        if let Some(lost) = self.fetch.take_if(is_lost) {
            return self.finish(&lost, Err(CallFailure::NoAnswer.into()), work);
        }
        let timings = &self.config.timings;
        let fetching = self.fetch.is_some() || self.status.is_leased(work.now, timings);
        let unknown =
            std::mem::take(&mut self.unknown_key) && !keys_changed && !self.status.cools_down(work.now, timings);
        // Keys that are shared and could not be read are missing as well.
        let missing = unknown || self.digest != self.status.digest || self.keys.is_none();
        let wanted = self.status.is_due(work.now, timings) || (missing && !self.status.has_failed());
        if fetching || !wanted {
            return Progress { keys_changed, settled: keys_changed || !fetching };
        }
        let holder = work.random.number();
        let mut leased = self.status.leased(holder, work.now, timings);
        if unknown {
            leased.unknown = millis(work.now);
        }
        if self.write_status(leased, expected, work.store) {
            self.begin(holder, work);
        } // else somebody was faster
        Progress { keys_changed, settled: keys_changed }
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
                work.effects.calls.push(endpoint.get(call, left, KEY_SET));
                self.fetch = Some(Fetch { call, stage: Stage::Keys, ..fetch });
                return Some(Progress::default());
            }
            Err(failure) => answer = Err(failure),
        }
        Some(self.finish(&fetch, answer, work))
    }

    /// Gives the lease back, so that another worker fetches at once.
    pub fn release(&mut self, store: &mut dyn Store) {
        let Some(fetch) = self.fetch.take() else {
            return;
        };
        let (status, expected) = self.slots.read(self.status, store);
        if status.holder == fetch.holder {
            let released = Status { holder: 0, lease: 0, next: 0, unknown: 0, ..status };
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
        let (stage, endpoint, media_types) = match &self.config.origin {
            Origin::Remote(keys) => (Stage::Keys, keys, KEY_SET),
            Origin::Discovery { document, .. } => (Stage::Discovery, document, JSON),
        };
        let call = work.calls.make();
        work.effects.calls.push(endpoint.get(call, self.config.timings.timeout, media_types));
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
        let mut expected = self.read_status(work);
        let mut keys_changed = self.load(work.store);
        if self.status.holder != fetch.holder {
            // It took so long that the lease ran out, and another worker has begun anew.
            return Progress { keys_changed, settled: keys_changed };
        }
        let taken = answer.and_then(|answer| {
            let wait = self.config.timings.until_refresh(answer, work.random);
            self.take(answer.body()?, work).map(|taken| (taken, wait))
        });
        let place = self.place.clone();
        let next = match taken {
            Ok((taken, wait)) => {
                let refused = taken.as_ref().map(|document| document.refused).unwrap_or_default();
                if let Some(taken) = taken {
                    (self.keys, self.digest, keys_changed) = (Some(taken.keys), taken.digest, true);
                }
                let keys = self.keys.as_ref().map(KeySet::len).unwrap_or_default();
                work.effects.events.push(Event::KeysFetched { place, keys, refused });
                let released = self.status.released(work.now, wait);
                let (fetched, asked) = (millis(work.now), millis(fetch.began));
                Status { digest: self.digest, fetched, asked, failures: 0, ..released }
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
            expected = self.read_status(work);
            if self.status.holder != fetch.holder {
                break;
            }
        }
        Progress { keys_changed, settled: true }
    }

    /// Reads a fetched key set, and puts it into its slot; none if it is the one that everybody has.
    fn take(&self, body: &[u8], work: &mut Work<'_>) -> Result<Option<TakenKeys>, ProviderFailure> {
        let digest: [u8; 32] = Sha256::digest(body).into();
        if digest == self.digest && digest == self.status.digest {
            return Ok(None);
        }
        let KeyDocument { keys, refused } = read_key_set(body)?;
        let taken = TakenKeys { digest, refused: refused.len(), keys };
        if taken.keys.has_symmetric() {
            work.effects.events.push(Event::SymmetricKey { place: self.place.clone() });
        }
        for (member, kind) in refused.into_iter().take(MOST_TOLD) {
            work.effects.events.push(Event::KeyRefused { place: self.place.clone(), member, kind });
        }
        // Before the status, so that no worker looks for it in vain.
        self.slots.write_keys(body, work.store);
        Ok(Some(taken))
    }

    /// Reads the status, and gives the number with which to write it.
    fn read_status(&mut self, work: &mut Work<'_>) -> u32 {
        let (status, expected) = self.slots.read(self.status, work.store);
        (self.status, self.polled) = (status, work.now);
        expected
    }

    /// Writes the status, unless another worker has done so since it was read.
    fn write_status(&mut self, status: Status, expected: u32, store: &mut dyn Store) -> bool {
        let written = self.slots.write(status, expected, store);
        if written {
            self.status = status;
        }
        written
    }

    /// Takes over the keys that another worker has fetched.
    fn load(&mut self, store: &mut dyn Store) -> bool {
        if self.status.digest == self.digest || self.status.digest == [0; 32] {
            return false;
        }
        let body = self.slots.read_keys(store);
        let body = body.filter(|body| <[u8; 32]>::from(Sha256::digest(body)) == self.status.digest);
        // What cannot be read is fetched anew.
        let Some(document) = body.and_then(|body| read_key_set(&body).ok()) else {
            return false;
        };
        (self.keys, self.digest) = (Some(document.keys), self.status.digest);
        true
    }
}

/// Keys that have been fetched.
struct TakenKeys {
    keys: KeySet,
    digest: [u8; 32],
    /// How many are not used.
    refused: usize,
}

/// RFC 7517 §8.5.2; many providers call it JSON.
const KEY_SET: &str = "application/jwk-set+json, application/json";
const JSON: &str = "application/json";
/// What is left of a fetch's time for its second call, however long the first one took.
const LEAST_TIMEOUT: Duration = Duration::from_millis(10);
const MOST_TRIES: usize = 4;
/// How many keys that are not used are told one by one.
const MOST_TOLD: usize = 8;
/// For how long it is believed that no other worker has learnt more: some ticks of a busy worker.
const FRESH: Duration = Duration::from_millis(10);

#[cfg(test)]
mod tests;
