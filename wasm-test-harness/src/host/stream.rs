//! One HTTP exchange as Envoy's filter chain holds it: what came, what is paused, what goes on.

use std::collections::{BTreeMap, VecDeque};

use super::headers::Headers;

/// A request, as Envoy's codec hands it over.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// Headers with pseudo-headers.
    pub headers: Headers,
    /// The body in the chunks in which it arrives.
    pub body: Vec<Vec<u8>>,
    /// Trailers; where there are some, no callback before theirs reports the end of the stream.
    pub trailers: Option<Headers>,
    /// Whether the headers end the stream. False without body or trailers is what HTTP/2 does when the end comes in an
    /// empty DATA frame: one body callback without a body.
    pub end_of_stream: bool,
    /// Whether more would follow that never comes.
    pub stalls: bool,
    /// Properties of the stream and its connection, by their path, parted by NUL.
    pub properties: BTreeMap<String, Vec<u8>>,
}

/// What has become of a request.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// The whole of it reached the service.
    Forwarded(Forwarded),
    /// The caller was answered, and the service saw nothing.
    Answered(Reply),
    /// The filter reset the stream: the caller has no answer, and the service saw nothing.
    Reset,
    /// It waits for a callout, a tick, or a body that this host does not deliver while headers are paused.
    Held,
}

/// What the service received.
#[derive(Clone, Debug, Default)]
pub struct Forwarded {
    /// Headers with pseudo-headers.
    pub headers: Headers,
    /// The whole body.
    pub body: Vec<u8>,
    /// Trailers; empty where there were none.
    pub trailers: Headers,
}

/// A response on its way to the caller.
#[derive(Clone, Debug, Default)]
pub struct Reply {
    /// Headers, `:status` included.
    pub headers: Headers,
    /// The body; empty where the request was HEAD or gRPC.
    pub body: Vec<u8>,
}

impl Reply {
    /// The HTTP status.
    pub fn status(&self) -> u16 {
        let text = self.headers.first(":status").and_then(|value| std::str::from_utf8(value).ok());
        text.and_then(|text| text.parse().ok()).unwrap_or(0)
    }
}

/// What `proxy_send_local_response` was given.
pub(crate) struct LocalReply {
    pub(crate) status: u32,
    pub(crate) headers: Vec<(String, Vec<u8>)>,
    pub(crate) body: Vec<u8>,
    pub(crate) grpc_status: Option<u32>,
}

/// The callback that a stream is in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Phase {
    #[default]
    Idle,
    RequestHeaders,
    RequestBody,
    RequestTrailers,
    ResponseHeaders,
    ResponseBody,
    ResponseTrailers,
    Log,
}

/// What of the request has not been shown to the filter yet.
pub(crate) enum Event {
    Body { chunk: Vec<u8>, end_of_stream: bool },
    Trailers(Headers),
}

/// One HTTP context.
#[derive(Default)]
pub(crate) struct Stream {
    pub(crate) root: u32,
    pub(crate) phase: Phase,
    pub(crate) request_headers: Headers,
    pub(crate) request_headers_open: bool,
    pub(crate) request_trailers: Headers,
    pub(crate) request_trailers_open: bool,
    /// The buffer that the filter sees: this chunk, or everything since it paused the body.
    pub(crate) request_body: Vec<u8>,
    pub(crate) request_body_open: bool,
    pub(crate) response_headers: Headers,
    pub(crate) response_trailers: Headers,
    pub(crate) response_body: Vec<u8>,
    pub(crate) properties: BTreeMap<String, Vec<u8>>,
    pub(crate) pending: VecDeque<Event>,
    pub(crate) headers_paused: bool,
    pub(crate) body_paused: bool,
    pub(crate) trailers_paused: bool,
    /// The body that has gone on to the service.
    pub(crate) sent: Vec<u8>,
    pub(crate) answered: bool,
    pub(crate) reset: bool,
    pub(crate) local_reply: Option<LocalReply>,
    pub(crate) reply: Option<Reply>,
}

