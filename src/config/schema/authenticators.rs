//! The members of authenticators. Those of signed requests are in `signed`.

use std::{num::NonZeroUsize, rc::Rc, time::Duration};

#[cfg(not(target_arch = "wasm32"))]
use crate::config::describe::forms::{
    Algorithm, AtMost, ClaimPath, Filled, Fingerprint, HeaderName, HttpOrigin, NamePattern, NamedBy, Role, Scope,
    SubjectPattern, Url,
};
use crate::{
    auth::api_key::{ApiKeys, KeyDigest},
    config::{
        decode::{Items, Named, NonEmpty, OneOrMore, choice, object},
        limit::KeyLimitSchema,
        schema::{HmacSchema, JwksSchema, RevocationSchema},
    },
    json::Json,
    time::UnixTime,
};

/// An authenticator.
pub enum AuthenticatorSchema {
    /// `"type": "jwt"`
    Jwt(Box<JwtSchema>),
    /// `"type": "introspection"`
    Introspection(Box<IntrospectionSchema>),
    /// `"type": "api_key"`
    ApiKey(Box<ApiKeysSchema>),
    /// `"type": "mtls"`
    Mtls(Box<MtlsSchema>),
    /// `"type": "hmac"`
    Hmac(Box<HmacSchema>),
}

object! {
    /// Verifies JWTs (RFC 7519): their signature, then their claims.
    pub struct JwtSchema {
        /// Says that it is a JWT authenticator.
        required "type" _type: String,
        /// `iss`: one, or several of which any may be meant; `*` alone accepts any.
        required "issuer" issuer: OneOrMore<String> as OneOrMore<Filled>,
        /// `aud`, any one of which must match; `*` alone accepts any, and a token without one.
        required "audiences" audiences: OneOrMore<String> as OneOrMore<Filled>,
        /// Algorithms that are accepted. By default all that the keys allow: a key decides by its `alg`, else by its type.
        optional "algorithms" algorithms: NonEmpty<String> as NonEmpty<Algorithm>,
        /// The keys, as a JWK set (RFC 7517).
        optional "jwks" jwks: JwksSchema,
        /// The key as a shared secret, for HS256, HS384 and HS512: at least as long as the hash (RFC 7518 §3.2).
        optional "secret" secret: SecretSchema,
        /// Whether `secret` is base64 or base64url for the bytes that are meant.
        optional "secret_base64" secret_base64: bool = false,
        /// The key as one public key in PEM (`BEGIN PUBLIC KEY`, RFC 7468 §13).
        optional "public_key_pem" public_key_pem: String,
        /// By how much clocks may differ where `exp`, `nbf` and `iat` are checked.
        optional "clock_skew" clock_skew: Duration = "60s",
        /// Claims that have to be there. `[]` accepts tokens that never expire.
        optional "require" require: Items<String> as Items<ClaimPath> = ["exp"],
        /// The longest time between `iat` and `exp`, which then both have to be there. No limit by default.
        optional "max_lifetime" max_lifetime: Duration,
        /// `typ` headers that are accepted (RFC 7515 §4.1.9), compared without case and without `application/`: `""` is
        /// an absent one, `*` alone any.
        optional "types" types: NonEmpty<String> = ["", "JWT", "at+jwt"],
        /// Claims, by their path, that must equal, or as an array contain, a value.
        optional "claims" claims: Named<ClaimValuesSchema> as NamedBy<ClaimPath, ClaimValuesSchema>,
        /// Where roles stand: a string is one role, an array several.
        optional "roles_claim" roles_claim: String as ClaimPath = "roles",
        /// Where scopes stand: a string of scopes parted by spaces, or an array. `scope`, then `scp`, by default.
        optional "scopes_claim" scopes_claim: String as ClaimPath,
        /// Where the token is looked for. By default in `Authorization` with the scheme `Bearer`, and with `DPoP` unless
        /// `dpop` is `off`.
        optional "from" from: NonEmpty<SourceSchema>,
        /// What happens to a request with several tokens that differ.
        optional "on_multiple" on_multiple: OnMultipleSchema = "reject",
        /// Whether a verified token stays in the forwarded request.
        optional "forward_credential" forward_credential: bool = false,
        /// Whether tokens may, or have to, be bound to a key that the client proves to have (RFC 9449).
        optional "dpop" dpop: DpopSchema = "off",
        /// Where clients send their requests, for the `htu` of proofs. By default the scheme and authority of each request.
        optional "dpop_origin" dpop_origin: String as HttpOrigin,
        /// A list that says which tokens were taken back. None by default.
        optional "revocation" revocation: RevocationSchema,
    }
    rules [
        Rule::ExactlyOne(&["jwks", "secret", "public_key_pem"]),
        Rule::Needs("secret_base64", "secret"),
    ]
}

