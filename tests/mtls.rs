//! Client certificates in a real Envoy, issued by authorities that the test makes.

#[path = "mtls/authority.rs"]
mod authority;
#[path = "mtls/bound_tokens.rs"]
mod bound_tokens;
#[path = "mtls/callers.rs"]
mod callers;
#[path = "mtls/gateway.rs"]
mod gateway;
