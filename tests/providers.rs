//! Identity providers and what becomes of them, in a real Envoy: a thousand requests at once, a provider that is down,
//! slow, wrong or gone for good. The provider is the harness's own, and fails as it is told to.
//!
//! Whatever happens, nothing traps, nothing stays in flight, and no secret reaches the log: [`gateway::Running::finish`]
//! says so at the end of every test.

mod providers {
    mod failures;
    mod gateway;
    mod introspection;
    mod keys;
    mod outage;
    mod reload;
    mod revocation;
    mod waiters;
}
