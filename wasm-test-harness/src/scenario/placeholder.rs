//! Placeholders: `{{token alice}}`, `{{now+5m}}`, `{{pem rs1}}`, ... in scenarios and configurations.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    time::Duration,
};

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::text::Text;
use crate::mint::{self, TokenSpec};

/// What placeholders stand for in one run of one scenario.
pub(super) struct Placeholders<'a> {
    /// The scenario's name.
    scenario: &'a str,
    tokens: &'a BTreeMap<String, TokenSpec>,
    now: u64,
    /// A token is minted once: two mentions are the same bytes, and a later step sees an older token.
    minted: RefCell<BTreeMap<String, String>>,
    /// How many names were made up.
    unique: Cell<u32>,
}

impl<'a> Placeholders<'a> {
    /// Placeholders for a run of a scenario that begins at `now` (Unix seconds).
    pub(super) fn new(scenario: &'a str, tokens: &'a BTreeMap<String, TokenSpec>, now: u64) -> Self {
        Self { scenario, tokens, now, minted: RefCell::default(), unique: Cell::new(0) }
    }

    /// The bytes of a text.
    pub(super) fn bytes(&self, text: &Text) -> Result<Vec<u8>, String> {
        match text {
            Text::Bytes(bytes) => Ok(bytes.clone()),
            Text::Template(template) => self.expand(template).map(String::into_bytes),
        }
    }

    /// Replaces every placeholder of a text.
    pub(super) fn expand(&self, template: &str) -> Result<String, String> {
        replace(template, |name, argument| match name {
            "token" => self.token(argument),
            _ => self.general(name, argument),
        })
    }

    /// Replaces every placeholder in the strings of a JSON value.
    pub(super) fn expand_json(&self, value: &mut Value) -> Result<(), String> {
        expand_strings(value, &|text| self.expand(text).map(Value::String))
    }

    /// A JSON value with every `@now+5m` in it resolved, too.
    pub(super) fn json(&self, value: &Value) -> Result<Value, String> {
        let mut value = value.clone();
        self.expand_json(&mut value)?;
        mint::resolve_times(&value, self.now).map_err(|error| error.to_string())
    }

    /// A time as `@now-5m` has it, in Unix seconds.
    pub(super) fn time(&self, text: &str) -> Result<String, String> {
        let name = text.strip_prefix('@').ok_or_else(|| format!("{text} is no time: write @now-5m"))?;
        self.general(name, "")
    }

    /// A name that nothing else has: an id, a nonce.
    pub(super) fn unique(&self) -> String {
        self.unique.set(self.unique.get() + 1);
        let text = format!("{} {} {}", self.scenario, self.now, self.unique.get());
        format!("{:x}", Sha256::digest(text))[..32].to_owned()
    }

    /// The tokens that were minted so far.
    pub(super) fn minted(&self) -> Vec<String> {
        self.minted.borrow().values().cloned().collect()
    }

    fn token(&self, name: &str) -> Result<String, String> {
        if let Some(token) = self.minted.borrow().get(name) {
            return Ok(token.clone());
        }
        let token = self.mint(name)?;
        self.minted.borrow_mut().insert(name.to_owned(), token.clone());
        Ok(token)
    }

    fn mint(&self, name: &str) -> Result<String, String> {
        let mut spec = self.tokens.get(name).ok_or_else(|| format!("no token is called {name}"))?.clone();
        for raw in [&mut spec.raw_header, &mut spec.raw_payload].into_iter().flatten() {
            *raw = replace(raw, |name, argument| self.general(name, argument))?;
        }
        if let Some(proof) = &spec.proof {
            let token = if proof.of.is_empty() { String::new() } else { self.token(&proof.of)? };
            // All scenarios may share one proxy, which remembers the ids of its proofs.
            spec = spec
                .of_proof(&format!("{} {name}", self.scenario), &token)
                .map_err(|e| format!("token {name}: {e}"))?;
        }
        // An issuer may be a provider's authority. A claim that is a token would be another token's business.
        let general = |text: &str| replace(text, |name, argument| self.general(name, argument)).map(Value::String);
        expand_strings(&mut spec.claims, &general)?;
        mint::mint(&spec, self.now).map_err(|e| format!("token {name}: {e}"))
    }

    fn general(&self, name: &str, argument: &str) -> Result<String, String> {
        match name {
            "now" => Ok(self.now.to_string()),
            _ if name.starts_with("now") => self.instant(name),
            "scenario" => Ok(self.scenario.replace('_', "-")),
            "base64" => Ok(STANDARD.encode(argument)),
            "base64url" => Ok(URL_SAFE_NO_PAD.encode(argument)),
            "sha256" => Ok(format!("{:x}", Sha256::digest(argument))),
            "repeat" => {
                let (count, text) = argument.split_once(' ').ok_or("write {{repeat 5 ab}}")?;
                Ok(text.repeat(count.parse().map_err(|_| format!("{count} is no count"))?))
            }
            "provider" => Ok(authority(self.scenario, argument)),
            "jkt" => match mint::PrivateKey::named(argument) {
                Ok(key) => key.thumbprint().ok_or_else(|| format!("{argument} has no thumbprint")),
                Err(error) => Err(error.to_string()),
            },
            "pem" => mint::public_pem(argument).map_err(|e| e.to_string()),
            "private" => mint::private_text(argument).map_err(|e| e.to_string()),
            "secret" => mint::secret(argument).map_err(|e| e.to_string()),
            _ => Err(format!("no placeholder is called {name}")),
        }
    }

