//! Token introspection (RFC 7662): the issuer of an opaque token is asked what it means.

use std::{fmt, num::NonZeroUsize, rc::Rc, time::Duration};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use form_urlencoded::byte_serialize;
use sha2::{Digest as _, Sha256};

use super::{
    Authenticator, AuthenticatorId, Grants, Need, Refusal, Unverified, VerifiedToken,
    confirmation::Confirmation,
    dpop::DpopMode,
    knowledge::{Means, Patience, Tokens, unavailable},
};
use crate::{
    deny::Reason,
    jose::{
        TokenError,
        claims::{Accepted, Expectations, Times},
        jws::{self, Claimed},
    },
    json::Json,
    provider::{
        Call, CallAnswer, CallFailure, CallId, GRACE, MAX_ANSWER_DEPTH, MOST_ANSWER_BYTES, ProviderFailure,
        endpoint::Endpoint,
    },
    time::UnixTime,
};

/// How opaque tokens are verified.
#[derive(Debug)]
pub struct IntrospectionMethod {
    /// Where the configuration has it, for the log.
    pub place: String,
    /// The introspection endpoint.
    pub endpoint: Endpoint,
    /// Who the gateway is to it.
    pub client: ClientCredentials,
    /// How long an answer may take.
    pub timeout: Duration,
    /// What the answer has to say.
    pub expectations: Expectations,
    /// Where roles and scopes stand.
    pub grants: Grants,
    /// How long a good token is believed; never past its `exp`.
    pub ttl: Duration,
    /// How long it is believed that a token is not good.
    pub negative_ttl: Duration,
    /// How many tokens of each kind are remembered.
    pub entries: NonZeroUsize,
    /// The issuers of the configuration's JWTs: a token of theirs is not this endpoint's business.
    pub jwt_issuers: Accepted,
}

/// `client_secret_basic` (RFC 6749 §2.3.1), ready to be sent.
#[derive(Clone, PartialEq, Eq)]
pub struct ClientCredentials(String);

impl ClientCredentials {
    /// The credentials of a client, form-encoded as RFC 6749 appendix B asks, so that neither may hold a colon.
    #[must_use]
    pub fn new(id: &str, secret: &[u8]) -> Self {
        let encoded: String = byte_serialize(id.as_bytes()).chain([":"]).chain(byte_serialize(secret)).collect();
        Self(format!("Basic {}", BASE64_STANDARD.encode(encoded)))
    }
}

impl IntrospectionMethod {
    /// What is known of a token, or that it has to be looked up.
    ///
    /// # Errors
    ///
    /// The token is refused, or not known yet.
    pub fn verify(
        &self,
        id: AuthenticatorId,
        token: &str,
        means: &mut Means<'_>,
    ) -> Result<Rc<VerifiedToken>, Unverified> {
        let now = means.now;
        if token.len() > jws::MAX_LENGTH {
            return Err(TokenError::Malformed.into());
        }
        let digest: [u8; 32] = Sha256::digest(token).into();
        let need = Need::Lookup(id, digest);
        let settled = means.settled.iter().find(|settled| settled.need == need).map(|settled| settled.outcome.clone());
        let cached = match settled {
            Some(outcome) => Some(outcome.map_err(Unverified::Refused)?),
            None => means.tokens(id)?.find(&digest, now),
        };
        if let Some(verified) = cached {
            verified.check(now, self.expectations.clock_skew, means.host)?;
            return Ok(verified);
        }
        if let Some(error) = means.tokens(id)?.refused.get(&digest, now) {
            return Err(error.into());
        }
        if self.is_foreign(token) {
            return Err(TokenError::ForeignIssuer.into());
        }
        let until = now.saturating_add(self.timeout).saturating_add(GRACE);
        if means.patience == Patience::Waits && !means.tokens(id)?.lookups.want(digest, token, until) {
            return Err(unavailable(Reason::TooManyWaiting, Duration::ZERO));
        }
        Err(means.wait(need))
    }

