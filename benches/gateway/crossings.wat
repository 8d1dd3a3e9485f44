;; A filter that does nothing but cross into its host: the floor under every filter that reads and sets headers.
;; Words in capitals are put in by bootstrap.rs. A call that fails traps, so that nothing is measured.
(module
  (import "env" "proxy_get_header_map_pairs" (func $pairs (param i32 i32 i32) (result i32)))
  (import "env" "proxy_replace_header_map_value" (func $replace (param i32 i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 4)
  (global $reads i32 (i32.const READS))
  (global $writes i32 (i32.const WRITES))
  (data (i32.const 16) "x-crossing-0")
  (data (i32.const 32) "user-0@example.com")
  (func (export "proxy_abi_version_0_2_1"))
  (func (export "_initialize"))
  ;; One buffer, for the headers of one request after the other.
  (func (export "proxy_on_memory_allocate") (param i32) (result i32) (i32.const 65536))
  (func (export "proxy_on_context_create") (param i32 i32))
  (func (export "proxy_on_vm_start") (param i32 i32) (result i32) (i32.const 1))
  (func (export "proxy_on_configure") (param i32 i32) (result i32) (i32.const 1))
  (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
    (local $at i32)
    (if (global.get $reads)
      (then (if (call $pairs (i32.const 0) (i32.const 0) (i32.const 4)) (then unreachable))))
    (block $done
      (loop $next
        (br_if $done (i32.ge_u (local.get $at) (global.get $writes)))
        ;; The last letter of the name is the number.
        (i32.store8 (i32.const 27) (i32.add (i32.const 48) (local.get $at)))
        (if (call $replace (i32.const 0) (i32.const 16) (i32.const 12) (i32.const 32) (i32.const 18))
          (then unreachable))
        (local.set $at (i32.add (local.get $at) (i32.const 1)))
        (br $next)))
    (i32.const 0))
  CALLBACKS)
