//! Signed requests: what a sender signs, how he writes it down, and what of it is not what he sends.

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use hmac::{Hmac, Mac as _};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use super::{observed::Sent, placeholder::Placeholders, text::Text};

/// How a request is signed. What is given here is signed instead of what is sent.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Sign {
    scheme: Scheme,
    /// One signature each, where the scheme can hold several.
    secrets: Vec<Text>,
    /// When, as `@now-5m`.
    #[serde(default = "now")]
    at: String,
    id: Option<String>,
    nonce: Option<String>,
    key: Option<String>,
    method: Option<String>,
    authority: Option<String>,
    path: Option<String>,
    query: Option<String>,
    body: Option<Text>,
    /// Headers that are left out.
    #[serde(default)]
    without: Vec<String>,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
enum Scheme {
    Github,
    Stripe,
    Slack,
    Shopify,
    StandardWebhooks,
    Generic,
}

impl Sign {
    /// Adds the scheme's headers to a request that is otherwise complete, but those that it has already, in whose values
    /// `<hex>`, `<base64>`, `<base64url>`, `<time>`, `<id>` and `<nonce>` become what the scheme would write. A second
    /// secret's signature is `<hex2>`.
    pub(super) fn apply(&self, sent: &mut Sent, placeholders: &Placeholders<'_>) -> Result<(), String> {
        let time = placeholders.time(&self.at)?;
        let unique = |text: &Option<String>| match text {
            Some(text) => placeholders.expand(text),
            None => Ok(placeholders.unique()),
        };
        let (id, nonce) = (unique(&self.id)?, unique(&self.nonce)?);
        let body = self.body.as_ref().map_or_else(|| Ok(sent.body()), |body| placeholders.bytes(body))?;
        let target = String::from_utf8_lossy(&sent.path).into_owned();
        let (path, query) = target.split_once('?').unwrap_or((&target, ""));
        let text = match self.scheme {
            Scheme::Github | Scheme::Shopify => body,
            Scheme::Stripe => [format!("{time}.").as_bytes(), &body].concat(),
            Scheme::Slack => [format!("v0:{time}:").as_bytes(), &body].concat(),
            Scheme::StandardWebhooks => [format!("{id}.{time}.").as_bytes(), &body].concat(),
            Scheme::Generic => [
                self.method.as_deref().unwrap_or(&sent.method),
                &self.authority.clone().unwrap_or_else(|| sent.authority.to_lowercase()),
                self.path.as_deref().unwrap_or(path),
                self.query.as_deref().unwrap_or(query),
                &time,
                &nonce,
                &format!("{:x}", Sha256::digest(&body)),
            ]
            .join("\n")
            .into_bytes(),
        };
        let mut tags = Vec::new();
        for secret in &self.secrets {
            let secret = placeholders.bytes(secret)?;
            let mut mac = Hmac::<Sha256>::new_from_slice(&secret).map_err(|error| error.to_string())?;
            mac.update(&text);
            tags.push(mac.finalize().into_bytes().to_vec());
        }
        let fill = |value: &str| {
            let mut value = value.replace("<time>", &time).replace("<id>", &id).replace("<nonce>", &nonce);
            for (index, tag) in tags.iter().enumerate() {
                let number = if index == 0 { String::new() } else { (index + 1).to_string() };
                let hex: String = tag.iter().map(|byte| format!("{byte:02x}")).collect();
                value = value.replace(&format!("<hex{number}>"), &hex);
                value = value.replace(&format!("<base64{number}>"), &STANDARD.encode(tag));
                value = value.replace(&format!("<base64url{number}>"), &URL_SAFE_NO_PAD.encode(tag));
            }
            value
        };
        for (_, value) in &mut sent.headers {
            if let Ok(text) = std::str::from_utf8(value) {
                *value = fill(text).into_bytes();
            }
        }
        for (name, value) in self.headers() {
            let is_there = sent.headers.iter().any(|(other, _)| other.eq_ignore_ascii_case(name));
            if !is_there && !self.without.iter().any(|other| other == name) {
                sent.headers.push((name.to_owned(), fill(&value).into_bytes()));
            }
        }
        Ok(())
    }

    /// The scheme's headers.
    fn headers(&self) -> Vec<(&'static str, String)> {
        let each = |form: &str, separator: &str| {
            let number = |index: usize| if index == 0 { String::new() } else { (index + 1).to_string() };
            let all: Vec<String> = (0..self.secrets.len()).map(|index| form.replace('#', &number(index))).collect();
            all.join(separator)
        };
        let key = self.key.as_deref().unwrap_or("k1");
        match self.scheme {
            Scheme::Github => vec![("x-hub-signature-256", "sha256=<hex>".to_owned())],
            Scheme::Shopify => vec![("x-shopify-hmac-sha256", "<base64>".to_owned())],
            Scheme::Stripe => vec![("stripe-signature", format!("t=<time>,{}", each("v1=<hex#>", ",")))],
            Scheme::Slack => {
                vec![("x-slack-request-timestamp", "<time>".to_owned()), ("x-slack-signature", "v0=<hex>".to_owned())]
            }
            Scheme::StandardWebhooks => vec![
                ("webhook-id", "<id>".to_owned()),
                ("webhook-timestamp", "<time>".to_owned()),
                ("webhook-signature", each("v1,<base64#>", " ")),
            ],
            Scheme::Generic => {
                vec![("authorization", format!("HMAC-SHA256 key={key},ts=<time>,nonce=<nonce>,sig=<base64url>"))]
            }
        }
    }
}

fn now() -> String {
    "@now".to_owned()
}