object! {
    /// Asks a token's issuer whether it is good (RFC 7662), as opaque tokens need.
    pub struct IntrospectionSchema {
        /// Says that it is an introspection authenticator.
        required "type" _type: String,
        /// The introspection endpoint.
        required "url" url: String as Url,
        /// The host's name for its servers, in Envoy a cluster's. The URL gives the path and the authority alone.
        required "cluster" cluster: String as Filled,
        /// Who the gateway is to it: the id for `client_secret_basic` (RFC 6749 §2.3.1).
        required "client_id" client_id: String as Filled,
        /// The secret that goes with `client_id`.
        required "client_secret" client_secret: SecretSchema,
        /// How long an answer may take: up to `1m`, and requests wait for it.
        optional "timeout" timeout: Duration = "1s",
        /// `iss`, which the answer then has to name. Not looked at by default.
        optional "issuer" issuer: OneOrMore<String> as OneOrMore<Filled>,
        /// `aud`, any one of which must match; `*` alone accepts any, and an answer without one.
        required "audiences" audiences: OneOrMore<String> as OneOrMore<Filled>,
        /// How long answers are believed.
        optional "cache" cache: IntrospectionCacheSchema,
        /// By how much clocks may differ where `exp`, `nbf` and `iat` are checked.
        optional "clock_skew" clock_skew: Duration = "60s",
        /// Members of the answer that have to be there.
        optional "require" require: Items<String> as Items<ClaimPath> = [],
        /// Members of the answer, by their path, that must equal, or as an array contain, a value.
        optional "claims" claims: Named<ClaimValuesSchema> as NamedBy<ClaimPath, ClaimValuesSchema>,
        /// Where roles stand: a string is one role, an array several.
        optional "roles_claim" roles_claim: String as ClaimPath = "roles",
        /// Where scopes stand: a string of scopes parted by spaces, or an array. `scope`, then `scp`, by default.
        optional "scopes_claim" scopes_claim: String as ClaimPath,
        /// Where the token is looked for. By default in `Authorization` with the scheme `Bearer`.
        optional "from" from: NonEmpty<SourceSchema>,
        /// What happens to a request with several tokens that differ.
        optional "on_multiple" on_multiple: OnMultipleSchema = "reject",
        /// Whether a verified token stays in the forwarded request.
        optional "forward_credential" forward_credential: bool = false,
    }
}

object! {
    /// Knows callers by their client certificates, which the host has validated. One pattern has to match.
    pub struct MtlsSchema {
        /// Says that it is an authenticator of client certificates.
        required "type" _type: String,
        /// URIs of the subject alternative name, such as SPIFFE IDs.
        optional "uri_sans" uri_sans: Items<String> as Items<NamePattern> = [],
        /// DNS names of the subject alternative name, compared without case (RFC 5280 §7.2).
        optional "dns_sans" dns_sans: Items<String> as Items<NamePattern> = [],
        /// Subjects, as the host writes them (RFC 2253).
        optional "subjects" subjects: Items<String> as Items<SubjectPattern> = [],
        /// Whole certificates, by their SHA-256.
        optional "fingerprints" fingerprints: Items<String> as Items<Fingerprint> = [],
        /// Whether the listener lets no client through whose certificate it has not validated. For hosts that cannot
        /// tell, as Envoy before 1.39; it is on you that it is true.
        optional "listener_validates" listener_validates: bool = false,
    }
    rules [Rule::AnItemIn(&["uri_sans", "dns_sans", "subjects", "fingerprints"])]
}

