//! Revocation: a token that is good otherwise, and that its issuer has taken back.
//!
//! What a list says is asked anew on every request, of tokens that were verified before as well: nothing of it is
//! remembered with a token.

use std::time::Duration;

use super::{
    Need, Unverified, VerifiedToken,
    knowledge::{Means, Patience, unavailable},
};
use crate::{
    deny::Reason,
    jose::TokenError,
    json::Json,
    provider::{
        Event,
        revocation::{RevocationSource, RevocationSourceId, Standing},
        source::Availability,
    },
    time::UnixTime,
};

/// How it is found out whether tokens are revoked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Revocation {
    /// The list.
    pub list: RevocationSourceId,
    /// What it names.
    pub by: RevokedClaim,
    /// What becomes of tokens while there is none.
    pub without_list: WithoutList,
}

/// The claim whose values a list names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RevokedClaim {
    /// `jti`, of one token (RFC 7519 §4.1.7).
    TokenId,
    /// `sub`, of all tokens of somebody (RFC 7519 §4.1.2).
    Subject,
    /// `sid`, of a session (OpenID Connect Front-Channel Logout 1.0 §3).
    Session,
}

/// What becomes of tokens while there is no list that may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WithoutList {
    /// They wait for the running fetch, and are refused if it fails.
    Deny,
    /// They wait for the first fetch alone, and are accepted if it fails.
    Allow,
}

/// A list, and how often it was done without.
#[derive(Debug)]
pub struct Revocations {
    /// The list.
    pub source: RevocationSource,
    /// How many tokens were accepted without since that was last told.
    unchecked: u64,
    told: Option<UnixTime>,
}

impl Revocation {
    /// Checks a token that is good otherwise.
    ///
    /// # Errors
    ///
    /// It is revoked, or cannot be told from one that is; or the list is still to be fetched, or cannot be.
    pub fn check(&self, token: &VerifiedToken, means: &mut Means<'_>) -> Result<(), Unverified> {
        let value = token.identity.claims.get(self.by.name()).and_then(Json::as_str);
        let (Some(issuer), Some(value)) = (token.identity.issuer.as_deref(), value) else {
            return Err(TokenError::NotRevocable.into());
        };
        let Some(known) = means.revocations.get_mut(self.list.0) else {
            return Err(Reason::HostFailure.into()); // not reached: ids are made from the list of sources
        };
        let wanting = match known.source.document(means.now) {
            Ok(list) => {
                return match list.standing(issuer, value, token.times.issued) {
                    Standing::Good => Ok(()),
                    Standing::Revoked => Err(TokenError::Revoked.into()),
                    Standing::Unknown => Err(TokenError::NotRevocable.into()),
                };
            }
            Err(wanting) => wanting,
        };
        let is_first = wanting == Availability::Wait && !known.source.has_failed();
        match (self.without_list, wanting) {
            (WithoutList::Allow, _) if !is_first || means.patience != Patience::Waits => {
                known.unchecked = known.unchecked.saturating_add(1);
                Ok(())
            }
            (_, Availability::Wait) => Err(means.wait(Need::Revocations(self.list))),
            (_, Availability::Unavailable(retry_after)) => {
                Err(unavailable(Reason::RevocationsUnavailable, retry_after))
            }
        }
    }
}

impl RevokedClaim {
    /// The claim's name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::TokenId => "jti",
            Self::Subject => "sub",
            Self::Session => "sid",
        }
    }
}

impl Revocations {
    /// A list that has not been done without yet.
    #[must_use]
    pub fn new(source: RevocationSource) -> Self {
        Self { source, unchecked: 0, told: None }
    }

    /// Tells of the tokens that were accepted without a list, every now and then.
    pub fn tell(&mut self, now: UnixTime) -> Option<Event> {
        let recently = |told: UnixTime| told <= now && now < told.saturating_add(TELLING);
        if self.unchecked == 0 || self.told.is_some_and(recently) {
            return None;
        }
        self.told = Some(now);
        let tokens = std::mem::take(&mut self.unchecked);
        Some(Event::RevocationsUnchecked { place: self.source.place().to_owned(), tokens })
    }
}

/// How often each worker tells that it does without a list.
const TELLING: Duration = Duration::from_secs(10);
