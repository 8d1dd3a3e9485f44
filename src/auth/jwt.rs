//! JWTs (RFC 7519): a signature by a known key first, then what the claims have to say.

use std::{rc::Rc, time::Duration};

use super::{
    Authenticator, AuthenticatorId, Grants, Need, Unverified, VerifiedToken, confirmation::Confirmation, dpop::Dpop,
    knowledge::Means, revocation::Revocation,
};
use crate::{
    cache::WITHOUT_EXPIRY,
    crypto::{Algorithm, AlgorithmSet, host::Verifier},
    jose::{
        TokenError,
        claims::{Expectations, Times},
        jwk::{KeyFingerprint, KeySet},
        jws::{Jws, KnownHeader},
    },
    provider::{
        keys::{KeySource, KeySourceId},
        source::Availability,
    },
    time::UnixTime,
};

/// How JWTs are verified.
#[derive(Debug)]
pub struct JwtMethod {
    /// The keys.
    pub keys: Keys,
    /// The algorithms that are accepted, beyond what each key allows.
    pub algorithms: AlgorithmSet,
    /// What the claims have to be.
    pub expectations: Expectations,
    /// Where roles and scopes stand.
    pub grants: Grants,
    /// What is asked besides of those whose tokens are bound to a key.
    pub dpop: Dpop,
    /// Issuers that other authenticators are there for, and this one is not.
    pub foreign_issuers: Vec<String>,
    /// Where it is said which tokens were taken back.
    pub revocation: Option<Revocation>,
}

/// Where keys are.
#[derive(Debug)]
pub enum Keys {
    /// In the configuration.
    Fixed(KeySet),
    /// At a provider.
    Remote(KeySourceId),
}

impl JwtMethod {
    /// Verifies a token, or finds it among those verified before. Whether the request proves what a token that is bound to a
    /// key asks for is left to [`Dpop::check`].
    ///
    /// # Errors
    ///
    /// The first [`TokenError`] met: nothing of a token whose signature is not good is looked at. Or that its keys are
    /// still to be fetched, or cannot be.
    pub fn verify(
        &self,
        id: AuthenticatorId,
        authenticator: &Authenticator,
        token: &str,
        means: &mut Means<'_>,
    ) -> Result<Rc<VerifiedToken>, Unverified> {
        let now = means.now;
        // A token that was verified before is good as long as its key may be used.
        let available = self.keys(means.sources, now).map(|_| ());
        if available.is_ok()
            && let Some(verified) = means.tokens(id)?.find(token.as_bytes(), now)
        {
            verified.check(now, self.expectations.clock_skew, means.host)?;
            return Ok(verified);
        }
        let (jws, algorithm) = self.parse(token, means.tokens(id)?.header.as_ref())?;
        let key = match self.verify_signature(&jws, algorithm, means) {
            Ok(key) => key?,
            Err((need, availability)) => return Err(means.without_keys(need, availability)),
        };
        let verified = Rc::new(self.read_claims(id, authenticator, &jws, key, now)?);
        means.tokens(id)?.know(&jws);
        let until = verified.times.expires.unwrap_or_else(|| now.saturating_add(WITHOUT_EXPIRY).as_secs_f64());
        means.tokens(id)?.verified.insert(token.as_bytes(), Rc::clone(&verified), until, now);
        verified.check(now, self.expectations.clock_skew, means.host)?;
        Ok(verified)
    }

    fn parse<'a>(&self, token: &'a str, known: Option<&KnownHeader>) -> Result<(Jws<'a>, Algorithm), TokenError> {
        let jws = Jws::parse(token, known)?;
        let algorithm = jws.header.algorithm.filter(|algorithm| self.algorithms.contains(*algorithm));
        Ok((jws, algorithm.ok_or(TokenError::AlgorithmNotAllowed)?))
    }

    /// Verifies the signature and tells by which key; or tells which keys are wanting.
    fn verify_signature(
        &self,
        jws: &Jws<'_>,
        algorithm: Algorithm,
        means: &mut Means<'_>,
    ) -> Result<Result<KeyFingerprint, TokenError>, (Need, Availability)> {
        let mut verifier = Verifier::new(means.host, means.by_host);
        let keys = match self.keys(means.sources, means.now) {
            Ok(keys) => keys,
            // A token of another authenticator's must not suffer from this one's provider.
            Err(_) if self.is_foreign(jws) => return Ok(Err(TokenError::ForeignIssuer)),
            Err(wanting) => return Err(wanting),
        };
        let verified =
            keys.verify(jws.header.key_id.as_deref(), algorithm, jws.signing_input, &jws.signature, &mut verifier);
        if verified == Err(TokenError::UnknownKey)
            && let Keys::Remote(id) = self.keys
            && !self.is_foreign(jws)
            && let Some(availability) =
                means.sources.get_mut(id.0).and_then(|source| source.on_unknown_key(means.came, means.now))
        {
            return Err((Need::Keys(id), availability));
        }
        Ok(verified)
    }

    /// Whether the token says that it is of an issuer that another authenticator is there for. That nothing vouches for
    /// this does no harm: the token is refused.
    fn is_foreign(&self, jws: &Jws<'_>) -> bool {
        let claims = if self.foreign_issuers.is_empty() { None } else { jws.claims().ok() };
        let issuer = claims.as_ref().and_then(|claims| claims.get("iss")?.as_str());
        issuer.is_some_and(|issuer| self.foreign_issuers.iter().any(|foreign| foreign == issuer))
    }

    fn read_claims(
        &self,
        id: AuthenticatorId,
        authenticator: &Authenticator,
        jws: &Jws<'_>,
        key: KeyFingerprint,
        now: UnixTime,
    ) -> Result<VerifiedToken, TokenError> {
        let claims = jws.claims()?;
        let times = Times::parse(&claims)?;
        times.check(now, self.expectations.clock_skew)?;
        self.expectations.check(&claims, jws.header.media_type.as_deref(), &times)?;
        let confirmation = Confirmation::read(&claims, self.dpop.mode)?;
        let identity = self.grants.identity(id, authenticator, "jwt", claims);
        Ok(VerifiedToken::new(identity, times, Some(key), confirmation))
    }

    /// The `kid` of a key that verified a token.
    #[must_use]
    pub fn key_id<'a>(&'a self, key: KeyFingerprint, sources: &'a [KeySource]) -> Option<&'a str> {
        match &self.keys {
            Keys::Fixed(keys) => keys,
            Keys::Remote(id) => sources.get(id.0)?.known()?,
        }
        .key_id(key)
    }

    fn keys<'a>(&'a self, sources: &'a [KeySource], now: UnixTime) -> Result<&'a KeySet, (Need, Availability)> {
        match &self.keys {
            Keys::Fixed(keys) => Ok(keys),
            Keys::Remote(id) => match sources.get(id.0).map(|source| source.keys(now)) {
                Some(keys) => keys.map_err(|availability| (Need::Keys(*id), availability)),
                // Not reached: ids are made from the list of sources.
                None => Err((Need::Keys(*id), Availability::Unavailable(Duration::ZERO))),
            },
        }
    }
}
