//! A document of a provider's, such as a key set: fetched by one worker for all, refreshed before it is too old, kept
//! while the provider fails.
//!
//! Two slots of the [`Store`] carry it between workers: a small status that everyone reads on every tick, and the document
//! itself, read when the status names another digest. Who fetches is decided by a compare-and-swap that puts a lease into
//! the status; the lease runs out, so that a worker which went away keeps nobody from fetching. Where the host has no
//! store, each worker fetches for itself.

use std::{fmt, time::Duration};

use sha2::{Digest as _, Sha256};

use super::{
    CallAnswer, CallFailure, CallId, CallIds, Effects, Event, GRACE, MOST_ANSWER_BYTES, ProviderFailure,
    document::read_discovery,
    endpoint::Endpoint,
    schedule::{Random, Timings},
    slots::Slots,
    status::{Status, is_overdue, millis},
};
use crate::{host::Store, time::UnixTime};

/// What a provider serves at a URL.
pub trait Document: fmt::Debug + Sized {
    /// What reading one for the first time tells besides.
    type Notes;

    /// What its slots are called.
    const SLOTS: &'static str;
    /// The media types that are asked for (RFC 9110 §12.5.1).
    const MEDIA_TYPES: &'static str;
    /// The longest that is read, in bytes.
    const MOST_BYTES: usize;
    /// How long after a failed fetch the next one comes at the latest.
    const LONGEST_RETRY: Retry;

    /// Reads one.
    ///
    /// # Errors
    ///
    /// Why it is of no use. The fetch has then failed.
    fn read(body: &[u8]) -> Result<(Self, Self::Notes), ProviderFailure>;

    /// Tells of a fetch; there are notes where it brought another document than before.
    fn tell(&self, place: &str, notes: Option<Self::Notes>, events: &mut Vec<Event>);

    /// Tells of a fetch that failed.
    fn failed(place: String, failure: ProviderFailure) -> Event;
}

/// How long fetches that fail back off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// For as long as the schedule says.
    BacksOff,
    /// No longer than `refresh`.
    WithinRefresh,
}

/// Where a document is and how it is kept fresh.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SourceConfig {
    /// Where it is.
    pub origin: Origin,
    /// How it is kept fresh.
    pub timings: Timings,
}

/// Where a document is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Origin {
    /// At a URL.
    Remote(Endpoint),
    /// Where a discovery document says that the keys are (OpenID Connect Discovery 1.0).
    Discovery {
        /// Whose document it has to be.
        issuer: String,
        /// Where it is.
        document: Endpoint,
        /// The cluster for keys that are on another host.
        jwks_cluster: Option<String>,
    },
}

/// A document as one worker knows it.
#[derive(Debug)]
pub struct Source<D> {
    /// Its configuration path, for the log.
    place: String,
    config: SourceConfig,
    slots: Slots,
    /// As it was when it was last read.
    status: Status,
    polled: UnixTime,
    document: Option<D>,
    /// What `document` was read from.
    digest: [u8; 32],
    fetch: Option<Fetch>,
    /// Whether a request of this worker asks for something that is not in the document.
    is_incomplete: bool,
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
    /// There is another document: what depended on the old one has to be looked at.
    pub changed: bool,
    /// Nobody fetches: whoever waits for a fetch can be decided.
    pub settled: bool,
}

/// What a request that needs a document has to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Availability {
    /// Wait: it is being fetched.
    Wait,
    /// Give up: it could not be fetched, and will be tried again after this time.
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
    Document,
}

impl<D: Document> Source<D> {
    /// A document that is not known yet.
    #[must_use]
    pub fn new(place: String, config: SourceConfig) -> Self {
        Self {
            place,
            slots: Slots::new(D::SLOTS, &config),
            config,
            status: Status::default(),
            polled: UnixTime::from_secs(0),
            document: None,
            digest: [0; 32],
            fetch: None,
            is_incomplete: false,
        }
    }

    /// How long a request waits for a fetch at most, but for what the host takes to say so.
    #[must_use]
    pub fn patience(&self) -> Duration {
        self.config.timings.timeout
    }

    /// The document, if there is one that may be used, or what to do without it.
    ///
    /// # Errors
    ///
    /// [`Availability`]
    pub fn document(&self, now: UnixTime) -> Result<&D, Availability> {
        let usable = self.status.is_usable(now, &self.config.timings);
        match self.document.as_ref().filter(|_| usable) {
            Some(document) => Ok(document),
            None => Err(self.availability(now)),
        }
    }

