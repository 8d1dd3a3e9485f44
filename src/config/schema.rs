//! The members of a configuration and their types. What they mean together is checked when they are compiled.

mod read;
mod signed;

use std::{num::NonZeroUsize, rc::Rc, time::Duration};

use super::{
    decode::{Items, Member, Named, NonEmpty, OneOrMore, choice, object},
    limit::{KeyLimitSchema, RateLimitSchema},
};
use crate::{
    auth::api_key::{ApiKeys, KeyDigest},
    json::Json,
    time::UnixTime,
};
pub use signed::{HmacSchema, SignatureSchemeSchema, SigningKeySchema};

object! {
    /// The whole configuration.
    pub struct GatewaySchema {
        /// Who verifies credentials, by name.
        optional "authenticators" authenticators: Named<AuthenticatorSchema>,
        /// Shorthand for one authenticator, named `default`.
        optional "authorizer" authorizer: AuthenticatorSchema,
        /// The authenticator that `auth: true` means; needless where there is one.
        optional "default_auth" default_auth: String,
        /// Values for `$config.NAME`.
        optional "variables" variables: Named<String>,
        /// Services that routes can name.
        optional "servers" servers: Items<ServerSchema>,
        /// Headers that are stripped besides every mapped name; a trailing `*` makes a prefix.
        optional "identity_headers" identity_headers: Items<String>,
        /// Query parameters that are stripped on every request; a trailing `*` makes a prefix.
        optional "identity_query" identity_query: Items<String>,
        /// Method and path override headers that services may see.
        optional "allow_override_headers" allow_override_headers: Items<String>,
        /// A token of gatepost's own for services.
        optional "identity_token" identity_token: IdentityTokenSchema,
        /// What happens to a path that no route has.
        optional "unmatched" unmatched: UnmatchedSchema,
        /// Whether a CORS preflight passes without a credential.
        optional "cors_preflight" cors_preflight: PreflightSchema,
        /// What happens to a path that servers read differently.
        optional "path_policy" path_policy: PathPolicySchema,
        /// Whether denials are carried out.
        optional "mode" mode: ModeSchema,
        /// How denials are written.
        optional "responses" responses: ResponsesSchema,
        /// Origins, besides the request's own, that may make unsafe requests with cookies.
        optional "csrf_origins" csrf_origins: Items<String>,
        /// Whether the origin of unsafe requests with cookies is checked.
        optional "csrf" csrf: SwitchSchema,
        /// How many requests pass, counted over all routes.
        optional "rate_limit" rate_limit: RateLimitSchema,
        /// Whether `x-gatepost-limit-key` tells the host for whom a request counts.
        optional "limit_key" limit_key: bool,
        /// How much is remembered.
        optional "cache" cache: CacheSchema,
        /// Where signatures are verified.
        optional "crypto" crypto: CryptoSchema,
        /// The routes.
        optional "paths" paths: Items<PathSchema>,
    }
    unsupported ["audit"]
}

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
    /// A JWT authenticator.
    pub struct JwtSchema {
        required "type" _type: String,
        /// `iss`; `*` accepts any.
        required "issuer" issuer: OneOrMore<String>,
        /// `aud`, any one of which must match; `*` accepts any.
        required "audiences" audiences: OneOrMore<String>,
        /// Algorithms that are accepted; by default all that the keys allow.
        optional "algorithms" algorithms: NonEmpty<String>,
        /// A JWK set.
        optional "jwks" jwks: JwksSchema,
        /// A shared secret for HS256, HS384 and HS512.
        optional "secret" secret: SecretSchema,
        /// Whether the secret is base64.
        optional "secret_base64" secret_base64: bool,
        /// One public key.
        optional "public_key_pem" public_key_pem: String,
        /// By how much clocks may differ; 60s by default.
        optional "clock_skew" clock_skew: Duration,
        /// Claims that have to be there; `["exp"]` by default.
        optional "require" require: Items<String>,
        /// The longest time between `iat` and `exp`.
        optional "max_lifetime" max_lifetime: Duration,
        /// `typ` headers; absent, JWT and at+jwt by default; `""` is an absent one, `*` any.
        optional "types" types: NonEmpty<String>,
        /// Claims that must equal, or contain, a value.
        optional "claims" claims: Named<ClaimValuesSchema>,
        /// Where roles stand; `roles` by default.
        optional "roles_claim" roles_claim: String,
        /// Where scopes stand; `scope`, then `scp` by default.
        optional "scopes_claim" scopes_claim: String,
        /// Where the token is looked for; `Authorization: Bearer` by default.
        optional "from" from: NonEmpty<SourceSchema>,
        /// What to do about differing tokens.
        optional "on_multiple" on_multiple: OnMultipleSchema,
        /// Whether a verified token stays in the forwarded request.
        optional "forward_credential" forward_credential: bool,
        /// Whether tokens may, or have to, be bound to the key of a proof (RFC 9449); `off` by default.
        optional "dpop" dpop: DpopSchema,
        /// Where clients send their requests; by default what each request says.
        optional "dpop_origin" dpop_origin: String,
        /// Where it is said which tokens were taken back.
        optional "revocation" revocation: RevocationSchema,
    }
}

