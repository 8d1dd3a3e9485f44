//! What operators learn about a decision: a [`Record`] of each, and a line of JSON for those that the configuration asks one
//! for (docs/operations.md, docs/audit.schema.json).
//!
//! A line is ASCII and bounded, whoever wrote what stands in it: no client can forge one, or hide one.

use std::{fmt, rc::Rc};

use crate::{deny::Reason, request::Head, time::UnixTime};

/// Of which decisions there is a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Audit {
    /// Of those that denied, or, in shadow mode, would have.
    pub denied: bool,
    /// Of the others.
    pub allowed: bool,
}

/// What was decided about a request, for metrics, access logs and audit lines.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// The route that decided.
    pub route: Option<Rc<str>>,
    /// Who verified the caller, or whose refusal is reported.
    pub authenticator: Option<Rc<str>>,
    /// Who was verified, as [`caller`](crate::limit::caller) writes them: no claim can be read in it.
    pub subject: Option<Rc<str>>,
    /// Why the request was refused, or would have been.
    pub reason: Option<Reason>,
    /// Whether it was forwarded all the same, as shadow mode asks.
    pub shadow: bool,
    /// The limit that the request exceeds.
    pub limit: Option<&'static str>,
    /// What its line says besides; none where there is to be no line.
    pub entry: Option<Box<Entry>>,
}

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was forwarded.
    Allowed,
    /// It was answered.
    Denied,
    /// It was forwarded, and would have been denied, were the mode not shadow.
    ShadowDenied,
}

/// What a line says that nobody else needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// When the request came.
    pub came: UnixTime,
    /// The route's methods, hosts and path.
    pub route: Option<Rc<str>>,
    /// The `kid` of the key that verified the token, or the id of the API key.
    pub key_id: Option<Box<str>>,
    /// `x-request-id`
    pub request_id: Option<Box<str>>,
}

/// The line about a decision.
pub struct Line<'a> {
    record: &'a Record,
    entry: &'a Entry,
    now: UnixTime,
}

impl Audit {
    /// Whether there is a line of decisions that came to this.
    #[must_use]
    pub fn is_of(self, outcome: Outcome) -> bool {
        match outcome {
            Outcome::Allowed => self.allowed,
            Outcome::Denied | Outcome::ShadowDenied => self.denied,
        }
    }
}

impl Default for Audit {
    fn default() -> Self {
        Self { denied: true, allowed: false }
    }
}

impl Record {
    /// What became of the request.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        match self.reason {
            None => Outcome::Allowed,
            Some(_) if self.shadow => Outcome::ShadowDenied,
            Some(_) => Outcome::Denied,
        }
    }

    /// The line about this decision, which is carried out at a time; none where there is to be none.
    #[must_use]
    pub fn line(&self, now: UnixTime) -> Option<Line<'_>> {
        let entry = self.entry.as_deref()?;
        Some(Line { record: self, entry, now })
    }
}

impl Outcome {
    /// Every outcome.
    pub const ALL: [Self; 3] = [Self::Allowed, Self::Denied, Self::ShadowDenied];

    /// Its name in metrics and lines.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::Denied => "denied",
            Self::ShadowDenied => "shadow_denied",
        }
    }
}

impl Entry {
    /// What a request that came at a time says for its line.
    #[must_use]
    pub fn new(head: Option<&Head>, came: UnixTime) -> Self {
        let mut ids = head.into_iter().flat_map(|head| head.headers.values("x-request-id"));
        let id = match (ids.next(), ids.next()) {
            (Some(id), None) => request_id(id),
            _ => None,
        };
        Self { came, route: None, key_id: None, request_id: id.map(Into::into) }
    }
}

/// An id that can be nothing but one: a client may write anything into the header, and a JWT has dots.
fn request_id(value: &[u8]) -> Option<&str> {
    let is_id = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    let good = (1..=MOST_OF_ID).contains(&value.len()) && value.iter().all(is_id);
    std::str::from_utf8(value).ok().filter(|_| good)
}

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { record, entry, now } = self;
        let latency = now.since_epoch().saturating_sub(entry.came.since_epoch());
        let micros = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
        write!(f, "{{\"time\":\"{}\"", now.rfc3339())?;
        let texts = [
            ("route", entry.route.as_deref()),
            ("authenticator", record.authenticator.as_deref()),
            ("outcome", Some(record.outcome().name())),
            ("reason", record.reason.map(Reason::label)),
            ("subject", record.subject.as_deref()),
            ("key_id", entry.key_id.as_deref()),
            ("request_id", entry.request_id.as_deref()),
        ];
        for (name, text) in texts {
            write!(f, ",\"{name}\":")?;
            match text {
                None => f.write_str("null")?,
                Some(text) => write!(f, "\"{}\"", Escaped(text))?,
            }
        }
        write!(f, ",\"latency_ms\":{}.{:03}}}", micros / 1000, micros % 1000)
    }
}