    fn instant(&self, name: &str) -> Result<String, String> {
        let (sign, offset) = name["now".len()..].split_at_checked(1).ok_or("write {{now+5m}}")?;
        let offset = duration(offset)?.as_secs();
        let instant = match sign {
            "+" => self.now.checked_add(offset),
            "-" => self.now.checked_sub(offset),
            _ => None,
        };
        Ok(instant.ok_or_else(|| format!("{name} is no time"))?.to_string())
    }
}

/// Replaces the placeholders of a configuration: a string that is `{{jwks rs1 es1}}` becomes that key set.
pub(super) fn expand_configuration(scenario: &str, value: &mut Value) -> Result<(), String> {
    let placeholders = static_placeholders(scenario);
    expand_strings(value, &|text| match key_set(text) {
        Some(set) => set,
        None => placeholders.expand(text).map(Value::String),
    })
}

/// Replaces the placeholders of a configuration that is text: a key set as JSON, other things as the inside of a JSON
/// string.
pub(super) fn expand_configuration_text(scenario: &str, text: &str) -> Result<String, String> {
    replace(text, |name, argument| match name {
        "jwks" => key_set(&format!("{{{{jwks {argument}}}}}")).expect("it is one").map(|set| set.to_string()),
        _ => {
            let plain = static_placeholders(scenario).general(name, argument)?;
            let quoted = Value::String(plain).to_string();
            Ok(quoted[1..quoted.len() - 1].to_owned())
        }
    })
}

/// A duration as scenarios write it: `500ms`, `61s`, `5m`, `1h`, `2d`.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text).map_err(|e| format!("{text} is no duration: {e}"))
}

/// The authority of a scenario's provider, the same on every host and unlike every other scenario's.
pub(super) fn authority(scenario: &str, cluster: &str) -> String {
    format!("{}.{cluster}.test", scenario.replace('_', "-"))
}

fn static_placeholders(scenario: &str) -> Placeholders<'_> {
    static NONE: BTreeMap<String, TokenSpec> = BTreeMap::new();
    Placeholders::new(scenario, &NONE, 0)
}

/// Replaces every string of a JSON value.
fn expand_strings(value: &mut Value, expand: &dyn Fn(&str) -> Result<Value, String>) -> Result<(), String> {
    match value {
        Value::String(text) => *value = expand(text)?,
        Value::Array(items) => items.iter_mut().try_for_each(|item| expand_strings(item, expand))?,
        Value::Object(members) => members.values_mut().try_for_each(|member| expand_strings(member, expand))?,
        _ => {}
    }
    Ok(())
}

fn key_set(text: &str) -> Option<Result<Value, String>> {
    let names = text.strip_prefix("{{jwks ")?.strip_suffix("}}")?;
    let names: Vec<&str> = names.split_whitespace().collect();
    Some(mint::jwks(&names).map_err(|e| e.to_string()))
}

fn replace(template: &str, value: impl Fn(&str, &str) -> Result<String, String>) -> Result<String, String> {
    let mut out = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("{{") {
        let (inside, behind) =
            after.split_once("}}").ok_or_else(|| format!("{template:?} opens {{{{ and never closes it"))?;
        let (name, argument) = inside.split_once(' ').unwrap_or((inside, ""));
        out.push_str(before);
        out.push_str(&value(name, argument)?);
        rest = behind;
    }
    out.push_str(rest);
    Ok(out)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn text_around_placeholders_stays() {
        let tokens = BTreeMap::new();
        let placeholders = Placeholders::new("a_name", &tokens, 100);
        assert_eq!(placeholders.expand("http://{{provider idp}}/jwks").unwrap(), "http://a-name.idp.test/jwks");
        assert_eq!(placeholders.expand("a{{now+5m}}b{{repeat 3 x}}c").unwrap(), "a400bxxxc");
        let digest = "{{sha256 abc}}"; // FIPS 180-4's own example
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(placeholders.expand(digest).unwrap(), expected);
        assert_eq!(placeholders.expand("{single}").unwrap(), "{single}");
        assert!(placeholders.expand("{{nothing}}").is_err());
        assert!(placeholders.expand("{{token nobody}}").unwrap_err().contains("nobody"));
    }

    #[test]
    fn times_and_providers_in_json_are_resolved_at_any_depth() {
        let tokens = BTreeMap::new();
        let placeholders = Placeholders::new("a_name", &tokens, 100);
        let json = placeholders.json(&json!({"a": [{"exp": "@now+5m", "iss": "http://{{provider idp}}"}]})).unwrap();
        assert_eq!(json, json!({"a": [{"exp": 400, "iss": "http://a-name.idp.test"}]}));
    }

    #[test]
    fn a_key_set_becomes_an_object() {
        let mut configuration = json!({"jwks": {"inline": "{{jwks es1 rs1}}"}});
        expand_configuration("a_name", &mut configuration).unwrap();
        assert_eq!(configuration["jwks"]["inline"]["keys"].as_array().unwrap().len(), 2);
        let text = expand_configuration_text("a_name", r#"{"k": {{jwks es1}}, "p": "{{pem es1}}"}"#).unwrap();
        let parsed: Value = serde_json::from_str(&text).unwrap();
        assert!(parsed["p"].as_str().unwrap().starts_with("-----BEGIN"));
    }
}
