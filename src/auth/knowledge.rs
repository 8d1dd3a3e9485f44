//! What a worker knows beyond its configuration: tokens that it has verified or refused, keys, and what it is asking.

use std::{collections::hash_map::RandomState, num::NonZeroUsize, rc::Rc, time::Duration};

use lru::LruCache;

use super::{AuthenticatorId, Need, Refusal, Unverified, VerifiedToken, hmac::BodyHash, revocation::Revocations};
use crate::{
    cache::TokenCache,
    crypto::AlgorithmSet,
    deny::Reason,
    host::Host,
    jose::{
        TokenError,
        jws::{Jws, KnownHeader},
    },
    provider::{
        keys::KeySource,
        lookup::{Lookups, TokenDigest},
        source::Availability,
    },
    replay::{Replay, Use},
    time::UnixTime,
};

/// What is known of one authenticator's tokens.
#[derive(Debug)]
pub struct Tokens {
    /// Those that are good.
    pub verified: TokenCache,
    /// Those that a provider has refused.
    pub refused: Refused,
    /// Those that a provider is asked about.
    pub lookups: Lookups,
    /// The header of the last that was good.
    pub header: Option<KnownHeader>,
    /// How often a token was looked for since that was last asked.
    pub sought: Sought,
}

/// How often tokens were among those that were verified before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sought {
    /// How often they were.
    pub hits: u32,
    /// How often they were not.
    pub misses: u32,
}

/// Tokens that a provider has refused, for as long as that is believed. Bounded; the least recently used go first.
#[derive(Debug)]
pub struct Refused {
    entries: LruCache<TokenDigest, (UnixTime, TokenError), RandomState>,
    capacity: NonZeroUsize,
}

/// What verifying one request works with.
pub struct Means<'a> {
    /// The time.
    pub now: UnixTime,
    /// When the request came, if it has waited since.
    pub came: UnixTime,
    /// What the host tells.
    pub host: &'a mut dyn Host,
    /// The algorithms whose signatures the host verifies.
    pub by_host: AlgorithmSet,
    /// By [`AuthenticatorId`].
    pub tokens: &'a mut [Tokens],
    /// By [`KeySourceId`](crate::provider::keys::KeySourceId).
    pub sources: &'a mut [KeySource],
    /// By [`RevocationSourceId`](crate::provider::revocation::RevocationSourceId).
    pub revocations: &'a mut [Revocations],
    /// How look-ups that the request has waited for have ended.
    pub settled: &'a [Settled],
    /// Whether the request may wait.
    pub patience: Patience,
    /// What has come of the body, where the request was held before.
    pub body: Option<&'a BodyHash>,
    /// Whether the request may be held until its body is there.
    pub holds_body: bool,
    /// What it waits for.
    pub needs: Vec<Need>,
    /// What was used once.
    pub replay: &'a mut Replay,
    /// What the credentials that were looked at use up, once the request is let through with them.
    pub uses: Vec<Use>,
    /// What one authenticator has found used is used for all the others: the next of an `any` may know the same key.
    pub spent: Vec<Spent>,
}

/// Whether a request may wait for a provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Patience {
    /// It may.
    Waits,
    /// It has waited for long enough.
    IsOver,
    /// Too many wait already.
    NoRoom,
}

/// What was used before, whoever has seen it.
pub struct Spent {
    replayed: Reason,
    key: Box<[u8]>,
    nonce: Box<[u8]>,
}

/// How a look-up has ended.
#[derive(Clone, Debug)]
pub struct Settled {
    /// Which one.
    pub need: Need,
    /// With what.
    pub outcome: Result<Rc<VerifiedToken>, Refusal>,
}

impl Tokens {
    /// Nothing is known yet; so many tokens of each kind will be kept.
    #[must_use]
    pub fn new(capacity: NonZeroUsize) -> Self {
        let refused = Refused { entries: LruCache::unbounded_with_hasher(RandomState::new()), capacity };
        let (verified, lookups) = (TokenCache::new(capacity), Lookups::default());
        Self { verified, refused, lookups, header: None, sought: Sought::default() }
    }

    /// A token that was verified before. Its times are the caller's to check.
    pub fn find(&mut self, token: &[u8], now: UnixTime) -> Option<Rc<VerifiedToken>> {
        let found = self.verified.get(token, now);
        let count = if found.is_some() { &mut self.sought.hits } else { &mut self.sought.misses };
        *count = count.saturating_add(1);
        found
    }

