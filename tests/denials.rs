//! The pages about denials are what the closed enum of reasons says.

use std::fmt::Write as _;

use gatepost::deny::{Challenge, Code, Reason};
use wasm_test_harness::generated;

#[test]
fn every_code_has_a_page_and_every_reason_a_section() {
    let mut pages = vec![("docs/denials.md".to_owned(), index())];
    pages.extend(Code::ALL.map(|code| (format!("docs/denials/{}.md", code.name()), page(code))));
    generated::keep(Some("docs/denials"), &pages[1..]);
    generated::keep(None, &pages[..1]);
}

#[test]
fn every_code_has_a_reason_and_every_explanation_two_sentences() {
    for code in Code::ALL {
        assert!(reasons(code).next().is_some(), "{code:?}: nothing leads to it");
    }
    for reason in Reason::all() {
        let (meaning, remedy) = reason.explanation();
        assert!(meaning.ends_with('.') && remedy.ends_with('.'), "{reason}: {meaning} {remedy}");
        assert!(remedy.starts_with(char::is_uppercase) || remedy.starts_with('`'), "{reason}: {remedy}");
    }
}

fn reasons(code: Code) -> impl Iterator<Item = Reason> {
    Reason::all().filter(move |reason| reason.code() == code)
}

fn index() -> String {
    let mut page = String::from(INTRODUCTION);
    page.push_str("| status | `error` | the sentence |\n|---|---|---|\n");
    let mut codes = Code::ALL;
    codes.sort_by_key(|code| code.status());
    for code in codes {
        let (name, status, sentence) = (code.name(), code.status(), code.description());
        writeln!(page, "| {status} | [`{name}`](denials/{name}.md) | {sentence}. |").unwrap();
    }
    page.push_str("\n## By reason\n\n| reason | what the caller is told |\n|---|---|\n");
    let mut reasons: Vec<Reason> = Reason::all().collect();
    reasons.sort_by_key(|reason| reason.label());
    for reason in reasons {
        let (name, status) = (reason.code().name(), reason.code().status());
        writeln!(page, "| [`{reason}`](denials/{name}.md#{reason}) | {status} `{name}` |").unwrap();
    }
    page.push_str(END);
    page
}

fn page(code: Code) -> String {
    let (name, status, sentence) = (code.name(), code.status(), code.description());
    let grpc = code.grpc_status().code;
    let mut page = format!("# {status} `{name}`\n\n{sentence}.\n\n");
    page.push_str(match code.challenge() {
        Challenge::Never => "The answer has no `WWW-Authenticate`.",
        Challenge::Bare => "The answer's `WWW-Authenticate` names the schemes that the route accepts, and no error.",
        Challenge::Error(_) => "The answer's `WWW-Authenticate` names the schemes that the route accepts",
    });
    if let Challenge::Error(error) = code.challenge() {
        write!(page, ", with `error=\"{error}\"`.").unwrap();
    }
    writeln!(page, " A gRPC call ends with status {grpc} and the message `{name}`.\n").unwrap();
    page.push_str(
        "Callers are told no more than that. What it was is in the metric `gatepost.denied.REASON`, in the audit ",
    );
    page.push_str("line and in `gatepost explain`:\n");
    for reason in reasons(code) {
        let (meaning, remedy) = reason.explanation();
        write!(page, "\n## `{reason}`\n\n{}\n\n**What to do:** {remedy}\n", meaning.trim()).unwrap();
    }
    page
}

const INTRODUCTION: &str = "\
# Denials

Every way in which gatepost refuses a request. The caller learns a code, in the body's `error` (`{\"error\": \"invalid_token\", ...}`)
or a gRPC call's message: enough to act on, nothing that would help to guess a key, an issuer or an audience. Operators learn the
reason, by its label: in the metric `gatepost.denied.REASON`, in [audit lines](operations.md#audit-log), in access logs by the filter state
`gatepost.reason`, and from [`gatepost explain`](command.md).

";

const END: &str = "
A caller whose request is refused with several credentials in play learns of the one that got furthest. With
`\"mode\": \"shadow\"` what a route would have denied is forwarded, and counted as `shadow_denied`
([what shadow does](concepts.md#modes)).

Answers that are not in this table are not gatepost's: the proxy's own (413 for a body over its buffer's limit, 503 for a
cluster without hosts, 500 or 503 where the filter did not load: it fails closed) or the service's. gatepost's own have
`cache-control: no-store`, and a body with one of these codes.
";