impl Stream {
    /// What is left to be shown after the headers.
    pub(crate) fn new(root: u32, request: Request) -> Self {
        let Request { headers, body, trailers, end_of_stream, stalls, properties } = request;
        let mut pending = VecDeque::new();
        let last = body.len().saturating_sub(1);
        for (index, chunk) in body.into_iter().enumerate() {
            pending.push_back(Event::Body { chunk, end_of_stream: index == last && trailers.is_none() && !stalls });
        }
        if let Some(trailers) = trailers {
            pending.push_back(Event::Trailers(trailers));
        } else if pending.is_empty() && !end_of_stream && !stalls {
            pending.push_back(Event::Body { chunk: Vec::new(), end_of_stream: true });
        }
        Self { root, request_headers: headers, request_headers_open: true, properties, pending, ..Self::default() }
    }

    /// `proxy_continue_stream`: whatever is held goes on, and Envoy forgets the maps at once.
    pub(crate) fn resume(&mut self) {
        self.headers_paused = false;
        self.body_paused = false;
        self.trailers_paused = false;
        self.close_maps();
        self.sent.append(&mut self.request_body);
    }

    /// The maps of the request are gone for the filter.
    pub(crate) fn close_maps(&mut self) {
        self.request_headers_open = false;
        self.request_trailers_open = false;
        self.request_body_open = false;
    }

    /// Whether everything has gone on.
    pub(crate) fn is_through(&self) -> bool {
        let held = self.headers_paused || self.body_paused || self.trailers_paused;
        !held && !self.answered && self.pending.is_empty()
    }

    pub(crate) fn outcome(&self) -> Outcome {
        match &self.reply {
            Some(reply) => Outcome::Answered(reply.clone()),
            None if self.reset => Outcome::Reset,
            None if self.is_through() => Outcome::Forwarded(Forwarded {
                headers: self.request_headers.clone(),
                body: self.sent.clone(),
                trailers: self.request_trailers.clone(),
            }),
            None => Outcome::Held,
        }
    }

    /// The response that Envoy makes of a local reply: the filter's headers are appended to `:status`, and a gRPC
    /// request gets a trailers-only answer with the body as its message.
    pub(crate) fn compose(&self, local: LocalReply) -> Reply {
        let mut headers = Headers::default();
        headers.add(":status", local.status.to_string().as_bytes());
        for (name, value) in &local.headers {
            headers.add(name, value);
        }
        if is_grpc(&self.request_headers) {
            headers.replace(":status", b"200");
            headers.replace("content-type", b"application/grpc");
            let status = local.grpc_status.unwrap_or_else(|| grpc_status_of(local.status));
            headers.replace("grpc-status", status.to_string().as_bytes());
            if !local.body.is_empty() {
                headers.replace("grpc-message", &local.body);
            }
            return Reply { headers, body: Vec::new() };
        }
        if !local.body.is_empty() {
            headers.replace("content-length", local.body.len().to_string().as_bytes());
            if headers.first("content-type").is_none() {
                headers.add("content-type", b"text/plain");
            }
        }
        let head = self.request_headers.first(":method") == Some(b"HEAD");
        Reply { headers, body: if head { Vec::new() } else { local.body } }
    }
}

fn is_grpc(headers: &Headers) -> bool {
    let kind = headers.first("content-type").unwrap_or_default();
    kind.strip_prefix(b"application/grpc").is_some_and(|rest| rest.is_empty() || rest.starts_with(b"+"))
}

/// Envoy's mapping of HTTP statuses where the filter names no gRPC status.
fn grpc_status_of(status: u32) -> u32 {
    match status {
        400 => 13,
        401 => 16,
        403 => 7,
        404 => 12,
        429 | 502..=504 => 14,
        _ => 2,
    }
}
