//! The provider over HTTP/1.1.

use std::{
    cell::Cell,
    convert::Infallible,
    future, io,
    net::SocketAddr,
    rc::Rc,
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper::{
    Request, Response,
    body::{Frame, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    task::{JoinSet, LocalSet},
    time::sleep,
};

use super::{Answer, Asked, Failure, Script, State, answer::PARTS, socket};

/// Serves while it is wanted, refuses while it is not, and tells which of the two it does.
pub(super) async fn run(
    address: SocketAddr,
    script: Arc<Mutex<Script>>,
    mut wanted: watch::Receiver<State>,
    reach: watch::Sender<State>,
) {
    loop {
        let state = *wanted.borrow_and_update();
        match state {
            State::Ended => return,
            State::Down => {
                reach.send_replace(state);
                let _ = wanted.changed().await;
            }
            State::Up => {
                let Ok(listener) = socket(address).and_then(|socket| socket.listen(BACKLOG)) else { return };
                reach.send_replace(state);
                // Dropping the set with the listener ends the connections as well.
                let connections = LocalSet::new();
                connections
                    .run_until(async {
                        tokio::select! {
                            () = serve(listener, &script) => {}
                            _ = wanted.changed() => {}
                        }
                    })
                    .await;
            }
        }
    }
}

async fn serve(listener: TcpListener, script: &Arc<Mutex<Script>>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        while connections.try_join_next().is_some() {}
        connections.spawn_local(connection(stream, Arc::clone(script)));
    }
}

async fn connection(stream: TcpStream, script: Arc<Mutex<Script>>) {
    let _ = stream.set_nodelay(true);
    let reset = Rc::new(Cell::new(false));
    let service = service_fn(|request| answer(request, &script, &reset));
    let mut connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    // A connection that breaks off is no concern of the provider's.
    let _ = (&mut connection).await;
    if reset.get() {
        let _ = connection.into_parts().io.into_inner().set_zero_linger();
    }
}

type Body = UnsyncBoxBody<Bytes, io::Error>;

/// An error ends the connection without an answer.
async fn answer(
    request: Request<Incoming>,
    script: &Mutex<Script>,
    reset: &Cell<bool>,
) -> Result<Response<Body>, io::Error> {
    let asked = read(request).await?;
    let (authority, path) = (asked.authority.clone(), asked.resource().to_owned());
    let answer = script.lock().expect("no holder panics").ask(asked);
    while script.lock().expect("no holder panics").is_held(&authority, &path) {
        sleep(HELD).await;
    }
    sleep(answer.delay).await;
    match answer.failure {
        Some(Failure::Timeout) => future::pending().await,
        Some(Failure::Refused) => Err(io::ErrorKind::ConnectionRefused.into()),
        Some(Failure::Reset) => {
            reset.set(true);
            Err(io::ErrorKind::ConnectionReset.into())
        }
        Some(Failure::Truncated) => respond(&answer, truncated(&answer.body)),
        None if answer.drip.is_zero() => {
            let body = Full::new(answer.body.clone()).map_err(|never: Infallible| match never {});
            respond(&answer, body.boxed_unsync())
        }
        None => respond(&answer, dripping(answer.body.clone(), answer.drip)),
    }
}

async fn read(request: Request<Incoming>) -> Result<Asked, io::Error> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map_err(io::Error::other)?.to_bytes().to_vec();
    let mut headers: Vec<_> =
        head.headers.iter().map(|(name, value)| (name.as_str().to_owned(), value.as_bytes().to_vec())).collect();
    let host = headers.iter().position(|(name, _)| name == "host").map(|at| headers.remove(at).1);
    Ok(Asked {
        method: head.method.to_string(),
        authority: String::from_utf8_lossy(&host.unwrap_or_default()).into_owned(),
        path: head.uri.path_and_query().map_or("", |path| path.as_str()).to_owned(),
        headers,
        body,
    })
}

fn respond(answer: &Answer, body: Body) -> Result<Response<Body>, io::Error> {
    let mut response = Response::builder().status(answer.status).header("content-length", answer.body.len());
    for (name, value) in &answer.headers {
        response = response.header(name, value);
    }
    response.body(body).map_err(io::Error::other)
}

/// Half of the body, and then the end of the connection.
fn truncated(body: &Bytes) -> Body {
    let half = body.slice(..body.len() / 2);
    parts(vec![(Duration::ZERO, Some(half)), (FLUSH, None)])
}

fn dripping(body: Bytes, drip: Duration) -> Body {
    let size = body.len().div_ceil(PARTS as usize).max(1);
    let starts = (0..body.len()).step_by(size);
    parts(starts.map(|start| (drip, Some(body.slice(start..body.len().min(start + size))))).collect())
}

/// Parts of a body, each after some time; the connection ends in place of one that is missing.
fn parts(parts: Vec<(Duration, Option<Bytes>)>) -> Body {
    let (sender, receiver) = tokio::sync::mpsc::channel(1);
    tokio::task::spawn_local(async move {
        for (pause, part) in parts {
            sleep(pause).await;
            let part = part.map(Frame::data).ok_or_else(|| io::ErrorKind::UnexpectedEof.into());
            if sender.send(part).await.is_err() {
                return;
            }
        }
    });
    StreamBody::new(tokio_stream::wrappers::ReceiverStream::new(receiver)).boxed_unsync()
}

const BACKLOG: u32 = 1024;
/// What was written goes out before the connection ends.
const FLUSH: Duration = Duration::from_millis(20);
/// How often an answer that is held back looks whether it may go.
const HELD: Duration = Duration::from_millis(5);
