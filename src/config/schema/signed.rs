//! The members of authenticators that verify signed requests.

use std::{num::NonZeroUsize, time::Duration};

use super::{KeyLimitSchema, SecretSchema};
use crate::{
    config::decode::{Items, NonEmpty, choice, object},
    time::UnixTime,
};

object! {
    /// An authenticator that verifies signatures over requests.
    pub struct HmacSchema {
        required "type" _type: String,
        /// Whose way of signing it is.
        required "scheme" scheme: SignatureSchemeSchema,
        /// Any one of these; `generic` has `keys`.
        optional "secrets" secrets: NonEmpty<SecretSchema>,
        /// The keys of `generic`.
        optional "keys" keys: NonEmpty<SigningKeySchema>,
        /// By how much a signature's time may differ from the gateway's; 5m by default.
        optional "tolerance" tolerance: Duration,
        /// The longest body, in bytes; 1 MiB by default.
        optional "max_body" max_body: NonZeroUsize,
        /// How long a body may take to arrive; 10s by default.
        optional "body_timeout" body_timeout: Duration,
        /// Whether a verified signature stays in the forwarded request.
        optional "forward_credential" forward_credential: bool,
    }
}

object! {
    /// A key with which callers sign.
    pub struct SigningKeySchema {
        /// The subject of who signs with it.
        required "id" id: String,
        required "secret" secret: SecretSchema,
        /// Whose it is.
        optional "owner" owner: String,
        optional "scopes" scopes: Items<String>,
        optional "roles" roles: Items<String>,
        /// When it ends: RFC 3339.
        optional "expires_at" expires_at: UnixTime,
        /// How many requests pass with it.
        optional "rate_limit" rate_limit: KeyLimitSchema,
    }
}

choice! { pub enum SignatureSchemeSchema {
    "github" => GitHub,
    "stripe" => Stripe,
    "slack" => Slack,
    "shopify" => Shopify,
    "standard-webhooks" => StandardWebhooks,
    "generic" => Generic,
} }
