//! The engine's part that has to do with identity providers: what it asks, what it learns, and whom that lets go on.

use std::time::Duration;

use super::{Decision, Engine, Occasion, RequestId, UnixTime};
use crate::{
    auth::{
        AuthenticatorId, Method, Need, Refusal,
        introspection::IntrospectionMethod,
        jwt::Keys,
        knowledge::{Patience, Settled, Sought},
    },
    config::Gateway,
    deny::Reason,
    host::{Host, Store},
    provider::{
        CallAnswer, CallFailure, CallId, Effects, Event,
        keys::{KeySource, KeySourceId},
        lookup::Lookup,
        revocation::RevocationSourceId,
        source::{Progress, Work},
    },
};

impl Engine {
    /// Whether there is any provider to ask, and thus any need for [`tick`](Self::tick).
    #[must_use]
    pub fn has_providers(&self) -> bool {
        let mut authenticators = (0..self.gateway.authenticators.len()).map(AuthenticatorId);
        !self.sources.is_empty()
            || !self.revocations.is_empty()
            || authenticators.any(|id| introspection(&self.gateway, id).is_some())
    }

    /// Whether something waits for the next [`tick`](Self::tick), which should then come soon.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        self.waiting.is_urgent() || self.tokens.iter().any(|tokens| tokens.lookups.has_queued())
    }

    /// How many requests wait.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Does what it is time for: looks at what the other workers have learnt, fetches keys and revocation lists, looks tokens
    /// up, and counts out who has waited for too long.
    pub fn tick(&mut self, now: UnixTime, store: &mut dyn Store) -> Effects {
        let mut effects = Effects::default();
        for index in 0..self.sources.len() {
            let Some(source) = self.sources.get_mut(index) else {
                continue;
            };
            let (random, calls) = (&mut self.random, &mut self.calls);
            let progress = source.poll(&mut Work { now, store, random, calls, effects: &mut effects });
            self.apply(KeySourceId(index), progress);
        }
        for index in 0..self.revocations.len() {
            let Some(known) = self.revocations.get_mut(index) else {
                continue;
            };
            let (random, calls) = (&mut self.random, &mut self.calls);
            let progress = known.source.poll(&mut Work { now, store, random, calls, effects: &mut effects });
            effects.events.extend(known.tell(now));
            self.apply_revocations(RevocationSourceId(index), progress);
        }
        for index in 0..self.gateway.authenticators.len() {
            self.look_up(AuthenticatorId(index), now, &mut effects);
        }
        self.waiting.expire(now);
        effects
    }

    /// Takes the answer to a call.
    pub fn answer(
        &mut self,
        call: CallId,
        answer: Result<CallAnswer, CallFailure>,
        now: UnixTime,
        store: &mut dyn Store,
    ) -> Effects {
        let mut effects = Effects::default();
        let answer = answer.as_ref().map_err(|failure| *failure);
        for (index, source) in self.sources.iter_mut().enumerate() {
            let (random, calls) = (&mut self.random, &mut self.calls);
            let mut work = Work { now, store, random, calls, effects: &mut effects };
            if let Some(progress) = source.answer(call, answer, &mut work) {
                self.apply(KeySourceId(index), progress);
                return effects;
            }
        }
        for (index, known) in self.revocations.iter_mut().enumerate() {
            let (random, calls) = (&mut self.random, &mut self.calls);
            let mut work = Work { now, store, random, calls, effects: &mut effects };
            if let Some(progress) = known.source.answer(call, answer, &mut work) {
                self.apply_revocations(RevocationSourceId(index), progress);
                return effects;
            }
        }
        for index in 0..self.tokens.len() {
            let finished = self.tokens.get_mut(index).and_then(|tokens| tokens.lookups.finish(call));
            if let Some(finished) = finished {
                self.learn(AuthenticatorId(index), &finished, answer, now, &mut effects);
                // Another one may have its turn.
                self.look_up(AuthenticatorId(index), now, &mut effects);
                return effects;
            }
        }
        effects // of a fetch that was given up
    }

    /// The next request that has waited for long enough to be decided, by [`resume`](Self::resume).
    pub fn next_ready(&mut self) -> Option<RequestId> {
        self.waiting.next_ready()
    }

    /// Decides about a request that has waited; it may have to wait for something else. None if nothing is known of it.
    pub fn resume(&mut self, id: RequestId, now: UnixTime, host: &mut dyn Host) -> Option<Decision> {
        let pending = self.waiting.remove(id)?;
        let patience = if pending.is_overdue { Patience::IsOver } else { Patience::Waits };
        let (head, came) = (&pending.head, pending.came);
        let body = pending.body.as_deref();
        let occasion = Occasion { settled: &pending.settled, patience, body, came, ..Occasion::first(head, now) };
        let attempt = self.attempt(&occasion, host, &mut |_| {});
        Some(match attempt.wait {
            None => attempt.decision,
            Some(wait) => self.hold(id, pending, &wait, attempt.decision, now, host),
        })
    }

    /// Forgets a request whose stream is gone.
    pub fn forget(&mut self, id: RequestId) {
        self.waiting.remove(id);
        self.watched.remove(id);
    }

    /// How often an authenticator's tokens were looked for since this was last asked.
    pub fn take_sought(&mut self, id: AuthenticatorId) -> Sought {
        self.tokens.get_mut(id.0).map(|tokens| std::mem::take(&mut tokens.sought)).unwrap_or_default()
    }

    /// How long ago the keys of a key set were fetched; none where there are none.
    #[must_use]
    pub fn key_age(&self, id: KeySourceId, now: UnixTime) -> Option<Duration> {
        self.sources.get(id.0)?.age(now)
    }

    /// How long ago a revocation list was fetched; none where there is none.
    #[must_use]
    pub fn revocation_age(&self, id: RevocationSourceId, now: UnixTime) -> Option<Duration> {
        self.revocations.get(id.0)?.source.age(now)
    }

    /// Leaves what it has begun to the other workers.
    pub fn retire(&mut self, store: &mut dyn Store) {
        self.sources.iter_mut().for_each(|source| source.release(store));
        self.revocations.iter_mut().for_each(|known| known.source.release(store));
    }

    /// How long a provider may take to answer.
    pub(super) fn patience(&self, need: Need) -> Duration {
        let patience = match need {
            Need::Keys(id) => self.sources.get(id.0).map(KeySource::patience),
            Need::Lookup(id, _) => introspection(&self.gateway, id).map(|method| method.timeout),
            Need::Revocations(id) => self.revocations.get(id.0).map(|known| known.source.patience()),
            Need::Body => None, // it has a time of its own
        };
        patience.unwrap_or_default()
    }

    /// Draws the conclusions of a step with a key set.
    fn apply(&mut self, id: KeySourceId, progress: Progress) {
        if progress.changed
            && let Some(keys) = self.sources.get(id.0).and_then(|source| source.known())
        {
            for (authenticator, tokens) in self.gateway.authenticators.iter().zip(&mut self.tokens) {
                if matches!(&authenticator.method, Method::Jwt(method) if matches!(method.keys, Keys::Remote(other) if other == id))
                {
                    // A token stops with the key that verified it.
                    tokens.verified.retain(|token| token.key.is_some_and(|key| keys.holds(key)));
                }
            }
        }
        if progress.settled {
            self.waiting.settle(Need::Keys(id), None);
        }
    }

    /// Draws the conclusions of a step with a revocation list. Whoever waits for none is asked again on their next request.
    fn apply_revocations(&mut self, id: RevocationSourceId, progress: Progress) {
        if progress.settled {
            self.waiting.settle(Need::Revocations(id), None);
        }
    }

    /// Starts as many look-ups of an authenticator as may be under way. Those that the host has lost are given up, and
    /// those that nobody waits for any longer.
    fn look_up(&mut self, id: AuthenticatorId, now: UnixTime, effects: &mut Effects) {
        let Some((method, tokens)) = introspection(&self.gateway, id).zip(self.tokens.get_mut(id.0)) else {
            return;
        };
        let mut given_up = Vec::new();
        while let Some(digest) = tokens.lookups.abandoned(now) {
            given_up.push(Lookup { token: digest, began: now });
        }
        while let Some(call) = tokens.lookups.start(now, |token| method.ask(self.calls.make(), token)) {
            effects.calls.push(call);
        }
        for call in tokens.lookups.overdue(now, method.timeout) {
            given_up.extend(tokens.lookups.finish(call));
        }
        for lookup in given_up {
            self.learn(id, &lookup, Err(CallFailure::NoAnswer), now, effects);
        }
    }

    /// Draws the conclusions of a look-up.
    fn learn(
        &mut self,
        id: AuthenticatorId,
        lookup: &Lookup,
        answer: Result<&CallAnswer, CallFailure>,
        now: UnixTime,
        effects: &mut Effects,
    ) {
        let Some(((method, authenticator), tokens)) =
            introspection(&self.gateway, id).zip(self.gateway.authenticators.get(id.0)).zip(self.tokens.get_mut(id.0))
        else {
            return;
        };
        let outcome = match method.learn(id, authenticator, lookup.token, answer, tokens, now) {
            Ok(outcome) => {
                let took = now.since_epoch().saturating_sub(lookup.began.since_epoch());
                effects.events.push(Event::LookedUp { place: method.place.clone(), active: outcome.is_ok(), took });
                outcome
            }
            Err(failure) => {
                let place = method.place.clone();
                effects.events.push(Event::LookupFailed { place, failure });
                Err(Refusal { reason: Reason::IntrospectionFailed, retry_after: Some(RETRY_AFTER) })
            }
        };
        let need = Need::Lookup(id, lookup.token);
        self.waiting.settle(need, Some(&Settled { need, outcome }));
    }
}

fn introspection(gateway: &Gateway, id: AuthenticatorId) -> Option<&IntrospectionMethod> {
    match &gateway.authenticators.get(id.0)?.method {
        Method::Introspection(method) => Some(method),
        Method::Jwt(_) | Method::ApiKey(_) | Method::Mtls(_) | Method::Hmac(_) => None,
    }
}

/// When a look-up that failed is worth another try.
const RETRY_AFTER: Duration = Duration::from_secs(1);
