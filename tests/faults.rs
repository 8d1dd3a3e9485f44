//! A host that fails: every import, every status, on any call. The module neither traps nor forwards what it should not.

use std::collections::BTreeSet;

use serde_json::json;
use wasm_test_harness::{
    host::{Clock, Fault, Forwarded, Headers, Host, Outcome, Plugin, Request, Trap, Vm, VmOptions},
    mint::{TokenSpec, jwks, mint},
    module_path,
};

#[test]
fn no_failing_host_call_lets_a_request_through_unauthenticated() {
    let host = host();
    sweep(&host, &forged(None), |outcome| match outcome {
        Outcome::Forwarded(_) => Err("a request without a token is FORWARDED".to_owned()),
        _ => Ok(()),
    });
}

#[test]
fn no_failing_host_call_lets_a_forged_identity_through() {
    let host = host();
    let token = mint(&TokenSpec::default(), NOW).unwrap();
    sweep(&host, &forged(Some(&token)), |outcome| match outcome {
        Outcome::Forwarded(Forwarded { headers, trailers, .. }) => {
            let fields = || headers.pairs().iter().chain(trailers.pairs());
            match fields().find(|(_, value)| value == b"forged" || value.ends_with(token.as_bytes())) {
                Some((name, _)) => Err(format!("the client's {name} is FORWARDED")),
                None if headers.all("x-user-id") != [b"user-1"] => Err("it is forwarded without identity".to_owned()),
                None => Ok(()),
            }
        }
        _ => Ok(()),
    });
}

#[test]
fn no_failing_host_call_lets_a_forged_identity_through_on_a_public_route() {
    let host = host();
    let mut request = forged(None);
    request.headers.replace(":path", b"/health");
    sweep(&host, &request, |outcome| match outcome {
        Outcome::Forwarded(Forwarded { headers, trailers, .. }) => {
            match headers.pairs().iter().chain(trailers.pairs()).find(|(_, value)| value == b"forged") {
                Some((name, _)) => Err(format!("the client's {name} is FORWARDED")),
                None => Ok(()),
            }
        }
        _ => Ok(()),
    });
}

#[test]
fn a_failing_host_call_at_configuration_never_traps() {
    let host = host();
    let (functions, failures) = (imports_used(&host, &forged(None)), &mut Vec::new());
    for function in functions {
        // Without randomness the standard library itself gives up. The plugin is then refused, which is right.
        for status in STATUSES.filter(|_| function != "random_get") {
            let result = host.vm(options()).and_then(|mut vm| {
                vm.inject(vec![Fault::every(function, status)]);
                vm.start(plugin())
            });
            if let Err(trap) = result {
                failures.push(format!("{function} = {status}: {}", brief(&trap)));
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// Every import that the exchange uses, every status, on every call and on the first five alone.
fn sweep(host: &Host, request: &Request, judge: impl Fn(Outcome) -> Result<(), String>) {
    let mut failures = Vec::new();
    for function in imports_used(host, request) {
        for status in STATUSES {
            let single = (1..=5).map(|call| Fault::on_call(function, status, call));
            for fault in std::iter::once(Fault::every(function, status)).chain(single) {
                let outcome = exchange(host, request, vec![fault.clone()]);
                let result = outcome.map_err(|trap| brief(&trap)).and_then(&judge);
                if let Err(failure) = result {
                    let call = fault.call.map_or("every call".to_owned(), |call| format!("call {call}"));
                    failures.push(format!("{function} = {status} on {call}: {failure}"));
                }
            }
        }
    }
    assert!(failures.is_empty(), "{} faults go wrong:\n{}", failures.len(), failures.join("\n"));
}

fn exchange(host: &Host, request: &Request, faults: Vec<Fault>) -> Result<Outcome, Trap> {
    let (mut vm, root) = configured(host);
    vm.inject(faults);
    let id = vm.exchange(root, request.clone())?;
    let outcome = vm.outcome(id);
    vm.close(id)?;
    Ok(outcome)
}

fn imports_used(host: &Host, request: &Request) -> BTreeSet<&'static str> {
    let (mut vm, root) = configured(host);
    let id = vm.exchange(root, request.clone()).unwrap();
    vm.close(id).unwrap();
    let used: BTreeSet<_> = vm.host_calls().iter().map(|call| call.function).collect();
    assert!(used.contains("proxy_get_header_map_pairs"), "the sweep would strike nothing: {used:?}");
    used
}

fn configured(host: &Host) -> (Vm, u32) {
    let mut vm = host.vm(options()).unwrap();
    let (root, accepted) = vm.start(plugin()).unwrap();
    assert!(accepted, "{:?}", vm.logs());
    (vm, root)
}

fn options() -> VmOptions {
    VmOptions { clock: Clock::at(NOW), ..VmOptions::default() }
}

fn plugin() -> Plugin {
    let configuration = json!({
        "authorizer": {
            "type": "jwt",
            "issuer": "https://idp.example.com",
            "audiences": ["api"],
            "jwks": {"inline": jwks(&["es1"]).unwrap()},
        },
        "identity_headers": ["x-user-*"],
        "paths": [
            {"method": "GET", "path": "/health", "auth": false},
            {
                "method": "ANY",
                "path": "/orders/{.+}",
                "auth": true,
                "mapping": {"headers": {"x-user-id": "$request.jwt.sub", "x-tenant": "$request.jwt.tenant"}},
            },
        ],
    });
    Plugin {
        name: "faults".to_owned(),
        root_id: "faults".to_owned(),
        configuration: configuration.to_string().into_bytes(),
    }
}

/// A request full of forged identity, in headers and trailers.
fn forged(token: Option<&str>) -> Request {
    let mut headers = vec![
        (":authority", "gateway.example.com".to_owned()),
        (":path", "/orders/7".to_owned()),
        (":method", "GET".to_owned()),
        (":scheme", "http".to_owned()),
        ("x-user-id", "forged".to_owned()),
        ("x_user_name", "forged".to_owned()),
        ("x-tenant", "forged".to_owned()),
    ];
    headers.extend(token.map(|token| ("authorization", format!("Bearer {token}"))));
    let pairs = |pairs: Vec<(&str, String)>| {
        Headers::new(pairs.into_iter().map(|(name, value)| (name.to_owned(), value.into_bytes())).collect())
    };
    Request {
        headers: pairs(headers),
        body: vec![b"part one".to_vec(), b"part two".to_vec()],
        trailers: Some(pairs(vec![("x-user-id", "forged".to_owned()), ("x-checksum", "1".to_owned())])),
        end_of_stream: false,
    }
}

fn brief(trap: &Trap) -> String {
    let text = trap.to_string();
    let logged = text.split("last logged: ").nth(1).unwrap_or_default();
    format!("TRAP in {} ({logged})", trap.callback)
}

const STATUSES: std::ops::RangeInclusive<u32> = 1..=12;
const NOW: u64 = 1_800_000_000;

fn host() -> Host {
    Host::load(&module_path()).unwrap_or_else(|error| panic!("{error}"))
}