/// What stands between the quotes of a JSON string, in ASCII: terminals take more than line feeds for commands.
struct Escaped<'a>(&'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use fmt::Write as _;
        let is_plain = |byte: u8| matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\');
        if self.0.len() <= MOST_OF_TEXT && self.0.bytes().all(is_plain) {
            return f.write_str(self.0); // as nearly all are
        }
        for (index, character) in self.0.chars().enumerate() {
            match character {
                _ if index == MOST_OF_TEXT => return f.write_str("..."),
                '"' | '\\' => write!(f, "\\{character}")?,
                ' '..='~' => f.write_char(character)?,
                _ => character.encode_utf16(&mut [0; 2]).iter().try_for_each(|unit| write!(f, "\\u{unit:04x}"))?,
            }
        }
        Ok(())
    }
}

/// What audit lines begin with in the host's log.
pub const PREFIX: &str = "gatepost audit: ";

/// The longest request id, in bytes.
const MOST_OF_ID: usize = 64;
/// How much of a text a line holds, in characters.
const MOST_OF_TEXT: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test::test;

    const CAME: UnixTime = UnixTime::from_nanos(1_800_000_000_123_456_789);

    fn entry() -> Entry {
        Entry { came: CAME, route: None, key_id: None, request_id: None }
    }

    fn line(record: Record, entry: Entry) -> String {
        let record = Record { entry: Some(Box::new(entry)), ..record };
        let now = CAME.saturating_add(std::time::Duration::from_micros(2_034_567));
        record.line(now).unwrap().to_string()
    }

    test!(a_line_says_what_was_decided, {
        let record = Record {
            authenticator: Some("users".into()),
            subject: Some("id:users:3bf4".into()),
            reason: Some(Reason::InsufficientRole),
            ..Record::default()
        };
        let entry = Entry {
            route: Some("GET /orders/{.+}".into()),
            key_id: Some("2026-11".into()),
            request_id: Some("7".into()),
            ..entry()
        };
        assert_eq!(
            line(record, entry),
            r#"{"time":"2027-01-15T08:00:02.158Z","route":"GET /orders/{.+}","authenticator":"users","outcome":"denied","reason":"insufficient_role","subject":"id:users:3bf4","key_id":"2026-11","request_id":"7","latency_ms":2034.567}"#
        );
    });

    test!(what_is_not_known_is_null, {
        assert_eq!(
            line(Record::default(), entry()),
            r#"{"time":"2027-01-15T08:00:02.158Z","route":null,"authenticator":null,"outcome":"allowed","reason":null,"subject":null,"key_id":null,"request_id":null,"latency_ms":2034.567}"#
        );
        assert!(Record::default().line(CAME).is_none());
    });

    test!(a_clock_that_was_set_back_makes_no_latency, {
        let record = Record { entry: Some(Box::new(entry())), ..Record::default() };
        assert!(record.line(UnixTime::from_secs(0)).unwrap().to_string().ends_with("\"latency_ms\":0.000}"));
    });

    test!(nobody_can_end_or_forge_a_line, {
        for text in ["a\nb", "\u{1b}[2J", "\u{9b}2J", "\u{7f}", "\"}\r\n{\"", "\\", "\u{2028}", "ü\u{1f600}\u{0}"] {
            let told = line(Record::default(), Entry { key_id: Some(text.into()), ..entry() });
            assert!(told.bytes().all(|byte| (b' '..=b'~').contains(&byte)), "{told}");
            let read: serde_json::Map<String, serde_json::Value> = serde_json::from_str(&told).unwrap();
            assert_eq!(read["key_id"], text);
        }
        let long = line(Record::default(), Entry { key_id: Some("\u{1f600}".repeat(300).into()), ..entry() });
        let read: serde_json::Map<String, serde_json::Value> = serde_json::from_str(&long).unwrap();
        assert_eq!(read["key_id"], format!("{}...", "\u{1f600}".repeat(256)));
    });

    test!(a_request_id_is_an_id_and_nothing_else, {
        for id in ["7", "7f9c1b0e-0f2b-4d3e-9a51-2f6f5a3c1d2e", "REQ_1", &"a".repeat(64)] {
            assert_eq!(request_id(id.as_bytes()), Some(id));
        }
        for other in ["", " 7", "a b", "eyJhbGciOiJub25lIn0.e30.", "a\nb", "ü", "a\"", &"a".repeat(65)] {
            assert_eq!(request_id(other.as_bytes()), None, "{other}");
        }
    });

    test!(denials_have_lines_and_the_rest_has_none_unless_asked_for, {
        let by_default = Outcome::ALL.map(|outcome| Audit::default().is_of(outcome));
        assert_eq!(by_default, [false, true, true]);
        let of_allowed = Audit { denied: false, allowed: true };
        assert_eq!(Outcome::ALL.map(|outcome| of_allowed.is_of(outcome)), [true, false, false]);
    });
}
