//! The host against guests of a few lines, one for each of Envoy's habits that the filter depends on.

use super::*;

const CONTINUE: &str = "(i32.const 0)";
const PAUSE: &str = "(i32.const 1)";

#[test]
fn the_header_map_is_gone_after_continue() {
    let mut guest = Guest {
        headers: &format!("(drop {PAIRS}) {CONTINUE}"),
        body: &format!("(drop {PAIRS}) {CONTINUE}"),
        ..Guest::default()
    }
    .start();
    let id = guest.vm.exchange(guest.root, post(&["a"], None)).unwrap();
    assert!(matches!(guest.vm.outcome(id), Outcome::Forwarded(_)));
    assert_eq!(statuses(&guest.vm, "proxy_get_header_map_pairs"), [0, Status::BadArgument as u32]);
    assert_eq!(guest.vm.violations().len(), 1, "{:?}", guest.vm.violations());
}

#[test]
fn a_pause_from_headers_stops_the_body_for_ever() {
    let mut guest = Guest { headers: PAUSE, body: "unreachable", ..Guest::default() }.start();
    let id = guest.vm.exchange(guest.root, post(&["a", "b"], None)).unwrap();
    assert!(matches!(guest.vm.outcome(id), Outcome::Held));
}

#[test]
fn with_stop_iteration_the_body_is_seen_and_its_size_adds_up() {
    let body = "(drop (call $tick (local.get 1))) (i32.eqz (local.get 2))";
    let mut guest = Guest { headers: PAUSE, body, stop_iteration: true, ..Guest::default() }.start();
    let id = guest.vm.exchange(guest.root, post(&["abc", "de"], None)).unwrap();
    let Outcome::Forwarded(forwarded) = guest.vm.outcome(id) else { panic!("not forwarded") };
    assert_eq!(forwarded.body, b"abcde");
    assert_eq!(guest.vm.tick_period(guest.root), Some(std::time::Duration::from_millis(5)));
}

#[test]
fn with_trailers_the_body_never_reports_the_end() {
    let body = "(if (local.get 2) (then unreachable)) (i32.const 1)";
    let mut guest =
        Guest { headers: PAUSE, body, trailers: CONTINUE, stop_iteration: true, ..Guest::default() }.start();
    let trailers = Headers::new(vec![("x-t".to_owned(), b"1".to_vec())]);
    let id = guest.vm.exchange(guest.root, post(&["abc", "de"], Some(trailers))).unwrap();
    let Outcome::Forwarded(forwarded) = guest.vm.outcome(id) else { panic!("not forwarded") };
    assert_eq!(
        (forwarded.body.as_slice(), forwarded.trailers.first("x-t")),
        (b"abcde".as_slice(), Some(b"1".as_slice()))
    );
}

#[test]
fn a_local_reply_passes_the_response_callbacks_and_ends_the_request() {
    let headers = format!("(drop {REPLY}) (drop {REPLY}) {PAUSE}");
    let mut guest = Guest { headers: &headers, body: "unreachable", ..Guest::default() }.start();
    let id = guest.vm.exchange(guest.root, post(&["a"], None)).unwrap();
    let Outcome::Answered(reply) = guest.vm.outcome(id) else { panic!("not answered") };
    assert_eq!((reply.status(), reply.body.as_slice()), (403, b"no".as_slice()));
    assert_eq!(reply.headers.first("content-type"), Some(b"text/plain".as_slice()));
    assert_eq!(statuses(&guest.vm, "proxy_send_local_response"), [0, Status::BadArgument as u32], "one is enough");
    let seen = guest.vm.host_calls().iter().filter(|call| call.callback == "proxy_on_response_headers");
    assert_eq!(seen.count(), 1);
    guest.vm.close(id).unwrap();
}

