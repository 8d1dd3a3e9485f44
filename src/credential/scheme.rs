//! Authentication schemes (RFC 9110 §11.1) by which something is decided, as challenges spell them.

/// Tokens that are bound to the key of a proof (RFC 9449 §7.1).
pub const DPOP: &str = "DPoP";

/// API keys. It is not registered.
pub const API_KEY: &str = "ApiKey";

/// Signed requests, in challenges and in the `Authorization` of generic ones. It is not registered.
pub const HMAC_SHA256: &str = "HMAC-SHA256";
