//! A client that sends many requests at once: every connection is open before the first byte is sent.

use std::{
    collections::BTreeMap,
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty};
use hyper::{
    body::Incoming,
    client::conn::{
        http1::{SendRequest, handshake},
        http2,
    },
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::{
    net::TcpStream,
    sync::{Barrier, Semaphore},
    task::JoinSet,
    time::timeout,
};

use super::{Response, http2::fields};

/// A GET request.
#[derive(Clone, Debug)]
pub struct Request {
    /// The target.
    pub path: String,
    /// Header fields besides `host`.
    pub headers: Vec<(String, String)>,
}

/// What became of each request, in the order in which they were given.
#[derive(Debug)]
pub struct Outcomes(Vec<Result<Response, String>>);

impl Outcomes {
    /// How often each status came; what had no answer is listed by its failure.
    pub fn tally(&self) -> BTreeMap<String, usize> {
        let mut tally = BTreeMap::new();
        for outcome in &self.0 {
            let what = outcome.as_ref().map_or_else(Clone::clone, |response| response.status.to_string());
            *tally.entry(what).or_default() += 1;
        }
        tally
    }

    /// The responses, in the order of their requests.
    ///
    /// # Panics
    ///
    /// Where a request had none.
    pub fn responses(&self) -> impl Iterator<Item = &Response> {
        self.0
            .iter()
            .map(|outcome| outcome.as_ref().unwrap_or_else(|_| panic!("not all are answered: {:?}", self.tally())))
    }
}

/// Sends all requests over as many connections as given, the first ones at once and the others as answers come. A
/// request that is not answered within `patience` fails.
pub fn send(
    address: SocketAddr,
    requests: Vec<Request>,
    connections: usize,
    patience: Duration,
) -> io::Result<Outcomes> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(send_all(address, Arc::new(requests), connections, patience))
}

/// Sends all requests at once over a single connection, as streams of cleartext HTTP/2.
pub fn send_over_one(address: SocketAddr, requests: Vec<Request>, patience: Duration) -> io::Result<Outcomes> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(send_streams(address, requests, patience))
}

/// Lets this process, and those that it starts, open as many files as the system allows.
pub fn raise_file_limit() -> io::Result<()> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let maximum = getrlimit(Resource::Nofile).maximum;
    Ok(setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })?)
}

async fn send_all(
    address: SocketAddr,
    requests: Arc<Vec<Request>>,
    connections: usize,
    patience: Duration,
) -> io::Result<Outcomes> {
    let connections = connections.min(requests.len());
    let (ready, next) = (Arc::new(Barrier::new(connections)), Arc::new(AtomicUsize::new(0)));
    // A listener's backlog is short.
    let opening = Arc::new(Semaphore::new(OPENING_AT_ONCE));
    let mut tasks = JoinSet::new();
    for _ in 0..connections {
        let (requests, ready, next, opening) =
            (Arc::clone(&requests), Arc::clone(&ready), Arc::clone(&next), Arc::clone(&opening));
        tasks.spawn(async move {
            let mut connection = {
                let _permit = opening.acquire().await;
                connect(address).await
            };
            ready.wait().await;
            let mut outcomes = Vec::new();
            loop {
                let at = next.fetch_add(1, Ordering::Relaxed);
                let Some(request) = requests.get(at) else { return outcomes };
                if connection.as_ref().is_ok_and(SendRequest::is_closed) {
                    connection = connect(address).await;
                }
                let outcome = match &mut connection {
                    Ok(sender) => timeout(patience, exchange(sender, address, request)).await,
                    Err(error) => Ok(Err(format!("not connected: {error}"))),
                };
                outcomes.push((at, outcome.unwrap_or_else(|_| Err(LATE.to_owned()))));
            }
        });
    }
    let mut outcomes = BTreeMap::new();
    while let Some(done) = tasks.join_next().await {
        outcomes.extend(done.map_err(io::Error::other)?);
    }
    Ok(Outcomes(outcomes.into_values().collect()))
}

