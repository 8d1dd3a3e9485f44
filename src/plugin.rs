//! The proxy-wasm adapter: callbacks in, host calls out, and no decision of its own.
//!
//! It fails closed: what cannot be read, written or understood is answered by the gateway, never forwarded.

mod host;
mod metrics;

use std::{cell::RefCell, rc::Rc};

use proxy_wasm::{
    traits::{Context, HttpContext, RootContext},
    types::{Action, ContextType, LogLevel},
};

use crate::{
    config,
    engine::{Engine, Head, Verdict},
    route::table::RouteId,
};
use host::{Failure, Map};
use metrics::Metrics;

mod entry {
    #![allow(unsafe_code, reason = "the macro exports the module's entry point by its name")]

    proxy_wasm::main! {{
        super::install_panic_hook();
        proxy_wasm::set_root_context(|_| Box::new(super::Root { configured: None }));
    }}
}

/// One plugin of the VM, on one worker.
struct Root {
    configured: Option<Rc<Configured>>,
}

/// What a plugin's configuration became, shared by its requests.
struct Configured {
    engine: RefCell<Engine>,
    metrics: Metrics,
}

/// One request.
struct Request {
    configured: Option<Rc<Configured>>,
    state: State,
}

/// How far a request has come. Hosts go on calling after a denial.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Undecided,
    Forwarded(Option<RouteId>),
    Denied,
}

impl Context for Root {}

impl RootContext for Root {
    fn on_configure(&mut self, _: usize) -> bool {
        let Ok(text) = host::plugin_configuration() else {
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
                let metrics = Metrics::define(&gateway);
                self.configured = Some(Rc::new(Configured { engine: RefCell::new(Engine::new(gateway)), metrics }));
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
        Some(Box::new(Request { configured: self.configured.clone(), state: State::Undecided }))
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }
}

impl Context for Request {}

impl HttpContext for Request {
    fn on_http_request_headers(&mut self, count: usize, end_of_stream: bool) -> Action {
        let head = read(Map::RequestHeaders, count).map(|headers| Head { headers, end_of_stream });
        self.state = match head {
            Ok(head) => self.decide(&head).unwrap_or_else(|_| self.fail(Some(&head))),
            Err(_) => self.fail(None),
        };
        self.action()
    }

    fn on_http_request_body(&mut self, _: usize, _: bool) -> Action {
        self.action()
    }

    fn on_http_request_trailers(&mut self, count: usize) -> Action {
        if let State::Forwarded(route) = self.state
            && self.strip_trailers(route, count).is_err()
        {
            self.state = self.fail(None);
        }
        self.action()
    }
}

impl Request {
    /// Decides about the request and carries the decision out.
    fn decide(&self, head: &Head) -> Result<State, Failure> {
        let configured = self.configured.as_ref().ok_or(Failure)?;
        // Callbacks do not nest, so nothing else has borrowed the engine; if a host should nest them, deny.
        let decision = configured.engine.try_borrow_mut().map_err(|_| Failure)?.decide(head, host::now()?);
        configured.metrics.count(&decision.record);
        match decision.verdict {
            Verdict::Forward(edits) => {
                host::edit(Map::RequestHeaders, &edits)?;
                Ok(State::Forwarded(decision.route))
            }
            Verdict::Deny(answer) => {
                host::respond(&answer)?;
                Ok(State::Denied)
            }
        }
    }

    fn strip_trailers(&self, route: Option<RouteId>, count: usize) -> Result<(), Failure> {
        let configured = self.configured.as_ref().ok_or(Failure)?;
        let engine = configured.engine.try_borrow().map_err(|_| Failure)?;
        host::edit(Map::RequestTrailers, &engine.trailers(route, &read(Map::RequestTrailers, count)?))
    }

    /// Answers a request whose decision could not be made or carried out.
    fn fail(&self, head: Option<&Head>) -> State {
        host::log(LogLevel::Error, "gatepost: a host call failed, or the plugin is not configured: request denied");
        let engine = self.configured.as_ref().and_then(|configured| configured.engine.try_borrow().ok());
        let answered = engine.ok_or(Failure).and_then(|engine| host::respond(&engine.host_failure(head)));
        if answered.is_err() {
            // Without an answer the stream is reset rather than held for ever.
            host::reset_request();
        }
        State::Denied
    }

    fn action(&self) -> Action {
        match self.state {
            State::Forwarded(_) => Action::Continue,
            State::Undecided | State::Denied => Action::Pause,
        }
    }
}

/// All headers of a map. A host that gives fewer than it announced may hold back the one that matters.
fn read(map: Map, count: usize) -> Result<Vec<(String, Vec<u8>)>, Failure> {
    let headers = host::headers(map)?;
    if headers.len() == count { Ok(headers) } else { Err(Failure) }
}

/// A panic ends the VM; what it says must not hold a request's data.
fn install_panic_hook() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(|place| format!("{}:{}", place.file(), place.line()));
        host::log(LogLevel::Critical, &format!("gatepost: panicked at {}", place.unwrap_or_default()));
    }));
}
