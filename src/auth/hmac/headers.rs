//! What a request's head says about its signature, scheme by scheme, and no more lenient than the schemes' own libraries.

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};

use super::{Scheme, Tag};
use crate::{
    credential::scheme::HMAC_SHA256,
    deny::Reason,
    hex,
    request::{Request, folded_name},
    time::UnixTime,
};

/// What a head says.
pub struct Statement<'a> {
    /// Signatures, any one of which will do.
    pub signatures: Vec<Tag>,
    /// When it was signed, where the scheme tells.
    pub time: Option<UnixTime>,
    /// What is signed before the body, or before the body's digest.
    pub prefix: Vec<u8>,
    /// The key that it names, where the scheme has keys.
    pub key: Option<&'a str>,
    /// What may come only once, besides the time.
    pub nonce: Option<&'a str>,
}

/// Reads a head.
///
/// # Errors
///
/// [`Reason::MissingCredential`] without a signature, [`Reason::AmbiguousCredential`] for differing values of one of the
/// scheme's headers or for another spelling of its name, [`Reason::MalformedSignature`] for what the scheme does not write,
/// a signature without its time or id included: that is a bad credential, not none.
pub fn read<'a>(scheme: Scheme, request: &Request<'a>, path: &str) -> Result<Statement<'a>, Reason> {
    let malformed = Reason::MalformedSignature;
    let plain =
        |signature, prefix| Statement { signatures: vec![signature], time: None, prefix, key: None, nonce: None };
    match scheme {
        Scheme::GitHub => {
            let value = credential(request, "x-hub-signature-256")?;
            let signature = value.strip_prefix("sha256=").and_then(lower_hex).ok_or(malformed)?;
            Ok(plain(signature, Vec::new()))
        }
        Scheme::Shopify => {
            let value = credential(request, "x-shopify-hmac-sha256")?;
            let signature = base64(value).ok_or(malformed)?;
            Ok(plain(signature, Vec::new()))
        }
        Scheme::Slack => {
            let value = credential(request, "x-slack-signature")?;
            let time = companion(request, "x-slack-request-timestamp")?;
            let signature = value.strip_prefix("v0=").and_then(lower_hex).ok_or(malformed)?;
            let prefix = format!("v0:{time}:").into_bytes();
            Ok(Statement { time: Some(unix_time(time).ok_or(malformed)?), ..plain(signature, prefix) })
        }
        Scheme::Stripe => stripe(credential(request, "stripe-signature")?).ok_or(malformed),
        Scheme::StandardWebhooks => {
            let value = credential(request, "webhook-signature")?;
            let (id, time) = (companion(request, "webhook-id")?, companion(request, "webhook-timestamp")?);
            standard_webhooks(value, id, time).ok_or(malformed)
        }
        Scheme::Generic => {
            let parameters = authorization(request)?;
            generic(parameters, request, path).ok_or(malformed)
        }
    }
}

/// `t=1492774577,v1=5257a8...,v1=...,v0=...`. What is no `v1` signs nothing that counts.
fn stripe(value: &str) -> Option<Statement<'_>> {
    let mut time = None;
    let mut signatures = Vec::new();
    for item in value.split(',') {
        match item.split_once('=')? {
            ("t", text) if time.is_none() => time = Some((text, unix_time(text)?)),
            ("t", _) => return None,
            ("v1", text) => signatures.push(lower_hex(text)),
            _ => {}
        }
    }
    let (text, time) = time?;
    let prefix = format!("{text}.").into_bytes();
    bounded(signatures).map(|signatures| Statement { signatures, time: Some(time), prefix, key: None, nonce: None })
}

/// `v1,K5oZfz... v1,... v1a,...`: of HMAC are those of version `v1`.
fn standard_webhooks<'a>(value: &str, id: &'a str, time: &str) -> Option<Statement<'a>> {
    let mut signatures = Vec::new();
    for item in value.split(' ') {
        if let ("v1", text) = item.split_once(',')? {
            signatures.push(base64(text));
        }
    }
    // "not be allowed to include any `.` to prevent certain attacks": the end of the id would be the time's beginning.
    let is_id = id.len() <= MOST_ID && id.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'.');
    let prefix = format!("{id}.{time}.").into_bytes();
    let time = Some(unix_time(time)?);
    let signatures = bounded(signatures).filter(|_| is_id)?;
    Some(Statement { signatures, time, prefix, key: None, nonce: Some(id) })
}

/// `key=<id>,ts=<unix>,nonce=<n>,sig=<base64url>`, each once, in any order.
fn generic<'a>(parameters: &'a str, request: &Request<'_>, path: &str) -> Option<Statement<'a>> {
    let (mut key, mut time, mut nonce, mut signature) = (None, None, None, None);
    for parameter in parameters.split(',') {
        let (name, value) = parameter.split_once('=')?;
        let place = match name {
            "key" => &mut key,
            "ts" => &mut time,
            "nonce" => &mut nonce,
            "sig" => &mut signature,
            _ => return None,
        };
        if place.replace(value).is_some() {
            return None;
        }
    }
    let (time_text, nonce) = (time?, nonce?);
    let is_nonce = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    if !(16..=64).contains(&nonce.len()) || !nonce.bytes().all(is_nonce) {
        return None;
    }
    let signature = URL_SAFE_NO_PAD.decode(signature?).ok()?.try_into().ok()?;
    let authority = request.authority.to_ascii_lowercase();
    let mut prefix = format!("{}\n{authority}\n{path}\n", request.method).into_bytes();
    prefix.extend_from_slice(request.query.unwrap_or_default());
    prefix.extend_from_slice(format!("\n{time_text}\n{nonce}\n").as_bytes());
    let time = Some(unix_time(time_text)?);
    Some(Statement { signatures: vec![signature], time, prefix, key: Some(key?), nonce: Some(nonce) })
}

