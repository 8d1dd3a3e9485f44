//! A client that sends one request again and again, at a steady rate, for a time.

use std::{
    io,
    net::SocketAddr,
    time::{Duration, Instant},
};

use tokio::{
    task::JoinSet,
    time::{sleep_until, timeout},
};

use super::burst::{Request, connect, exchange};

/// What became of one request.
#[derive(Clone, Copy, Debug)]
pub struct Exchange {
    /// When it was sent.
    pub sent: Instant,
    /// When it was answered.
    pub answered: Instant,
    /// With what status; none where it was not.
    pub status: Option<u16>,
}

/// Sends so many requests a second, over so many connections, for so long. A connection sends its next request when its
/// time has come and the last one is answered: on a machine that is too slow, fewer are sent, and the client ends on time.
/// In the order in which they were sent.
pub fn send(
    address: SocketAddr,
    request: &Request,
    connections: u32,
    per_second: u32,
    time: Duration,
) -> io::Result<Vec<Exchange>> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    runtime.block_on(async {
        let interval = Duration::from_secs(1) * connections / per_second;
        let start = Instant::now() + Duration::from_millis(200);
        let mut tasks = JoinSet::new();
        for connection in 0..connections {
            let request = request.clone();
            tasks.spawn(async move {
                let mut sender = connect(address).await?;
                let mut exchanges = Vec::new();
                let mut due = start + Duration::from_secs(1) * connection / per_second;
                while due < start + time {
                    sleep_until(due.into()).await;
                    let sent = Instant::now();
                    if sent >= start + time {
                        break;
                    }
                    if sender.is_closed() {
                        sender = connect(address).await?;
                    }
                    let answer = timeout(PATIENCE, exchange(&mut sender, address, &request)).await;
                    let status = answer.ok().and_then(Result::ok).map(|response| response.status);
                    exchanges.push(Exchange { sent, answered: Instant::now(), status });
                    due += interval;
                }
                io::Result::Ok(exchanges)
            });
        }
        let mut all = Vec::new();
        while let Some(done) = tasks.join_next().await {
            all.extend(done.map_err(io::Error::other)??);
        }
        all.sort_by_key(|exchange| exchange.sent);
        Ok(all)
    })
}

const PATIENCE: Duration = Duration::from_secs(10);