object! {
    /// A list of tokens that are good for nothing any more.
    pub struct RevocationSchema {
        required "url" url: String,
        /// The host's name for its servers.
        required "cluster" cluster: String,
        /// How long a fetch may take; 5s by default.
        optional "timeout" timeout: Duration,
        /// How old the list is when it is fetched again; 30s by default.
        optional "refresh" refresh: Duration,
        /// How old it may be when no fetch succeeds; 10m by default.
        optional "max_stale" max_stale: Duration,
        /// The claim whose values it names; `jti` by default.
        optional "by" by: RevokedClaimSchema,
        /// What becomes of tokens while there is no list; `deny` by default.
        optional "unavailable" unavailable: WithoutListSchema,
    }
}

object! {
    /// An authenticator that asks a token's issuer (RFC 7662).
    pub struct IntrospectionSchema {
        required "type" _type: String,
        /// The introspection endpoint.
        required "url" url: String,
        /// The host's name for its servers.
        required "cluster" cluster: String,
        /// Who the gateway is to it (RFC 6749 §2.3.1).
        required "client_id" client_id: String,
        required "client_secret" client_secret: SecretSchema,
        /// How long an answer may take; 1s by default.
        optional "timeout" timeout: Duration,
        /// `iss`, which the answer then has to name.
        optional "issuer" issuer: OneOrMore<String>,
        /// `aud`, any one of which must match; `*` accepts any.
        required "audiences" audiences: OneOrMore<String>,
        /// How long answers are believed.
        optional "cache" cache: IntrospectionCacheSchema,
        /// By how much clocks may differ; 60s by default.
        optional "clock_skew" clock_skew: Duration,
        /// Members that have to be there; none by default.
        optional "require" require: Items<String>,
        /// Members that must equal, or contain, a value.
        optional "claims" claims: Named<ClaimValuesSchema>,
        /// Where roles stand; `roles` by default.
        optional "roles_claim" roles_claim: String,
        /// Where scopes stand; `scope`, then `scp` by default.
        optional "scopes_claim" scopes_claim: String,
        /// Where the token is looked for; `Authorization: Bearer` by default.
        optional "from" from: NonEmpty<SourceSchema>,
        /// What to do about differing tokens.
        optional "on_multiple" on_multiple: OnMultipleSchema,
        /// Whether a verified token stays in the forwarded request.
        optional "forward_credential" forward_credential: bool,
    }
}

object! {
    /// An authenticator of client certificates, any one pattern of which has to match.
    pub struct MtlsSchema {
        required "type" _type: String,
        /// URIs, such as SPIFFE IDs; a trailing `*` stands for any end here and in the next two.
        optional "uri_sans" uri_sans: Items<String>,
        /// DNS names, compared without case.
        optional "dns_sans" dns_sans: Items<String>,
        /// Subjects, as the host writes them (RFC 2253).
        optional "subjects" subjects: Items<String>,
        /// SHA-256 of the whole certificate, in hexadecimal.
        optional "fingerprints" fingerprints: Items<String>,
        /// Whether the listener lets no client through whose certificate it has not validated; for hosts that cannot tell.
        optional "listener_validates" listener_validates: bool,
    }
}

object! {
    /// How long answers about tokens are believed.
    pub struct IntrospectionCacheSchema {
        /// A good token's, never past its `exp`; 30s by default, 0s to ask every time.
        optional "ttl" ttl: Duration,
        /// Any other's; 5s by default.
        optional "negative_ttl" negative_ttl: Duration,
        /// Tokens of each kind; 4096 by default.
        optional "entries" entries: NonZeroUsize,
    }
}

object! {
    /// An authenticator that knows keys by their hashes.
    pub struct ApiKeysSchema {
        required "type" _type: String,
        required "keys" keys: Rc<ApiKeys>,
        /// Where the key is looked for; the `x-api-key` header by default.
        optional "from" from: NonEmpty<SourceSchema>,
        /// What to do about differing keys.
        optional "on_multiple" on_multiple: OnMultipleSchema,
        /// Whether a verified key stays in the forwarded request.
        optional "forward_credential" forward_credential: bool,
    }
}

