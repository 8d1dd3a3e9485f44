//! No request without a credential is forwarded where one is needed, and none forges identity.
#![no_main]

use std::cell::RefCell;

use gatepost::{
    config,
    engine::{Engine, Head, HeaderEdit, RequestId, UnixTime, Verdict},
    host::NoHost,
    request::folded_name,
};
use libfuzzer_sys::fuzz_target;

thread_local! {
    static OPEN: RefCell<Engine> = RefCell::new(engine(OPEN_CONFIGURATION));
    static CLOSED: RefCell<Engine> = RefCell::new(engine(CLOSED_CONFIGURATION));
}

// Lines of `name: value`; the first two are the method and the target.
fuzz_target!(|text: &[u8]| {
    let mut lines = text.split(|byte| *byte == b'\n');
    let line = [":method", ":path"].map(|name| (name.to_owned(), lines.next().unwrap_or_default().to_vec()));
    let headers = lines.filter_map(|line| {
        let colon = line.iter().position(|byte| *byte == b':')?;
        let name = std::str::from_utf8(&line[..colon]).ok()?.to_ascii_lowercase();
        Some((name, line[colon + 1..].trim_ascii().to_vec()))
    });
    let head = Head { headers: line.into_iter().chain(headers).collect(), end_of_stream: true };
    let now = UnixTime::from_secs(1_800_000_000);

    let closed = CLOSED.with_borrow_mut(|engine| engine.decide(RequestId(1), &head, now, &mut NoHost));
    assert!(matches!(closed.verdict, Verdict::Deny(_)));
    let open = OPEN.with_borrow_mut(|engine| engine.decide(RequestId(1), &head, now, &mut NoHost));
    if let Verdict::Forward(edits) = open.verdict {
        let gone = |name: &str| edits.iter().any(|edit| matches!(edit, HeaderEdit::Remove(gone) if **gone == *name));
        for (name, _) in head.headers.iter() {
            let folded = folded_name(name);
            let forged = folded.starts_with("x-user-") || folded.starts_with("x-gatepost-");
            assert!(!forged || name.starts_with(':') || gone(name), "{name}");
        }
    }
});

fn engine(configuration: &str) -> Engine {
    Engine::new(config::load(configuration.as_bytes(), &|_| None).unwrap(), 7)
}

const OPEN_CONFIGURATION: &str = r#"{
    "authorizer": {"type": "jwt", "issuer": "i", "audiences": "a", "secret": "0123456789abcdef0123456789abcdef"},
    "identity_headers": ["x-user-*"], "identity_query": ["actor"], "unmatched": "forward", "path_policy": "normalize",
    "paths": [{"method": "ANY", "path": "/a/{id}/{.+}", "auth": {"use": "default", "optional": true},
               "encoded_slash": "keep", "mapping": {"headers": {"x-user-id": "$request.jwt.sub"}}}]
}"#;

const CLOSED_CONFIGURATION: &str = r#"{
    "authorizer": {"type": "jwt", "issuer": "i", "audiences": "a", "secret": "0123456789abcdef0123456789abcdef",
                   "from": [{"header": "authorization", "scheme": "Bearer"}, {"cookie": "b"}, {"query": "t"}]},
    "cors_preflight": "authenticate", "unmatched": "authenticate",
    "paths": [{"method": "GET", "path": "/a/{.+}", "auth": true, "case_insensitive": true}]
}"#;