/// The parameters after `HMAC-SHA256`. Other schemes are other authenticators' business.
fn authorization<'a>(request: &Request<'a>) -> Result<&'a str, Reason> {
    let mut found: Option<Option<&'a str>> = None;
    for value in request.header("authorization") {
        for parameters in after_schemes(value) {
            match found {
                None => found = Some(parameters),
                Some(first) if first == parameters => {}
                Some(_) => return Err(Reason::AmbiguousCredential),
            }
        }
    }
    found.ok_or(Reason::MissingCredential)?.ok_or(Reason::MalformedSignature)
}

/// What follows the scheme, for each time that it comes. Hosts join repeated headers with commas, and parameters are parted
/// by commas as well: but no parameter holds a blank, so that one tells where a header of its own began.
fn after_schemes(value: &[u8]) -> Vec<Option<&str>> {
    let Ok(text) = std::str::from_utf8(value) else {
        let is_ours =
            value.get(..HMAC_SHA256.len()).is_some_and(|start| start.eq_ignore_ascii_case(HMAC_SHA256.as_bytes()));
        return if is_ours { vec![None] } else { Vec::new() };
    };
    let mut starts: Vec<usize> = text
        .match_indices(',')
        .map(|(comma, _)| comma.saturating_add(1))
        .filter(|start| after_scheme(text.get(*start..).unwrap_or_default().trim_start_matches(' ')).is_some())
        .collect();
    if after_scheme(text).is_none() {
        // Not at the start of the value, so it is not read; but it is there, and an optional route must not overlook it.
        return if starts.is_empty() { Vec::new() } else { vec![None] };
    }
    starts.insert(0, 0);
    let ends = starts.iter().skip(1).map(|start| start.saturating_sub(1)).chain([text.len()]);
    let header = |(start, end): (&usize, usize)| text.get(*start..end).unwrap_or_default().trim_start_matches(' ');
    starts.iter().zip(ends).map(header).map(|header| after_scheme(header).flatten()).collect()
}

/// What follows the scheme; nothing where the value has another one, `Some(None)` where nothing good follows.
fn after_scheme(value: &str) -> Option<Option<&str>> {
    let (start, rest) = value.split_at_checked(HMAC_SHA256.len())?;
    if !start.eq_ignore_ascii_case(HMAC_SHA256) || rest.bytes().next().is_some_and(crate::request::is_token) {
        return None;
    }
    let parameters = rest.strip_prefix(' ').map(|rest| rest.trim_start_matches(' '));
    let is_good = |text: &&str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
    Some(parameters.filter(is_good))
}

/// The header that holds the signature.
fn credential<'a>(request: &Request<'a>, name: &str) -> Result<&'a str, Reason> {
    let value = only(request, name)?.ok_or(Reason::MissingCredential)?;
    text(value).ok_or(Reason::MalformedSignature)
}

/// A header that goes with the signature.
fn companion<'a>(request: &Request<'a>, name: &str) -> Result<&'a str, Reason> {
    only(request, name)?.and_then(text).ok_or(Reason::MalformedSignature)
}

/// The one value of a header; byte-identical copies are one, and empty ones none. A service may take `webhook_id` for
/// `webhook-id`, of which only one was signed.
fn only<'a>(request: &Request<'a>, name: &str) -> Result<Option<&'a [u8]>, Reason> {
    let mut found: Option<&[u8]> = None;
    for (header, value) in request.headers().iter() {
        let is_same = header == name;
        if (!is_same && folded_name(header) != name) || value.is_empty() {
            continue;
        }
        if !is_same || found.is_some_and(|found| found != value) {
            return Err(Reason::AmbiguousCredential);
        }
        found = Some(value);
    }
    Ok(found)
}

fn text(value: &[u8]) -> Option<&str> {
    std::str::from_utf8(value).ok()
}

/// Whole seconds of Unix time, in one spelling.
fn unix_time(text: &str) -> Option<UnixTime> {
    let is_number = text.len() <= MOST_DIGITS && text.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number || (text.len() > 1 && text.starts_with('0')) {
        return None;
    }
    text.parse().ok().map(UnixTime::from_secs)
}

/// 64 hexadecimal digits in lower case, as every sender writes them.
fn lower_hex(text: &str) -> Option<Tag> {
    let is_lower = !text.bytes().any(|byte| byte.is_ascii_uppercase());
    hex::read(text.as_bytes()).filter(|_| is_lower)
}

/// Padded base64 (RFC 4648 §4) of 32 bytes, with zero trailing bits.
fn base64(text: &str) -> Option<Tag> {
    STANDARD.decode(text).ok()?.try_into().ok()
}

/// Those of several signatures that are some. One that is none agrees with nothing, and the others count.
fn bounded(signatures: Vec<Option<Tag>>) -> Option<Vec<Tag>> {
    let few = signatures.len() <= MOST_SIGNATURES;
    let signatures: Vec<Tag> = signatures.into_iter().flatten().collect();
    (few && !signatures.is_empty()).then_some(signatures)
}

/// Signatures of one request: senders rotate among two or three secrets.
const MOST_SIGNATURES: usize = 16;
/// A message id is some letters and a UUID or the like.
const MOST_ID: usize = 256;
/// Until the year 33658.
const MOST_DIGITS: usize = 12;

#[cfg(test)]
mod tests;
