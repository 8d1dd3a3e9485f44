//! The scenario table: what `tests/scenarios/` promises, and the three hosts that must keep it.
//!
//! [`Table::load`] reads the files (their format is in `tests/scenarios/README.md`), [`native`], [`module`] and
//! [`gateway`] run them on the engine, the `.wasm` in wasmtime and the `.wasm` in Envoy, and [`Report`] tells every
//! scenario that does not hold.

mod check;
mod format;
pub mod gateway;
mod identity;
pub mod module;
pub mod native;
mod observed;
mod placeholder;
mod providers;
mod report;
mod sign;
mod simulation;
mod table;
mod text;
mod token;

pub use format::{Expectation, HostName, Listener, Scenario, Step};
pub use observed::{Answer, Observed, Received};
pub use report::Report;
pub use table::{Table, TableError};
