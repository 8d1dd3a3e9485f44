//! What a configuration does that a reviewer should know, and what of it was accepted.

use gatepost::engine::UnixTime;
use serde_json::{Value, json};

use super::code::Code;
use super::{authenticators, forwarding, gateway, limits, routes};
use crate::configuration::Configuration;
use crate::view::View;

/// One of them.
#[derive(Clone, Debug)]
pub struct Warning {
    pub code: Code,
    /// The configuration path.
    pub place: String,
    /// What it is here. Holds no secret.
    pub message: String,
}

/// A warning that somebody has accepted: everywhere, or at one place.
#[derive(Clone, Debug)]
pub struct Allowed {
    code: Code,
    place: Option<String>,
}

/// Where warnings come from.
pub struct Subject<'v> {
    pub view: View<'v>,
    /// Where secrets that the file names are found.
    pub configuration: &'v Configuration,
    pub now: UnixTime,
}

/// The warnings met so far.
#[derive(Default)]
pub struct Warnings(Vec<Warning>);

impl Warnings {
    /// All there are, in the order of the file's sections.
    pub fn of(subject: &Subject<'_>) -> Vec<Warning> {
        let mut warnings = Self::default();
        authenticators::review(subject, &mut warnings);
        gateway::review(subject, &mut warnings);
        routes::review(subject, &mut warnings);
        limits::review(subject, &mut warnings);
        forwarding::review(subject, &mut warnings);
        warnings.0
    }

    pub fn push(&mut self, code: Code, place: impl Into<String>, message: impl Into<String>) {
        self.0.push(Warning { code, place: place.into(), message: message.into() });
    }
}

impl Warning {
    pub fn is_allowed(&self, allowed: &[Allowed]) -> bool {
        let is_this = |allowed: &Allowed| {
            allowed.code == self.code && allowed.place.as_ref().is_none_or(|place| *place == self.place)
        };
        allowed.iter().any(is_this)
    }

    pub fn to_json(&self) -> Value {
        json!({
            "code": self.code.name(),
            "place": self.place,
            "message": self.message,
            "meaning": self.code.meaning(),
            "remedy": self.code.remedy(),
        })
    }
}

/// `CODE` or `CODE@PLACE` of `--allow`.
pub fn parse_allowed(text: &str) -> Result<Allowed, String> {
    let (name, place) = match text.split_once('@') {
        Some((name, place)) => (name, Some(place.to_owned())),
        None => (text, None),
    };
    let code = Code::from_name(name).ok_or_else(|| {
        let names: Vec<_> = Code::ALL.iter().map(|code| code.name()).collect();
        format!("there is no such warning; there are {}", names.join(", "))
    })?;
    Ok(Allowed { code, place })
}
