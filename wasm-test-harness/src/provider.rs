//! A scripted identity provider: it answers what a test tells it to, and remembers what it was asked.
//!
//! [`Script`] is the part without input and output, which the scenario runners use by itself; [`Provider`] serves one
//! over HTTP/1.1 on the loopback interface. Requests are told apart by authority and path, so that one server can be
//! any number of providers; each gives its answers one after the other, and the last one again and again.
//!
//! ```
//! use wasm_test_harness::{client, provider::{Answer, Provider}};
//!
//! let provider = Provider::spawn()?;
//! provider.answer("idp.test", "/jwks", [Answer::status(500), Answer::keys(&["rs1"])]);
//! let ask = || client::send(provider.address(), b"GET /jwks HTTP/1.1\r\nhost: idp.test\r\n\r\n", false);
//! assert_eq!((ask()?.status, ask()?.status, ask()?.status), (500, 200, 200));
//! assert_eq!(provider.calls("idp.test", "/jwks"), 3);
//! # Ok::<(), std::io::Error>(())
//! ```

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard},
    thread,
    time::{Duration, Instant},
};

use tokio::{net::TcpSocket, sync::watch};

mod answer;
mod script;
mod server;

pub use answer::{Answer, Failure};
pub use script::{Asked, Script};

/// A running provider; it ends when this is dropped, and all that it has not answered with it.
pub struct Provider {
    address: SocketAddr,
    script: Arc<Mutex<Script>>,
    state: watch::Sender<State>,
    reached: watch::Receiver<State>,
    thread: Option<thread::JoinHandle<()>>,
}

/// What the server is to do, and what it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Up,
    /// Nobody listens on the port, and open connections are closed.
    Down,
    Ended,
}

impl Provider {
    /// Starts on a free port of the loopback interface, in a thread of its own.
    pub fn spawn() -> io::Result<Self> {
        // Bound, and never listening: while the provider is down the port stays its own, and refuses.
        let reserved = socket((Ipv4Addr::LOCALHOST, 0).into())?;
        let address = reserved.local_addr()?;
        let script = Arc::new(Mutex::new(Script::default()));
        let (state, wanted) = watch::channel(State::Up);
        let (reach, reached) = watch::channel(State::Down);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let shared = Arc::clone(&script);
        let thread = thread::Builder::new().name("provider".to_owned()).spawn(move || {
            runtime.block_on(server::run(address, shared, wanted, reach));
            drop(reserved);
        })?;
        let provider = Self { address, script, state, reached, thread: Some(thread) };
        provider.wait_for(State::Up)?;
        Ok(provider)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What is answered from now on, one after the other; calls are counted on.
    pub fn answer(&self, authority: &str, path: &str, answers: impl IntoIterator<Item = Answer>) {
        self.script().answer(authority, path, answers);
    }

    /// Holds back every answer of this kind, until [`release`](Self::release).
    pub fn hold(&self, authority: &str, path: &str) {
        self.script().hold(authority, path, true);
    }

    /// Gives the answers that were held back.
    pub fn release(&self, authority: &str, path: &str) {
        self.script().hold(authority, path, false);
    }

    /// How often it was asked so far.
    pub fn calls(&self, authority: &str, path: &str) -> usize {
        self.script().calls(authority, path)
    }

    /// Everything that it was asked, in order.
    pub fn asked(&self) -> Vec<Asked> {
        self.script().asked().to_vec()
    }

    /// Refuses connections and closes those that are open, until [`up`](Self::up).
    pub fn down(&self) -> io::Result<()> {
        self.state.send_replace(State::Down);
        self.wait_for(State::Down)
    }

    /// Listens again, on the same port.
    pub fn up(&self) -> io::Result<()> {
        self.state.send_replace(State::Up);
        self.wait_for(State::Up)
    }

    pub(crate) fn script(&self) -> MutexGuard<'_, Script> {
        self.script.lock().expect("no holder panics")
    }

    fn wait_for(&self, state: State) -> io::Result<()> {
        let end = Instant::now() + PATIENCE;
        while *self.reached.borrow() != state {
            if Instant::now() > end || self.thread.as_ref().is_none_or(thread::JoinHandle::is_finished) {
                return Err(io::Error::other(format!("the provider on {} does not become {state:?}", self.address)));
            }
            thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        self.state.send_replace(State::Ended);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// A socket that shares its port with the one that keeps it.
fn socket(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket)
}

const PATIENCE: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests;
