//! The proxy's side: a request asks for a measurement, and its answer is the time.

use std::{
    rc::Rc,
    time::{Duration, SystemTime},
};

use gatepost::crypto::Algorithm;
use proxy_wasm::{
    hostcalls,
    traits::{Context, HttpContext, RootContext},
    types::{Action, ContextType},
};

use crate::{Library, Verifications};

// The one macro of the SDK that exports `_initialize`, which is `unsafe` by its attribute.
#[allow(unsafe_code)]
mod entry {
    proxy_wasm::main! {{
        proxy_wasm::set_root_context(|_| Box::new(super::Root(super::Verifications::new().map(std::rc::Rc::new))));
    }}
}

struct Root(Option<Rc<Verifications>>);

struct Stream(Rc<Verifications>);

impl Context for Root {}

impl RootContext for Root {
    fn on_configure(&mut self, _: usize) -> bool {
        self.0.is_some()
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }

    fn create_http_context(&self, _: u32) -> Option<Box<dyn HttpContext>> {
        Some(Box::new(Stream(Rc::clone(self.0.as_ref()?))))
    }
}

impl Context for Stream {}

impl HttpContext for Stream {
    fn on_http_request_headers(&mut self, _: usize, _: bool) -> Action {
        let path = self.get_http_request_header(":path").unwrap_or_default();
        let (status, body) = match self.measure(&path) {
            Some(time) => (200, time.as_nanos().to_string()),
            None => (400, String::new()),
        };
        self.send_http_response(status, vec![], Some(body.as_bytes()));
        Action::Pause
    }
}

impl Stream {
    /// The time of the verifications that a path asks for. Nothing where one fails.
    fn measure(&self, path: &str) -> Option<Duration> {
        let mut parts = path.split('/').skip(1);
        let algorithm = Algorithm::from_name(parts.next()?)?;
        let library = Library::from_name(parts.next()?)?;
        let count: u32 = parts.next()?.parse().ok()?;
        let begin = now()?;
        for _ in 0..count {
            if !self.0.verify(std::hint::black_box(algorithm), library) {
                return None;
            }
        }
        now()?.duration_since(begin).ok()
    }
}

/// Envoy does not keep it still during a callback.
fn now() -> Option<SystemTime> {
    hostcalls::get_current_time().ok()
}
