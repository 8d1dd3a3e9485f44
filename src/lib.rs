//! gatepost: gateway authentication as a proxy-wasm filter.
//!
//! It verifies the credential of a request, removes it, removes every identity header and query parameter that the
//! client may have forged, and forwards verified identity. Where to look:
//!
//! | question | file |
//! |---|---|
//! | What happens to one request, from head to verdict? | [`engine`] |
//! | How does a proxy call it? | `plugin` (built for WASI alone) |
//! | What may a configuration say, and how is it checked? | [`config`] |
//! | Which route decides? How are paths normalised? | [`route`] |
//! | What is a request, a header field, a raw query, a credential? | [`request`], [`headers`], [`query`], [`credential`] |
//! | How are tokens, keys, certificates and signatures of callers verified, and how do policies combine them? | [`auth`] |
//! | How are tokens, key sets and claims read? | [`jose`] |
//! | How is a signature verified? | [`crypto`] |
//! | What is stripped, mapped, forwarded? | [`strip`], [`mapping`], [`forward`] |
//! | How do services learn that a request came through the gateway? | [`identity_token`] |
//! | How is a request refused? | [`deny`] |
//! | What is an identity provider asked, and when? | [`provider`] |
//! | What does the host offer besides requests? | [`host`] |
//! | What do operators see? | [`audit`], [`metrics`] |
//! | What is remembered? | [`cache`], [`replay`] |
//! | How are JSON and times read? | [`json`], [`time`] |
//! | How many requests pass? | [`limit`] |
//! | How is hexadecimal read and written? | [`hex`] |
//!
//! Dependencies point one way: `plugin` to [`engine`], that to [`auth`], [`route`] and [`mapping`], those to [`jose`],
//! [`crypto`] and [`request`]. Nothing but `plugin` names proxy-wasm, reads a clock or makes a call.

#![deny(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects
    )
)]

pub mod audit;
pub mod auth;
pub mod cache;
pub mod config;
pub mod credential;
pub mod crypto;
pub mod deny;
pub mod engine;
pub mod forward;
pub mod headers;
pub mod hex;
pub mod host;
pub mod identity_token;
pub mod jose;
pub mod json;
mod label;
pub mod limit;
pub mod mapping;
pub mod metrics;
pub mod provider;
pub mod query;
pub mod replay;
pub mod request;
pub mod route;
pub mod strip;
pub mod time;

#[cfg(all(target_os = "wasi", feature = "plugin"))]
mod plugin;
#[cfg(test)]
mod test;
