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

use crate::{config, crypto::Algorithm, engine::Engine, host::Host as _, metrics::is_new_configuration};
use configured::{Configured, Pace};
use stream::Request;

mod entry {
    #![allow(unsafe_code, reason = "the macro exports the module's entry point by its name")]

    proxy_wasm::main! {{
        super::install_panic_hook();
        proxy_wasm::set_root_context(|id| Box::new(super::Root::new(id)));
    }}
}

/// One plugin of the VM, on one worker.
struct Root {
    id: u32,
    configured: Option<Rc<Configured>>,
    /// Configurations that were replaced while requests were waiting under them.
    former: Vec<Rc<Configured>>,
    pace: Rc<Pace>,
}

impl Root {
    fn new(id: u32) -> Self {
        Self { id, configured: None, former: Vec::new(), pace: Rc::default() }
    }

    fn all(&self) -> impl Iterator<Item = &Rc<Configured>> {
        self.configured.iter().chain(&self.former)
    }

    /// Ticks as often as the busiest configuration needs it.
    fn keep_pace(&self) {
        let busy = self.all().any(|configured| configured.is_busy());
        // If the host does not take it, the old pace stays, and is set right by the next tick.
        let _ = if busy { self.pace.hurry() } else { self.pace.rest() };
    }
}

impl Context for Root {
    fn on_http_call_response(&mut self, token: u32, headers: usize, body_size: usize, _: usize) {
        if let Some(configured) = self.all().find(|configured| configured.has_called(token)) {
            configured.on_answer(token, headers, body_size);
        }
        self.keep_pace();
    }
}

/// When the host deletes the context, and not in `on_done`: that callback would come for every request as well.
impl Drop for Root {
    fn drop(&mut self) {
        self.all().for_each(|configured| configured.retire());
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
                let mut engine = Engine::new(gateway, RandomState::new().hash_one(self.id));
                let name = |property| host::TheHost.property(&[property]).unwrap_or_default();
                let names = ["plugin_name", "plugin_root_id"].map(name);
                let names = names.each_ref().map(|name| String::from_utf8_lossy(name));
                let names = names.each_ref().map(|name| &**name);
                engine.set_plugin(&names);
                if is_new_configuration(&names, &text, &mut host::TheHost) {
                    metrics::count_generation();
                }
                tell_host_crypto(&mut engine);
                let configured = Rc::new(Configured::new(self.id, engine, metrics, Rc::clone(&self.pace)));
                configured.begin();
                self.former.extend(self.configured.replace(configured));
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
        let (former, done): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.former).into_iter().partition(|former| former.has_waiting());
        done.iter().for_each(|done| done.retire());
        self.former = former;
        self.all().for_each(|configured| configured.on_tick());
        self.keep_pace();
    }

    fn create_http_context(&self, id: u32) -> Option<Box<dyn HttpContext>> {
        Some(Box::new(Request::new(id, self.configured.clone())))
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }
}

/// Finds out what the host verifies, and tells operators where it is less than they may think.
fn tell_host_crypto(engine: &mut Engine) {
    let by_host = engine.find_host_crypto(&mut host::TheHost);
    if !engine.gateway().host_crypto {
        return;
    }
    if by_host.is_empty() {
        let line = "gatepost: crypto: this host verifies no signatures; the sandbox does";
        return host::log(LogLevel::Warn, line);
    }
    let names: Vec<&str> = by_host.iter().map(Algorithm::name).collect();
    host::log(LogLevel::Info, &format!("gatepost: crypto: the host verifies {}", names.join(", ")));
}

/// A panic ends the VM; what it says must not hold a request's data.
fn install_panic_hook() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(|place| format!("{}:{}", place.file(), place.line()));
        host::log(LogLevel::Critical, &format!("gatepost: panicked at {}", place.unwrap_or_default()));
    }));
}
