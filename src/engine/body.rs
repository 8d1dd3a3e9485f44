//! The engine's part that has to do with bodies: they are hashed as they come, and no byte of them is kept.

use std::collections::HashMap;

use super::{Decision, Engine, Head, Occasion, Pending, Reason, Record, RequestId, UnixTime};
use crate::{
    auth::{hmac::BodyHash, knowledge::Patience},
    host::Host,
};

impl Engine {
    /// Whether [`body`](Self::body) is to be told what comes of a request's body: of one that waits, or of one in shadow mode
    /// that went on. To be asked whenever some of a body comes while its request waits, even if nothing is done then: that
    /// the host shows bodies of such requests is worth knowing.
    #[must_use]
    pub fn wants_body(&mut self, id: RequestId) -> bool {
        self.waiting.wants_body(id) || self.watched.0.contains_key(&id)
    }

    /// Takes the next piece of a body. Tells whether a decision is due: from [`resume`](Self::resume), or
    /// [`conclude`](Self::conclude) where the request went on.
    pub fn body(&mut self, id: RequestId, piece: &[u8]) -> bool {
        if let Some(hash) = self.watched.hash(id) {
            hash.update(piece); // nobody waits for what would have been decided
        }
        self.waiting.feed(id, piece)
    }

    /// Takes the end of a body, or the trailers that follow it. Tells whether a decision is due.
    pub fn end_of_body(&mut self, id: RequestId) -> bool {
        let watched = self.watched.hash(id).map(BodyHash::end);
        self.waiting.end_body(id) || watched.is_some()
    }

    /// What would have been decided about a request that went on in shadow mode, now that its body is known.
    pub fn conclude(&mut self, id: RequestId, now: UnixTime, host: &mut dyn Host) -> Option<Record> {
        let pending = self.watched.0.remove(&id)?;
        let Pending { head, came, body, .. } = &*pending;
        let occasion =
            Occasion { came: *came, body: body.as_deref(), patience: Patience::NoRoom, ..Occasion::first(head, now) };
        Some(self.attempt(&occasion, host, &mut |_| {}).decision.record)
    }
}

/// Requests that went on, and whose bodies are read as they stream by: a shadow holds nothing up. Bounded; of others it is
/// not known whether they would have been let through.
#[derive(Debug, Default)]
pub struct Watched(HashMap<RequestId, Box<Pending>>);

impl Watched {
    /// Watches a request, if that is what its decision is about.
    pub fn insert(
        &mut self,
        id: RequestId,
        head: &Head,
        came: UnixTime,
        body: Option<Box<BodyHash>>,
        decision: &Decision,
    ) {
        let is_shadow = decision.record.shadow && decision.record.reason == Some(Reason::BodyUnread);
        let Some(body) = body.filter(|_| is_shadow && self.0.len() < MOST_REQUESTS) else {
            return;
        };
        let pending = Pending::new(head.clone(), came, Some(body));
        if pending.bytes() <= MOST_BYTES {
            self.0.insert(id, pending);
        }
    }

    /// Forgets a request.
    pub fn remove(&mut self, id: RequestId) {
        self.0.remove(&id);
    }

    fn hash(&mut self, id: RequestId) -> Option<&mut BodyHash> {
        self.0.get_mut(&id)?.body.as_deref_mut()
    }
}

/// How many requests are watched on one worker.
const MOST_REQUESTS: usize = 1024;
/// How large the head of such a one may be.
const MOST_BYTES: usize = 16 * 1024;