    /// Remembers the header of a token that is good.
    pub fn know(&mut self, jws: &Jws<'_>) {
        if !self.header.as_ref().is_some_and(|known| known.is_of(jws)) {
            self.header = jws.known_header();
        }
    }
}

impl Refused {
    /// Why the token was refused, if that is still believed.
    pub fn get(&mut self, token: &TokenDigest, now: UnixTime) -> Option<TokenError> {
        let (until, error) = *self.entries.get(token)?;
        if now >= until {
            self.entries.pop(token);
            return None;
        }
        Some(error)
    }

    /// Keeps a refusal for a while.
    pub fn insert(&mut self, token: TokenDigest, error: TokenError, until: UnixTime, now: UnixTime) {
        if now >= until {
            return;
        }
        self.entries.put(token, (until, error));
        while self.entries.len() > self.capacity.get() {
            self.entries.pop_lru();
        }
    }
}

impl Means<'_> {
    /// What is known of an authenticator's tokens.
    pub fn tokens(&mut self, id: AuthenticatorId) -> Result<&mut Tokens, Unverified> {
        self.tokens.get_mut(id.0).ok_or(Reason::HostFailure.into()) // not reached: there is one for each authenticator
    }

    /// Notes that an authenticator's credential uses something up, as [`Replay::make`] has it. This only looks: a request
    /// that waits must not meet its own entry, so it is entered when the request is let through.
    ///
    /// # Errors
    ///
    /// It was used before.
    pub fn use_once(
        &mut self,
        authenticator: AuthenticatorId,
        key: &[u8],
        nonce: &[u8],
        until: UnixTime,
        replayed: Reason,
    ) -> Result<(), Unverified> {
        let is_spent = |spent: &Spent| spent.replayed == replayed && *spent.key == *key && *spent.nonce == *nonce;
        let r#use = self.replay.make(authenticator, key, nonce, until, replayed);
        if self.spent.iter().any(is_spent) || self.replay.is_used(&r#use, self.host) {
            self.spent.push(Spent { replayed, key: key.into(), nonce: nonce.into() });
            return Err(replayed.into());
        }
        self.uses.push(r#use);
        Ok(())
    }

    /// Has the request wait, or refuses it where it may not.
    pub fn wait(&mut self, need: Need) -> Unverified {
        let reason = match (self.patience, need) {
            // A body has a time of its own.
            (Patience::Waits, _) | (Patience::IsOver, Need::Body) => {
                if !self.needs.contains(&need) {
                    self.needs.push(need);
                }
                return Unverified::Waits;
            }
            (Patience::NoRoom, _) => Reason::TooManyWaiting,
            (Patience::IsOver, Need::Keys(_)) => Reason::KeysUnavailable,
            (Patience::IsOver, Need::Lookup(..)) => Reason::IntrospectionFailed,
            (Patience::IsOver, Need::Revocations(_)) => Reason::RevocationsUnavailable,
        };
        unavailable(reason, Duration::ZERO)
    }

    /// What becomes of a request that needs keys which are not there.
    pub fn without_keys(&mut self, need: Need, availability: Availability) -> Unverified {
        match availability {
            Availability::Wait => self.wait(need),
            Availability::Unavailable(retry_after) => unavailable(Reason::KeysUnavailable, retry_after),
        }
    }
}

/// A refusal for a provider that fails.
#[must_use]
pub fn unavailable(reason: Reason, retry_after: Duration) -> Unverified {
    Unverified::Refused(Refusal { reason, retry_after: Some(retry_after.max(LEAST_RETRY)) })
}

/// `Retry-After` counts in seconds.
const LEAST_RETRY: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test::test;

    test!(refusals_are_bounded_in_time_and_number, {
        let mut refused = Tokens::new(NonZeroUsize::new(2).unwrap()).refused;
        let (now, later) = (UnixTime::from_secs(10), UnixTime::from_secs(15));
        refused.insert([1; 32], TokenError::Inactive, now, now);
        assert_eq!(refused.get(&[1; 32], now), None);
        for number in 1..=3 {
            refused.insert([number; 32], TokenError::Inactive, later, now);
        }
        assert_eq!(refused.get(&[1; 32], now), None);
        assert_eq!(refused.get(&[2; 32], now), Some(TokenError::Inactive));
        assert_eq!(refused.get(&[3; 32], later), None);
    });
}
