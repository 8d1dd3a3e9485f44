//! The members of authenticators that verify signed requests.

use std::{num::NonZeroUsize, time::Duration};

use super::{KeyLimitSchema, SecretSchema};
#[cfg(not(target_arch = "wasm32"))]
use crate::config::describe::forms::{AtMost, Filled, KeyId, Role, Scope, UpTo};
use crate::{
    config::decode::{Items, NonEmpty, choice, object},
    time::UnixTime,
};

object! {
    /// Verifies signatures over whole requests, bodies included, by a secret that the caller shares. The body is held until
    /// it is verified.
    pub struct HmacSchema {
        /// Says that it is an authenticator of signed requests.
        required "type" _type: String,
        /// Whose way of signing it is.
        required "scheme" scheme: SignatureSchemeSchema,
        /// Secrets, any one of which may have been used: two while they are changed.
        optional "secrets" secrets: NonEmpty<SecretSchema> as UpTo<8, SecretSchema>,
        /// The keys of `generic`, one of which each request names.
        optional "keys" keys: NonEmpty<SigningKeySchema>,
        /// By how much a signature's time may differ from the gateway's, either way: up to `24h`.
        optional "tolerance" tolerance: Duration = "5m",
        /// The longest body, in bytes. Longer ones are answered with 413.
        optional "max_body" max_body: NonZeroUsize as AtMost<67_108_864> = 1048576,
        /// How long a body may take to arrive, up to `1h`. Then 408 is answered.
        optional "body_timeout" body_timeout: Duration = "10s",
        /// Whether a verified signature stays in the forwarded request.
        optional "forward_credential" forward_credential: bool = false,
    }
    rules [
        Rule::When(Condition {
            required: &["keys"],
            forbidden: &["secrets"],
            else_required: &["secrets"],
            else_forbidden: &["keys"],
            ..Condition::of("scheme", &["\"generic\""])
        }),
        Rule::When(Condition {
            forbidden: &["tolerance"],
            ..Condition::of("scheme", &["\"github\"", "\"shopify\""])
        }),
    ]
}

object! {
    /// A key with which callers sign.
    pub struct SigningKeySchema {
        /// The subject of who signs with it, and what requests name it by. No two keys have the same.
        required "id" id: String as KeyId,
        /// The secret that the caller shares.
        required "secret" secret: SecretSchema,
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

choice! {
    /// Whose way of signing requests it is.
    pub enum SignatureSchemeSchema {
        /// `X-Hub-Signature-256`.
        "github" => GitHub,
        /// `Stripe-Signature`.
        "stripe" => Stripe,
        /// `X-Slack-Signature`.
        "slack" => Slack,
        /// `X-Shopify-Hmac-Sha256`.
        "shopify" => Shopify,
        /// `webhook-signature`, with `webhook-id` and `webhook-timestamp`. Secrets are base64, after `whsec_` or alone.
        "standard-webhooks" => StandardWebhooks,
        /// `Authorization: HMAC-SHA256`, for callers of your own. It has `keys` instead of `secrets`.
        "generic" => Generic,
    }
}
