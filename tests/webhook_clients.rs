//! The clients of `docs/webhooks.md` sign requests that the filter takes, and its example is what they make.

use std::{
    fs,
    path::Path,
    process::Command,
    time::{SystemTime, UNIX_EPOCH},
};

use gatepost::{
    config,
    engine::{Engine, Head, RequestId, UnixTime, Verdict},
    host::NoHost,
};
use tempfile::TempDir;

#[test]
fn python_signs_what_the_page_says() {
    check(&|request, fixed| {
        let folder = TempDir::new().unwrap();
        fs::write(folder.path().join("sign.py"), block("python")).unwrap();
        let fixed = fixed.map_or(String::new(), |(ts, nonce)| format!(", ts={ts}, nonce={nonce:?}"));
        let Request { method, authority, target, body } = request;
        let program = format!(
            "from sign import authorization\nprint(authorization({KEY:?}, {SECRET:?}, {method:?}, {:?}, {body:?}.encode(){fixed}))",
            format!("https://{authority}{target}")
        );
        run(Command::new("python3").current_dir(&folder).arg("-c").arg(program))
    });
}

#[test]
fn a_shell_signs_what_the_page_says() {
    check(&|request, fixed| {
        let folder = TempDir::new().unwrap();
        fs::write(folder.path().join("sign.sh"), block("sh")).unwrap();
        fs::write(folder.path().join("body"), request.body).unwrap();
        let (path, query) = request.target.split_once('?').unwrap_or((request.target, ""));
        let mut command = Command::new("sh");
        command.current_dir(&folder).args(["sign.sh", request.method, request.authority, path, query, "body"]);
        command.env("KEY_ID", KEY).env("SECRET", SECRET);
        if let Some((ts, nonce)) = fixed {
            command.env("TS", ts.to_string()).env("NONCE", nonce);
        }
        run(&mut command)
    });
}

struct Request<'a> {
    method: &'a str,
    authority: &'a str,
    target: &'a str,
    body: &'a str,
}

/// A program that makes an `Authorization` header, with a time and a nonce of its own or with these.
type Client<'a> = &'a dyn Fn(&Request<'_>, Option<(u64, &str)>) -> String;

fn check(client: Client<'_>) {
    let example = Request {
        method: "POST",
        authority: "API.example.com",
        target: "/orders/7?notify=yes&tag=a%20b",
        body: "{\"item\": \"book\", \"count\": 2}",
    };
    let made = client(&example, Some((1_800_000_000, "n-0123456789abcdef")));
    assert!(page().contains(&format!("Authorization: {made}\n")), "the page has another example: {made}");
    assert!(page().contains(&format!("\n{}\n", example.body)) && page().contains(example.target));

    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let bodiless = Request { method: "GET", authority: "api.example.com:8443", target: "/orders/a~b", body: "" };
    for request in [example, bodiless] {
        let authorization = client(&request, None);
        assert_eq!(status(&request, &authorization, request.body, now), 200, "{authorization}");
        assert_eq!(status(&request, &authorization, "another body", now), 401);
        let other = Request { target: "/orders/8", ..request };
        assert_eq!(status(&other, &authorization, other.body, now), 401);
        assert_ne!(client(&request, None), authorization, "a nonce comes again");
    }
}

/// What the filter makes of a request, under the page's configuration.
fn status(request: &Request<'_>, authorization: &str, body: &str, now: u64) -> u16 {
    let gateway = config::load(block("json").as_bytes(), &|_| None).unwrap();
    let mut engine = Engine::new(gateway, 7);
    let headers = [
        (":method", request.method),
        (":path", request.target),
        (":authority", request.authority),
        ("authorization", authorization),
    ];
    let headers = headers.into_iter().collect();
    let (id, now) = (RequestId(1), UnixTime::from_secs(now));
    let mut decision = engine.decide(id, &Head { headers, end_of_stream: false }, now, &mut NoHost);
    if decision.verdict == Verdict::Wait {
        assert!(!engine.body(id, body.as_bytes()) && engine.end_of_body(id));
        decision = engine.resume(id, now, &mut NoHost).unwrap();
    }
    match decision.verdict {
        Verdict::Forward(_) => 200,
        Verdict::Deny(answer) => answer.status,
        Verdict::Wait => panic!("the body is whole"),
    }
}

fn run(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
}

/// The page's first block in a language.
fn block(language: &str) -> String {
    let page = page();
    let (_, after) = page.split_once(&format!("\n```{language}\n")).expect("the page has such a block");
    after.split_once("\n```").expect("it ends").0.to_owned() + "\n"
}

fn page() -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/webhooks.md")).unwrap()
}

const KEY: &str = "acme-1";
const SECRET: &str = "a-secret-for-the-example";
