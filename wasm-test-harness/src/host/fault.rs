//! Fault injection: a host function that answers with a status of the test's choice instead of doing its work.

/// Makes one host function fail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The import's name: `proxy_get_header_map_pairs`, `clock_time_get`, ...
    pub function: String,
    /// What it returns: a proxy-wasm status, or a WASI errno.
    pub status: u32,
    /// The call that fails, counted from 1 per function; `None` makes every call fail.
    pub call: Option<u64>,
}

impl Fault {
    /// Every call of `function` answers `status`.
    pub fn every(function: &str, status: u32) -> Self {
        Self { function: function.to_owned(), status, call: None }
    }

    /// The `call`-th call of `function`, counted from 1, answers `status`.
    pub fn on_call(function: &str, status: u32, call: u64) -> Self {
        Self { function: function.to_owned(), status, call: Some(call) }
    }

    /// Whether this fault strikes the `call`-th call of `function`.
    pub(crate) fn strikes(&self, function: &str, call: u64) -> bool {
        self.function == function && self.call.is_none_or(|only| only == call)
    }
}