#[test]
fn a_grpc_request_is_answered_in_grpc() {
    let headers = format!("(drop {REPLY}) {PAUSE}");
    let mut guest = Guest { headers: &headers, ..Guest::default() }.start();
    let mut request = post(&["a"], None);
    request.headers.add("content-type", b"application/grpc+proto");
    let id = guest.vm.exchange(guest.root, request).unwrap();
    let Outcome::Answered(reply) = guest.vm.outcome(id) else { panic!("not answered") };
    assert_eq!((reply.status(), reply.body.len()), (200, 0));
    assert_eq!(reply.headers.first("grpc-status"), Some(b"7".as_slice()));
    assert_eq!(reply.headers.first("grpc-message"), Some(b"no".as_slice()));
}

#[test]
fn faults_strike_the_call_they_name() {
    let headers = format!("(drop {PAIRS}) (drop {PAIRS}) (drop {PAIRS}) {CONTINUE}");
    let mut guest = Guest { headers: &headers, ..Guest::default() }.start();
    guest.vm.inject(vec![Fault::on_call("proxy_get_header_map_pairs", 10, 2)]);
    guest.vm.exchange(guest.root, post(&[], None)).unwrap();
    assert_eq!(statuses(&guest.vm, "proxy_get_header_map_pairs"), [0, 10, 0]);
}

#[test]
fn an_answered_call_from_the_root_wakes_a_held_stream() {
    // The stream's id is 3: the root's is 2.
    let answer = "(drop (call $effective (i32.const 3))) (drop (call $continue (i32.const 0)))";
    let mut guest = Guest { headers: PAUSE, tick: CALL, answer, ..Guest::default() }.start();
    let id = guest.vm.exchange(guest.root, post(&["abc"], None)).unwrap();
    guest.vm.tick(guest.root).unwrap();
    let call = guest.vm.http_calls()[0].clone();
    assert_eq!((call.upstream.as_str(), call.timeout), ("idp", 1000));
    assert!(matches!(guest.vm.outcome(id), Outcome::Held));
    guest.vm.answer(&call, CallAnswer::default()).unwrap();
    let Outcome::Forwarded(forwarded) = guest.vm.outcome(id) else { panic!("not forwarded") };
    assert_eq!(forwarded.body, b"abc");
}

#[test]
fn a_held_stream_is_answered_from_the_root() {
    let tick = format!("(drop (call $effective (i32.const 3))) (drop {REPLY})");
    let mut guest = Guest { headers: PAUSE, body: "unreachable", tick: &tick, ..Guest::default() }.start();
    let id = guest.vm.exchange(guest.root, post(&[], None)).unwrap();
    assert!(matches!(guest.vm.outcome(id), Outcome::Held));
    guest.vm.tick(guest.root).unwrap();
    let Outcome::Answered(reply) = guest.vm.outcome(id) else { panic!("not answered") };
    assert_eq!((reply.status(), reply.body.as_slice()), (403, b"no".as_slice()));
}

#[test]
fn a_stream_that_is_gone_cannot_be_effective() {
    let tick = "(drop (call $effective (i32.const 3)))";
    let mut guest = Guest { headers: PAUSE, tick, ..Guest::default() }.start();
    let id = guest.vm.exchange(guest.root, post(&[], None)).unwrap();
    guest.vm.tick(guest.root).unwrap();
    guest.vm.close(id).unwrap();
    guest.vm.tick(guest.root).unwrap();
    assert_eq!(statuses(&guest.vm, "proxy_set_effective_context"), [0, Status::BadArgument as u32]);
}

#[test]
fn a_call_is_given_once_to_be_answered_and_one_without_headers_was_never_sent() {
    let answer = "(if (local.get 2) (then unreachable))";
    let mut guest = Guest { tick: CALL, answer, ..Guest::default() }.start();
    guest.vm.tick(guest.root).unwrap();
    let calls = guest.vm.take_http_calls();
    assert_eq!((calls.len(), guest.vm.take_http_calls().len()), (1, 0));
    guest.vm.answer(&calls[0], CallAnswer::default()).unwrap();
    guest.vm.tick(guest.root).unwrap();
    let calls = guest.vm.take_http_calls();
    assert_eq!((calls.len(), calls[0].token, guest.vm.http_calls().len()), (1, 2, 2));
}

