//! Signed requests: webhooks, and callers with a key of their own, by HMAC-SHA256 (RFC 2104) over the body.

mod body;
mod headers;

use std::{fmt, rc::Rc, time::Duration};

use hmac::{Hmac, Mac as _};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use super::{
    Authenticator, AuthenticatorId, Need, Unverified, VerifiedToken,
    api_key::Grant,
    knowledge::{Means, unavailable},
};
use crate::{
    credential::{Source, scheme},
    deny::Reason,
    request::Request,
    time::UnixTime,
};
pub use body::BodyHash;
use body::Hash;
use headers::Statement;

/// How signed requests are verified.
#[derive(Debug)]
pub struct HmacMethod {
    /// Whose way of signing it is.
    pub scheme: Scheme,
    /// Any one of these, for rotation; the keys, by their ids in order, where the scheme names them.
    pub secrets: Vec<Secret>,
    /// By how much a signature's time may differ from the gateway's.
    pub tolerance: Duration,
    /// The longest body, in bytes.
    pub max_body: usize,
    /// How long a body may take to arrive.
    pub body_timeout: Duration,
}

/// Whose way of signing it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// <https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries>
    GitHub,
    /// <https://docs.stripe.com/webhooks#verify-manually>
    Stripe,
    /// <https://docs.slack.dev/authentication/verifying-requests-from-slack>
    Slack,
    /// <https://shopify.dev/docs/apps/build/webhooks/subscribe/https#step-2-validate-the-origin-of-your-webhook>
    Shopify,
    /// <https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>
    StandardWebhooks,
    /// Gatepost's own, which signs the whole request.
    Generic,
}

/// A secret, and whose it is.
pub struct Secret {
    /// HMAC-SHA256 with the secret: the state before the first byte.
    mac: Hmac<Sha256>,
    /// Whose it is, where requests name their key.
    key: Option<SigningKey>,
}

/// A key that requests name.
struct SigningKey {
    id: String,
    grant: Grant,
    expires: Option<UnixTime>,
}

impl Scheme {
    /// Where its signature stands: what is removed from a forwarded request.
    #[must_use]
    pub fn source(self) -> Source {
        let (name, scheme) = match self {
            Self::GitHub => ("x-hub-signature-256", None),
            Self::Stripe => ("stripe-signature", None),
            Self::Slack => ("x-slack-signature", None),
            Self::Shopify => ("x-shopify-hmac-sha256", None),
            Self::StandardWebhooks => ("webhook-signature", None),
            Self::Generic => ("authorization", Some(scheme::HMAC_SHA256.to_owned())),
        };
        Source::Header { name: name.to_owned(), scheme }
    }

    /// Whether it says when a request was signed.
    #[must_use]
    pub fn has_time(self) -> bool {
        !matches!(self, Self::GitHub | Self::Shopify)
    }
}

impl Secret {
    /// A secret that all requests share.
    #[must_use]
    pub fn shared(secret: &[u8]) -> Self {
        Self { mac: keyed(secret), key: None }
    }

    /// The secret of a key, and when that ends.
    #[must_use]
    pub fn of_key(id: String, secret: &[u8], grant: Grant, expires: Option<UnixTime>) -> Self {
        Self { mac: keyed(secret), key: Some(SigningKey { id, grant, expires }) }
    }

    /// The id of the key.
    #[must_use]
    pub fn key_id(&self) -> Option<&str> {
        self.key.as_ref().map(|key| key.id.as_str())
    }

    fn expires(&self) -> Option<UnixTime> {
        self.key.as_ref()?.expires
    }
}

