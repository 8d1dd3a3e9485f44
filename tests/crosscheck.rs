//! Tokens and keys, exchanged with libraries that share no code with gatepost: npm's `jose`, Python's `cryptography`.
//!
//! What the filter and `mint` misread alike, their own tests would never show. Each library is started once, reads a
//! [`Task`] from standard input, and writes a [`Report`] to standard output. `make test` fetches both libraries.

use std::{
    env, fs,
    io::{Seek as _, Write as _},
    path::{Path, PathBuf},
    process::Command,
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use wasm_test_harness::mint::{self, TokenSpec};

use gatepost::{
    config,
    engine::{Engine, Head, HeaderEdit, RequestId, UnixTime, Verdict},
    host::NoHost,
};

#[test]
fn jose_and_gatepost_accept_each_others_tokens_and_no_others() {
    let mut node = Command::new("node");
    node.arg(root().join("tests/crosscheck/jose.mjs")).arg(libraries());
    let proofs = exchange(node);
    assert_eq!(proofs, CASES.iter().filter(|(algorithm, _)| !algorithm.starts_with("HS")).count());
}

#[test]
fn pyca_cryptography_and_gatepost_accept_each_others_tokens_and_no_others() {
    // -S: the machine may have another version, which must not be taken instead.
    let mut python = Command::new("python3");
    python.arg("-S").arg(root().join("tests/crosscheck/pyca.py")).env("PYTHONPATH", libraries().join("python"));
    assert_eq!(exchange(python), 0, "it makes proofs now: say how many");
}

/// What a library is to do.
#[derive(Serialize)]
struct Task {
    /// The time at which tokens are verified.
    now: u64,
    /// What the library's tokens are to say.
    claims: Value,
    /// Private keys as `tests/keys` has them: PKCS#8 PEM, or the text of a shared secret.
    keys: Value,
    cases: Vec<Case>,
}

#[derive(Serialize)]
struct Case {
    algorithm: &'static str,
    key: &'static str,
    /// A token of `mint`, which the library is to verify.
    honest: String,
    /// The same, changed.
    flipped: String,
    /// What a DPoP proof is to say; none where the key is a secret.
    proof: Option<Value>,
    /// The token that it is for.
    #[serde(skip)]
    bound: String,
}

/// What a library did.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Report {
    /// The public halves of the keys, in their order; `kid` is the key's name.
    jwks: Value,
    /// In the order of the task's.
    cases: Vec<CaseReport>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CaseReport {
    /// The library's own token.
    token: String,
    /// Whether the signature of the task's token is good. Any other fault in it makes the library fail.
    honest: bool,
    flipped: bool,
    /// The library's own DPoP proof, if it makes any.
    #[serde(default)]
    proof: Option<Proof>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Proof {
    /// Of the proof's key, by the library.
    thumbprint: String,
    signed: String,
}

/// Tells how many proofs the library made.
fn exchange(library: Command) -> usize {
    let task = task();
    let report = run(library, &task);
    assert_eq!(report.cases.len(), CASES.len());
    let mut names = CASES.map(|(_, key)| key).to_vec();
    names.sort_unstable();
    names.dedup();
    assert_eq!(sorted(&report.jwks), sorted(&mint::jwks(&names).unwrap()), "mint exports other public keys");

    let mut engine = engine(&report.jwks);
    let mut proofs = 0;
    let mut differences = Vec::new();
    for (case, report) in task.cases.iter().zip(&report.cases) {
        let mut expect = |what: &str, holds: bool| {
            if !holds {
                differences.push(format!("{}, {}: {what}", case.algorithm, case.key));
            }
        };
        expect("the library refuses our token", report.honest);
        expect("the library accepts our token with one bit flipped", !report.flipped);
        let verdict = decide(&mut engine, &bearer(&report.token));
        expect(&format!("its token: {verdict}"), verdict == "user-1");
        let verdict = decide(&mut engine, &bearer(&flip_payload_bit(&report.token)));
        expect(&format!("its token with one bit flipped: {verdict}"), verdict == "bad_signature");
        if let Some(Proof { thumbprint, signed }) = &report.proof {
            proofs += 1;
            expect(
                "its thumbprint is not ours",
                mint::PrivateKey::named(case.key).unwrap().thumbprint().as_ref() == Some(thumbprint),
            );
            let headers = [("authorization", format!("DPoP {}", case.bound)), ("dpop", signed.clone())];
            let verdict = decide(&mut engine, &headers);
            expect(&format!("its proof: {verdict}"), verdict == "user-1");
            let verdict = decide(&mut engine, &headers);
            expect(&format!("its proof, used again: {verdict}"), verdict == "proof_replayed");
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
    proofs
}

fn task() -> Task {
    let claims =
        json!({"iss": "https://idp.example.com", "aud": "api", "sub": "user-1", "iat": NOW - 60, "exp": NOW + 300});
    let cases = CASES.map(|(algorithm, key)| {
        let header = json!({"alg": algorithm});
        let spec = TokenSpec { key: key.to_owned(), header, claims: claims.clone(), ..TokenSpec::default() };
        let honest = mint::mint(&spec, NOW).unwrap();
        let (bound, proof) = bound(algorithm, key, &claims).unzip();
        Case { algorithm, key, flipped: flip_payload_bit(&honest), honest, proof, bound: bound.unwrap_or_default() }
    });
    let keys = CASES.map(|(_, key)| (key.to_owned(), json!(key_text(key))));
    Task { now: NOW, claims, keys: Value::Object(keys.into_iter().collect()), cases: cases.into() }
}

/// A token that is bound to a key, and what a proof by that key has to say of it; none for a secret.
fn bound(algorithm: &str, key: &str, claims: &Value) -> Option<(String, Value)> {
    let mut claims = claims.clone();
    claims["cnf"] = json!({"jkt": mint::PrivateKey::named(key).unwrap().thumbprint()?});
    let token = mint::mint(&TokenSpec { claims, ..TokenSpec::default() }, NOW).unwrap();
    let ath = URL_SAFE_NO_PAD.encode(Sha256::digest(&token));
    let proof = json!({"jti": algorithm, "htm": "GET", "htu": "https://api.example.com/", "iat": NOW, "ath": ath});
    Some((token, proof))
}

/// The key's file itself, not what `mint` made of it.
fn key_text(name: &str) -> String {
    let extension = if name.starts_with("hs") { "txt" } else { "pem" };
    fs::read_to_string(root().join(format!("tests/keys/{name}.{extension}"))).unwrap()
}

fn run(mut library: Command, task: &Task) -> Report {
    // A file, not a pipe: one that dies at its start shall be heard, instead of the broken pipe.
    let mut input = tempfile::tempfile().unwrap();
    input.write_all(&serde_json::to_vec(task).unwrap()).unwrap();
    input.rewind().unwrap();
    let output = library.stdin(input).output().unwrap_or_else(|error| panic!("{library:?}: {error}"));
    assert!(output.status.success(), "{library:?}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn sorted(jwks: &Value) -> Vec<&Value> {
    let mut keys: Vec<_> = jwks["keys"].as_array().unwrap().iter().collect();
    keys.sort_unstable_by_key(|key| key["kid"].as_str());
    keys
}

fn engine(jwks: &Value) -> Engine {
    let configuration = json!({
        "authorizer": {
            "type": "jwt", "issuer": "https://idp.example.com", "audiences": ["api"], "jwks": {"inline": jwks},
            "dpop": "allowed", "dpop_origin": "https://api.example.com",
        },
        "paths": [{"method": "GET", "path": "/", "auth": true, "mapping": {"headers": {"x-user-id": "$request.jwt.sub"}}}],
    });
    let gateway = config::load(configuration.to_string().as_bytes(), &|_| None);
    Engine::new(gateway.unwrap_or_else(|errors| panic!("{errors:?}")), 7)
}

/// Who the service is told the caller is, or why there was no forwarding.
fn decide(engine: &mut Engine, credentials: &[(&str, String)]) -> String {
    let line = [(":method", "GET"), (":path", "/"), (":authority", "api.example.com")];
    let line = line.iter().map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec()));
    let credentials = credentials.iter().map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec()));
    let headers = line.chain(credentials).collect();
    let decision =
        engine.decide(RequestId(1), &Head { headers, end_of_stream: true }, UnixTime::from_secs(NOW), &mut NoHost);
    match decision.verdict {
        Verdict::Forward(edits) => edits
            .into_iter()
            .find_map(|edit| match edit {
                HeaderEdit::Set(name, value) if &*name == "x-user-id" => {
                    Some(String::from_utf8(value.to_vec()).unwrap())
                }
                _ => None,
            })
            .unwrap_or_else(|| "forwarded as nobody".to_owned()),
        Verdict::Wait => panic!("there is nothing to wait for"),
        Verdict::Deny(_) => decision.record.reason.unwrap().to_string(),
    }
}

fn bearer(token: &str) -> [(&'static str, String); 1] {
    [("authorization", format!("Bearer {token}"))]
}

/// Makes user-1 user-0: the claims are as good as before, and nothing but the signature refuses them.
fn flip_payload_bit(token: &str) -> String {
    let [header, payload, signature] = token.split('.').collect::<Vec<_>>().try_into().unwrap();
    let mut claims = URL_SAFE_NO_PAD.decode(payload).unwrap();
    let at = claims.windows(6).position(|window| window == b"user-1").unwrap();
    claims[at + 5] ^= 1;
    format!("{header}.{}.{signature}", URL_SAFE_NO_PAD.encode(claims))
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Where `wasm-test-harness/setup/crosscheck.sh` put the libraries.
fn libraries() -> PathBuf {
    let folder = env::var_os("GATEPOST_CROSSCHECK");
    folder.expect("GATEPOST_CROSSCHECK is not set; run the tests by `make test`, which sets it").into()
}

const NOW: u64 = 1_800_000_000;

/// Every algorithm and every name of one, with a key of `tests/keys`.
const CASES: [(&str, &str); 14] = [
    ("HS256", "hs1"),
    ("HS384", "hs48"),
    ("HS512", "hs2"),
    ("RS256", "rs1"),
    ("RS384", "rs2"),
    ("RS512", "rs3072"),
    ("PS256", "rs1"),
    ("PS384", "rs2"),
    ("PS512", "rs3072"),
    ("ES256", "es1"),
    ("ES384", "es384"),
    ("ES512", "es512"),
    ("EdDSA", "ed1"),
    ("Ed25519", "ed2"),
];
