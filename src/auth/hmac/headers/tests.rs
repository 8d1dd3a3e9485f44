use super::*;
use crate::{request::Head, test::test};

const ZERO: &str = "0000000000000000000000000000000000000000000000000000000000000000";
const ZERO_64: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
const NONCE: &str = "0123456789abcdef";

fn head(headers: &[(&str, &str)]) -> Head {
    let line = [(":method", "POST"), (":path", "/a/b?c=%20&d"), (":authority", "API.example.com:8443")];
    let headers = line.iter().chain(headers).map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec()));
    Head { headers: headers.collect(), end_of_stream: false }
}

/// The number of signatures and what is signed before the body.
fn look(scheme: Scheme, headers: &[(&str, &str)]) -> Result<(usize, String), Reason> {
    let head = head(headers);
    let statement = read(scheme, &Request::new(&head).unwrap(), "/a/b")?;
    Ok((statement.signatures.len(), String::from_utf8(statement.prefix).unwrap()))
}

fn signs(signatures: usize, prefix: &str) -> Result<(usize, String), Reason> {
    Ok((signatures, prefix.to_owned()))
}

test!(each_scheme_signs_what_its_documentation_says, {
    let hex = format!("sha256={ZERO}");
    assert_eq!(look(Scheme::GitHub, &[("x-hub-signature-256", &hex)]), signs(1, ""));
    assert_eq!(look(Scheme::Shopify, &[("x-shopify-hmac-sha256", ZERO_64)]), signs(1, ""));
    let (time, hex) = (("x-slack-request-timestamp", "17"), format!("v0={ZERO}"));
    assert_eq!(look(Scheme::Slack, &[time, ("x-slack-signature", &hex)]), signs(1, "v0:17:"));
    let value = format!("t=17,v1={ZERO},v0=x,v1={ZERO},v1=short");
    assert_eq!(look(Scheme::Stripe, &[("stripe-signature", &value)]), signs(2, "17."));
    let (id, time) = (("webhook-id", "msg_1"), ("webhook-timestamp", "17"));
    let value = format!("v1a,AAAA v1,{ZERO_64} v1,short");
    assert_eq!(look(Scheme::StandardWebhooks, &[id, time, ("webhook-signature", &value)]), signs(1, "msg_1.17."));
    let signature = ZERO_64.trim_end_matches('=');
    let value = format!("HMAC-SHA256 key=k,ts=17,nonce={NONCE},sig={signature}");
    let canonical = format!("POST\napi.example.com:8443\n/a/b\nc=%20&d\n17\n{NONCE}\n");
    assert_eq!(look(Scheme::Generic, &[("authorization", &value)]), signs(1, &canonical));
});

test!(a_generic_request_without_a_query_signs_an_empty_line, {
    let value = format!("HMAC-SHA256 key=k,ts=17,nonce={NONCE},sig={}", ZERO_64.trim_end_matches('='));
    let line = [(":method", "GET"), (":path", "/"), (":authority", "a"), ("authorization", &value)];
    let headers = line.map(|(name, value)| (name.to_owned(), value.as_bytes().to_vec())).to_vec();
    let head = Head { headers: headers.into(), end_of_stream: true };
    let statement = read(Scheme::Generic, &Request::new(&head).unwrap(), "/").unwrap();
    assert_eq!(statement.prefix, format!("GET\na\n/\n\n17\n{NONCE}\n").into_bytes());
    assert_eq!((statement.key, statement.nonce), (Some("k"), Some(NONCE)));
});

test!(times_are_whole_seconds_in_one_spelling, {
    assert_eq!(unix_time("0"), Some(UnixTime::from_secs(0)));
    assert_eq!(unix_time("1531420618"), Some(UnixTime::from_secs(1_531_420_618)));
    for text in ["", "+1", "-1", "01", "1.0", "1 ", " 1", "1e3", "0x1", "1000000000000", "99999999999999999999999"] {
        assert_eq!(unix_time(text), None, "{text}");
    }
});

test!(signatures_are_32_bytes_in_one_spelling, {
    assert_eq!(lower_hex(ZERO), Some([0; 32]));
    assert_eq!(lower_hex(&ZERO.replace('0', "f")), Some([0xff; 32]));
    for text in ["", &ZERO[1..], &ZERO[2..], &format!("{ZERO}00"), &ZERO.replace('0', "F"), &ZERO.replace('0', "g")] {
        assert_eq!(lower_hex(text), None, "{text}");
    }
    assert_eq!(base64(ZERO_64), Some([0; 32]));
    let (unpadded, trailing) = (ZERO_64.trim_end_matches('='), ZERO_64.replace("A=", "B="));
    for text in ["", unpadded, &format!("{ZERO_64}="), &trailing, "AAAA", &ZERO_64.replace('A', "_"), " AAA"] {
        assert_eq!(base64(text), None, "{text}");
    }
});

test!(joined_headers_are_headers_of_their_own, {
    let is = |value: &str, expected: &[Option<&str>]| assert_eq!(after_schemes(value.as_bytes()), expected, "{value}");
    is("HMAC-SHA256 a=1,b=2", &[Some("a=1,b=2")]);
    is("hmac-sha256    a=1", &[Some("a=1")]);
    is("HMAC-SHA256 a=1,b=2,HMAC-SHA256 c=3", &[Some("a=1,b=2"), Some("c=3")]);
    is("HMAC-SHA256 a=1, HMAC-SHA256 c=3", &[Some("a=1"), Some("c=3")]);
    is("HMAC-SHA256 a=1,Bearer t", &[None]);
    is("Bearer t,HMAC-SHA256 a=1", &[None]);
    is("HMAC-SHA256", &[None]);
    is("HMAC-SHA256 ", &[None]);
    is("HMAC-SHA256 a=1 ", &[None]);
    is("HMAC-SHA256\ta=1", &[None]);
    is("HMAC-SHA256 é", &[None]);
    is("Bearer HMAC-SHA256", &[]);
    is("HMAC-SHA2567 a", &[]);
    is("", &[]);
    assert_eq!(after_schemes(b"HMAC-SHA256 \xff"), [None]);
    assert_eq!(after_schemes(b"\xff"), []);
});
