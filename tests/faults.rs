//! A host that fails: every import, every status, on any call. The module neither traps nor forwards what it should not.

use std::{collections::BTreeSet, time::Duration};

use serde_json::{Value, json};
use wasm_test_harness::{
    host::{CallAnswer, Clock, Fault, Forwarded, Headers, Host, Outcome, Plugin, Request, Trap, Vm, VmOptions},
    mint::{PrivateKey, ProofSpec, TokenSpec, jwks, mint},
    module_path,
};

#[test]
fn no_failing_host_call_lets_a_request_through_unauthenticated() {
    let host = host();
    sweep(&host, &inline(), &forged(None), |outcome| match outcome {
        Outcome::Forwarded(_) => Err("a request without a token is FORWARDED".to_owned()),
        _ => Ok(()),
    });
}

#[test]
fn no_failing_host_call_lets_a_forged_identity_through() {
    let host = host();
    let token = mint(&TokenSpec::default(), NOW).unwrap();
    sweep(&host, &inline(), &forged(Some(&token)), |outcome| judge_identity(outcome, &token));
}

#[test]
fn no_failing_host_call_lets_a_forged_identity_through_while_keys_are_fetched() {
    let host = host();
    let token = mint(&TokenSpec::default(), NOW).unwrap();
    for stop_iteration in [false, true] {
        sweep(&host, &remote(stop_iteration), &forged(Some(&token)), |outcome| match outcome {
            Outcome::Held => Err("it waits for ever".to_owned()),
            outcome => judge_identity(outcome, &token),
        });
    }
}

#[test]
fn no_failing_host_call_lets_a_wrong_signature_through() {
    let host = host();
    for stop_iteration in [false, true] {
        let authorizer = json!({"type": "hmac", "scheme": "github", "secrets": ["s3cr3t"]});
        let setting = Setting { authorizer: Some(authorizer), keys: Value::Null, stop_iteration, limit: None };
        let mut request = forged(None);
        // What the secret signs of `part one` alone, and of nothing.
        for signature in [
            "d3d6d0f5d3c1f0f5a1b8ee1ac4ef3ab8d0b7e9e6f1a7f0c3ed9b9b7e2f9d4c11",
            "e9d36f76f524d654e443d965ea47b99dace13671948371f6246491647b8fd80f",
            "3c81cc9496e1c25250f6ccb85f697c1bb623e3480d6538ad8cb6a6648142777d",
        ] {
            request.headers.replace("x-hub-signature-256", format!("sha256={signature}").as_bytes());
            sweep(&host, &setting, &request, |outcome| match outcome {
                Outcome::Forwarded(_) => Err("a request with a wrong signature is FORWARDED".to_owned()),
                Outcome::Held => Err("it waits for ever".to_owned()),
                _ => Ok(()),
            });
        }
    }
}

/// Forwarded is only what the token says.
fn judge_identity(outcome: Outcome, token: &str) -> Result<(), String> {
    match outcome {
        Outcome::Forwarded(Forwarded { headers, trailers, .. }) => {
            let fields = || headers.pairs().iter().chain(trailers.pairs());
            match fields().find(|(_, value)| value == b"forged" || value.ends_with(token.as_bytes())) {
                Some((name, _)) => Err(format!("the client's {name} is FORWARDED")),
                None if headers.all("x-user-id") != [b"user-1"] => Err("it is forwarded without identity".to_owned()),
                None => Ok(()),
            }
        }
        _ => Ok(()),
    }
}

