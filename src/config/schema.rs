//! The members of a configuration and their types. What they mean together is checked when they are compiled.
//!
//! Doc comments here are what the JSON Schema and `docs/configuration.md` tell users: meaning, unit, default, source.

mod authenticators;
#[cfg(not(target_arch = "wasm32"))]
mod described;
mod providers;
mod read;
mod routes;
mod signed;

use std::{num::NonZeroUsize, time::Duration};

#[cfg(not(target_arch = "wasm32"))]
use super::describe::forms::{
    AtMost, AuthenticatorName, BaseUrl, Filled, HeaderName, HeaderNames, NamedBy, Origin, OverrideHeader,
    ParameterNames, Printable,
};
use super::{
    decode::{Items, Named, choice, object},
    limit::{KeyLimitSchema, RateLimitSchema},
};
pub use authenticators::{
    ApiKeySchema, ApiKeysSchema, AuthenticatorSchema, ClaimValuesSchema, DpopSchema, IntrospectionCacheSchema,
    IntrospectionSchema, JwtSchema, MtlsSchema, OnMultipleSchema, SecretSchema, Sha256Schema, SourceSchema,
};
pub use providers::{
    DiscoverySchema, JwksSchema, RemoteJwksSchema, RevocationSchema, RevokedClaimSchema, WithoutListSchema,
};
pub use routes::{
    AuthSchema, CombinationSchema, EncodedSlashSchema, FormOfValueSchema, IntegrationSchema, MappedSchema,
    MappingSchema, PathSchema, RestrictionsSchema, RuleSchema, ValueSchema,
};
pub use signed::{HmacSchema, SignatureSchemeSchema, SigningKeySchema};

object! {
    /// The plugin configuration of gatepost, a proxy-wasm filter that authenticates requests at the gateway.
    pub struct GatewaySchema {
        /// Who verifies credentials, by names that routes refer to.
        optional "authenticators" authenticators: Named<AuthenticatorSchema>
            as NamedBy<AuthenticatorName, AuthenticatorSchema>,
        /// Shorthand for one authenticator, named `default`.
        optional "authorizer" authorizer: AuthenticatorSchema,
        /// The authenticator that `"auth": true` means. Needless where there is only one.
        optional "default_auth" default_auth: String,
        /// Values for `$config.NAME` in mappings.
        optional "variables" variables: Named<String>,
        /// Services that routes can name. Without this member, routes name clusters.
        optional "servers" servers: Items<ServerSchema>,
        /// Request headers that are removed besides every mapped one, whatever the route, because services take them for
        /// identity. Names are compared without case, and with all but letters and digits taken for `-`: `x-user-id`
        /// also means `X_User.Id`.
        optional "identity_headers" identity_headers: Items<String> as Items<HeaderNames> = [],
        /// Query parameters that are removed from every request.
        optional "identity_query" identity_query: Items<String> as Items<ParameterNames> = [],
        /// Method and path override headers that services may see. All others of their kind are removed.
        optional "allow_override_headers" allow_override_headers: Items<String> as Items<OverrideHeader> = [],
        /// A short-lived JWT of gatepost's own, by which services can tell that a request came through the gateway.
        optional "identity_token" identity_token: IdentityTokenSchema,
        /// What happens to a path that no route has.
        optional "unmatched" unmatched: UnmatchedSchema = "reject",
        /// What happens to a CORS preflight on a path that serves the method it asks for.
        optional "cors_preflight" cors_preflight: PreflightSchema = "forward",
        /// What happens to a path that servers read differently, such as one with `..`, `//` or `%2F`.
        optional "path_policy" path_policy: PathPolicySchema = "strict",
        /// Whether denials are carried out. Routes can differ.
        optional "mode" mode: ModeSchema = "enforce",
        /// How denials are written.
        optional "responses" responses: ResponsesSchema,
        /// Origins, besides the request's own, that may make unsafe requests and upgrades with a cookie as the credential.
        optional "csrf_origins" csrf_origins: Items<String> as Items<Origin> = [],
        /// Whether the origin of unsafe requests with a cookie as the credential is checked.
        optional "csrf" csrf: SwitchSchema = "on",
        /// How many requests of one caller pass, counted over all routes. No limit by default.
        optional "rate_limit" rate_limit: RateLimitSchema,
        /// Whether every forwarded request gets `x-gatepost-limit-key`, which tells the host's own rate limit filter for
        /// whom it counts.
        optional "limit_key" limit_key: bool = false,
        /// How much is remembered.
        optional "cache" cache: CacheSchema,
        /// Where signatures of tokens are verified.
        optional "crypto" crypto: CryptoSchema = "sandbox",
        /// The routes. Their order means nothing: the most specific path decides.
        optional "paths" paths: Items<PathSchema> as super::decode::NonEmpty<PathSchema>,
        /// Of which decisions there is a line in the log.
        optional "audit" audit: AuditSchema,
    }
    rules [
        Rule::When(Condition {
            else_required: &["paths"],
            ..Condition::of("unmatched", &["\"authenticate\"", "\"forward\""])
        }),
        Rule::When(Condition { forbidden: &["csrf_origins"], ..Condition::of("csrf", &["\"off\""]) }),
    ]
}