object! {
    /// One API key.
    pub struct ApiKeySchema {
        /// The subject of who presents it.
        required "id" id: String,
        /// The SHA-256 of the key.
        required "sha256" sha256: Sha256Schema,
        /// Whose it is.
        optional "owner" owner: String,
        optional "scopes" scopes: Items<String>,
        optional "roles" roles: Items<String>,
        /// When it ends (RFC 3339); never by default.
        optional "expires_at" expires_at: UnixTime,
        /// How many requests pass.
        optional "rate_limit" rate_limit: KeyLimitSchema,
    }
}

object! {
    /// Where the keys are: exactly one of the three.
    pub struct JwksSchema {
        /// The key set itself.
        optional "inline" inline: Json,
        /// Its URL.
        optional "remote" remote: RemoteJwksSchema,
        /// The issuer whose discovery document names its URL.
        optional "discovery" discovery: DiscoverySchema,
    }
}

object! {
    /// A key set at a URL.
    pub struct RemoteJwksSchema {
        required "url" url: String,
        /// The host's name for its servers.
        required "cluster" cluster: String,
        /// How long a fetch may take; 5s by default.
        optional "timeout" timeout: Duration,
        /// How old keys are when they are fetched again; 10m by default.
        optional "refresh" refresh: Duration,
        /// How old keys may be when no fetch succeeds; 1h by default.
        optional "max_stale" max_stale: Duration,
        /// How often unknown key ids may cause a fetch; 30s by default.
        optional "cooldown" cooldown: Duration,
    }
}

object! {
    /// A key set that a discovery document names (OpenID Connect Discovery 1.0).
    pub struct DiscoverySchema {
        /// The issuer: `/.well-known/openid-configuration` is fetched below it.
        required "issuer" issuer: String,
        /// The host's name for its servers.
        required "cluster" cluster: String,
        /// The host's name for the servers that have the keys, where they are on another host.
        optional "jwks_cluster" jwks_cluster: String,
        /// How long a fetch, of the document and the keys, may take; 5s by default.
        optional "timeout" timeout: Duration,
        /// How old keys are when they are fetched again; 10m by default.
        optional "refresh" refresh: Duration,
        /// How old keys may be when no fetch succeeds; 1h by default.
        optional "max_stale" max_stale: Duration,
        /// How often unknown key ids may cause a fetch; 30s by default.
        optional "cooldown" cooldown: Duration,
    }
}

object! {
    /// A place where a credential is looked for: exactly one of the three.
    pub struct SourceSchema {
        optional "header" header: String,
        /// The authentication scheme before the credential.
        optional "scheme" scheme: String,
        optional "cookie" cookie: String,
        optional "query" query: String,
    }
}

object! {
    /// A service.
    pub struct ServerSchema {
        /// The name by which routes call it.
        required "alias" alias: String,
        /// The host's name for it; the alias by default.
        optional "cluster" cluster: String,
        /// Its authority and the path that goes before forwarded ones.
        optional "url" url: String,
    }
}

object! {
    /// A token of gatepost's own for services.
    pub struct IdentityTokenSchema {
        /// The header that holds it.
        required "header" header: String,
        required "algorithm" algorithm: SigningAlgorithmSchema,
        /// A secret for HS256, else a private key as PKCS #8 PEM.
        required "key" key: SecretSchema,
        /// How long a token is good; 30s by default.
        optional "ttl" ttl: Duration,
        /// `aud`; by default what the route's `integration.server` says.
        optional "audience" audience: String,
        /// `iss`; `gatepost` by default.
        optional "issuer" issuer: String,
    }
}

object! {
    /// How denials are written.
    pub struct ResponsesSchema {
        optional "realm" realm: String,
        optional "format" format: FormatSchema,
        /// URL of the protected resource metadata (RFC 9728).
        optional "resource_metadata" resource_metadata: String,
        /// Origins whose scripts may read a denial.
        optional "cors_origins" cors_origins: Items<String>,
    }
}

object! {
    /// How much is remembered.
    pub struct CacheSchema {
        /// Verified tokens, for each authenticator; 4096 by default.
        optional "tokens" tokens: NonZeroUsize,
    }
}