#[test]
fn only_who_asks_for_ticks_is_ticked() {
    let second = std::time::Duration::from_secs(1);
    let mut idle = Guest { tick: "unreachable", ..Guest::default() }.start();
    idle.vm.advance(second).unwrap();
    assert_eq!(idle.vm.tick_period(idle.root), None);
    let headers = format!("(drop (call $tick (i32.const 5))) {CONTINUE}");
    let mut busy = Guest { headers: &headers, tick: CALL, ..Guest::default() }.start();
    busy.vm.exchange(busy.root, post(&[], None)).unwrap();
    busy.vm.advance(second).unwrap();
    assert_eq!(busy.vm.http_calls().len(), 1);
}

#[test]
fn vms_of_one_proxy_share_data() {
    let headers = format!("(drop {PUT}) {CONTINUE}");
    let guest = Guest { headers: &headers, tick: GET, ..Guest::default() };
    let shared = SharedData::default();
    let (mut one, mut other, mut stranger) = (guest.start_with(&shared), guest.start_with(&shared), guest.start());
    for started in [&mut one, &mut other, &mut stranger] {
        started.vm.tick(started.root).unwrap();
    }
    one.vm.exchange(one.root, post(&[], None)).unwrap();
    for (started, status) in [(&mut one, 0), (&mut other, 0), (&mut stranger, Status::NotFound as u32)] {
        started.vm.tick(started.root).unwrap();
        assert_eq!(statuses(&started.vm, "proxy_get_shared_data"), [Status::NotFound as u32, status]);
    }
    other.vm.exchange(other.root, post(&[], None)).unwrap();
    assert_eq!(statuses(&other.vm, "proxy_set_shared_data"), [Status::CasMismatch as u32], "the first one wins");
}

#[test]
fn a_call_to_an_unknown_cluster_is_a_bad_argument() {
    let mut guest = Guest { tick: &CALL.replace("(i32.const 3)", "(i32.const 2)"), ..Guest::default() }.start();
    guest.vm.tick(guest.root).unwrap();
    assert_eq!(statuses(&guest.vm, "proxy_http_call"), [Status::BadArgument as u32]);
}

#[test]
fn a_trap_is_told_and_the_vm_stays_dead() {
    let mut guest = Guest { headers: "unreachable", ..Guest::default() }.start();
    let trap = guest.vm.exchange(guest.root, post(&[], None)).unwrap_err();
    assert_eq!(trap.callback, "proxy_on_request_headers");
    assert!(guest.vm.tick(guest.root).is_err());
}

#[test]
fn two_plugins_share_a_vm() {
    let mut guest = Guest::default().start();
    let (second, accepted) = guest.vm.start(plugin("second")).unwrap();
    assert!(accepted && second != guest.root);
}

/// What a guest's callbacks do; the parameters are `(local 0)` the context, then the sizes and the end of the stream.
struct Guest<'a> {
    headers: &'a str,
    body: &'a str,
    trailers: &'a str,
    tick: &'a str,
    answer: &'a str,
    stop_iteration: bool,
}

struct Started {
    vm: Vm,
    root: u32,
}

impl Default for Guest<'_> {
    fn default() -> Self {
        Self { headers: CONTINUE, body: CONTINUE, trailers: CONTINUE, tick: "", answer: "", stop_iteration: false }
    }
}