    /// The question about a token (RFC 7662 §2.1).
    #[must_use]
    pub fn ask(&self, id: CallId, token: &str) -> Call {
        let mut body = String::from("token=");
        body.extend(byte_serialize(token.as_bytes()));
        body.push_str("&token_type_hint=access_token");
        self.endpoint.post(id, self.timeout, &self.client.0, body.into_bytes())
    }

    /// Takes the answer about a token and remembers it, unless it is a failure.
    ///
    /// # Errors
    ///
    /// Why there is nothing to remember.
    pub fn learn(
        &self,
        id: AuthenticatorId,
        authenticator: &Authenticator,
        digest: [u8; 32],
        answer: Result<&CallAnswer, CallFailure>,
        tokens: &mut Tokens,
        now: UnixTime,
    ) -> Result<Result<Rc<VerifiedToken>, Refusal>, ProviderFailure> {
        let body = answer.map_err(ProviderFailure::from)?.body(MOST_ANSWER_BYTES)?;
        let claims = Json::parse_strict_object(body, MAX_ANSWER_DEPTH).ok_or(ProviderFailure::NotAnObject)?;
        Ok(match self.read(id, authenticator, claims, now) {
            Ok(verified) => {
                let verified = Rc::new(verified);
                let until = now.saturating_add(self.ttl).as_secs_f64();
                let until = verified.times.expires.unwrap_or(until).min(until);
                tokens.verified.insert(&digest, Rc::clone(&verified), until, now);
                Ok(verified)
            }
            Err(error) => {
                tokens.refused.insert(digest, error, now.saturating_add(self.negative_ttl), now);
                Err(Reason::Token(error).into())
            }
        })
    }

    /// Reads an answer (RFC 7662 §2.2).
    fn read(
        &self,
        id: AuthenticatorId,
        authenticator: &Authenticator,
        claims: Json,
        now: UnixTime,
    ) -> Result<VerifiedToken, TokenError> {
        let bearer = |kind: &str| kind.eq_ignore_ascii_case("Bearer") || kind.eq_ignore_ascii_case("DPoP");
        let is_access_token = claims.get("token_type").is_none_or(|kind| kind.as_str().is_some_and(bearer));
        if claims.get("active") != Some(&Json::Bool(true)) || !is_access_token {
            return Err(TokenError::Inactive);
        }
        let times = Times::parse(&claims)?;
        times.check(now, self.expectations.clock_skew)?;
        self.expectations.check(&claims, None, &times)?;
        let confirmation = Confirmation::read(&claims, DpopMode::Off)?;
        let identity = self.grants.identity(id, authenticator, "introspection", claims);
        Ok(VerifiedToken::new(identity, times, None, confirmation))
    }

    /// Whether the token is a JWT that another authenticator is there for: it is not shown to this one's provider.
    fn is_foreign(&self, token: &str) -> bool {
        match (jws::claimed_issuers(token), &self.jwt_issuers) {
            (Claimed::Nothing, _) => false,
            (_, Accepted::Any) => true,
            (_, Accepted::These(issuers)) if issuers.is_empty() => false,
            (Claimed::Unreadable, _) => true,
            (Claimed::Issuers(claimed), Accepted::These(issuers)) => claimed.iter().any(|name| issuers.contains(name)),
        }
    }
}

impl fmt::Debug for ClientCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClientCredentials")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test::test;

    test!(client_credentials_are_form_encoded, {
        // RFC 6749 §2.3.1 and appendix B.
        let plain = ClientCredentials::new("s6BhdRkqt3", b"7Fjfp0ZBr1KtDRbnfVdmIw");
        assert_eq!(plain.0, "Basic czZCaGRSa3F0Mzo3RmpmcDBaQnIxS3REUmJuZlZkbUl3");
        let odd = ClientCredentials::new("a:b", " %&+\u{a3}\u{20ac}".as_bytes());
        let encoded = BASE64_STANDARD.decode(odd.0.strip_prefix("Basic ").unwrap()).unwrap();
        assert_eq!(String::from_utf8(encoded).unwrap(), "a%3Ab:+%25%26%2B%C2%A3%E2%82%AC");
        assert_eq!(format!("{odd:?}"), "ClientCredentials");
    });
}