object! {
    /// A route.
    pub struct PathSchema {
        /// A method, several, or `ANY`.
        required "method" method: OneOrMore<String>,
        /// A path template.
        required "path" path: String,
        /// Who may call.
        required "auth" auth: AuthSchema,
        /// Hosts that the route is for; all by default.
        optional "hosts" hosts: NonEmpty<String>,
        /// Where requests go.
        optional "integration" integration: IntegrationSchema,
        /// What is set on forwarded requests.
        optional "mapping" mapping: MappingSchema,
        /// Values for `$config.NAME` on this route.
        optional "variables" variables: Named<String>,
        /// Whether denials are carried out.
        optional "mode" mode: ModeSchema,
        /// Whether `%2F` may stand inside a segment.
        optional "encoded_slash" encoded_slash: EncodedSlashSchema,
        /// Whether literals match whatever their case.
        optional "case_insensitive" case_insensitive: bool,
        /// How many requests pass.
        optional "rate_limit" rate_limit: RateLimitSchema,
    }
}

/// Who may call a route.
pub enum AuthSchema {
    /// `false`: everyone.
    Public,
    /// `true`: whoever the default authenticator verifies.
    Default,
    /// A name, or an object.
    Rule(RuleSchema),
}

/// A rule: a name, or an object with exactly one of `use`, `any` and `all`.
pub struct RuleSchema {
    /// None where it has an error.
    pub combination: Option<CombinationSchema>,
    pub restrictions: RestrictionsSchema,
    pub is_object: bool,
}

/// How authenticators combine.
pub enum CombinationSchema {
    Use(String),
    Any(NonEmpty<RuleSchema>),
    All(NonEmpty<RuleSchema>),
}

/// What a rule asks of the identity.
pub struct RestrictionsSchema {
    pub roles: Member<NonEmpty<String>>,
    pub scopes: Member<NonEmpty<String>>,
    pub audiences: Member<NonEmpty<String>>,
    pub claims: Member<Named<ClaimValuesSchema>>,
    pub optional: bool,
}

object! {
    /// Where requests go.
    pub struct IntegrationSchema {
        required "type" _type: IntegrationKindSchema,
        /// An entry of `servers`, or a cluster where there are none.
        required "server" server: String,
    }
}

object! {
    /// What is set on forwarded requests.
    pub struct MappingSchema {
        optional "headers" headers: Named<MappedSchema>,
        optional "query" query: Named<MappedSchema>,
    }
}

object! {
    /// A value in its long form.
    pub struct ValueSchema {
        required "value" value: String,
        optional "as" form: FormOfValueSchema,
        optional "default" default: String,
        optional "required" required: bool,
    }
}

/// A value in its short or long form.
pub struct MappedSchema {
    pub value: ValueSchema,
    pub is_long: bool,
}

/// Values that a claim may have, any of which will do.
pub struct ClaimValuesSchema(pub Vec<Json>);

/// A secret, given or named.
pub enum SecretSchema {
    Text(String),
    Environment(String),
}

choice! { pub enum UnmatchedSchema { "reject" => Reject, "authenticate" => Authenticate, "forward" => Forward, } }
choice! { pub enum PreflightSchema { "forward" => Forward, "authenticate" => Authenticate, } }
choice! { pub enum PathPolicySchema { "strict" => Strict, "normalize" => Normalize, } }
choice! { pub enum CryptoSchema { "sandbox" => Sandbox, "host" => Host, } }
choice! { pub enum ModeSchema { "enforce" => Enforce, "shadow" => Shadow, } }
choice! { pub enum FormatSchema { "json" => Json, "problem" => Problem, } }
choice! { pub enum SwitchSchema { "on" => On, "off" => Off, } }
choice! { pub enum OnMultipleSchema { "reject" => Reject, "first_source" => FirstSource, } }
choice! { pub enum DpopSchema { "off" => Off, "allowed" => Allowed, "required" => Required, } }
choice! { pub enum EncodedSlashSchema { "reject" => Reject, "keep" => Keep, } }
choice! { pub enum RevokedClaimSchema { "jti" => TokenId, "sub" => Subject, "sid" => Session, } }
choice! { pub enum WithoutListSchema { "deny" => Deny, "allow" => Allow, } }
choice! { pub enum IntegrationKindSchema { "http_proxy" => HttpProxy, } }
choice! { pub enum SigningAlgorithmSchema { "HS256" => Hs256, "ES256" => Es256, "EdDSA" => EdDsa, } }
choice! { pub enum FormOfValueSchema { "csv" => Csv, "json" => Json, "base64url" => Base64Url, } }

/// A SHA-256 in hexadecimal.
pub struct Sha256Schema(pub KeyDigest);
