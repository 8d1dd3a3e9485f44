//! Every way in which a request can be refused, in one closed enum, and what the caller is then told.
//!
//! A [`Reason`] is precise and goes to metrics, audit lines and `gatepost explain`. A [`Code`] is what the caller
//! learns: enough to act on, nothing that would help to guess a key, an issuer or an audience.

mod answer;
mod code;
mod reason;

pub use answer::{Answer, Circumstances, Format, GrpcStatus, Responses};
pub use code::{Challenge, Code};
pub use reason::Reason;