#[test]
fn no_failing_host_call_lets_a_forged_identity_through_on_a_public_route() {
    let host = host();
    let mut request = forged(None);
    request.headers.replace(":path", b"/health");
    sweep(&host, &inline(), &request, |outcome| match outcome {
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
fn no_failing_host_call_lets_a_bound_token_through_without_its_proof() {
    let host = host();
    let (token, proof) = bound();
    let mut request = forged(None);
    request.headers.replace("authorization", format!("DPoP {token}").as_bytes());
    sweep(&host, &inline(), &request, |outcome| match outcome {
        Outcome::Forwarded(_) => Err("a token without its proof is FORWARDED".to_owned()),
        _ => Ok(()),
    });
    // A store that fails is no reason to trap, nor to forward the proof.
    request.headers.replace("dpop", proof.as_bytes());
    assert!(imports_used(&host, &inline(), &request).contains("proxy_set_shared_data"), "the proof is not entered");
    sweep(&host, &inline(), &request, |outcome| match &outcome {
        Outcome::Forwarded(forwarded) if !forwarded.headers.all("dpop").is_empty() => Err("it is FORWARDED".to_owned()),
        _ => judge_identity(outcome, &token),
    });
}

/// A token that is bound to a key, and a proof by that key.
fn bound() -> (String, String) {
    let mut spec = TokenSpec::default();
    spec.claims["cnf"] = json!({"jkt": PrivateKey::named("es2").unwrap().thumbprint().unwrap()});
    let token = mint(&spec, NOW).unwrap();
    let spec = TokenSpec { key: "es2".to_owned(), proof: Some(ProofSpec::default()), ..TokenSpec::default() };
    let proof = mint(&spec.of_proof("faults", &token).unwrap(), NOW).unwrap();
    (token, proof)
}

#[test]
fn a_failing_host_call_at_configuration_never_traps() {
    let host = host();
    let failures = &mut Vec::new();
    let request = forged(Some(&mint(&TokenSpec::default(), NOW).unwrap()));
    for setting in [inline(), remote(false)] {
        for function in imports_used(&host, &setting, &request) {
            // Without randomness the standard library itself gives up. The plugin is then refused, which is right.
            for status in STATUSES.filter(|_| function != "random_get") {
                let result = host.vm(options(&setting)).and_then(|mut vm| {
                    vm.inject(vec![Fault::every(function, status)]);
                    vm.start(plugin(&setting))
                });
                if let Err(trap) = result {
                    failures.push(format!("{function} = {status}: {}", brief(&trap)));
                }
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// Where the shared data or the address cannot be had, the worker counts for itself, and in one place more at most; it
/// neither refuses everybody nor lets everybody in.
#[test]
fn no_failing_host_call_opens_a_rate_limit_or_closes_it_for_all() {
    let host = host();
    let mut setting = inline();
    setting.limit = Some(json!({"requests": 2, "per": "1h"}));
    let mut request = forged(None);
    request.headers.replace(":path", b"/health");
    request.properties.insert("source\0address".to_owned(), b"192.0.2.7:1000".to_vec());
    let mut failures = Vec::new();
    for function in ["proxy_get_shared_data", "proxy_set_shared_data", "proxy_get_property"] {
        assert!(imports_used(&host, &setting, &request).contains(function), "{function} is not used");
        for status in STATUSES {
            let single = (1..=5).map(|call| Fault::on_call(function, status, call));
            for fault in std::iter::once(Fault::every(function, status)).chain(single) {
                let (mut vm, root) = configured(&host, &setting);
                vm.inject(vec![fault.clone()]);
                let passed = (0..10).try_fold(0, |passed, _| {
                    let outcome = drive(&mut vm, root, &request)?;
                    Ok(passed + usize::from(matches!(outcome, Outcome::Forwarded(_))))
                });
                match passed {
                    Ok(2..=4) => {}
                    Ok(passed) => failures.push(format!("{function} = {status} on {:?}: {passed} pass", fault.call)),
                    Err(trap) => failures.push(format!("{function} = {status} on {:?}: {}", fault.call, brief(&trap))),
                }
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// Every import that the exchange uses, every status, on every call and on the first five alone.
fn sweep(host: &Host, setting: &Setting, request: &Request, judge: impl Fn(Outcome) -> Result<(), String>) {
    let mut failures = Vec::new();
    for function in imports_used(host, setting, request) {
        for status in STATUSES.filter(|status| !is_fatal_in_the_sdk(function, *status)) {
            let single = (1..=5).map(|call| Fault::on_call(function, status, call));
            for fault in std::iter::once(Fault::every(function, status)).chain(single) {
                let outcome = exchange(host, setting, request, vec![fault.clone()]);
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

/// What ends the VM before gatepost hears of it: the SDK panics where the answer to a call comes and its context cannot be
/// set, and where a call is refused with a status that the ABI does not name for it.
fn is_fatal_in_the_sdk(function: &str, status: u32) -> bool {
    match function {
        "proxy_set_effective_context" => true,
        "proxy_http_call" => ![BAD_ARGUMENT, INTERNAL_FAILURE].contains(&status),
        _ => false,
    }
}

fn exchange(host: &Host, setting: &Setting, request: &Request, faults: Vec<Fault>) -> Result<Outcome, Trap> {
    let (mut vm, root) = configured(host, setting);
    vm.inject(faults);
    drive(&mut vm, root, request)
}

/// Sends the request and answers every call with good keys, until the request need not wait any longer.
fn drive(vm: &mut Vm, root: u32, request: &Request) -> Result<Outcome, Trap> {
    let id = vm.exchange(root, request.clone())?;
    for _ in 0..100 {
        for call in vm.take_http_calls() {
            let headers = Headers::new(vec![(":status".to_owned(), b"200".to_vec())]);
            let body = jwks(&["es1"]).unwrap().to_string().into_bytes();
            vm.answer(&call, CallAnswer { headers, body, ..CallAnswer::default() })?;
        }
        if !matches!(vm.outcome(id), Outcome::Held) {
            break;
        }
        vm.advance(Duration::from_millis(100))?;
    }
    let outcome = vm.outcome(id);
    vm.close(id)?;
    Ok(outcome)
}

fn imports_used(host: &Host, setting: &Setting, request: &Request) -> BTreeSet<&'static str> {
    let (mut vm, root) = configured(host, setting);
    drive(&mut vm, root, request).unwrap();
    let used: BTreeSet<_> = vm.host_calls().iter().map(|call| call.function).collect();
    assert!(used.contains("proxy_get_header_map_pairs"), "the sweep would strike nothing: {used:?}");
    assert_eq!(setting.keys.get("remote").is_some(), used.contains("proxy_http_call"), "{used:?}");
    used
}

fn configured(host: &Host, setting: &Setting) -> (Vm, u32) {
    let mut vm = host.vm(options(setting)).unwrap();
    let (root, accepted) = vm.start(plugin(setting)).unwrap();
    assert!(accepted, "{:?}", vm.logs());
    (vm, root)
}

/// What a sweep is made with.
struct Setting {
    /// Another authenticator than that of the keys.
    authorizer: Option<Value>,
    /// `jwks`
    keys: Value,
    /// `allow_on_headers_stop_iteration`: bodies and trailers are shown to a request that waits.
    stop_iteration: bool,
    /// `rate_limit`
    limit: Option<Value>,
}

fn inline() -> Setting {
    let keys = json!({"inline": jwks(&["es1"]).unwrap()});
    Setting { authorizer: None, keys, stop_iteration: false, limit: None }
}

fn remote(stop_iteration: bool) -> Setting {
    Setting {
        authorizer: None,
        keys: json!({"remote": {"url": "https://idp.example.com/jwks", "cluster": "idp"}}),
        stop_iteration,
        limit: None,
    }
}

fn options(setting: &Setting) -> VmOptions {
    VmOptions {
        clock: Clock::at(NOW),
        clusters: vec!["idp".to_owned()],
        allow_on_headers_stop_iteration: setting.stop_iteration,
        ..VmOptions::default()
    }
}

fn plugin(setting: &Setting) -> Plugin {
    let jwt = json!({
            "type": "jwt",
            "issuer": "https://idp.example.com",
            "audiences": ["api"],
            "jwks": setting.keys,
            "dpop": "allowed",
    });
    let mut configuration = json!({
        "authorizer": setting.authorizer.clone().unwrap_or(jwt),
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
    if let Some(limit) = &setting.limit {
        configuration["rate_limit"] = limit.clone();
    }
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
        ..Request::default()
    }
}

fn brief(trap: &Trap) -> String {
    let text = trap.to_string();
    let logged = text.split("last logged: ").nth(1).unwrap_or_default();
    format!("TRAP in {} ({logged})", trap.callback)
}

const BAD_ARGUMENT: u32 = 2;
const INTERNAL_FAILURE: u32 = 10;
const STATUSES: std::ops::RangeInclusive<u32> = 1..=12;
const NOW: u64 = 1_800_000_000;

fn host() -> Host {
    Host::load(&module_path()).unwrap_or_else(|error| panic!("{error}"))
}