object! {
    /// A service behind the gateway.
    pub struct ServerSchema {
        /// The name by which routes call it.
        required "alias" alias: String as Filled,
        /// The host's name for it, in Envoy a cluster's. The alias by default.
        optional "cluster" cluster: String as Printable,
        /// Its URL: requests are forwarded with its authority, and below its path. By default both stay as they come.
        optional "url" url: String as BaseUrl,
    }
}

object! {
    /// A short-lived JWT of gatepost's own for services, with `iss`, `sub`, `aud`, `iat`, `exp`, `auth`, `scope` and
    /// `roles`. Its `typ` is `gatepost+jwt`.
    pub struct IdentityTokenSchema {
        /// The header that holds it. No client can set it, and no route can map it.
        required "header" header: String as HeaderName,
        /// The algorithm of its signature (RFC 7518 §3.1, RFC 8037).
        required "algorithm" algorithm: SigningAlgorithmSchema,
        /// A secret of at least 32 bytes for HS256, else a private key as PKCS #8 PEM (RFC 5958).
        required "key" key: SecretSchema,
        /// How long a token is good: whole seconds, from `1s` to `1h`.
        optional "ttl" ttl: Duration = "30s",
        /// `aud`. By default what the route's `integration.server` says, so that one service cannot replay it to
        /// another; required where a route with `auth` has no `integration`.
        optional "audience" audience: String as Filled,
        /// `iss`.
        optional "issuer" issuer: String as Filled = "gatepost",
    }
}

object! {
    /// How denials are written.
    pub struct ResponsesSchema {
        /// The `realm` of challenges (RFC 9110 §11.5). None by default.
        optional "realm" realm: String as Printable,
        /// The body of denials.
        optional "format" format: FormatSchema = "json",
        /// URL of the protected resource metadata (RFC 9728), for challenges. None by default.
        optional "resource_metadata" resource_metadata: String as Printable,
        /// Origins whose scripts may read a denial and its challenge (CORS).
        optional "cors_origins" cors_origins: Items<String> as Items<Origin> = [],
    }
}

object! {
    /// Of which decisions there is a line in the log.
    pub struct AuditSchema {
        /// Of those that denied, or, in shadow mode, would have.
        optional "denied" denied: bool = true,
        /// Of those that allowed.
        optional "allowed" allowed: bool = false,
    }
}

object! {
    /// How much is remembered.
    pub struct CacheSchema {
        /// How many verified tokens each worker keeps for each authenticator: some kilobytes each.
        optional "tokens" tokens: NonZeroUsize as AtMost<1_000_000> = 4096,
    }
}

choice! {
    /// What happens to a path that no route has.
    pub enum UnmatchedSchema {
        /// It is answered with 404.
        "reject" => Reject,
        /// The default authenticator has to accept the caller; no identity is forwarded.
        "authenticate" => Authenticate,
        /// It is forwarded, without identity.
        "forward" => Forward,
    }
}

choice! {
    /// What happens to a CORS preflight: OPTIONS with one `Origin`, one `Access-Control-Request-Method` and no body.
    pub enum PreflightSchema {
        /// It is forwarded without a credential, as browsers send it.
        "forward" => Forward,
        /// It needs what any other request needs.
        "authenticate" => Authenticate,
    }
}

choice! {
    /// What happens to a path that servers read differently.
    pub enum PathPolicySchema {
        /// It is answered with 400.
        "strict" => Strict,
        /// Dots are resolved, slashes merged and `;` parameters kept; the rest is answered with 400.
        "normalize" => Normalize,
    }
}

choice! {
    /// Where signatures of tokens are verified.
    pub enum CryptoSchema {
        /// In the filter.
        "sandbox" => Sandbox,
        /// By the host, as far as it offers that; the rest in the filter.
        "host" => Host,
    }
}

choice! {
    /// Whether denials are carried out.
    pub enum ModeSchema {
        /// They are.
        "enforce" => Enforce,
        /// They are counted, and the request is forwarded without identity, its credentials left in place.
        "shadow" => Shadow,
    }
}

choice! {
    /// The body of denials.
    pub enum FormatSchema {
        /// `error` and `error_description`, as OAuth has them.
        "json" => Json,
        /// Problem details (RFC 9457).
        "problem" => Problem,
    }
}

choice! {
    /// Whether something is done.
    pub enum SwitchSchema {
        /// It is.
        "on" => On,
        /// It is not.
        "off" => Off,
    }
}

choice! {
    /// The algorithm of a signature of gatepost's own.
    pub enum SigningAlgorithmSchema {
        /// HMAC with SHA-256: whoever verifies can sign as well.
        "HS256" => Hs256,
        /// ECDSA on P-256 with SHA-256.
        "ES256" => Es256,
        /// Ed25519.
        "EdDSA" => EdDsa,
    }
}
