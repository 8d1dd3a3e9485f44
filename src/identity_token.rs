//! The token of gatepost's own by which a service can tell that a request came through the gateway, and who makes it.
//!
//! It is good for seconds, and signed anew only when half of them are over: what it says decides under which key it is
//! kept, so that two callers share a token only where it says the same of both.

use std::{fmt, num::NonZeroUsize, rc::Rc, time::Duration};

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};

use crate::{
    auth::Identity,
    cache::{ByWhole, Footprint, TokenCache},
    crypto::{Algorithm, SigningKey},
    json::Json,
    time::UnixTime,
};

/// Signs identity tokens.
pub struct Issuer {
    /// The header that holds them, in lower case.
    pub header: Rc<str>,
    /// `iss`
    name: String,
    /// In seconds.
    ttl: u64,
    key: SigningKey,
    /// In base64url: the same for all tokens.
    jose_header: String,
}

/// The tokens that were issued, while they are used again. Bounded; the least recently used go first.
#[derive(Debug)]
pub struct Issued(TokenCache<Token, ByWhole>);

#[derive(Debug)]
struct Token(Rc<[u8]>);

impl Issuer {
    /// An issuer whose tokens are good for `ttl`, which counts in whole seconds.
    #[must_use]
    pub fn new(header: Rc<str>, name: String, ttl: Duration, key: SigningKey) -> Self {
        let mut members = vec![text("alg", key.algorithm().name())];
        members.extend(key.thumbprint().map(|thumbprint| text("kid", &thumbprint)));
        members.push(text("typ", MEDIA_TYPE));
        let jose_header = BASE64_URL_SAFE_NO_PAD.encode(Json::Object(members).to_string());
        Self { header, name, ttl: ttl.as_secs(), key, jose_header }
    }

    /// `iss` of its tokens.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How long its tokens are good.
    #[must_use]
    pub const fn ttl(&self) -> Duration {
        Duration::from_secs(self.ttl)
    }

    /// The algorithm that signs them.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        self.key.algorithm()
    }

    /// A token that speaks of `identity` to `audience`: one that was issued before, or a new one. It is good no longer than
    /// the credential, which `expires` says in seconds of Unix time.
    pub fn issue(
        &self,
        identity: &Identity,
        audience: &str,
        expires: Option<f64>,
        issued: &mut Issued,
        now: UnixTime,
    ) -> Rc<[u8]> {
        let issued_at = now.since_epoch().as_secs();
        let longest = issued_at.saturating_add(self.ttl);
        // Only for as long as the credential does not outlive them are tokens shared between credentials.
        let limit = expires.map(|expires| expires.max(0.0) as u64).filter(|expires| *expires < longest);
        let statement = self.statement(identity, audience);
        let key = match limit {
            None => statement.clone(),
            Some(limit) => format!("{limit} {statement}"),
        };
        if let Some(token) = issued.0.get(key.as_bytes(), now) {
            return Rc::clone(&token.0);
        }
        let expires = match limit {
            None => longest,
            Some(limit) if limit > issued_at => limit,
            // Good within the clock skew alone: the request at hand has to get through, and no other.
            Some(_) => longest.min(issued_at.saturating_add(LEAST_TTL)),
        };
        let claims = statement.strip_suffix('}').unwrap_or_default();
        let claims = format!("{claims},\"iat\":{issued_at},\"exp\":{expires}}}");
        let mut token = format!("{}.{}", self.jose_header, BASE64_URL_SAFE_NO_PAD.encode(claims));
        let signature = self.key.sign(token.as_bytes());
        token.push('.');
        BASE64_URL_SAFE_NO_PAD.encode_string(signature, &mut token);
        let token: Rc<[u8]> = token.into_bytes().into();
        let until = (issued_at as f64 + expires as f64) / 2.0;
        issued.0.insert(key.as_bytes(), Rc::new(Token(Rc::clone(&token))), until, now);
        token
    }

    /// The public key as a JWK (RFC 7517 §4); a shared secret has none.
    #[must_use]
    pub fn public_jwk(&self) -> Option<Json> {
        let mut members: Vec<_> = self.key.public_members()?.iter().map(|(name, value)| text(name, value)).collect();
        members.push(text("kid", &self.key.thumbprint()?));
        members.push(text("alg", self.key.algorithm().name()));
        members.push(text("use", "sig"));
        Some(Json::Object(members))
    }

    /// What a token says, but when.
    fn statement(&self, identity: &Identity, audience: &str) -> String {
        let mut members = vec![text("iss", &self.name)];
        members.extend(identity.subject.as_deref().map(|subject| text("sub", subject)));
        members.push(text("aud", audience));
        members.push(text("auth", &identity.authenticator_name));
        // One with a space in it would be read as two, which nobody granted.
        let scopes: Vec<&str> =
            identity.scopes.iter().map(String::as_str).filter(|scope| is_scope_token(scope)).collect();
        if !scopes.is_empty() {
            members.push(text("scope", &scopes.join(" ")));
        }
        if !identity.roles.is_empty() {
            let roles = identity.roles.iter().cloned().map(Json::String);
            members.push(("roles".to_owned(), Json::Array(roles.collect())));
        }
        Json::Object(members).to_string()
    }
}

impl Issued {
    /// None yet, and so many at most.
    #[must_use]
    pub fn new(capacity: NonZeroUsize) -> Self {
        Self(TokenCache::new(capacity))
    }
}

impl Footprint for Token {
    fn footprint(&self) -> usize {
        self.0.len()
    }
}

impl fmt::Debug for Issuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Issuer").field("header", &self.header).field("key", &self.key).finish_non_exhaustive()
    }
}

fn text(name: &str, value: &str) -> (String, Json) {
    (name.to_owned(), Json::String(value.to_owned()))
}

/// Whether a text is one scope and not several (RFC 6749 §3.3).
fn is_scope_token(scope: &str) -> bool {
    !scope.is_empty() && scope.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\'))
}

/// `typ`, so that no other token of the same key is taken for one (RFC 8725 §3.11).
const MEDIA_TYPE: &str = "gatepost+jwt";

/// How long a token for an expired credential is good, in seconds.
const LEAST_TTL: u64 = 5;

#[cfg(test)]
mod tests;
