//! The command `gatepost`, through its built binary.

#[path = "command/check.rs"]
mod check;
#[path = "command/contract.rs"]
mod contract;
#[path = "command/explain.rs"]
mod explain;
#[path = "command/hash_key.rs"]
mod hash_key;
#[path = "command/help.rs"]
mod help;
#[path = "command/jwks.rs"]
mod jwks;
#[path = "command/run.rs"]
mod run;
#[path = "command/support.rs"]
mod support;
#[path = "command/token.rs"]
mod token;
#[path = "command/warnings.rs"]
mod warnings;