    /// The document, whether it may be used or not.
    #[must_use]
    pub fn known(&self) -> Option<&D> {
        self.document.as_ref()
    }

    /// How long ago the document was fetched; none where there is none.
    #[must_use]
    pub fn age(&self, now: UnixTime) -> Option<Duration> {
        self.document.as_ref()?;
        Some(now.since_epoch().saturating_sub(Duration::from_millis(self.status.fetched)))
    }

    /// Its configuration path.
    #[must_use]
    pub fn place(&self) -> &str {
        &self.place
    }

    /// Whether the last fetch failed.
    #[must_use]
    pub fn has_failed(&self) -> bool {
        self.status.has_failed()
    }

    /// What to do about something that is not in the document and may be in the next, for a request that came at a time;
    /// none to do without. A fetch is asked for unless one has been a short while ago.
    pub fn on_missing(&mut self, came: UnixTime, now: UnixTime) -> Option<Availability> {
        if millis(came) < self.status.asked && !self.status.has_failed() {
            return None; // it has been asked for since
        }
        let timings = &self.config.timings;
        let settled = !self.status.has_failed() && !self.status.is_leased(now, timings);
        if settled && self.status.cools_down(now, timings) && !self.status.was_cut_off(now, timings) {
            // Another worker may just have fetched it.
            let is_fresh = self.polled <= now && now < self.polled.saturating_add(FRESH);
            return (!is_fresh).then_some(Availability::Wait);
        }
        let availability = self.availability(now);
        self.is_incomplete |= availability == Availability::Wait;
        Some(availability)
    }

    /// Looks at what the workers share, and fetches if it is time and nobody else does.
    pub fn poll(&mut self, work: &mut Work<'_>) -> Progress {
        let expected = self.read_status(work);
        let changed = self.load(work.store);
        let patience = self.config.timings.timeout.saturating_add(GRACE);
        let is_lost = |fetch: &mut Fetch| is_overdue(fetch.began, patience, work.now);
        if let Some(lost) = self.fetch.take_if(is_lost) {
            return self.finish(&lost, Err(CallFailure::NoAnswer.into()), work);
        }
        let timings = &self.config.timings;
        let fetching = self.fetch.is_some() || self.status.is_leased(work.now, timings);
        let unknown = std::mem::take(&mut self.is_incomplete) && !changed && !self.status.cools_down(work.now, timings);
        // One that is shared and could not be read is missing as well.
        let missing = unknown || self.digest != self.status.digest || self.document.is_none();
        let wanted = self.status.is_due(work.now, timings) || (missing && !self.status.has_failed());
        if fetching || !wanted {
            return Progress { changed, settled: changed || !fetching };
        }
        let holder = work.random.number();
        let mut leased = self.status.leased(holder, work.now, timings);
        if unknown {
            leased.unknown = millis(work.now);
        }
        if self.write_status(leased, expected, work.store) {
            self.begin(holder, work);
        } // else somebody was faster
        Progress { changed, settled: changed }
    }

