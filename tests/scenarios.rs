//! One table of promises, three hosts that keep them: `tests/scenarios/README.md`.
//!
//! `SCENARIO=part-of-a-name` narrows a run; `GATEPOST_MODULE` names another module than the one that `make build` makes.

use wasm_test_harness::{
    host::Host,
    module_path,
    scenario::{Table, gateway, module, native},
};

#[test]
fn the_engine_keeps_every_promise() {
    native::run(&table()).assert();
}

#[test]
fn the_module_in_wasmtime_keeps_every_promise() {
    let host = Host::load(&module_path()).unwrap_or_else(|error| panic!("{error}"));
    module::run(&table(), &host).assert();
}

#[test]
fn the_module_in_envoy_keeps_every_promise() {
    gateway::run(&table(), &module_path()).unwrap_or_else(|error| panic!("{error}")).assert();
}

#[test]
fn every_promise_about_signatures_is_kept_where_the_host_verifies_them() {
    let table = table().of_host_crypto();
    native::run(&table).assert();
    let host = Host::load(&module_path()).unwrap_or_else(|error| panic!("{error}"));
    module::run(&table, &host).assert();
    module::run_without_foreign_functions(&table, &host).assert();
    gateway::run(&table, &module_path()).unwrap_or_else(|error| panic!("{error}")).assert();
}

fn table() -> Table {
    Table::of_repository().unwrap_or_else(|error| panic!("{error}"))
}