object! {
    /// How long answers about tokens are believed.
    pub struct IntrospectionCacheSchema {
        /// How long a good token is, never past its `exp`: how late a revocation may be noticed. `0s` to ask every time.
        optional "ttl" ttl: Duration = "30s",
        /// How long any other token is not asked about again. `0s` to ask every time.
        optional "negative_ttl" negative_ttl: Duration = "5s",
        /// How many tokens of each kind each worker remembers.
        optional "entries" entries: NonZeroUsize as AtMost<1_000_000> = 4096,
    }
}

object! {
    /// Knows API keys by their hashes.
    pub struct ApiKeysSchema {
        /// Says that it is an authenticator of API keys.
        required "type" _type: String,
        /// The keys.
        required "keys" keys: Rc<ApiKeys>,
        /// Where the key is looked for. By default in the header `x-api-key`.
        optional "from" from: NonEmpty<SourceSchema>,
        /// What happens to a request with several keys that differ.
        optional "on_multiple" on_multiple: OnMultipleSchema = "reject",
        /// Whether a verified key stays in the forwarded request.
        optional "forward_credential" forward_credential: bool = false,
    }
}

object! {
    /// One API key. `gatepost hash-key` makes one and its entry.
    pub struct ApiKeySchema {
        /// The subject of who presents it. No two keys have the same.
        required "id" id: String as Filled,
        /// The SHA-256 of the key, which is not in the configuration itself.
        required "sha256" sha256: Sha256Schema,
        /// Whose it is, for `$identity.owner`. Nobody's by default.
        optional "owner" owner: String as Filled,
        /// The scopes that it has.
        optional "scopes" scopes: Items<String> as Items<Scope> = [],
        /// The roles that it has.
        optional "roles" roles: Items<String> as Items<Role> = [],
        /// When it ends, checked on each use without clock skew. Never by default.
        optional "expires_at" expires_at: UnixTime,
        /// How many requests with it pass. No limit by default.
        optional "rate_limit" rate_limit: KeyLimitSchema,
    }
}

object! {
    /// A place where a credential is looked for.
    pub struct SourceSchema {
        /// A header. Not `cookie`, and none that frames a message.
        optional "header" header: String as HeaderName,
        /// The authentication scheme before the credential, compared without case (RFC 9110 §11.1). By default the whole
        /// header is the credential.
        optional "scheme" scheme: String as HeaderName,
        /// A cookie (RFC 6265).
        optional "cookie" cookie: String as HeaderName,
        /// A query parameter.
        optional "query" query: String as Filled,
    }
    rules [Rule::ExactlyOne(&["header", "cookie", "query"]), Rule::Needs("scheme", "header")]
}

/// Values that a claim may have, any of which will do.
pub struct ClaimValuesSchema(pub Vec<Json>);

/// A secret, given or named.
pub enum SecretSchema {
    /// The secret itself.
    Text(String),
    /// The name of the environment variable that holds it.
    Environment(String),
}

/// A SHA-256 in hexadecimal.
pub struct Sha256Schema(pub KeyDigest);

choice! {
    /// What happens to a request with several credentials that differ.
    pub enum OnMultipleSchema {
        /// It is answered with 400.
        "reject" => Reject,
        /// The first of `from` that has one counts, and the others are removed. Two in one place are still 400.
        "first_source" => FirstSource,
    }
}

choice! {
    /// Whether tokens may, or have to, be bound to a key (`cnf.jkt`, RFC 9449 §6).
    pub enum DpopSchema {
        /// Tokens that are bound are refused.
        "off" => Off,
        /// Tokens that are bound need a proof, others none.
        "allowed" => Allowed,
        /// Tokens that are not bound are refused.
        "required" => Required,
    }
}
