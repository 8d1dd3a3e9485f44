//! The members that say what is fetched: keys, and lists of revoked tokens.

use std::time::Duration;

#[cfg(not(target_arch = "wasm32"))]
use crate::config::describe::forms::{BaseUrl, Filled, JwkSet, Url};
use crate::{
    config::decode::{choice, object},
    json::Json,
};

object! {
    /// Where keys are.
    pub struct JwksSchema {
        /// The key set itself.
        optional "inline" inline: Json as JwkSet,
        /// Its URL.
        optional "remote" remote: RemoteJwksSchema,
        /// The issuer whose discovery document names its URL.
        optional "discovery" discovery: DiscoverySchema,
    }
    rules [Rule::ExactlyOne(&["inline", "remote", "discovery"])]
}

object! {
    /// A key set at a URL, fetched once for all workers of a proxy.
    pub struct RemoteJwksSchema {
        /// Where it is.
        required "url" url: String as Url,
        /// The host's name for the servers that have it, in Envoy a cluster's. The URL gives the path and the authority alone.
        required "cluster" cluster: String as Filled,
        /// How long a fetch may take: up to `1m`, and requests wait for the first one.
        optional "timeout" timeout: Duration = "5s",
        /// How old keys are when they are fetched again, from `100ms` to `8760h`. `Cache-Control: max-age` may make it
        /// shorter, never longer.
        optional "refresh" refresh: Duration = "10m",
        /// How old keys may be when no fetch succeeds, from `100ms` to `8760h`: the longest outage that nobody notices.
        optional "max_stale" max_stale: Duration = "1h",
        /// How often unknown key ids may cause a fetch: once in this time, up to `8760h`.
        optional "cooldown" cooldown: Duration = "30s",
    }
}

object! {
    /// A key set that a discovery document names (OpenID Connect Discovery 1.0).
    pub struct DiscoverySchema {
        /// The issuer: `/.well-known/openid-configuration` is fetched below it, and has to name the same issuer.
        required "issuer" issuer: String as BaseUrl,
        /// The host's name for its servers, in Envoy a cluster's.
        required "cluster" cluster: String as Filled,
        /// The host's name for the servers that have the keys. Needed where `jwks_uri` is on another host than the issuer.
        optional "jwks_cluster" jwks_cluster: String as Filled,
        /// How long a fetch, of the document and the keys together, may take: up to `1m`, and requests wait for the first one.
        optional "timeout" timeout: Duration = "5s",
        /// How old keys are when they are fetched again, from `100ms` to `8760h`. `Cache-Control: max-age` may make it
        /// shorter, never longer.
        optional "refresh" refresh: Duration = "10m",
        /// How old keys may be when no fetch succeeds, from `100ms` to `8760h`: the longest outage that nobody notices.
        optional "max_stale" max_stale: Duration = "1h",
        /// How often unknown key ids may cause a fetch: once in this time, up to `8760h`.
        optional "cooldown" cooldown: Duration = "30s",
    }
}

object! {
    /// A list of tokens that are good for nothing any more, fetched once for all workers of a proxy.
    pub struct RevocationSchema {
        /// Where it is.
        required "url" url: String as Url,
        /// The host's name for the servers that have it, in Envoy a cluster's.
        required "cluster" cluster: String as Filled,
        /// How long a fetch may take: up to `1m`.
        optional "timeout" timeout: Duration = "5s",
        /// How old the list is when it is fetched again, from `100ms` to `8760h`: how late a revocation may be noticed.
        optional "refresh" refresh: Duration = "30s",
        /// How old it may be when no fetch succeeds, from `100ms` to `8760h`.
        optional "max_stale" max_stale: Duration = "10m",
        /// The claim whose values it names. Tokens without it are refused.
        optional "by" by: RevokedClaimSchema = "jti",
        /// What becomes of tokens while there is no list that may be used.
        optional "unavailable" unavailable: WithoutListSchema = "deny",
    }
}

choice! {
    /// The claim whose values a revocation list names.
    pub enum RevokedClaimSchema {
        /// One token (RFC 7519 §4.1.7).
        "jti" => TokenId,
        /// All tokens of somebody (RFC 7519 §4.1.2).
        "sub" => Subject,
        /// All tokens of a session (OpenID Connect Front-Channel Logout 1.0 §3).
        "sid" => Session,
    }
}

choice! {
    /// What becomes of tokens while there is no revocation list that may be used.
    pub enum WithoutListSchema {
        /// They are answered with 503.
        "deny" => Deny,
        /// They are accepted, and counted.
        "allow" => Allow,
    }
}
