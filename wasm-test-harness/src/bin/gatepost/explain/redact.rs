//! Keeps credentials out of what is printed.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::hash_key::GENERATED_PREFIX;

/// Which headers, cookies and query parameters hold credentials under one configuration.
pub struct Redaction {
    headers: BTreeSet<String>,
    parameters: BTreeSet<String>,
    secrets: BTreeSet<String>,
}

impl Redaction {
    /// What is always a credential, and what the configuration reads as one.
    pub fn new(configuration: &Value) -> Self {
        let mut redaction = Self {
            headers: HEADERS.map(str::to_owned).into(),
            parameters: PARAMETERS.map(str::to_owned).into(),
            secrets: BTreeSet::new(),
        };
        redaction.collect(configuration);
        redaction
    }

    /// A header's value, fit to be printed.
    pub fn header(&self, name: &str, value: &[u8]) -> String {
        if name == ":path" {
            return self.target(&String::from_utf8_lossy(value));
        }
        if self.headers.contains(&name.to_ascii_lowercase()) {
            return redacted(value.len());
        }
        self.text(&String::from_utf8_lossy(value))
    }

    /// A path with its query, fit to be printed.
    pub fn target(&self, target: &str) -> String {
        let Some((path, query)) = target.split_once('?') else {
            return self.text(target);
        };
        let pieces: Vec<_> = query
            .split_inclusive(['&', ';'])
            .map(|piece| {
                let end = piece.len() - usize::from(piece.ends_with(['&', ';']));
                let (pair, separator) = piece.split_at(end);
                match pair.split_once('=') {
                    Some((name, value)) if self.is_parameter(name) => {
                        format!("{name}={}{separator}", redacted(value.len()))
                    }
                    _ => format!("{}{separator}", self.text(pair)),
                }
            })
            .collect();
        format!("{}?{}", self.text(path), pieces.concat())
    }

    /// Any text, without what looks like a token and without the configuration's secrets; control characters escaped,
    /// so that a terminal shows them.
    pub fn text(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for secret in &self.secrets {
            text = text.replace(secret, &redacted(secret.len()));
        }
        let mut clean = String::new();
        for piece in text.split_inclusive(|character: char| !is_token_character(character)) {
            let end = piece.trim_end_matches(|character: char| !is_token_character(character)).len();
            let (word, rest) = piece.split_at(end);
            if is_token(word) {
                clean.push_str(&redacted(word.len()))
            } else {
                clean.push_str(word)
            }
            clean.push_str(rest);
        }
        clean.chars().fold(String::new(), |mut shown, character| {
            if character.is_control() {
                shown.extend(character.escape_default())
            } else {
                shown.push(character)
            }
            shown
        })
    }

    fn is_parameter(&self, name: &str) -> bool {
        // `access%5Ftoken` is the same parameter to a service.
        let mut decoded = Vec::new();
        let mut bytes = name.as_bytes().iter();
        while let Some(&byte) = bytes.next() {
            let escape = (byte == b'%').then(|| bytes.as_slice().get(..2)).flatten();
            match escape.and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok()) {
                Some(value) => {
                    decoded.push(value);
                    bytes.nth(1);
                }
                None => decoded.push(byte),
            }
        }
        self.parameters.contains(&String::from_utf8_lossy(&decoded).to_ascii_lowercase())
    }

    fn collect(&mut self, tree: &Value) {
        match tree {
            Value::Object(members) => {
                for (name, member) in members {
                    match name.as_str() {
                        "from" => self.collect_sources(member),
                        "identity_token" => {
                            self.headers.extend(member["header"].as_str().map(str::to_ascii_lowercase));
                            self.collect_secrets(&member["key"]);
                        }
                        "secret" | "secrets" | "client_secret" => self.collect_secrets(member),
                        _ => {}
                    }
                    self.collect(member);
                }
            }
            Value::Array(items) => items.iter().for_each(|item| self.collect(item)),
            _ => {}
        }
    }

    fn collect_sources(&mut self, sources: &Value) {
        for source in sources.as_array().into_iter().flatten() {
            self.headers.extend(source["header"].as_str().map(str::to_ascii_lowercase));
            self.parameters.extend(source["query"].as_str().map(str::to_ascii_lowercase));
        }
    }

    fn collect_secrets(&mut self, secret: &Value) {
        match secret {
            Value::String(text) if !text.is_empty() => {
                self.secrets.insert(text.clone());
            }
            Value::Array(items) => items.iter().for_each(|item| self.collect_secrets(item)),
            _ => {}
        }
    }
}

fn redacted(length: usize) -> String {
    format!("<redacted, {length} bytes>")
}

fn is_token_character(character: char) -> bool {
    character.is_ascii_alphanumeric() || "-_.".contains(character)
}

/// A compact JWS or JWE, whose first part is the base64url of `{"`; or an API key that `gatepost hash-key` made.
fn is_token(word: &str) -> bool {
    (word.starts_with("eyJ") && word.matches('.').count() >= 2) || word.starts_with(GENERATED_PREFIX)
}

const HEADERS: [&str; 13] = [
    "authorization",
    "cookie",
    "dpop",
    "proxy-authorization",
    "stripe-signature",
    "webhook-signature",
    "x-api-key",
    "x-auth-token",
    "x-forwarded-client-cert",
    "x-hub-signature-256",
    "x-identity-token",
    "x-shopify-hmac-sha256",
    "x-slack-signature",
];

const PARAMETERS: [&str; 6] = ["access_token", "api_key", "apikey", "id_token", "key", "token"];

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn redaction() -> Redaction {
        Redaction::new(&json!({
            "authenticators": {"users": {"secret": "s3cr3t-s3cr3t", "from": [{"header": "X-Session"}, {"query": "sid"}]}},
        }))
    }

    #[test]
    fn credential_headers_show_their_length() {
        assert_eq!(redaction().header("authorization", b"Bearer abc"), "<redacted, 10 bytes>");
        assert_eq!(redaction().header("x-session", b"abc"), "<redacted, 3 bytes>");
        assert_eq!(redaction().header("accept", b"*/*"), "*/*");
    }

    #[test]
    fn credential_parameters_show_their_length_in_every_spelling() {
        assert_eq!(
            redaction().header(":path", b"/a?b=1&access%5Ftoken=xyz;SID=12&c"),
            "/a?b=1&access%5Ftoken=<redacted, 3 bytes>;SID=<redacted, 2 bytes>&c"
        );
    }

    #[test]
    fn tokens_and_secrets_are_found_anywhere() {
        assert_eq!(redaction().header("x-note", b"see eyJh.eyJz.c2ln!"), "see <redacted, 14 bytes>!");
        assert_eq!(redaction().header("x-note", b"my key: gp_0Az"), "my key: <redacted, 6 bytes>");
        assert_eq!(redaction().header("x-note", b"a s3cr3t-s3cr3t"), "a <redacted, 13 bytes>");
        assert_eq!(redaction().target("/eyJh.eyJz.c2ln"), "/<redacted, 14 bytes>");
        assert_eq!(redaction().header("x-note", b"a\x1b[31m"), "a\\u{1b}[31m");
    }
}
