//! Requests that wait for a provider or for their bodies: bounded in number, in bytes and in time.

use std::{
    collections::{BTreeSet, HashMap, VecDeque},
    time::Duration,
};

use super::Head;
use crate::{
    auth::{Need, hmac::BodyHash, knowledge::Settled},
    deny::Reason,
    provider::GRACE,
    time::UnixTime,
};

/// A request, by the host's number for its stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RequestId(pub u32);

/// The requests that wait.
#[derive(Debug, Default)]
pub struct Waiting {
    requests: HashMap<RequestId, Box<Pending>>,
    /// Who waits for what. A request that went away may still be named.
    by_need: HashMap<Need, Vec<RequestId>>,
    deadlines: BTreeSet<(UnixTime, RequestId)>,
    /// Those whose turn has come, in the order in which it did.
    ready: VecDeque<RequestId>,
    /// Those that wait for a provider. They want to know soon.
    for_providers: Room,
    /// Those that wait for their bodies alone. Whoever sends slowly takes no room that others need.
    for_bodies: Room,
    /// What the host holds of their bodies.
    body_bytes: usize,
    /// Whether the host has ever shown a body while the request was held.
    has_seen_body: bool,
}

/// How many requests wait, and what their heads take.
#[derive(Debug, Default)]
struct Room {
    requests: usize,
    bytes: usize,
}

/// What a request waits for.
#[derive(Debug)]
pub struct Wait {
    /// What, and how long each may take.
    pub needs: Vec<(Need, Duration)>,
    /// Whether its denial would not be carried out.
    pub is_shadow: bool,
}

/// A request that waits.
#[derive(Debug)]
pub struct Pending {
    /// The request.
    pub head: Head,
    /// How look-ups that it has waited for have ended.
    pub settled: Vec<Settled>,
    /// Whether its time is over.
    pub is_overdue: bool,
    /// When it came.
    pub came: UnixTime,
    /// What has come of its body, where somebody wants to know.
    pub body: Option<Box<BodyHash>>,
    /// The providers that it has waited for, and how long each may take.
    needs: Vec<(Need, Duration)>,
    /// When the time of a provider is over that was asked late.
    late: UnixTime,
    /// When its time is over.
    deadline: UnixTime,
    /// When something is over: its time, or its body's.
    wakes: UnixTime,
    /// When it is over already, as the host may not show bodies at all.
    probation: Option<UnixTime>,
    /// Whether a provider is what it waits for now.
    awaits_provider: bool,
    is_ready: bool,
    bytes: usize,
}

impl Pending {
    /// A request that has not waited yet.
    #[must_use]
    pub fn new(head: Head, came: UnixTime, body: Option<Box<BodyHash>>) -> Box<Self> {
        let bytes = head.headers.footprint();
        let needs = Vec::new();
        Box::new(Self {
            head,
            settled: Vec::new(),
            is_overdue: false,
            came,
            body,
            needs,
            late: came,
            deadline: UnixTime::NEVER,
            wakes: UnixTime::NEVER,
            probation: None,
            awaits_provider: false,
            is_ready: false,
            bytes,
        })
    }

    /// How much its head takes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Adds what it waits for next. It waits for as long as its providers may take, one after another, however often it
    /// has to be asked; at most for as long as the slowest of them where it may not hold anybody up. One that is asked late,
    /// as the body came slowly, has its time from then.
    fn extend(&mut self, wait: &Wait, now: UnixTime) {
        let of_providers = || wait.needs.iter().filter(|(need, _)| *need != Need::Body);
        self.awaits_provider = of_providers().next().is_some();
        let mut late = UnixTime::from_secs(0);
        for (need, patience) in of_providers() {
            if !self.needs.iter().any(|(other, _)| other == need) {
                self.needs.push((*need, *patience));
                late = late.max(now.saturating_add(*patience).saturating_add(GRACE));
            }
        }
        let patience = self.needs.iter().map(|(_, patience)| *patience);
        if self.needs.is_empty() {
            return;
        }
        let in_turn = self.came.saturating_add(match wait.is_shadow {
            true => patience.max().unwrap_or_default(),
            false => patience.fold(GRACE, Duration::saturating_add),
        });
        self.late = self.late.max(late);
        self.deadline = if wait.is_shadow { in_turn } else { in_turn.max(self.late) };
    }

    /// When the body has to be there; none where it is, or nobody waits for it.
    fn body_deadline(&self) -> Option<UnixTime> {
        let body = self.body.as_ref().filter(|body| body.is_open())?;
        let in_time = self.came.saturating_add(body.timeout());
        Some(self.probation.map_or(in_time, |probation| probation.min(in_time)))
    }

    fn set_alarm(&mut self) {
        let own = if self.is_overdue { UnixTime::NEVER } else { self.deadline };
        self.wakes = self.body_deadline().map_or(own, |body| body.min(own));
    }
}

impl Waiting {
    /// Has a request wait.
    ///
    /// # Errors
    ///
    /// The request, if there is no room for it.
    pub fn insert(
        &mut self,
        id: RequestId,
        mut pending: Box<Pending>,
        wait: &Wait,
        now: UnixTime,
    ) -> Result<(), Box<Pending>> {
        pending.extend(wait, now);
        if self.requests.contains_key(&id) || !self.room_of(&pending).take(pending.bytes) {
            return Err(pending);
        }
        // The end of a body is nobody else's.
        for (need, _) in wait.needs.iter().filter(|(need, _)| *need != Need::Body) {
            self.by_need.entry(*need).or_default().push(id);
        }
        pending.is_ready = false;
        if !self.has_seen_body && pending.body.as_ref().is_some_and(|body| body.length() == 0) {
            pending.probation = Some(pending.came.saturating_add(PROBATION));
        }
        pending.set_alarm();
        self.body_bytes = self.body_bytes.saturating_add(pending.body.as_ref().map_or(0, |body| body.length()));
        self.deadlines.insert((pending.wakes, id));
        self.requests.insert(id, pending);
        Ok(())
    }

