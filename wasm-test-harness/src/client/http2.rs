//! The client over cleartext HTTP/2. Names must be lower case and the path one that `http` can hold.

use std::{io, net::SocketAddr, time::Duration};

use bytes::Bytes;
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::Frame;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio_stream::StreamExt as _;

use super::Response;

/// A request with prior knowledge of HTTP/2.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// The method.
    pub method: String,
    /// `:authority`.
    pub authority: String,
    /// `:path`.
    pub path: String,
    /// Header fields in order.
    pub headers: Vec<(String, Vec<u8>)>,
    /// DATA frames.
    pub chunks: Vec<Vec<u8>>,
    /// Trailer fields.
    pub trailers: Vec<(String, Vec<u8>)>,
    /// Whether the headers end the stream, where there is neither body nor trailers.
    pub end_of_stream: bool,
    /// Whether more would follow that never comes.
    pub stalls: bool,
    /// How long to wait before each frame of the body, and before the trailers.
    pub pause: Duration,
}

/// Sends one request over a connection of its own.
pub fn send(address: SocketAddr, request: &Request) -> io::Result<Response> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        tokio::time::timeout(PATIENCE, exchange(address, request)).await.map_err(|_| io::ErrorKind::TimedOut)?
    })
}

async fn exchange(address: SocketAddr, request: &Request) -> io::Result<Response> {
    let stream = tokio::net::TcpStream::connect(address).await?;
    let (mut sender, connection) = hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
        .await
        .map_err(io::Error::other)?;
    let connection = tokio::spawn(connection);
    let response = sender.send_request(build(request)?).await.map_err(io::Error::other)?;
    let (head, body) = response.into_parts();
    let collected = body.collect().await.map_err(io::Error::other)?;
    connection.abort();
    let trailers = collected.trailers().map(fields).unwrap_or_default();
    Ok(Response {
        status: head.status.as_u16(),
        headers: fields(&head.headers),
        body: collected.to_bytes().to_vec(),
        trailers,
    })
}

type Frames = Vec<Result<Frame<Bytes>, io::Error>>;
type Body = http_body_util::combinators::BoxBody<Bytes, io::Error>;

fn build(request: &Request) -> io::Result<http::Request<Body>> {
    let mut frames: Frames = request.chunks.iter().map(|chunk| Ok(Frame::data(Bytes::from(chunk.clone())))).collect();
    if frames.is_empty() && request.trailers.is_empty() && !request.end_of_stream && !request.stalls {
        frames.push(Ok(Frame::data(Bytes::new())));
    }
    if !request.trailers.is_empty() {
        frames.push(Ok(Frame::trailers(map(&request.trailers)?)));
    }
    let uri = format!("http://{}{}", request.authority, request.path);
    let mut builder = http::Request::builder().method(request.method.as_str()).uri(uri);
    if let Some(headers) = builder.headers_mut() {
        *headers = map(&request.headers)?;
    }
    let pause = request.pause;
    let body = if request.stalls {
        StreamBody::new(tokio_stream::iter(frames).chain(tokio_stream::pending())).boxed()
    } else if !pause.is_zero() {
        let paused = tokio_stream::iter(frames).then(move |frame| async move {
            tokio::time::sleep(pause).await;
            frame
        });
        StreamBody::new(paused).boxed()
    } else if frames.is_empty() {
        http_body_util::Empty::new().map_err(|never| match never {}).boxed()
    } else {
        StreamBody::new(tokio_stream::iter(frames)).boxed()
    };
    builder.body(body).map_err(io::Error::other)
}

fn map(fields: &[(String, Vec<u8>)]) -> io::Result<http::HeaderMap> {
    let mut map = http::HeaderMap::new();
    for (name, value) in fields {
        let name = http::HeaderName::from_bytes(name.as_bytes()).map_err(io::Error::other)?;
        map.append(name, http::HeaderValue::from_bytes(value).map_err(io::Error::other)?);
    }
    Ok(map)
}

pub(super) fn fields(map: &http::HeaderMap) -> Vec<(String, Vec<u8>)> {
    map.iter().map(|(name, value)| (name.as_str().to_owned(), value.as_bytes().to_vec())).collect()
}

const PATIENCE: Duration = Duration::from_secs(10);
