//! What is measured.

use std::io;

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::{
    bootstrap::{Filter, gatepost, jwt_authn},
    requests::{Requests, Tokens, api_key, claim, route},
};

/// Cases that are measured side by side.
pub struct Table {
    /// Its name in `performance.json`.
    pub name: &'static str,
    /// What a reader sees above it.
    pub title: &'static str,
    /// The cases.
    pub cases: Vec<Case>,
}

/// One filter under one load.
pub struct Case {
    /// Its name, for `--only` and in `performance.json`.
    pub name: String,
    /// What a reader sees.
    pub label: String,
    /// What is measured.
    pub filter: Filter,
    /// What is sent.
    pub requests: Requests,
    /// The case without a filter, under the same load.
    pub baseline: Option<String>,
    /// The case of `jwt_authn` that does the same.
    pub rival: Option<String>,
    /// What the service must be told of the first request.
    pub told: Vec<(String, String)>,
    /// A module may refuse the configuration, being too old for it.
    pub may_be_refused: bool,
}

/// The tables. `distinct` is how many tokens "new tokens" has: more than a cache holds.
pub fn tables(distinct: usize) -> io::Result<Vec<Table>> {
    let mut cases = vec![without_filter("none", "no filter", Requests::Tokens(Tokens::one("rs1")))];
    cases.extend(crossings());
    cases.extend(one_token()?);
    for (key, algorithm) in ALGORITHMS {
        cases.extend(new_tokens(key, algorithm, distinct)?);
    }
    let requests = Table { name: "requests", title: "CPU time of Envoy for each request", cases };

    let mut cases = vec![without_filter("none-growth", "no filter", Requests::Tokens(Tokens::one("rs1")))];
    cases.extend(routes()?);
    cases.extend(keys());
    cases.extend(mapped_values()?);
    cases.extend(sizes(distinct.min(DISTINCT_LARGE))?);
    let growth = Table { name: "growth", title: "What grows with what", cases };
    Ok(vec![requests, growth])
}

/// A case without a filter.
fn without_filter(name: &str, label: &str, requests: Requests) -> Case {
    Case {
        name: name.to_owned(),
        label: label.to_owned(),
        filter: Filter::None,
        requests,
        baseline: None,
        rival: None,
        told: Vec::new(),
        may_be_refused: false,
    }
}

/// What every filter that reads and sets headers costs, whatever it does with them.
fn crossings() -> Vec<Case> {
    let case = |name: &str, label: &str, reads, writes: u8| Case {
        filter: Filter::Crossings { reads, writes, all_callbacks: name == "wasm-callbacks" },
        baseline: Some("none".to_owned()),
        told: writes
            .checked_sub(1)
            .filter(|last| [0, 2, 9].contains(last))
            .map(|last| (format!("x-crossing-{last}"), "user-0@example.com".to_owned()))
            .into_iter()
            .collect(),
        ..without_filter(name, label, Requests::Tokens(Tokens::one("rs1")))
    };
    vec![
        case("wasm-empty", "wasm: does nothing", false, 0),
        case("wasm-callbacks", "wasm: every callback of the SDK", false, 0),
        case("wasm-reads", "wasm: reads all headers", true, 0),
        case("wasm-sets-1", "wasm: reads all, sets 1", true, 1),
        case("wasm-sets-3", "wasm: reads all, sets 3", true, 3),
        case("wasm-sets-10", "wasm: reads all, sets 10", true, 10),
    ]
}

fn one_token() -> io::Result<Vec<Case>> {
    let case = |name: &str, label: &str, filter, rival: Option<&str>| Case {
        rival: rival.map(str::to_owned),
        ..with_identity(name, label, filter, Requests::Tokens(Tokens::one("rs1")), "none")
    };
    let provider = jwt_authn("rs1", &identity()).map_err(io::Error::other)?;
    let mut cached = provider.clone();
    cached["jwt_cache_config"] = json!({"jwt_cache_size": 4096});
    let gatepost = gatepost("rs1", &identity()).map_err(io::Error::other)?;
    Ok(vec![
        case("jwt_authn-one", "one token: jwt_authn", Filter::JwtAuthn(provider), None),
        case(
            "jwt_authn-cached-one",
            "one token: jwt_authn, with its cache",
            Filter::JwtAuthn(cached),
            Some("jwt_authn-one"),
        ),
        case("gatepost-one", "one token: gatepost", Filter::Gatepost(gatepost), Some("jwt_authn-one")),
    ])
}

fn new_tokens(key: &'static str, algorithm: &str, distinct: usize) -> io::Result<Vec<Case>> {
    let name = algorithm.to_lowercase();
    let rival = format!("jwt_authn-new-{name}");
    let case = |filter_name: &str, label: String, filter| {
        let requests = Requests::Tokens(Tokens::many(key, distinct));
        with_identity(&format!("{filter_name}-new-{name}"), &label, filter, requests, "none")
    };
    let provider = jwt_authn(key, &identity()).map_err(io::Error::other)?;
    let configuration = gatepost(key, &identity()).map_err(io::Error::other)?;
    let mut cases = vec![
        case("jwt_authn", format!("new tokens, {algorithm}: jwt_authn"), Filter::JwtAuthn(provider)),
        Case {
            rival: Some(rival.clone()),
            ..case("gatepost", format!("new tokens, {algorithm}: gatepost"), Filter::Gatepost(configuration.clone()))
        },
    ];
    // The host verifies RSA and ECDSA alone.
    if ["RS256", "ES256"].contains(&algorithm) {
        let mut by_host = configuration;
        by_host["crypto"] = json!("host");
        cases.push(Case {
            rival: Some(rival),
            may_be_refused: true,
            ..case(
                "gatepost-host",
                format!("new tokens, {algorithm}: gatepost, crypto: host"),
                Filter::Gatepost(by_host),
            )
        });
    }
    Ok(cases)
}