    /// Takes the answer to a call. None if the call is not one of this source's.
    pub fn answer(
        &mut self,
        call: CallId,
        answer: Result<&CallAnswer, CallFailure>,
        work: &mut Work<'_>,
    ) -> Option<Progress> {
        let fetch = self.fetch.take_if(|fetch| fetch.call == call)?;
        let mut answer = answer.map_err(ProviderFailure::from);
        match answer.clone().and_then(|answer| self.find_document(&fetch, answer)) {
            Ok(None) => {}
            Ok(Some(endpoint)) => {
                let elapsed = work.now.since_epoch().saturating_sub(fetch.began.since_epoch());
                let left = self.config.timings.timeout.saturating_sub(elapsed).max(LEAST_TIMEOUT);
                let call = work.calls.make();
                work.effects.calls.push(endpoint.get(call, left, D::MEDIA_TYPES, D::MOST_BYTES));
                self.fetch = Some(Fetch { call, stage: Stage::Document, ..fetch });
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
        let (stage, endpoint, media_types, most_bytes) = match &self.config.origin {
            Origin::Remote(endpoint) => (Stage::Document, endpoint, D::MEDIA_TYPES, D::MOST_BYTES),
            Origin::Discovery { document, .. } => (Stage::Discovery, document, JSON, MOST_ANSWER_BYTES),
        };
        let call = work.calls.make();
        work.effects.calls.push(endpoint.get(call, self.config.timings.timeout, media_types, most_bytes));
        self.fetch = Some(Fetch { call, stage, began: work.now, holder });
    }

    /// Where a discovery document says that the document is; none where the answer is the document.
    fn find_document(&self, fetch: &Fetch, answer: &CallAnswer) -> Result<Option<Endpoint>, ProviderFailure> {
        match &self.config.origin {
            Origin::Discovery { issuer, document, jwks_cluster } if fetch.stage == Stage::Discovery => {
                read_discovery(answer.body(MOST_ANSWER_BYTES)?, issuer, document, jwks_cluster.as_deref()).map(Some)
            }
            _ => Ok(None),
        }
    }

    /// Tells the workers how a fetch has ended.
    fn finish(&mut self, fetch: &Fetch, answer: Result<&CallAnswer, ProviderFailure>, work: &mut Work<'_>) -> Progress {
        let mut expected = self.read_status(work);
        let mut changed = self.load(work.store);
        if self.status.holder != fetch.holder {
            // It took so long that the lease ran out, and another worker has begun anew.
            return Progress { changed, settled: changed };
        }
        let taken = answer.and_then(|answer| {
            let wait = self.config.timings.until_refresh(answer, work.random);
            self.take(answer.body(D::MOST_BYTES)?, work.store).map(|taken| (taken, wait))
        });
        let next = match taken {
            Ok((taken, wait)) => {
                let notes = taken.map(|taken| {
                    (self.document, self.digest, changed) = (Some(taken.document), taken.digest, true);
                    taken.notes
                });
                if let Some(document) = &self.document {
                    document.tell(&self.place, notes, &mut work.effects.events);
                }
                let released = self.status.released(work.now, wait);
                let (fetched, asked) = (millis(work.now), millis(fetch.began));
                Status { digest: self.digest, fetched, asked, failures: 0, ..released }
            }
            Err(failure) => {
                work.effects.events.push(D::failed(self.place.clone(), failure));
                let failures = self.status.failures.saturating_add(1);
                let wait = Timings::until_retry(failures, work.random);
                let longest = match D::LONGEST_RETRY {
                    Retry::BacksOff => wait,
                    Retry::WithinRefresh => self.config.timings.refresh,
                };
                Status { failures, ..self.status.released(work.now, wait.min(longest)) }
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
        Progress { changed, settled: true }
    }

    /// Reads a fetched document, and puts it into its slot; none if it is the one that everybody has.
    fn take(&self, body: &[u8], store: &mut dyn Store) -> Result<Option<Taken<D>>, ProviderFailure> {
        let digest: [u8; 32] = Sha256::digest(body).into();
        if digest == self.digest && digest == self.status.digest {
            return Ok(None);
        }
        let (document, notes) = D::read(body)?;
        // Before the status, so that no worker looks for it in vain.
        self.slots.write_document(body, store);
        Ok(Some(Taken { document, digest, notes }))
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

    /// Takes over the document that another worker has fetched.
    fn load(&mut self, store: &mut dyn Store) -> bool {
        if self.status.digest == self.digest || self.status.digest == [0; 32] {
            return false;
        }
        let body = self.slots.read_document(store);
        let body = body.filter(|body| <[u8; 32]>::from(Sha256::digest(body)) == self.status.digest);
        // What cannot be read is fetched anew.
        let Some((document, _)) = body.and_then(|body| D::read(&body).ok()) else {
            return false;
        };
        (self.document, self.digest) = (Some(document), self.status.digest);
        true
    }
}

/// A document that has been fetched.
struct Taken<D: Document> {
    document: D,
    digest: [u8; 32],
    notes: D::Notes,
}

const JSON: &str = "application/json";
/// What is left of a fetch's time for its second call, however long the first one took.
const LEAST_TIMEOUT: Duration = Duration::from_millis(10);
const MOST_TRIES: usize = 4;
/// For how long it is believed that no other worker has learnt more: some ticks of a busy worker.
const FRESH: Duration = Duration::from_millis(10);
