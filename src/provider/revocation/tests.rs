use super::*;
use crate::test::test;

fn list(entries: &str) -> Result<RevocationList, ProviderFailure> {
    RevocationList::parse(format!("{{\"revoked\": [{entries}]}}").as_bytes())
}

fn unreadable(index: usize) -> ProviderFailure {
    ProviderFailure::UnreadableRevocation { index }
}

test!(a_value_is_one_issuers, {
    let list = list(r#"{"iss": "a", "value": "x"}, {"iss": "b", "value": "y"}"#).unwrap();
    assert_eq!(list.len(), 2);
    for (issuer, value, expected) in [
        ("a", "x", Standing::Revoked),
        ("b", "y", Standing::Revoked),
        ("a", "y", Standing::Good),
        ("b", "x", Standing::Good),
        ("A", "x", Standing::Good),
        // Neither runs into the other.
        ("ax", "", Standing::Good),
        ("", "ax", Standing::Good),
        ("", "", Standing::Good),
    ] {
        assert_eq!(list.standing(issuer, value, None), expected, "{issuer} {value}");
    }
});

test!(before_counts_to_the_fraction_of_a_second, {
    let list = list(r#"{"iss": "a", "value": "x", "before": 1000}, {"iss": "a", "value": "y", "before": 1000.5}"#);
    let list = list.unwrap();
    for (value, issued, expected) in [
        ("x", Some(999.0), Standing::Revoked),
        ("x", Some(1000.0), Standing::Revoked),
        ("x", Some(1000.1), Standing::Good),
        ("x", Some(1001.0), Standing::Good),
        ("x", None, Standing::Unknown),
        ("y", Some(1000.5), Standing::Revoked),
        ("y", Some(1000.6), Standing::Good),
        ("z", None, Standing::Good),
    ] {
        assert_eq!(list.standing("a", value, issued), expected, "{value} {issued:?}");
    }
});

test!(of_several_entries_the_widest_counts, {
    const ALL: &str = r#"{"iss": "a", "value": "x"}"#;
    const LATE: &str = r#"{"iss": "a", "value": "x", "before": 2000}"#;
    const EARLY: &str = r#"{"iss": "a", "value": "x", "before": 1000}"#;
    for (entries, at_1500, at_2500) in [
        ([EARLY, LATE], Standing::Revoked, Standing::Good),
        ([LATE, EARLY], Standing::Revoked, Standing::Good),
        ([ALL, EARLY], Standing::Revoked, Standing::Revoked),
        ([EARLY, ALL], Standing::Revoked, Standing::Revoked),
        ([EARLY, EARLY], Standing::Good, Standing::Good),
    ] {
        let list = list(&entries.join(",")).unwrap();
        let standing = |issued| list.standing("a", "x", Some(issued));
        assert_eq!((list.len(), standing(1500.0), standing(2500.0)), (1, at_1500, at_2500), "{entries:?}");
    }
});

test!(order_escapes_and_unknown_members_do_not_matter, {
    for text in [
        r#"{"revoked":[{"iss":"a","value":"x"}]}"#,
        r#" {"made": {"revoked": [7]}, "revoked": [{"why": ["stolen"], "value": "x", "exp": null, "iss": "a"}], "n": 1} "#,
        r#"{"revo\u006bed": [{"\u0069ss": "\u0061", "value": "\u0078"}]}"#,
    ] {
        let list = RevocationList::parse(text.as_bytes()).unwrap();
        assert_eq!(list.standing("a", "x", None), Standing::Revoked, "{text}");
    }
    for text in [r#"{"revoked": []}"#, r#"{"revoked":[], "x": 1}"#] {
        let list = RevocationList::parse(text.as_bytes()).unwrap();
        assert!(list.is_empty() && list.standing("a", "x", None) == Standing::Good);
    }
    assert_eq!(list(r#"{"iss": "", "value": ""}"#).unwrap().standing("", "", None), Standing::Revoked);
});

test!(an_entry_that_cannot_be_read_fails_the_list, {
    const GOOD: &str = r#"{"iss": "a", "value": "x"}"#;
    for bad in [
        "null",
        "7",
        "\"x\"",
        "[\"a\", \"x\"]",
        "{}",
        r#"{"iss": "a"}"#,
        r#"{"value": "x"}"#,
        r#"{"iss": "a", "value": 7}"#,
        r#"{"iss": "a", "value": null}"#,
        r#"{"iss": ["a"], "value": "x"}"#,
        r#"{"iss": "a", "value": "x", "before": null}"#,
        r#"{"iss": "a", "value": "x", "before": "1000"}"#,
        r#"{"iss": "a", "value": "x", "before": -1}"#,
        r#"{"iss": "a", "value": "x", "before": 1800000000000}"#,
        r#"{"iss": "a", "value": "x", "before": 1e999}"#,
        r#"{"iss": "a", "value": "x", "before": 1, "before": 2}"#,
        r#"{"iss": "a", "iss": "b", "value": "x"}"#,
        r#"{"iss": "a", "value": "x", "\u0076alue": "y"}"#,
        r#"{"iss": "a", "value": "\ud800"}"#,
        r#"{"iss": "a", "value": "x",}"#,
        "{'iss': 1}",
    ] {
        assert_eq!(list(&format!("{GOOD}, {GOOD}, {bad}, {GOOD}")).err(), Some(unreadable(2)), "{bad}");
    }
});

test!(what_is_no_list_is_refused, {
    let failure = |text: &str| RevocationList::parse(text.as_bytes()).unwrap_err();
    for text in ["", "<html>", "[]", "7", "null", "\u{feff}{}", "{\"revoked\": []}x", "{\"revoked\": []", "{\"x\": }"] {
        assert_eq!(failure(text), ProviderFailure::NotAnObject, "{text}");
    }
    for text in [
        "{}",
        "{\"Revoked\": []}",
        "{\"revoked\": {}}",
        "{\"revoked\": null}",
        "{\"revoked\": \"x\"}",
        "{\"revoked\": [], \"revoked\": []}",
        "{\"revoked\": [], \"revoke\\u0064\": []}",
        "{\"keys\": []}",
    ] {
        assert_eq!(failure(text), ProviderFailure::NotARevocationList, "{text}");
    }
    // Cut off, wherever.
    let text = r#"{"revoked": [{"iss": "a", "value": "x"}, {"iss": "a", "value": "y"}]}"#;
    for end in 0..text.len() {
        assert!(RevocationList::parse(&text.as_bytes()[..end]).is_err(), "{end}");
    }
    assert_eq!(failure(&text[..50]), unreadable(1));
    assert_eq!(RevocationList::parse(b"{\"revoked\": [], \"x\": \"\xff\"}").unwrap_err(), ProviderFailure::NotAnObject);
    let deep = format!("{{\"revoked\": [{{\"x\": {}", "[".repeat(100_000));
    assert!(RevocationList::parse(deep.as_bytes()).is_err());
});

test!(debugging_shows_no_value, {
    let list = list(r#"{"iss": "secret-issuer", "value": "secret-value"}"#).unwrap();
    assert_eq!(format!("{list:?}"), "RevocationList { entries: 1, .. }");
});
