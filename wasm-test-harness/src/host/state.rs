//! What a VM's host side remembers: contexts, logs, calls made, faults to inject.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    calls::{CallAnswer, HttpCall},
    clock::Clock,
    fault::Fault,
    memory::Call,
    metrics::Metrics,
    shared_data::SharedData,
    stream::Stream,
    vm::Plugin,
};

/// The statuses of proxy-wasm 0.2.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are the specification's")]
#[repr(u32)]
pub enum Status {
    NotFound = 1,
    BadArgument = 2,
    SerializationFailure = 3,
    ParseFailure = 4,
    BadExpression = 5,
    InvalidMemoryAccess = 6,
    Empty = 7,
    CasMismatch = 8,
    ResultMismatch = 9,
    InternalFailure = 10,
    BrokenConnection = 11,
    Unimplemented = 12,
}

/// A log level of proxy-wasm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs, reason = "the names are the specification's")]
pub enum LogLevel {
    Trace,
    Debug,
    Info,
    Warn,
    Error,
    Critical,
}

/// One line that the module logged.
#[derive(Clone, Debug)]
pub struct Log {
    /// How loudly.
    pub level: LogLevel,
    /// What.
    pub message: String,
}

/// One host call that the module made.
#[derive(Clone, Debug)]
pub struct HostCall {
    /// The import's name.
    pub function: &'static str,
    /// The callback during which it was made.
    pub callback: &'static str,
    /// The context whose callback that was.
    pub context: u32,
    /// What it returned; 0 is Ok.
    pub status: u32,
}

/// A context of the VM.
pub(crate) enum Context {
    Root(Box<Root>),
    Stream(Box<Stream>),
}

/// One plugin's root context.
pub(crate) struct Root {
    pub(crate) plugin: Plugin,
    /// The plugin configuration can be read in `on_configure` alone.
    pub(crate) configuring: bool,
    /// The tick period in milliseconds; 0 is none.
    pub(crate) tick: u32,
}

pub(crate) struct State {
    pub(crate) clock: Clock,
    pub(crate) environment: Vec<(String, String)>,
    pub(crate) clusters: BTreeSet<String>,
    pub(crate) shared: SharedData,
    pub(crate) stop_iteration: bool,
    pub(crate) verifies_signatures: bool,
    pub(crate) random: u64,
    pub(crate) contexts: BTreeMap<u32, Context>,
    pub(crate) current: u32,
    pub(crate) effective: Option<u32>,
    pub(crate) callback: &'static str,
    pub(crate) metrics: Metrics,
    pub(crate) logs: Vec<Log>,
    pub(crate) host_calls: Vec<HostCall>,
    pub(crate) counts: BTreeMap<&'static str, u64>,
    pub(crate) faults: Vec<Fault>,
    pub(crate) violations: Vec<String>,
    pub(crate) http_calls: Vec<HttpCall>,
    /// How many of them were given to whoever answers them.
    pub(crate) taken_http_calls: usize,
    pub(crate) answer: Option<CallAnswer>,
}

impl State {
    /// The context that host calls speak of: the one set as effective, else the one whose callback runs.
    pub(crate) fn subject(&self) -> u32 {
        self.effective.filter(|id| self.contexts.contains_key(id)).unwrap_or(self.current)
    }

    /// The stream that host calls speak of, if they speak of one.
    pub(crate) fn stream(&mut self) -> Option<&mut Stream> {
        let id = self.subject();
        self.stream_by_id(id)
    }

    pub(crate) fn stream_by_id(&mut self, id: u32) -> Option<&mut Stream> {
        match self.contexts.get_mut(&id) {
            Some(Context::Stream(stream)) => Some(stream),
            _ => None,
        }
    }

    /// The root context that host calls speak of: the subject itself, or its root.
    pub(crate) fn root(&mut self) -> Option<&mut Root> {
        let id = match self.contexts.get(&self.subject())? {
            Context::Root(_) => self.subject(),
            Context::Stream(stream) => stream.root,
        };
        self.root_by_id(id)
    }

    pub(crate) fn root_by_id(&mut self, id: u32) -> Option<&mut Root> {
        match self.contexts.get_mut(&id) {
            Some(Context::Root(root)) => Some(root),
            _ => None,
        }
    }

    /// Notes what no module should do, whatever the host then answers.
    pub(crate) fn violation(&mut self, what: String) {
        let line = format!("{} (context {}): {what}", self.callback, self.current);
        self.violations.push(line);
    }

    /// Counts the call and tells the status to inject, if one is.
    pub(crate) fn enter(&mut self, function: &'static str) -> Option<u32> {
        let count = self.counts.entry(function).or_default();
        *count += 1;
        let call = *count;
        let struck = self.faults.iter().find(|fault| fault.strikes(function, call)).map(|fault| fault.status);
        let (callback, context) = (self.callback, self.current);
        self.host_calls.push(HostCall { function, callback, context, status: struck.unwrap_or(0) });
        struck
    }
}

impl LogLevel {
    pub(crate) fn from_number(number: u32) -> Option<Self> {
        [Self::Trace, Self::Debug, Self::Info, Self::Warn, Self::Error, Self::Critical].get(number as usize).copied()
    }
}

/// Runs one host call: counts it, injects a fault or does the work, and remembers the outcome.
pub(crate) fn perform(
    call: &mut Call<'_>,
    function: &'static str,
    work: impl FnOnce(&mut Call<'_>) -> Result<(), Status>,
) -> u32 {
    if let Some(status) = call.data_mut().enter(function) {
        return status;
    }
    let at = call.data().host_calls.len() - 1;
    let status = work(call).map_or_else(|status| status as u32, |()| 0);
    call.data_mut().host_calls[at].status = status;
    status
}
