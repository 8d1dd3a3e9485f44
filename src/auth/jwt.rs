//! JWTs (RFC 7519): a signature by a known key first, then what the claims have to say.

use std::rc::Rc;

use super::{Authenticator, AuthenticatorId, Identity};
use crate::{
    cache::TokenCache,
    crypto::AlgorithmSet,
    jose::{
        TokenError,
        claims::{ClaimPath, Expectations, Times},
        jwk::KeySet,
        jws::Jws,
    },
    json::Json,
    time::UnixTime,
};

/// How JWTs are verified.
#[derive(Debug)]
pub struct JwtMethod {
    /// The keys.
    pub keys: KeySet,
    /// The algorithms that are accepted, beyond what each key allows.
    pub algorithms: AlgorithmSet,
    /// What the claims have to be.
    pub expectations: Expectations,
    /// Where roles stand.
    pub roles_claim: ClaimPath,
    /// Where scopes stand; the first that is there counts.
    pub scopes_claims: Vec<ClaimPath>,
}

/// A token that was verified, with what has to be checked again on each use.
#[derive(Debug)]
pub struct VerifiedToken {
    /// Who it speaks for.
    pub identity: Identity,
    /// When it is good.
    pub times: Times,
}

impl JwtMethod {
    /// Verifies a token, or finds it among those verified before.
    ///
    /// # Errors
    ///
    /// The first [`TokenError`] met: nothing of a token whose signature is not good is looked at.
    pub fn verify(
        &self,
        id: AuthenticatorId,
        authenticator: &Authenticator,
        token: &str,
        now: UnixTime,
        cache: &mut TokenCache,
    ) -> Result<Rc<VerifiedToken>, TokenError> {
        let skew = self.expectations.clock_skew;
        if let Some(verified) = cache.get(token, now) {
            return verified.times.check(now, skew).map(|()| verified);
        }
        let verified = Rc::new(self.verify_new(id, authenticator, token, now)?);
        cache.insert(token, Rc::clone(&verified), now);
        Ok(verified)
    }

    fn verify_new(
        &self,
        id: AuthenticatorId,
        authenticator: &Authenticator,
        token: &str,
        now: UnixTime,
    ) -> Result<VerifiedToken, TokenError> {
        let jws = Jws::parse(token)?;
        let algorithm = jws.header.algorithm.filter(|algorithm| self.algorithms.contains(*algorithm));
        let algorithm = algorithm.ok_or(TokenError::AlgorithmNotAllowed)?;
        let key_id = jws.header.key_id.as_deref();
        self.keys.verify(key_id, algorithm, jws.signing_input, &jws.signature)?;

        let claims = jws.claims()?;
        let times = Times::parse(&claims)?;
        times.check(now, self.expectations.clock_skew)?;
        self.expectations.check(&claims, jws.header.media_type.as_deref(), &times)?;
        // RFC 7800 §3.1: a token that is bound to a key is good only with a proof of that key. None is checked here, so
        // no bound token is taken for a bearer token.
        if claims.get("cnf").is_some() {
            return Err(TokenError::UnsupportedConfirmation);
        }
        let text = |name: &str| claims.get(name).and_then(Json::as_str).map(str::to_owned);
        let scopes = self.scopes_claims.iter().find(|claim| claim.find(&claims).is_some());
        let identity = Identity {
            authenticator: id,
            authenticator_name: authenticator.name.clone(),
            method: "jwt",
            issuer: text("iss"),
            subject: text("sub"),
            owner: None,
            roles: self.roles_claim.find_strings(&claims, None),
            scopes: scopes.map(|claim| claim.find_strings(&claims, Some(' '))).unwrap_or_default(),
            claims,
        };
        Ok(VerifiedToken { identity, times })
    }
}
