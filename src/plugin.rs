//! The proxy-wasm adapter: callbacks in, host calls out, and no decision of its own.
//!
//! It fails closed: what cannot be read, written or understood is answered by the gateway, never forwarded.
//!
//! A request that has to wait for an identity provider is paused and wakes from a callback of the root context, which
//! alone makes calls: the answer to a call goes to the context that made it, and a stream may be gone by then.

mod configured;
mod host;
mod metrics;
mod stream;

use std::{collections::hash_map::RandomState, hash::BuildHasher as _, rc::Rc};

use proxy_wasm::{
    traits::{Context, HttpContext, RootContext},
    types::{ContextType, LogLevel},
};

use crate::{config, engine::Engine};
use configured::Configured;
use stream::Request;

mod entry {
    #![allow(unsafe_code, reason = "the macro exports the module's entry point by its name")]

    proxy_wasm::main! {{
        super::install_panic_hook();
        proxy_wasm::set_root_context(|id| Box::new(super::Root { id, configured: None, former: Vec::new() }));
    }}
}

/// One plugin of the VM, on one worker.
struct Root {
    id: u32,
    configured: Option<Rc<Configured>>,
    /// Configurations that were replaced while requests were waiting under them.
    former: Vec<Rc<Configured>>,
}

impl Context for Root {
    fn on_http_call_response(&mut self, token: u32, headers: usize, body_size: usize, _: usize) {
        let mut all = self.configured.iter().chain(&self.former);
        if let Some(configured) = all.find(|configured| configured.has_called(token)) {
            configured.on_answer(token, headers, body_size);
        }
    }

    fn on_done(&mut self) -> bool {
        self.configured.iter().for_each(|configured| configured.retire());
        true
    }
}

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
                let metrics = metrics::Metrics::define(&gateway);
                let engine = Engine::new(gateway, RandomState::new().hash_one(self.id));
                let configured = Rc::new(Configured::new(self.id, engine, metrics));
                self.former.extend(self.configured.replace(Rc::clone(&configured)));
                configured.begin();
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

    fn on_tick(&mut self) {
        self.former.retain(|former| former.has_waiting());
        self.configured.iter().chain(&self.former).for_each(|configured| configured.on_tick());
    }

    fn create_http_context(&self, id: u32) -> Option<Box<dyn HttpContext>> {
        Some(Box::new(Request::new(id, self.configured.clone())))
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }
}

/// A panic ends the VM; what it says must not hold a request's data.
fn install_panic_hook() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(|place| format!("{}:{}", place.file(), place.line()));
        host::log(LogLevel::Critical, &format!("gatepost: panicked at {}", place.unwrap_or_default()));
    }));
}