impl Guest<'_> {
    fn start(&self) -> Started {
        self.start_with(&SharedData::default())
    }

    fn start_with(&self, shared_data: &SharedData) -> Started {
        let Self { headers, body, trailers, tick, answer, .. } = self;
        let text = format!(
            r#"(module
            (import "env" "proxy_get_header_map_pairs" (func $pairs (param i32 i32 i32) (result i32)))
            (import "env" "proxy_send_local_response" (func $reply (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
            (import "env" "proxy_set_tick_period_milliseconds" (func $tick (param i32) (result i32)))
            (import "env" "proxy_set_effective_context" (func $effective (param i32) (result i32)))
            (import "env" "proxy_continue_stream" (func $continue (param i32) (result i32)))
            (import "env" "proxy_http_call"
                (func $call (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
            (import "env" "proxy_get_shared_data" (func $get (param i32 i32 i32 i32 i32) (result i32)))
            (import "env" "proxy_set_shared_data" (func $set (param i32 i32 i32 i32 i32) (result i32)))
            (import "env" "proxy_log" (func $log (param i32 i32 i32) (result i32)))
            (memory (export "memory") 2)
            (global $free (mut i32) (i32.const 4096))
            (data (i32.const 64) "no") (data (i32.const 72) "idp")
            (data (i32.const 128) "\03\00\00\00\07\00\00\00\03\00\00\00\05\00\00\00\01\00\00\00\0a\00\00\00\01\00\00\00:method\00GET\00:path\00/\00:authority\00a\00")
            (func (export "proxy_on_memory_allocate") (param i32) (result i32)
                (global.get $free) (global.set $free (i32.add (global.get $free) (local.get 0))))
            (func (export "proxy_on_context_create") (param i32 i32))
            (func (export "proxy_on_vm_start") (param i32 i32) (result i32) (i32.const 1))
            (func (export "proxy_on_configure") (param i32 i32) (result i32) (i32.const 1))
            (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32) {headers})
            (func (export "proxy_on_request_body") (param i32 i32 i32) (result i32) {body})
            (func (export "proxy_on_request_trailers") (param i32 i32) (result i32) {trailers})
            (func (export "proxy_on_response_headers") (param i32 i32 i32) (result i32)
                (call $log (i32.const 2) (i32.const 64) (i32.const 2)))
            (func (export "proxy_on_tick") (param i32) {tick})
            (func (export "proxy_on_http_call_response") (param i32 i32 i32 i32 i32) {answer})
            (func (export "proxy_on_done") (param i32) (result i32) (i32.const 1))
            (func (export "proxy_on_log") (param i32))
            (func (export "proxy_on_delete") (param i32)))"#
        );
        let host = Host::from_bytes(&wat::parse_str(text).unwrap()).unwrap();
        let mut vm = host
            .vm(VmOptions {
                clusters: vec!["idp".to_owned()],
                shared_data: shared_data.clone(),
                allow_on_headers_stop_iteration: self.stop_iteration,
                ..VmOptions::default()
            })
            .unwrap();
        let (root, accepted) = vm.start(plugin("first")).unwrap();
        assert!(accepted);
        Started { vm, root }
    }
}

fn plugin(name: &str) -> Plugin {
    Plugin { name: name.to_owned(), root_id: name.to_owned(), configuration: Vec::new() }
}

fn post(chunks: &[&str], trailers: Option<Headers>) -> Request {
    let headers = [(":method", "POST"), (":path", "/"), (":authority", "a")];
    Request {
        headers: Headers::new(headers.map(|(name, value)| (name.to_owned(), value.as_bytes().to_vec())).to_vec()),
        end_of_stream: chunks.is_empty() && trailers.is_none(),
        body: chunks.iter().map(|chunk| chunk.as_bytes().to_vec()).collect(),
        trailers,
        ..Request::default()
    }
}

fn statuses(vm: &Vm, function: &str) -> Vec<u32> {
    vm.host_calls().iter().filter(|call| call.function == function).map(|call| call.status).collect()
}

const PAIRS: &str = "(call $pairs (i32.const 0) (i32.const 16) (i32.const 20))";
const REPLY: &str = "(call $reply (i32.const 403) (i32.const 0) (i32.const 0) (i32.const 64) (i32.const 2) (i32.const 0) (i32.const 0) (i32.const -1))";
/// Asks the cluster `idp` for `/`, with a second's patience.
const CALL: &str = "(drop (call $call (i32.const 72) (i32.const 3) (i32.const 128) (i32.const 62) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 1000) (i32.const 24)))";
/// Puts `no` under the key `idp` where there is nothing, and asks what there is.
const PUT: &str = "(call $set (i32.const 72) (i32.const 3) (i32.const 64) (i32.const 2) (i32.const -1))";
const GET: &str = "(drop (call $get (i32.const 72) (i32.const 3) (i32.const 16) (i32.const 20) (i32.const 24)))";
