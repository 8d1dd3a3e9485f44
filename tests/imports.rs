//! What the module asks of its host is exactly what a host offers: proxy-wasm 0.2.1 as the Rust SDK declares it, and
//! Envoy's eight WASI calls. Anything else would only be found out when somebody's proxy refuses to start.

use std::collections::BTreeSet;

use wasm_test_harness::module_path;
use wasmparser::{ExternalKind, Parser, Payload, TypeRef};

#[test]
fn the_module_imports_only_what_hosts_offer() {
    let mut alien = Vec::new();
    for payload in Parser::new(0).parse_all(&module()) {
        let Payload::ImportSection(imports) = payload.expect("a module that parses") else { continue };
        for import in imports.into_imports() {
            let import = import.expect("an import that parses");
            let offered: &[&str] = match import.module {
                "env" => &PROXY_WASM,
                "wasi_snapshot_preview1" => &WASI,
                _ => &[],
            };
            if !matches!(import.ty, TypeRef::Func(_)) || !offered.contains(&import.name) {
                alien.push(format!("{}.{}", import.module, import.name));
            }
        }
    }
    assert!(alien.is_empty(), "no host offers {alien:?}");
}

#[test]
fn the_module_exports_what_a_host_needs_and_no_callback_that_it_has_no_use_for() {
    let mut exports = BTreeSet::new();
    for payload in Parser::new(0).parse_all(&module()) {
        let Payload::ExportSection(section) = payload.expect("a module that parses") else { continue };
        for export in section {
            let export = export.expect("an export that parses");
            assert!(
                matches!(export.kind, ExternalKind::Func | ExternalKind::Memory),
                "{} is of another kind",
                export.name
            );
            exports.insert(export.name.to_owned());
        }
    }
    // Hosts make each callback that is there. A module with more was not linked by wasm-test-harness/setup/wasm-ld.sh.
    assert_eq!(exports, EXPORTS.map(str::to_owned).into());
}

fn module() -> Vec<u8> {
    let path = module_path();
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}; `make build` makes it", path.display()))
}

const EXPORTS: [&str; 13] = [
    "_initialize",
    "memory",
    "proxy_abi_version_0_2_1",
    "proxy_on_memory_allocate",
    "proxy_on_context_create",
    "proxy_on_vm_start",
    "proxy_on_configure",
    "proxy_on_request_headers",
    "proxy_on_request_body",
    "proxy_on_request_trailers",
    "proxy_on_tick",
    "proxy_on_http_call_response",
    "proxy_on_delete",
];

const WASI: [&str; 8] = [
    "args_get",
    "args_sizes_get",
    "clock_time_get",
    "environ_get",
    "environ_sizes_get",
    "fd_write",
    "proc_exit",
    "random_get",
];

/// The `extern "C"` declarations of proxy-wasm 0.2.5, `src/hostcalls.rs`.
const PROXY_WASM: [&str; 37] = [
    "proxy_add_header_map_value",
    "proxy_call_foreign_function",
    "proxy_close_stream",
    "proxy_continue_stream",
    "proxy_define_metric",
    "proxy_dequeue_shared_queue",
    "proxy_done",
    "proxy_enqueue_shared_queue",
    "proxy_get_buffer_bytes",
    "proxy_get_current_time_nanoseconds",
    "proxy_get_header_map_pairs",
    "proxy_get_header_map_value",
    "proxy_get_log_level",
    "proxy_get_metric",
    "proxy_get_property",
    "proxy_get_shared_data",
    "proxy_get_status",
    "proxy_grpc_call",
    "proxy_grpc_cancel",
    "proxy_grpc_close",
    "proxy_grpc_send",
    "proxy_grpc_stream",
    "proxy_http_call",
    "proxy_increment_metric",
    "proxy_log",
    "proxy_record_metric",
    "proxy_register_shared_queue",
    "proxy_remove_header_map_value",
    "proxy_replace_header_map_value",
    "proxy_resolve_shared_queue",
    "proxy_send_local_response",
    "proxy_set_buffer_bytes",
    "proxy_set_effective_context",
    "proxy_set_header_map_pairs",
    "proxy_set_property",
    "proxy_set_shared_data",
    "proxy_set_tick_period_milliseconds",
];
