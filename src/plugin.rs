//! The proxy-wasm adapter: callbacks in, host calls out, and no decision of its own.
//!
//! It fails closed: what cannot be read, written or understood is answered by the gateway, never forwarded.

mod host;

use std::{cell::RefCell, rc::Rc};

use proxy_wasm::{
    traits::{Context, HttpContext, RootContext},
    types::{Action, ContextType, LogLevel},
};

use crate::{
    config,
    engine::{Engine, Head, Reason, Verdict},
};
use host::Map;

mod entry {
    #![allow(unsafe_code, reason = "the macro exports the module's entry point by its name")]

    proxy_wasm::main! {{
        super::install_panic_hook();
        proxy_wasm::set_root_context(|_| Box::new(super::Root { engine: None }));
    }}
}

/// One plugin of the VM, on one worker: its configuration, shared by its requests.
struct Root {
    engine: Option<Rc<RefCell<Engine>>>,
}

/// One request.
struct Request {
    engine: Option<Rc<RefCell<Engine>>>,
    state: State,
}

/// How far a request has come. Hosts go on calling after a denial.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Undecided,
    Forwarded,
    Denied,
}

impl Context for Root {}

impl RootContext for Root {
    fn on_configure(&mut self, _: usize) -> bool {
        let Some(text) = host::plugin_configuration() else {
            host::log(LogLevel::Error, "gatepost: the host gave no plugin configuration");
            return false;
        };
        let environment = |name: &str| std::env::var(name).ok();
        match config::load(&text, &environment) {
            Ok(gateway) => {
                let summary = format!(
                    "gatepost {}: configured, {} routes, {} authenticators",
                    env!("CARGO_PKG_VERSION"),
                    gateway.routes.len(),
                    gateway.authenticators.len()
                );
                host::log(LogLevel::Info, &summary);
                self.engine = Some(Rc::new(RefCell::new(Engine::new(gateway))));
                true
            }
            Err(errors) => {
                for error in &errors {
                    host::log(LogLevel::Error, &format!("gatepost: configuration: {error}"));
                }
                false
            }
        }
    }

    fn create_http_context(&self, _: u32) -> Option<Box<dyn HttpContext>> {
        Some(Box::new(Request { engine: self.engine.clone(), state: State::Undecided }))
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }
}

impl Context for Request {}

impl HttpContext for Request {
    fn on_http_request_headers(&mut self, count: usize, end_of_stream: bool) -> Action {
        let decided = match host::headers(Map::RequestHeaders) {
            // A host that gives fewer headers than it announced may hold back the one that matters.
            Ok(headers) if headers.len() == count => self.decide(&Head { headers, end_of_stream }),
            _ => Err(Reason::HostFailure),
        };
        match decided {
            Ok(()) => self.state = State::Forwarded,
            Err(reason) => self.fail(reason),
        }
        self.action()
    }

    fn on_http_request_body(&mut self, _: usize, _: bool) -> Action {
        self.action()
    }

    fn on_http_request_trailers(&mut self, _: usize) -> Action {
        if self.state == State::Forwarded && self.strip_trailers().is_err() {
            self.fail(Reason::HostFailure);
        }
        self.action()
    }
}

impl Request {
    /// Decides about the request and carries the decision out.
    fn decide(&mut self, head: &Head) -> Result<(), Reason> {
        let engine = self.engine.as_ref().ok_or(Reason::HostFailure)?;
        // Callbacks do not nest, so nothing else has borrowed the engine; if a host should nest them, deny.
        let mut engine = engine.try_borrow_mut().map_err(|_| Reason::HostFailure)?;
        let now = host::now().map_err(|_| Reason::HostFailure)?;
        match engine.decide(head, now).verdict {
            Verdict::Forward(edits) => host::edit(Map::RequestHeaders, &edits).map_err(|_| Reason::HostFailure),
            Verdict::Deny(answer) => {
                self.state = State::Denied;
                host::respond(&answer).map_err(|_| Reason::HostFailure)
            }
        }
        .inspect_err(|_| self.state = State::Denied)
    }

    fn strip_trailers(&self) -> Result<(), host::Failure> {
        let engine = self.engine.as_ref().ok_or(host::Failure)?;
        let engine = engine.try_borrow().map_err(|_| host::Failure)?;
        host::edit(Map::RequestTrailers, &engine.trailers(&host::headers(Map::RequestTrailers)?))
    }

    /// Answers a request whose decision could not be made or carried out.
    fn fail(&mut self, reason: Reason) {
        self.state = State::Denied;
        let answer = crate::engine::failure(reason);
        if host::respond(&answer).is_err() {
            // Without an answer the stream is reset rather than held for ever.
            host::reset_request();
        }
        host::log(LogLevel::Error, "gatepost: the host failed to give or take a request's headers");
    }

    fn action(&self) -> Action {
        match self.state {
            State::Forwarded => Action::Continue,
            State::Undecided | State::Denied => Action::Pause,
        }
    }
}

/// A panic ends the VM; what it says must not hold a request's data.
fn install_panic_hook() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(|place| format!("{}:{}", place.file(), place.line()));
        host::log(LogLevel::Critical, &format!("gatepost: panicked at {}", place.unwrap_or_default()));
    }));
}
