//! Whose certificate is taken for a caller.

use serde_json::json;

use super::{
    authority::Authority,
    gateway::{Client, FORGED, OPTIONAL, Outcome, Running, Tls, caller, client, denied, route, token, users},
};

const A: &str = "spiffe://cluster.local/ns/prod/sa/a";
const B: &str = "spiffe://cluster.local/ns/prod/sa/b";

const REQUIRED: Tls = Tls { require: true, ..OPTIONAL };
const UNTRUSTED: Tls = Tls { accept_untrusted: true, ..OPTIONAL };
const RESUMING: Tls = Tls { resumption: true, ..OPTIONAL };

fn start(listener_validates: bool, listeners: &[(&str, Tls)]) -> Running {
    let mesh = json!({
        "type": "mtls",
        "uri_sans": ["spiffe://cluster.local/ns/prod/*"],
        "dns_sans": ["Batch.example.com"],
        "subjects": ["CN=legacy,O=*"],
        "listener_validates": listener_validates,
    });
    let second = json!({"type": "mtls", "uri_sans": [B], "listener_validates": listener_validates});
    let configuration = json!({
        "authenticators": {"mesh": mesh, "second": second, "users": users()},
        "paths": [
            route("/mesh", json!("mesh")),
            route("/second", json!("second")),
            route("/optional", json!({"use": "mesh", "optional": true})),
            route("/any", json!({"any": ["mesh", "users"]})),
            route("/all", json!({"all": ["users", "mesh"]})),
            route("/open", json!(false)),
        ],
    });
    Running::start(&configuration, listeners)
}

#[test]
fn a_trusted_certificate_is_a_caller_and_no_other_is() {
    let running = start(false, &[("optional", OPTIONAL), ("required", REQUIRED), ("untrusted", UNTRUSTED)]);
    if !running.tells_validation() {
        return in_an_old_envoy(&running);
    }
    let stranger = Authority::new("stranger");
    let good = running.trusted.issue("client", &[A]);
    let [forged, lookalike] = [stranger.issue("client", &[A]), Authority::new("trusted").issue("client", &[A])];
    let expired = running.trusted.issue_expired("client", &[A]);
    let other = running.trusted.issue("client", &["spiffe://cluster.local/ns/test/sa/a"]);

    for listener in ["optional", "required", "untrusted"] {
        for http2 in [false, true] {
            let good = Client { http2, ..client(Some(&good)) };
            for path in ["/mesh", "/optional", "/any"] {
                assert_eq!(running.get(listener, path, &good), caller(A), "{listener} {path}");
            }
            assert_eq!(running.get(listener, "/open", &good), Outcome::Caller(None), "{listener}");
            let other = Client { http2, ..client(Some(&other)) };
            assert_eq!(running.get(listener, "/mesh", &other), denied("client_certificate_required"), "{listener}");
        }
    }
    // Envoy itself lets no certificate through that it does not trust, but where it is told to.
    for bad in [&forged, &lookalike, &expired] {
        for http2 in [false, true] {
            let bad = Client { http2, ..client(Some(bad)) };
            assert_eq!(running.get("optional", "/open", &bad), Outcome::NoConnection);
            assert_eq!(running.get("required", "/open", &bad), Outcome::NoConnection);
            assert_eq!(running.get("untrusted", "/open", &bad), Outcome::Caller(None));
            for path in ["/mesh", "/optional", "/any"] {
                assert_eq!(running.get("untrusted", path, &bad), denied("client_certificate_required"), "{path}");
            }
        }
    }
    // The client forges x-forwarded-client-cert in each of these requests.
    assert!(FORGED.starts_with("spiffe://cluster.local/ns/prod/"));
    for (listener, http2) in [("optional", false), ("optional", true), ("untrusted", false), ("untrusted", true)] {
        let nobody = Client { http2, ..client(None) };
        assert_eq!(running.get(listener, "/mesh", &nobody), denied("client_certificate_required"));
        assert_eq!(running.get(listener, "/optional", &nobody), Outcome::Caller(None));
        assert_eq!(running.get(listener, "/any", &nobody), denied("missing_credential"));
    }
    assert_eq!(running.get("required", "/mesh", &client(None)), Outcome::NoConnection);
    assert_eq!(running.envoy.traps(), Vec::<String>::new());
}