impl HmacMethod {
    /// Verifies a request by what its head says and what its body hashes to.
    ///
    /// # Errors
    ///
    /// The signature is missing, malformed, of an unknown key, stale, wrong or seen before; the body is too long, did not come
    /// in time, or is still to come.
    pub fn verify(
        &self,
        id: AuthenticatorId,
        authenticator: &Authenticator,
        request: &Request<'_>,
        path: &str,
        means: &mut Means<'_>,
    ) -> Result<Rc<VerifiedToken>, Unverified> {
        let statement = headers::read(self.scheme, request, path)?;
        let secrets = self.candidates(&statement).ok_or(Reason::UnknownSigningKey)?;
        if statement.time.is_some_and(|time| !self.is_timely(time, means.now)) {
            return Err(Reason::StaleSignature.into());
        }
        if announced_length(request).is_some_and(|length| length > self.max_body) {
            return Err(Reason::BodyTooLarge.into());
        }
        let of_nothing; // an empty body's
        let hash = match means.body.filter(|_| !request.head().end_of_stream) {
            None if request.head().end_of_stream => {
                of_nothing = self.hash(&statement).ok_or(Reason::UnknownSigningKey)?;
                &of_nothing
            }
            None => return Err(self.wait_for_body(means)),
            Some(body) => match body.whole(id) {
                Ok(Some(hash)) => hash,
                Ok(None) => return Err(self.wait_for_body(means)),
                Err(Reason::TooManyWaiting) => return Err(unavailable(Reason::TooManyWaiting, Duration::ZERO)),
                Err(reason) => return Err(reason.into()),
            },
        };
        let secret = secrets.iter().zip(hash.tags(&statement, secrets)).fold(None, |found, (secret, tag)| {
            // Every tag is compared with every signature, so that the time tells nothing of which one agreed.
            let agrees =
                statement.signatures.iter().fold(subtle::Choice::from(0), |any, signature| any | tag.ct_eq(signature));
            if bool::from(agrees) { found.or(Some(secret)) } else { found }
        });
        let secret = secret.ok_or(Reason::WrongSignature)?;
        // A key's time is the gateway's own, so that no skew is allowed for.
        if secret.expires().is_some_and(|expires| means.now >= expires) {
            return Err(Reason::ExpiredSigningKey.into());
        }
        if let (Some(nonce), Some(time)) = (statement.nonce, statement.time) {
            let until = time.saturating_add(self.tolerance).saturating_add(ROUNDING);
            let nonce = match self.scheme {
                // It is delivered again with another time where the first delivery has failed.
                Scheme::StandardWebhooks => format!("{}.{nonce}", time.since_epoch().as_secs()),
                _ => nonce.to_owned(),
            };
            let key = secret.key_id().unwrap_or_default().as_bytes();
            means.use_once(id, key, nonce.as_bytes(), until, Reason::ReplayedSignature)?;
        }
        Ok(Rc::new(self.verified(id, authenticator, secret)))
    }

    /// What the body is hashed with, if the request's head is one that can be verified at all.
    #[must_use]
    pub fn begin(&self, request: &Request<'_>, path: &str) -> Option<Hash> {
        self.hash(&headers::read(self.scheme, request, path).ok()?)
    }

    fn hash(&self, statement: &Statement<'_>) -> Option<Hash> {
        Some(match self.scheme {
            Scheme::Generic => Hash::Plain(Sha256::new()),
            _ => {
                let begin = |secret: &Secret| secret.mac.clone().chain_update(&statement.prefix);
                Hash::Keyed(self.candidates(statement)?.iter().map(begin).collect())
            }
        })
    }

    /// The secrets that may have signed it; none where it names a key that nobody has.
    fn candidates(&self, statement: &Statement<'_>) -> Option<&[Secret]> {
        match statement.key {
            None => Some(&self.secrets),
            Some(id) => {
                let position = self.secrets.binary_search_by(|secret| secret.key_id().cmp(&Some(id))).ok()?;
                self.secrets.get(position..=position)
            }
        }
    }

    fn is_timely(&self, time: UnixTime, now: UnixTime) -> bool {
        time.since_epoch().abs_diff(now.since_epoch()) <= self.tolerance
    }

    fn wait_for_body(&self, means: &mut Means<'_>) -> Unverified {
        if means.holds_body { means.wait(Need::Body) } else { Reason::BodyUnread.into() }
    }

    fn verified(&self, id: AuthenticatorId, authenticator: &Authenticator, secret: &Secret) -> VerifiedToken {
        match &secret.key {
            Some(key) => key.grant.verified(id, authenticator, "hmac", Some(key.id.clone()), key.expires),
            None => Grant::default().verified(id, authenticator, "hmac", None, None),
        }
    }
}

// Whoever has the state can sign.
impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secret").field("key", &self.key_id()).finish_non_exhaustive()
    }
}

/// A signature, and what it is compared with.
type Tag = [u8; 32];

/// HMAC takes a secret of any length (RFC 2104 §2).
fn keyed(secret: &[u8]) -> Hmac<Sha256> {
    let mut block = [0_u8; 64];
    if secret.len() > block.len() {
        let digest = Sha256::digest(secret);
        block.iter_mut().zip(digest).for_each(|(to, byte)| *to = byte);
    } else {
        block.iter_mut().zip(secret).for_each(|(to, byte)| *to = *byte);
    }
    // A secret as long as a block needs no more hashing, and no length can be wrong.
    Hmac::new(&block.into())
}

/// The length that the request announces, if it is one.
fn announced_length(request: &Request<'_>) -> Option<usize> {
    let lengths = request.header("content-length");
    let length = |value: &[u8]| std::str::from_utf8(value).ok().and_then(|text| text.trim().parse::<u64>().ok());
    let longest = lengths.filter_map(length).max()?;
    Some(usize::try_from(longest).unwrap_or(usize::MAX))
}

/// What may be good at a moment is remembered at that moment.
const ROUNDING: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests;