fn routes() -> io::Result<Vec<Case>> {
    let case = |count: usize| {
        let mut configuration = gatepost("rs1", &identity()).map_err(io::Error::other)?;
        let template = configuration["paths"][0].take();
        let paths = (0..count).map(|number| {
            let mut path = template.clone();
            path["path"] = json!(route(number));
            path
        });
        configuration["paths"] = paths.collect();
        let (name, label) = (format!("routes-{count}"), format!("one token, {} routes", grouped(count)));
        let requests = Requests::Paths { routes: count };
        Ok(with_identity(&name, &label, Filter::Gatepost(configuration), requests, "none-growth"))
    };
    [10, 1_000, 10_000].into_iter().map(case).collect()
}

fn keys() -> Vec<Case> {
    let case = |count: usize| {
        let keys: Vec<Value> = (0..count)
            .map(|number| {
                let digest = Sha256::digest(api_key(number));
                let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
                json!({"id": format!("client-{number}"), "sha256": digest, "owner": "acme"})
            })
            .collect();
        let configuration = json!({
            "authorizer": {"type": "api_key", "keys": keys},
            "paths": [{
                "method": "GET",
                "path": "/{.+}",
                "auth": true,
                "mapping": {"headers": {
                    "x-user-id": "$identity.subject",
                    "x-email": "$identity.method",
                    "x-tenant": "$identity.owner",
                }},
            }],
        });
        let requests = Requests::ApiKeys { configured: count };
        let told = [("x-user-id", "client-0"), ("x-email", "api_key"), ("x-tenant", "acme")];
        Case {
            baseline: Some("none-api-key".to_owned()),
            told: told.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec(),
            filter: Filter::Gatepost(configuration),
            ..without_filter(&format!("api-keys-{count}"), &format!("{} API keys", grouped(count)), requests)
        }
    };
    let baseline = without_filter("none-api-key", "no filter, API key", Requests::ApiKeys { configured: 10 });
    std::iter::once(baseline).chain([10, 100_000].map(case)).collect()
}

fn mapped_values() -> io::Result<Vec<Case>> {
    let case = |count: usize| {
        let mapped: Vec<_> = (0..count).map(|at| (claim(at), format!("x-claim-{at}"))).collect();
        let configuration = gatepost("rs1", &mapped).map_err(io::Error::other)?;
        let requests = Requests::Tokens(Tokens { claims: 20, ..Tokens::one("rs1") });
        let (name, label) = (format!("mapped-{count}"), format!("one token, {count} mapped values"));
        let told = (count == 20).then(|| ("x-claim-19".to_owned(), "value 19 of user 0".to_owned()));
        Ok(Case {
            told: told.into_iter().collect(),
            ..with_identity(&name, &label, Filter::Gatepost(configuration), requests, "none-claims")
        })
    };
    let requests = Requests::Tokens(Tokens { claims: 20, ..Tokens::one("rs1") });
    let baseline = without_filter("none-claims", "no filter, token with 20 claims", requests);
    std::iter::once(Ok(baseline)).chain([0, 5, 20].map(case)).collect()
}

fn sizes(distinct: usize) -> io::Result<Vec<Case>> {
    let mut cases = Vec::new();
    for (payload, size) in [(512, "0.5"), (1_024, "1"), (4_096, "4")] {
        let configuration = gatepost("hs1", &identity()).map_err(io::Error::other)?;
        let baseline = format!("none-size-{payload}");
        let one = Requests::Tokens(Tokens { payload, ..Tokens::one("hs1") });
        let many = Requests::Tokens(Tokens { payload, ..Tokens::many("hs1", distinct) });
        let filter = || Filter::Gatepost(configuration.clone());
        let case = |name: String, label: String, requests| with_identity(&name, &label, filter(), requests, &baseline);
        cases.push(without_filter(&baseline, &format!("no filter, {size} KiB of claims"), one.clone()));
        cases.push(case(format!("one-size-{payload}"), format!("one token, {size} KiB of claims"), one));
        cases.push(case(format!("new-size-{payload}"), format!("new tokens, HS256, {size} KiB of claims"), many));
    }
    Ok(cases)
}

/// A filter that tells the service the claims of [`identity`].
fn with_identity(name: &str, label: &str, filter: Filter, requests: Requests, baseline: &str) -> Case {
    let told = [("x-user-id", "user-000000"), ("x-email", "user-000000@example.com"), ("x-tenant", "acme")];
    Case {
        filter,
        baseline: Some(baseline.to_owned()),
        told: told.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec(),
        ..without_filter(name, label, requests)
    }
}

/// The claims that become headers.
pub fn identity() -> Vec<(String, String)> {
    [("sub", "x-user-id"), ("email", "x-email"), ("tenant", "x-tenant")]
        .map(|(claim, header)| (claim.to_owned(), header.to_owned()))
        .to_vec()
}

/// 10000 is 10,000.
fn grouped(number: usize) -> String {
    if number < 1_000 { number.to_string() } else { format!("{},{:03}", number / 1_000, number % 1_000) }
}

const ALGORITHMS: [(&str, &str); 4] = [("rs1", "RS256"), ("es1", "ES256"), ("ed1", "EdDSA"), ("hs1", "HS256")];
/// Large tokens take memory of wrk's, too: enough to miss a cache of 4,096.
const DISTINCT_LARGE: usize = 8_192;
