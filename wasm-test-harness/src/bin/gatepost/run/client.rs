//! One GET at a time, for the demo's own requests.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty};
use hyper::Request;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use thiserror::Error;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// What came back.
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Answer {
    /// The first header of that name (in lower case).
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(field, _)| field == name).map(|(_, value)| value.as_str())
    }
}

/// Why nothing came back.
#[derive(Debug, Error)]
pub enum ClientError {
    /// No connection.
    #[error("{0}")]
    Connect(#[from] std::io::Error),
    /// A broken exchange.
    #[error("{0}")]
    Exchange(#[from] hyper::Error),
    /// A request that cannot be written.
    #[error("{0}")]
    Request(#[from] hyper::http::Error),
    /// No answer in time.
    #[error("no answer within {} s", TIMEOUT.as_secs())]
    Timeout,
}

/// Sends a GET to the server at `address`.
pub async fn get(address: SocketAddr, target: &str, headers: &[(String, String)]) -> Result<Answer, ClientError> {
    timeout(TIMEOUT, exchange(address, target, headers)).await.unwrap_or(Err(ClientError::Timeout))
}

async fn exchange(address: SocketAddr, target: &str, headers: &[(String, String)]) -> Result<Answer, ClientError> {
    let mut request = Request::get(target).header("host", address.to_string());
    for (name, value) in headers {
        request = request.header(name, value);
    }
    let request = request.body(Empty::<Bytes>::new())?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(TcpStream::connect(address).await?)).await?;
    let driver = tokio::spawn(connection);
    let response = sender.send_request(request).await?;
    let status = response.status().as_u16();
    let headers = response
        .headers()
        .iter()
        .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
        .collect();
    let body = response.into_body().collect().await?.to_bytes();
    driver.abort();
    Ok(Answer { status, headers, body: String::from_utf8_lossy(&body).into_owned() })
}

const TIMEOUT: Duration = Duration::from_secs(10);
