//! The service behind the gateway: answers with exactly what it received.
//!
//! HTTP/1.1 and cleartext HTTP/2 on one port. The answer is `200` with a header `x-echo`, which marks that the service
//! was reached, and a JSON body that [`Seen`] describes; an answer to HEAD has it base64url-encoded in `x-echo`.

use std::{
    net::{Ipv4Addr, SocketAddr},
    thread,
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize, Serializer};
use sha2::{Digest as _, Sha256};
use tokio::{net::TcpListener, net::TcpStream, sync::oneshot, task::JoinHandle};

mod http1;
mod http2;

/// A running echo service; it ends when this is dropped.
pub struct Echo {
    address: SocketAddr,
    task: Option<JoinHandle<()>>,
    thread: Option<(oneshot::Sender<()>, thread::JoinHandle<()>)>,
}

/// A request as the service received it.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct Seen {
    /// The method.
    pub method: String,
    /// The target, as it came.
    pub path: Octets,
    /// Header fields in order, names as received, repeats kept. HTTP/2's `:authority` is `host` here.
    pub headers: Vec<(String, Octets)>,
    /// The body's length in bytes.
    pub body_length: usize,
    /// The body's SHA-256, in hex.
    pub body_sha256: String,
    /// Trailer fields in order.
    pub trailers: Vec<(String, Octets)>,
}

/// Bytes that in JSON are a string where they are UTF-8, else `{"bytes": "caf\u00e9"}` with one character a byte.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(from = "OctetsForm")]
pub struct Octets(pub Vec<u8>);

impl Echo {
    /// Starts on a free port of the loopback interface, in a thread of its own.
    pub fn spawn() -> std::io::Result<Self> {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let (stop, stopped) = oneshot::channel();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let thread = thread::Builder::new().name("echo".to_owned()).spawn(move || {
            runtime.block_on(async {
                let listener = TcpListener::from_std(listener).expect("a fresh listener");
                tokio::select! {
                    () = serve(listener) => {}
                    _ = stopped => {}
                }
            });
        })?;
        Ok(Self { address, task: None, thread: Some((stop, thread)) })
    }

    /// Starts on a given address, as a task of the caller's runtime.
    pub async fn start_at(address: SocketAddr) -> std::io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        Ok(Self { address, task: Some(tokio::spawn(serve(listener))), thread: None })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        if let Some(task) = self.task.take() {
            task.abort();
        }
        if let Some((stop, thread)) = self.thread.take() {
            let _ = stop.send(());
            let _ = thread.join();
        }
    }
}

impl Seen {
    fn new(
        method: String,
        path: Vec<u8>,
        headers: Vec<(String, Vec<u8>)>,
        body: &[u8],
        trailers: Vec<(String, Vec<u8>)>,
    ) -> Self {
        let octets =
            |pairs: Vec<(String, Vec<u8>)>| pairs.into_iter().map(|(name, value)| (name, Octets(value))).collect();
        Self {
            method,
            path: Octets(path),
            headers: octets(headers),
            body_length: body.len(),
            body_sha256: sha256(body),
            trailers: octets(trailers),
        }
    }

    /// The JSON text, and the value of `x-echo`.
    fn answer(&self) -> (String, String) {
        let json = serde_json::to_string(self).expect("plain data");
        if self.method == "HEAD" { (String::new(), URL_SAFE_NO_PAD.encode(json)) } else { (json, "body".to_owned()) }
    }

    /// Reads it back from an answer's `x-echo` and body.
    pub fn read(x_echo: &[u8], body: &[u8]) -> Result<Self, String> {
        let decoded;
        let json = if x_echo == b"body" {
            body
        } else {
            decoded = URL_SAFE_NO_PAD.decode(x_echo).map_err(|e| format!("x-echo: {e}"))?;
            &decoded
        };
        serde_json::from_slice(json).map_err(|e| format!("the echo's answer: {e}"))
    }
}

/// SHA-256 in hex.
pub fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Serialize for Octets {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match std::str::from_utf8(&self.0) {
            Ok(text) => serializer.serialize_str(text),
            Err(_) => {
                let bytes = self.0.iter().map(|byte| char::from(*byte)).collect();
                OctetsForm::Bytes { bytes }.serialize(serializer)
            }
        }
    }
}

#[derive(Deserialize, Serialize)]
#[serde(untagged)]
enum OctetsForm {
    Text(String),
    Bytes { bytes: String },
}

impl From<OctetsForm> for Octets {
    fn from(form: OctetsForm) -> Self {
        match form {
            OctetsForm::Text(text) => Self(text.into_bytes()),
            OctetsForm::Bytes { bytes } => {
                Self(bytes.chars().map(|c| u8::try_from(u32::from(c)).unwrap_or(b'?')).collect())
            }
        }
    }
}

async fn serve(listener: TcpListener) {
    // Dropping the set with the service ends its connections as well.
    let mut connections = tokio::task::JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        while connections.try_join_next().is_some() {}
        connections.spawn(connection(stream));
    }
}

async fn connection(stream: TcpStream) {
    let _ = stream.set_nodelay(true);
    // A connection that breaks off is no concern of the echo's.
    let _ = if is_http2(&stream).await { http2::serve(stream).await } else { http1::serve(stream).await };
}

/// RFC 9113 §3.4: the client preface begins with `PRI * HTTP/2.0`, and `PRI` is no method.
async fn is_http2(stream: &TcpStream) -> bool {
    let mut start = [0; 4];
    loop {
        match stream.peek(&mut start).await {
            Ok(size @ 1..=3) if b"PRI "[..size] == start[..size] => tokio::task::yield_now().await,
            Ok(4) => return start == *b"PRI ",
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client;

    #[test]
    fn it_tells_what_it_received_byte_for_byte() {
        let echo = Echo::spawn().unwrap();
        let request = b"POST /a%2f;b\xff?x=1 HTTP/1.1\r\nHost: h\r\nX_Odd: 1\r\nx-r: a\r\nX-R: \xe9\r\n\
            transfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nx-t: 1\r\n\r\n";
        let answer = client::send(echo.address(), request, false).unwrap();
        let seen = Seen::read(answer.header("x-echo").unwrap(), &answer.body).unwrap();
        assert_eq!((seen.method.as_str(), seen.path.0.as_slice()), ("POST", b"/a%2f;b\xff?x=1".as_slice()));
        let names: Vec<&str> = seen.headers.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["Host", "X_Odd", "x-r", "X-R", "transfer-encoding"]);
        assert_eq!(seen.headers[3].1.0, b"\xe9");
        assert_eq!((seen.body_length, seen.body_sha256), (3, sha256(b"abc")));
        assert_eq!(seen.trailers, [("x-t".to_owned(), Octets(b"1".to_vec()))]);
    }

    #[test]
    fn a_head_request_is_answered_in_a_header() {
        let echo = Echo::spawn().unwrap();
        let answer = client::send(echo.address(), b"HEAD /h HTTP/1.1\r\nhost: h\r\n\r\n", true).unwrap();
        let seen = Seen::read(answer.header("x-echo").unwrap(), &answer.body).unwrap();
        assert_eq!((seen.method.as_str(), seen.path.0.as_slice()), ("HEAD", b"/h".as_slice()));
    }
}