    /// Lets a request go.
    pub fn remove(&mut self, id: RequestId) -> Option<Box<Pending>> {
        let pending = self.requests.remove(&id)?;
        self.deadlines.remove(&(pending.wakes, id));
        self.room_of(&pending).give_back(pending.bytes);
        self.body_bytes = self.body_bytes.saturating_sub(pending.body.as_ref().map_or(0, |body| body.length()));
        if self.requests.is_empty() {
            // What is left in these are names of requests that went away.
            self.by_need.clear();
            self.ready.clear();
        }
        Some(pending)
    }

    /// The next request whose turn has come.
    pub fn next_ready(&mut self) -> Option<RequestId> {
        loop {
            let id = self.ready.pop_front()?;
            if self.requests.get(&id).is_some_and(|pending| pending.is_ready) {
                return Some(id);
            }
        }
    }

    /// It is the turn of everyone who waits for this; a look-up leaves them its outcome.
    pub fn settle(&mut self, need: Need, settled: Option<&Settled>) {
        for id in self.by_need.remove(&need).unwrap_or_default() {
            if let Some(pending) = self.requests.get_mut(&id) {
                pending.settled.extend(settled.cloned());
            }
            self.make_ready(id);
        }
    }

    /// It is the turn of everyone who has waited for long enough.
    pub fn expire(&mut self, now: UnixTime) {
        while let Some((_, id)) = self.deadlines.first().copied().filter(|(deadline, _)| *deadline <= now) {
            self.deadlines.pop_first();
            let Some(pending) = self.requests.get_mut(&id) else {
                continue;
            };
            let mut is_over = false;
            if pending.deadline <= now && !pending.is_overdue {
                pending.is_overdue = true;
                is_over = true;
            }
            if self.has_seen_body {
                pending.probation = None; // it is the client that is slow
            }
            if pending.body_deadline().is_some_and(|deadline| deadline <= now)
                && let Some(body) = &mut pending.body
            {
                body.give_up(if self.has_seen_body { Reason::BodyTimeout } else { Reason::BodyWithheld });
                is_over = true;
            }
            pending.set_alarm();
            self.deadlines.insert((pending.wakes, id));
            if is_over {
                self.make_ready(id);
            }
        }
    }

    /// Whether a request that waits wants to know what its body hashes to.
    #[must_use]
    pub fn wants_body(&mut self, id: RequestId) -> bool {
        let pending = self.requests.get(&id);
        self.has_seen_body |= pending.is_some();
        pending.and_then(|pending| pending.body.as_ref()).is_some_and(|body| body.is_open())
    }

    /// Takes a piece of a body. Tells whether the request can be decided.
    pub fn feed(&mut self, id: RequestId, piece: &[u8]) -> bool {
        let Some(body) = self.requests.get_mut(&id).and_then(|pending| pending.body.as_mut()) else {
            return false;
        };
        self.body_bytes = self.body_bytes.saturating_add(piece.len());
        let is_too_long = body.update(piece);
        if self.body_bytes > MOST_BODY_BYTES {
            body.give_up(Reason::TooManyWaiting);
        }
        is_too_long || !body.is_open()
    }

    /// Takes the end of a body. Tells whether the request can be decided.
    pub fn end_body(&mut self, id: RequestId) -> bool {
        let body = self.requests.get_mut(&id).and_then(|pending| pending.body.as_mut());
        body.map(|body| body.end()).is_some()
    }

    /// Whether somebody waits for a provider, or for a turn that has come.
    #[must_use]
    pub fn is_urgent(&self) -> bool {
        self.for_providers.requests > 0 || !self.ready.is_empty()
    }

    /// How many wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.requests.len()
    }

    /// How many bytes the heads take of those who wait for providers, and for bodies.
    #[cfg(test)]
    fn rooms(&self) -> (usize, usize) {
        (self.for_providers.bytes, self.for_bodies.bytes)
    }

    /// Whether nobody waits.
    #[cfg(test)]
    fn is_empty(&self) -> bool {
        self.requests.is_empty()
    }

    fn room_of(&mut self, pending: &Pending) -> &mut Room {
        if pending.awaits_provider { &mut self.for_providers } else { &mut self.for_bodies }
    }

    fn make_ready(&mut self, id: RequestId) {
        if let Some(pending) = self.requests.get_mut(&id).filter(|pending| !pending.is_ready) {
            pending.is_ready = true;
            self.ready.push_back(id);
        }
    }
}

impl Room {
    /// Takes room for a request, if there is some.
    fn take(&mut self, bytes: usize) -> bool {
        let bytes = self.bytes.saturating_add(bytes);
        if self.requests >= MOST_REQUESTS || bytes > MOST_BYTES {
            return false;
        }
        *self = Self { requests: self.requests.saturating_add(1), bytes };
        true
    }

    fn give_back(&mut self, bytes: usize) {
        *self = Self { requests: self.requests.saturating_sub(1), bytes: self.bytes.saturating_sub(bytes) };
    }
}

/// How many requests wait for providers, and as many for their bodies, under one configuration on one worker.
const MOST_REQUESTS: usize = 4096;
/// How much their heads may take, in bytes.
const MOST_BYTES: usize = 32 * 1024 * 1024;
/// How much of the host's memory their bodies may take, in bytes.
const MOST_BODY_BYTES: usize = 256 * 1024 * 1024;
/// How long a request is held for its body where no body has ever come: the host may not show any.
const PROBATION: Duration = Duration::from_secs(4);

#[cfg(test)]
mod tests;
