//! The echo over cleartext HTTP/2.

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{Request, Response, body::Incoming, server::conn::http2, service::service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;

use super::Seen;

/// Answers requests until the client closes.
pub(super) async fn serve(stream: TcpStream) -> std::io::Result<()> {
    let connection =
        http2::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service_fn(answer));
    connection.await.map_err(std::io::Error::other)
}

async fn answer(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, hyper::Error> {
    let (head, body) = request.into_parts();
    let collected = body.collect().await?;
    let trailers = collected.trailers().map(fields).unwrap_or_default();
    let body = collected.to_bytes();
    let authority = head.uri.authority().map(|authority| ("host".to_owned(), authority.as_str().as_bytes().to_vec()));
    let headers = authority.into_iter().chain(fields(&head.headers)).collect();
    let path = head.uri.path_and_query().map_or("", |path| path.as_str()).as_bytes().to_vec();
    let (json, x_echo) = Seen::new(head.method.to_string(), path, headers, &body, trailers).answer();
    let response = Response::builder().header("content-type", "application/json").header("x-echo", x_echo);
    Ok(response.body(Full::new(Bytes::from(json))).expect("valid headers"))
}

fn fields(map: &http::HeaderMap) -> Vec<(String, Vec<u8>)> {
    map.iter().map(|(name, value)| (name.as_str().to_owned(), value.as_bytes().to_vec())).collect()
}
