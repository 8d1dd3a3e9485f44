//! What a host is sent, and what it was seen to do.

use std::collections::BTreeMap;

use super::{
    format::{Property, Request, Scenario, Step},
    placeholder::Placeholders,
};
use crate::host;

/// What became of a request.
#[derive(Clone, Debug)]
pub enum Observed {
    /// The service received it.
    Forwarded(Received),
    /// The caller was answered without the service.
    Answered(Answer),
    /// Neither, and why.
    Neither(String),
}

/// What the service received.
#[derive(Clone, Debug, Default)]
pub struct Received {
    /// `:method`.
    pub method: String,
    /// The target, byte for byte.
    pub path: Vec<u8>,
    /// `:authority`.
    pub authority: String,
    /// Header fields without pseudo-headers, in order.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The body.
    pub body: Vec<u8>,
    /// Trailer fields.
    pub trailers: Vec<(String, Vec<u8>)>,
}

/// What the caller was told.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// Header fields, in order.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The body.
    pub body: Vec<u8>,
    /// gRPC's status and message, where the answer is a gRPC one.
    pub grpc: Option<(u32, String)>,
}

/// A step's request with every placeholder replaced.
#[derive(Clone, Debug)]
pub(super) struct Sent {
    pub(super) method: String,
    pub(super) path: Vec<u8>,
    pub(super) authority: String,
    pub(super) scheme: String,
    /// Without pseudo-headers; framing included.
    pub(super) headers: Vec<(String, Vec<u8>)>,
    pub(super) chunks: Vec<Vec<u8>>,
    pub(super) trailers: Vec<(String, Vec<u8>)>,
    pub(super) end_of_stream: bool,
    /// Whether the body never ends.
    pub(super) stalls: bool,
    /// Properties by their path, parted by NUL.
    pub(super) properties: BTreeMap<String, Vec<u8>>,
}

impl Sent {
    pub(super) fn of(step: &Step, placeholders: &Placeholders<'_>) -> Result<Self, String> {
        let Request {
            method,
            path,
            authority,
            scheme,
            token,
            headers,
            body,
            chunks,
            trailers,
            connection,
            address,
            ..
        } = &step.request;
        let pairs = |pairs: &[(String, super::text::Text)]| -> Result<Vec<(String, Vec<u8>)>, String> {
            pairs.iter().map(|(name, value)| Ok((name.clone(), placeholders.bytes(value)?))).collect()
        };
        let mut all = Vec::new();
        if let Some(token) = token {
            all.push((
                "authorization".to_owned(),
                placeholders.expand(&format!("Bearer {{{{token {token}}}}}"))?.into_bytes(),
            ));
        }
        all.extend(pairs(headers)?);
        let chunks: Vec<Vec<u8>> =
            chunks.iter().chain(body).map(|chunk| placeholders.bytes(chunk)).collect::<Result<_, _>>()?;
        let trailers = pairs(trailers)?;
        let end_of_stream = step.request.end_of_stream;
        let end_of_stream = end_of_stream.unwrap_or(chunks.is_empty() && trailers.is_empty() && !step.request.stalls);
        let framed = all.iter().any(|(name, _)| {
            name.eq_ignore_ascii_case("content-length") || name.eq_ignore_ascii_case("transfer-encoding")
        });
        if !end_of_stream && !framed {
            all.push(match trailers.is_empty() && chunks.len() == 1 && !step.request.stalls {
                true => ("content-length".to_owned(), chunks[0].len().to_string().into_bytes()),
                false => ("transfer-encoding".to_owned(), b"chunked".to_vec()),
            });
        }
        let (method, authority, scheme) = (method.clone(), placeholders.expand(authority)?, scheme.clone());
        let path = placeholders.bytes(path)?;
        let property = |(name, property): (&String, &Property)| -> Result<(String, Vec<u8>), String> {
            let value = match property {
                Property::Flag(flag) => vec![u8::from(*flag)],
                Property::Text(text) => placeholders.bytes(text)?,
            };
            Ok((format!("connection\0{name}"), value))
        };
        let mut properties: BTreeMap<_, _> = connection.iter().map(property).collect::<Result<_, _>>()?;
        let address = address.as_deref().unwrap_or(ADDRESS);
        if address != "none" {
            properties.insert("source\0address".to_owned(), address.as_bytes().to_vec());
        }
        let stalls = step.request.stalls;
        let mut sent =
            Self { method, path, authority, scheme, headers: all, chunks, trailers, end_of_stream, stalls, properties };
        if let Some(sign) = &step.request.sign {
            sign.apply(&mut sent, placeholders)?;
        }
        Ok(sent)
    }

    /// The head's fields, as a filter is given them.
    pub(super) fn head(&self) -> Vec<(String, Vec<u8>)> {
        let mut pairs = vec![
            (":authority".to_owned(), self.authority.clone().into_bytes()),
            (":path".to_owned(), self.path.clone()),
            (":method".to_owned(), self.method.clone().into_bytes()),
            (":scheme".to_owned(), self.scheme.clone().into_bytes()),
        ];
        pairs.extend(self.headers.iter().cloned());
        pairs
    }

    pub(super) fn body(&self) -> Vec<u8> {
        self.chunks.concat()
    }
}

impl Received {
    /// What the service receives when these headers go on.
    pub(super) fn of(headers: &host::Headers, body: Vec<u8>, trailers: &host::Headers) -> Self {
        let text = |name| String::from_utf8_lossy(headers.first(name).unwrap_or_default()).into_owned();
        let fields = headers.pairs().iter().filter(|(name, _)| !name.starts_with(':'));
        Self {
            method: text(":method"),
            path: headers.first(":path").unwrap_or_default().to_vec(),
            authority: text(":authority"),
            headers: fields.cloned().collect(),
            body,
            trailers: trailers.pairs().to_vec(),
        }
    }
}

impl Answer {
    /// An answer as the caller sees it; gRPC's outcome is read from its headers.
    pub(super) fn new(status: u16, headers: Vec<(String, Vec<u8>)>, body: Vec<u8>) -> Self {
        let find = |name: &str| {
            let value = headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value);
            value.map(|value| String::from_utf8_lossy(value).into_owned())
        };
        let grpc = find("grpc-status").and_then(|code| code.parse().ok());
        let grpc = grpc.map(|code| (code, find("grpc-message").unwrap_or_default()));
        Self { status, headers, body, grpc }
    }
}

/// Where requests come from if nothing else is said, as in Envoy.
const ADDRESS: &str = "127.0.0.1:50000";

/// Placeholders for a run of `scenario` that begins at `now`.
pub(super) fn placeholders(scenario: &Scenario, now: u64) -> Placeholders<'_> {
    Placeholders::new(&scenario.name, &scenario.tokens, now)
}

/// Values of a name in a list of fields, in order; names are compared without case.
pub(super) fn values<'a>(fields: &'a [(String, Vec<u8>)], name: &str) -> Vec<&'a [u8]> {
    fields.iter().filter(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_slice()).collect()
}

/// The environment as the host's VMs take it.
pub(super) fn environment(environment: &BTreeMap<String, String>) -> Vec<(String, String)> {
    environment.iter().map(|(name, value)| (name.clone(), value.clone())).collect()
}
