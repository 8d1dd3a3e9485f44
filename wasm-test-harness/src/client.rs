//! A client that sends requests byte for byte, whatever they are.

use std::{
    io::{self, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

pub mod burst;
pub mod http2;
pub mod steady;

/// A response.
#[derive(Clone, Debug, Default)]
pub struct Response {
    /// The status.
    pub status: u16,
    /// Header fields in order, names as received.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The body, with the transfer coding undone.
    pub body: Vec<u8>,
    /// Trailer fields (HTTP/2 alone).
    pub trailers: Vec<(String, Vec<u8>)>,
}

impl Response {
    /// The first value of a header.
    pub fn header(&self, name: &str) -> Option<&[u8]> {
        self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_slice())
    }
}

/// Sends the bytes over a connection of their own and reads one response. `head` says that the request's method was
/// HEAD: its response has no body, whatever its `content-length` says.
pub fn send(address: SocketAddr, request: &[u8], head: bool) -> io::Result<Response> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    // The server may answer and close before it has read everything; what counts is then its answer.
    let written = stream.write_all(request);
    let mut received = Vec::new();
    let response = loop {
        let more = read_more(&mut stream, &mut received);
        if let Some(response) = parse(&received, head, matches!(more, Ok(0)))? {
            return Ok(response);
        }
        match more {
            Ok(0) => break Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(_) => {}
            Err(error) => break Err(error),
        }
    };
    written.and(response)
}

fn read_more(stream: &mut TcpStream, received: &mut Vec<u8>) -> io::Result<usize> {
    let mut part = [0; 16 * 1024];
    let size = stream.read(&mut part)?;
    received.extend(&part[..size]);
    Ok(size)
}

/// The response, once all of it is there. Interim responses (RFC 9110 §15.2) are skipped.
fn parse(mut received: &[u8], head: bool, closed: bool) -> io::Result<Option<Response>> {
    loop {
        let mut fields = [httparse::EMPTY_HEADER; 256];
        let mut response = httparse::Response::new(&mut fields);
        let invalid = |error| io::Error::new(io::ErrorKind::InvalidData, format!("not an HTTP/1.1 response: {error}"));
        let httparse::Status::Complete(size) = response.parse(received).map_err(invalid)? else { return Ok(None) };
        let status = response.code.unwrap_or(0);
        received = &received[size..];
        if (100..200).contains(&status) && status != 101 {
            continue;
        }
        let headers = response.headers.iter().map(|field| (field.name.to_owned(), field.value.to_vec())).collect();
        let response = Response { status, headers, ..Response::default() };
        return Ok(body(&response, received, head, closed).map(|body| Response { body, ..response }));
    }
}

/// The body, once all of it is there (RFC 9112 §6.3).
fn body(response: &Response, received: &[u8], head: bool, closed: bool) -> Option<Vec<u8>> {
    if head || matches!(response.status, 101 | 204 | 304) {
        return Some(Vec::new());
    }
    if response.header("transfer-encoding").is_some_and(|value| value.eq_ignore_ascii_case(b"chunked")) {
        return dechunk(received);
    }
    match response.header("content-length").and_then(|value| std::str::from_utf8(value).ok()?.parse::<usize>().ok()) {
        Some(length) => received.get(..length).map(<[u8]>::to_vec),
        None => closed.then(|| received.to_vec()),
    }
}

fn dechunk(mut received: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let httparse::Status::Complete((start, size)) = httparse::parse_chunk_size(received).ok()? else { return None };
        let size = usize::try_from(size).ok()?;
        received = received.get(start..)?;
        if size == 0 {
            return received.windows(2).any(|pair| pair == b"\r\n").then_some(body);
        }
        body.extend(received.get(..size)?);
        received = received.get(size + 2..)?;
    }
}

/// How long a server may take for one step.
const PATIENCE: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chunked_response_is_put_together() {
        let text =
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
        assert_eq!(parse(text, false, false).unwrap().unwrap().body, b"abc");
        assert!(parse(&text[..text.len() - 4], false, false).unwrap().is_none());
    }
}