async fn send_streams(address: SocketAddr, requests: Vec<Request>, patience: Duration) -> io::Result<Outcomes> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let (sender, connection) =
        http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.map_err(io::Error::other)?;
    tokio::spawn(connection);
    let mut streams = JoinSet::new();
    for (at, request) in requests.into_iter().enumerate() {
        let mut sender = sender.clone();
        streams.spawn(async move {
            let request = build(&format!("http://{address}{}", request.path), &request.headers);
            let exchange = async { receive(sender.send_request(request?).await).await };
            (at, timeout(patience, exchange).await.unwrap_or_else(|_| Err(LATE.to_owned())))
        });
    }
    let mut outcomes = BTreeMap::new();
    while let Some(done) = streams.join_next().await {
        let (at, outcome) = done.map_err(io::Error::other)?;
        outcomes.insert(at, outcome);
    }
    Ok(Outcomes(outcomes.into_values().collect()))
}

pub(super) async fn connect(address: SocketAddr) -> io::Result<SendRequest<Empty<Bytes>>> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let (sender, connection) = handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
    tokio::spawn(connection);
    Ok(sender)
}

pub(super) async fn exchange(
    sender: &mut SendRequest<Empty<Bytes>>,
    address: SocketAddr,
    request: &Request,
) -> Result<Response, String> {
    let mut request = build(&request.path, &request.headers)?;
    let host = http::HeaderValue::from_str(&address.to_string()).map_err(|error| error.to_string())?;
    request.headers_mut().insert("host", host);
    sender.ready().await.map_err(|error| error.to_string())?;
    receive(sender.send_request(request).await).await
}

fn build(uri: &str, headers: &[(String, String)]) -> Result<http::Request<Empty<Bytes>>, String> {
    let builder = headers.iter().fold(http::Request::get(uri), |builder, (name, value)| builder.header(name, value));
    builder.body(Empty::new()).map_err(|error| error.to_string())
}

async fn receive(response: hyper::Result<http::Response<Incoming>>) -> Result<Response, String> {
    let (head, body) = response.map_err(|error| error.to_string())?.into_parts();
    let body = body.collect().await.map_err(|error| error.to_string())?.to_bytes().to_vec();
    Ok(Response { status: head.status.as_u16(), headers: fields(&head.headers), body, trailers: Vec::new() })
}

const LATE: &str = "not answered in time";
const OPENING_AT_ONCE: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        echo::{Echo, Seen},
        provider::{Answer, Provider},
    };

    fn requests(count: usize) -> Vec<Request> {
        (0..count).map(|at| Request { path: format!("/{at}"), headers: Vec::new() }).collect()
    }

    #[test]
    fn every_request_has_its_own_outcome_in_order() {
        let provider = Provider::spawn().unwrap();
        let authority = provider.address().to_string();
        for at in 0..100 {
            provider.answer(&authority, &format!("/{at}"), [Answer::text(at.to_string())]);
        }
        let outcomes = send(provider.address(), requests(101), 20, Duration::from_secs(10)).unwrap();
        assert_eq!(outcomes.tally(), BTreeMap::from([("200".to_owned(), 100), ("404".to_owned(), 1)]));
        let bodies =
            outcomes.responses().take(100).map(|response| String::from_utf8_lossy(&response.body).into_owned());
        assert!(bodies.eq((0..100).map(|at| at.to_string())));
    }

    #[test]
    fn streams_of_one_connection_have_their_own_outcomes() {
        let echo = Echo::spawn().unwrap();
        let outcomes = send_over_one(echo.address(), requests(50), Duration::from_secs(10)).unwrap();
        let seen = |response: &Response| Seen::read(response.header("x-echo").unwrap(), &response.body).unwrap();
        let paths = outcomes.responses().map(|response| seen(response).path.0);
        assert!(paths.eq((0..50).map(|at| format!("/{at}").into_bytes())));
    }

    #[test]
    fn what_is_not_answered_is_told() {
        let provider = Provider::spawn().unwrap();
        provider.hold(&provider.address().to_string(), "/0");
        let outcomes = send(provider.address(), requests(2), 2, Duration::from_millis(100)).unwrap();
        assert_eq!(outcomes.tally(), BTreeMap::from([("not answered in time".to_owned(), 1), ("404".to_owned(), 1)]));
    }
}
