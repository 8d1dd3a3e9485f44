//! What a provider answers, and how it fails to.

use std::time::Duration;

use bytes::Bytes;
use serde::Deserialize;
use serde_json::Value;

use crate::mint;

/// One answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// Header fields; `content-length` is added.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Bytes,
    /// How long the answer takes to begin.
    pub delay: Duration,
    /// How long each of the body's sixteen parts takes, where it drips.
    pub drip: Duration,
    /// How it fails, if it does.
    pub failure: Option<Failure>,
}

/// How a provider fails to answer.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Failure {
    /// It takes the request and says nothing, for as long as it lives.
    Timeout,
    /// The connection ends before the answer begins. ([`Provider::down`](super::Provider::down) refuses connections.)
    Refused,
    /// The connection is reset (RST) before the answer begins.
    Reset,
    /// The answer begins and its connection ends before all of the body has come.
    Truncated,
}

impl Answer {
    /// A status without a body.
    pub fn status(status: u16) -> Self {
        Self { status, ..Self::default() }
    }

    /// `200` and a text, of no declared type.
    pub fn text(text: impl Into<Bytes>) -> Self {
        Self { body: text.into(), ..Self::status(200) }
    }

    /// `200` and JSON.
    pub fn json(value: &Value) -> Self {
        Self::text(value.to_string()).header("content-type", "application/json")
    }

    /// `200` and the public keys of these names in `tests/keys`.
    ///
    /// # Panics
    ///
    /// Where there is no key of such a name.
    pub fn keys(names: &[&str]) -> Self {
        Self::json(&mint::jwks(names).unwrap_or_else(|error| panic!("{error}")))
    }

    /// A failure.
    pub fn failing(failure: Failure) -> Self {
        Self { failure: Some(failure), ..Self::text("cut off in the middle") }
    }

    /// With another status.
    pub fn with_status(self, status: u16) -> Self {
        Self { status, ..self }
    }

    /// With a header field.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Which begins after this time.
    pub fn after(self, delay: Duration) -> Self {
        Self { delay, ..self }
    }

    /// Whose body comes in sixteen parts, each after this time.
    pub fn dripping(self, drip: Duration) -> Self {
        Self { drip, ..self }
    }

    /// How long all of it takes.
    pub fn duration(&self) -> Duration {
        self.delay + self.drip * PARTS
    }
}

/// In how many parts a body drips.
pub(super) const PARTS: u32 = 16;