/// Before 1.39 Envoy does not tell, and nobody vouches for the listener.
fn in_an_old_envoy(running: &Running) {
    let good = running.trusted.issue("client", &[A]);
    assert_eq!(running.get("required", "/mesh", &client(Some(&good))), denied("client_certificate_required"));
}

#[test]
fn a_listener_that_validates_makes_up_for_a_host_that_cannot_tell() {
    let running = start(true, &[("required", REQUIRED), ("optional", OPTIONAL), ("untrusted", UNTRUSTED)]);
    let good = running.trusted.issue("client", &[A]);
    let forged = Authority::new("stranger").issue("client", &[A]);
    for listener in ["required", "optional"] {
        assert_eq!(running.get(listener, "/mesh", &client(Some(&good))), caller(A));
        assert_eq!(running.get(listener, "/mesh", &client(Some(&forged))), Outcome::NoConnection);
    }
    assert_eq!(running.get("optional", "/mesh", &client(None)), denied("client_certificate_required"));
    // Where Envoy can tell it is believed, whatever the configuration says.
    if running.tells_validation() {
        let answer = running.get("untrusted", "/mesh", &client(Some(&forged)));
        assert_eq!(answer, denied("client_certificate_required"));
    }
}

#[test]
fn every_kind_of_name_can_be_listed_and_all_of_a_kind_are_seen() {
    let running = start(true, &[("required", REQUIRED)]);
    let get = |path: &str, subject: &str, names: &[&str]| {
        running.get("required", path, &client(Some(&running.trusted.issue(subject, names))))
    };
    assert_eq!(get("/mesh", "client", &["batch.EXAMPLE.com"]), caller("batch.EXAMPLE.com"));
    assert_eq!(get("/mesh", "legacy", &[]), caller("CN=legacy,O=Acme\\, Inc"));
    assert_eq!(get("/mesh", "legacy", &[A, "batch.example.com"]), caller(A));
    // A comma in a name does not make another name.
    assert_eq!(get("/mesh", "legacy,O=x", &[]), denied("client_certificate_required"));
    assert_eq!(
        get("/mesh", "client", &["spiffe://x/,spiffe://cluster.local/ns/prod/sa/a"]),
        denied("client_certificate_required")
    );
    // Envoy 1.38 and later offer the certificate, and with it all names.
    let second = get("/second", "client", &[A, B]);
    let expected = if running.offers_certificate() { caller(B) } else { denied("client_certificate_required") };
    assert_eq!(second, expected);
}

#[test]
fn a_certificate_and_a_token_go_together() {
    let running = start(true, &[("optional", OPTIONAL)]);
    let good = running.trusted.issue("client", &[A]);
    for http2 in [false, true] {
        let get =
            |path: &str, issued, token: Option<String>| running.get("optional", path, &Client { issued, token, http2 });
        let alice = || Some(token(json!({})));
        assert_eq!(get("/all", Some(&good), alice()), caller("user-1"));
        assert_eq!(get("/all", None, alice()), denied("client_certificate_required"));
        assert_eq!(get("/all", Some(&good), None), denied("missing_credential"));
        assert_eq!(get("/any", None, alice()), caller("user-1"));
        assert_eq!(get("/any", Some(&good), alice()), caller(A));
        assert_eq!(get("/any", Some(&good), Some("x".to_owned())), caller(A));
    }
}

// Envoy does not say of a resumed session that its certificate was validated, and gatepost does not guess: the
// documentation has listeners turn resumption off. This is where to look when Envoy changes.
#[test]
fn a_resumed_session_is_not_taken_for_a_validated_one() {
    let running = start(false, &[("resuming", RESUMING), ("plain", OPTIONAL)]);
    if !running.tells_validation() {
        let good = running.trusted.issue("client", &[A]);
        let answer = running.get("resuming", "/mesh", &client(Some(&good)));
        assert_eq!(answer, denied("client_certificate_required"));
        return;
    }
    let good = running.trusted.issue("client", &[A]);
    let client = client(Some(&good));
    for (listener, second) in [("resuming", denied("client_certificate_required")), ("plain", caller(A))] {
        let config = client.config();
        assert_eq!(running.get_with(listener, "/mesh", &client, &config), caller(A), "{listener}");
        assert_eq!(running.get_with(listener, "/mesh", &client, &config), second, "{listener}");
    }
}
