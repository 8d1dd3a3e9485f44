//! One VM: its plugins, and the lifecycle in Envoy's order.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use wasmtime::{Engine, Instance, Linker, Module, Store, WasmParams, WasmResults};

use super::{
    Trap,
    calls::{CallAnswer, HttpCall},
    clock::Clock,
    fault::Fault,
    headers::Headers,
    metrics::Metrics,
    shared_data::SharedData,
    state::{Context, HostCall, Log, LogLevel, Root, State},
    stream::{Event, Outcome, Phase, Reply, Request, Stream},
};

/// What a VM is given.
#[derive(Clone, Debug)]
pub struct VmOptions {
    /// The time it is told.
    pub clock: Clock,
    /// Environment variables (`vm_config.environment_variables`).
    pub environment: Vec<(String, String)>,
    /// Clusters that HTTP calls may name.
    pub clusters: Vec<String>,
    /// The process's shared data.
    pub shared_data: SharedData,
    /// Envoy's `allow_on_headers_stop_iteration`.
    pub allow_on_headers_stop_iteration: bool,
    /// Whether it verifies signatures for its guest, as Envoy does.
    pub verifies_signatures: bool,
    /// What `random_get` starts from.
    pub seed: u64,
}

/// A plugin: one root context with a configuration of its own.
#[derive(Clone, Debug)]
pub struct Plugin {
    /// `config.name`.
    pub name: String,
    /// `config.root_id`.
    pub root_id: String,
    /// `config.configuration`, byte for byte.
    pub configuration: Vec<u8>,
}

/// One instance of the module.
pub struct Vm {
    store: Store<State>,
    instance: Instance,
    next_context: u32,
    dead: Option<Trap>,
}

impl Default for VmOptions {
    fn default() -> Self {
        Self {
            clock: Clock::at(0),
            environment: Vec::new(),
            clusters: Vec::new(),
            shared_data: SharedData::default(),
            allow_on_headers_stop_iteration: false,
            verifies_signatures: true,
            seed: 0,
        }
    }
}

impl Vm {
    pub(crate) fn new(
        engine: &Engine,
        module: &Module,
        linker: &Linker<State>,
        options: VmOptions,
    ) -> Result<Self, Trap> {
        let state = State {
            clock: options.clock,
            environment: options.environment,
            clusters: options.clusters.into_iter().collect::<BTreeSet<_>>(),
            shared: options.shared_data,
            stop_iteration: options.allow_on_headers_stop_iteration,
            verifies_signatures: options.verifies_signatures,
            random: options.seed,
            contexts: BTreeMap::new(),
            current: 0,
            effective: None,
            callback: "_initialize",
            metrics: Metrics::default(),
            logs: Vec::new(),
            host_calls: Vec::new(),
            counts: BTreeMap::new(),
            faults: Vec::new(),
            violations: Vec::new(),
            http_calls: Vec::new(),
            taken_http_calls: 0,
            answer: None,
        };
        let mut store = Store::new(engine, state);
        // An engine that does not meter refuses it, which is right.
        let _ = store.set_fuel(u64::MAX);
        let instance = linker
            .instantiate(&mut store, module)
            .map_err(|e| Trap { callback: "instantiation", message: format!("{e:#}") })?;
        let mut vm = Self { store, instance, next_context: 1, dead: None };
        vm.call::<(), ()>("_initialize", 0, ())?;
        Ok(vm)
    }

    /// Starts a plugin as Envoy does: create its root context, start the VM for it, configure it. Returns its root
    /// context and whether it accepted its configuration.
    pub fn start(&mut self, plugin: Plugin) -> Result<(u32, bool), Trap> {
        let id = self.next_id();
        let size = u32::try_from(plugin.configuration.len()).expect("a configuration fits into memory");
        let root = Root { plugin, configuring: false, tick: 0 };
        self.store.data_mut().contexts.insert(id, Context::Root(Box::new(root)));
        self.call::<_, ()>("proxy_on_context_create", id, (id, 0u32))?;
        if self.call::<_, u32>("proxy_on_vm_start", id, (id, 0u32))? == Some(0) {
            return Ok((id, false));
        }
        self.root(id).configuring = true;
        let accepted = self.call::<_, u32>("proxy_on_configure", id, (id, size))? != Some(0);
        self.root(id).configuring = false;
        Ok((id, accepted))
    }

    /// Opens a stream under a root context and shows it the request as far as the filter lets it go on.
    pub fn exchange(&mut self, root: u32, request: Request) -> Result<u32, Trap> {
        let id = self.next_id();
        let (count, end) = (number(request.headers.pairs().len()), request.end_of_stream);
        self.store.data_mut().contexts.insert(id, Context::Stream(Box::new(Stream::new(root, request))));
        self.call::<_, ()>("proxy_on_context_create", id, (id, root))?;
        let action =
            self.in_phase(id, Phase::RequestHeaders, "proxy_on_request_headers", (id, count, u32::from(end)))?;
        let stream = self.stream(id);
        let continued = action == Some(CONTINUE) && !stream.answered;
        if continued {
            stream.request_headers_open = false;
        }
        // A resume in the callback itself has closed the maps and outlives the Pause that follows.
        stream.headers_paused = !continued && stream.request_headers_open;
        if stream.answered {
            // A denial inside the callback ends the decoding: nothing more of the request is shown.
            stream.pending.clear();
        }
        self.pump(id)?;
        Ok(id)
    }

    /// What has become of a stream's request.
    pub fn outcome(&mut self, id: u32) -> Outcome {
        self.stream(id).outcome()
    }

    /// Shows the filter the service's response to a forwarded request, and tells what the caller gets.
    pub fn respond(&mut self, id: u32, headers: Headers, body: Vec<u8>) -> Result<Reply, Trap> {
        self.encode(id, Reply { headers, body })
    }

    /// Ends a stream: log, done, delete, in that order (Envoy logs before it destroys its filters).
    pub fn close(&mut self, id: u32) -> Result<(), Trap> {
        self.in_phase::<_, ()>(id, Phase::Log, "proxy_on_log", (id,))?;
        self.call::<_, u32>("proxy_on_done", id, (id,))?;
        self.call::<_, ()>("proxy_on_delete", id, (id,))?;
        self.store.data_mut().contexts.remove(&id);
        Ok(())
    }

    /// The callbacks of a request that Envoy's codec refused: the context is made for the log alone.
    pub fn log_alone(&mut self, root: u32) -> Result<(), Trap> {
        let id = self.next_id();
        let mut stream = Stream::new(root, Request { end_of_stream: true, ..Request::default() });
        stream.close_maps();
        self.store.data_mut().contexts.insert(id, Context::Stream(Box::new(stream)));
        self.call::<_, ()>("proxy_on_context_create", id, (id, root))?;
        self.close(id)
    }

    /// Moves the clock, fires one tick for every root context that asked for ticks, and moves on what they woke.
    pub fn advance(&mut self, by: Duration) -> Result<(), Trap> {
        self.store.data().clock.advance(by);
        let ticking: Vec<u32> = self.contexts(|context| matches!(context, Context::Root(root) if root.tick > 0));
        for id in ticking {
            self.tick(id)?;
        }
        Ok(())
    }

    /// Fires one tick of a root context.
    pub fn tick(&mut self, root: u32) -> Result<(), Trap> {
        self.call::<_, ()>("proxy_on_tick", root, (root,))?;
        self.pump_all()
    }

    /// The tick period that a root context has asked for, if it did.
    pub fn tick_period(&mut self, root: u32) -> Option<Duration> {
        let tick = self.root(root).tick;
        (tick > 0).then(|| Duration::from_millis(tick.into()))
    }

    /// Answers an HTTP call.
    pub fn answer(&mut self, call: &HttpCall, answer: CallAnswer) -> Result<(), Trap> {
        let sizes =
            (number(answer.headers.pairs().len()), number(answer.body.len()), number(answer.trailers.pairs().len()));
        self.store.data_mut().answer = Some(answer);
        let done = self.call::<_, ()>(
            "proxy_on_http_call_response",
            call.root,
            (call.root, call.token, sizes.0, sizes.1, sizes.2),
        );
        self.store.data_mut().answer = None;
        done?;
        self.pump_all()
    }

    /// The HTTP calls dispatched since this was last asked: each is given once, to be answered.
    pub fn take_http_calls(&mut self) -> Vec<HttpCall> {
        let state = self.store.data_mut();
        let calls = state.http_calls[state.taken_http_calls..].to_vec();
        state.taken_http_calls = state.http_calls.len();
        calls
    }

    /// Every HTTP call dispatched so far, answered or not.
    pub fn http_calls(&self) -> &[HttpCall] {
        &self.store.data().http_calls
    }

    /// Injects faults from now on; call counts start anew.
    pub fn inject(&mut self, faults: Vec<Fault>) {
        let state = self.store.data_mut();
        state.faults = faults;
        state.counts.clear();
    }

    /// Everything logged so far.
    pub fn logs(&self) -> &[Log] {
        &self.store.data().logs
    }

    /// Whether something was logged at this level that holds this text.
    pub fn has_logged(&self, level: LogLevel, text: &str) -> bool {
        self.logs().iter().any(|log| log.level == level && log.message.contains(text))
    }

    /// How much of wasmtime's fuel the module has spent so far, roughly one unit an instruction: the same for the same
    /// requests on every machine. Nothing where the host does not meter ([`Host::load_metered`](super::Host::load_metered)).
    pub fn spent(&self) -> Option<u64> {
        self.store.get_fuel().ok().map(|left| u64::MAX - left)
    }

    /// Every host call made so far.
    pub fn host_calls(&self) -> &[HostCall] {
        &self.store.data().host_calls
    }

    /// What the module did that it should not, such as touching a header map that is gone.
    pub fn violations(&self) -> &[String] {
        &self.store.data().violations
    }

    /// The value of a metric, if it is defined.
    pub fn metric(&self, name: &str) -> Option<u64> {
        self.store.data().metrics.by_name(name)
    }

    /// A property that a stream has set, by its NUL-separated path.
    pub fn property(&mut self, stream: u32, path: &str) -> Option<Vec<u8>> {
        self.stream(stream).properties.get(path).cloned()
    }

    /// Sets a property that the module can read on the streams opened so far.
    pub fn set_property(&mut self, stream: u32, path: &str, value: &[u8]) {
        self.stream(stream).properties.insert(path.to_owned(), value.to_vec());
    }

    fn pump_all(&mut self) -> Result<(), Trap> {
        for id in self.contexts(|context| matches!(context, Context::Stream(_))) {
            self.pump(id)?;
        }
        Ok(())
    }

    /// Shows a stream what may be shown, until it pauses, is answered or is through.
    fn pump(&mut self, id: u32) -> Result<(), Trap> {
        loop {
            self.reply(id)?;
            let stop_iteration = self.store.data().stop_iteration;
            let stream = self.stream(id);
            if stream.reset {
                stream.pending.clear();
            }
            // After a denial from the root, body and trailers callbacks still come.
            if stream.headers_paused && !stop_iteration && !stream.answered {
                return Ok(());
            }
            match stream.pending.pop_front() {
                None => return Ok(()),
                Some(Event::Body { chunk, end_of_stream }) => self.body(id, chunk, end_of_stream)?,
                Some(Event::Trailers(trailers)) => self.trailers(id, trailers)?,
            }
        }
    }

    fn body(&mut self, id: u32, chunk: Vec<u8>, end_of_stream: bool) -> Result<(), Trap> {
        let stream = self.stream(id);
        let answered_before = stream.answered;
        // Cumulative while the body is held, one chunk at a time while it is not.
        stream.request_body.extend(chunk);
        stream.request_body_open = true;
        let size = number(stream.request_body.len());
        let action =
            self.in_phase(id, Phase::RequestBody, "proxy_on_request_body", (id, size, u32::from(end_of_stream)))?;
        let stream = self.stream(id);
        if stream.answered {
            if !answered_before {
                stream.pending.clear();
            }
            return Ok(());
        }
        // Continue from the body lets the headers go on, too, as Envoy's filter manager does.
        if action == Some(CONTINUE) || !stream.request_body_open {
            stream.resume();
        } else {
            stream.body_paused = true;
        }
        Ok(())
    }

    fn trailers(&mut self, id: u32, trailers: Headers) -> Result<(), Trap> {
        let stream = self.stream(id);
        let count = number(trailers.pairs().len());
        stream.request_trailers = trailers;
        stream.request_trailers_open = true;
        let action = self.in_phase(id, Phase::RequestTrailers, "proxy_on_request_trailers", (id, count))?;
        let stream = self.stream(id);
        if !stream.answered && (action == Some(CONTINUE) || !stream.request_trailers_open) {
            stream.resume();
        } else {
            stream.trailers_paused = true;
        }
        Ok(())
    }

    /// Sends a local reply on its way once the callback that asked for it has returned.
    fn reply(&mut self, id: u32) -> Result<(), Trap> {
        let stream = self.stream(id);
        let Some(local) = stream.local_reply.take() else { return Ok(()) };
        let reply = stream.compose(local);
        stream.close_maps();
        let reply = self.encode(id, reply)?;
        self.stream(id).reply = Some(reply);
        Ok(())
    }

    /// The response callbacks, which local replies pass as well.
    fn encode(&mut self, id: u32, reply: Reply) -> Result<Reply, Trap> {
        let stream = self.stream(id);
        stream.response_headers = reply.headers;
        stream.response_body = reply.body;
        let (count, size) = (number(stream.response_headers.pairs().len()), number(stream.response_body.len()));
        self.in_phase::<_, u32>(
            id,
            Phase::ResponseHeaders,
            "proxy_on_response_headers",
            (id, count, u32::from(size == 0)),
        )?;
        if size > 0 {
            self.in_phase::<_, u32>(id, Phase::ResponseBody, "proxy_on_response_body", (id, size, 1u32))?;
        }
        let stream = self.stream(id);
        Ok(Reply { headers: stream.response_headers.clone(), body: stream.response_body.clone() })
    }

    fn in_phase<P: WasmParams, R: WasmResults>(
        &mut self,
        id: u32,
        phase: Phase,
        callback: &'static str,
        parameters: P,
    ) -> Result<Option<R>, Trap> {
        self.stream(id).phase = phase;
        let result = self.call(callback, id, parameters);
        self.stream(id).phase = Phase::Idle;
        result
    }

    /// Calls into the guest; a callback that the module does not export is skipped, as in Envoy.
    fn call<P: WasmParams, R: WasmResults>(
        &mut self,
        callback: &'static str,
        context: u32,
        parameters: P,
    ) -> Result<Option<R>, Trap> {
        if let Some(trap) = &self.dead {
            return Err(trap.clone());
        }
        let Some(function) = self.instance.get_func(&mut self.store, callback) else { return Ok(None) };
        let state = self.store.data_mut();
        (state.callback, state.current, state.effective) = (callback, context, None);
        let result =
            function.typed::<P, R>(&self.store).and_then(|function| function.call(&mut self.store, parameters));
        result.map(Some).map_err(|error| {
            let last = self.logs().last().map(|log| format!("; last logged: {}", log.message)).unwrap_or_default();
            let trap = Trap { callback, message: format!("{error:?}{last}") };
            self.dead = Some(trap.clone());
            trap
        })
    }

    fn contexts(&self, wanted: impl Fn(&Context) -> bool) -> Vec<u32> {
        self.store.data().contexts.iter().filter(|(_, context)| wanted(context)).map(|(id, _)| *id).collect()
    }

    fn next_id(&mut self) -> u32 {
        self.next_context += 1;
        self.next_context
    }

    fn stream(&mut self, id: u32) -> &mut Stream {
        self.store.data_mut().stream_by_id(id).expect("an open stream")
    }

    fn root(&mut self, id: u32) -> &mut Root {
        self.store.data_mut().root_by_id(id).expect("a started plugin")
    }
}

fn number(size: usize) -> u32 {
    u32::try_from(size).expect("fits into the guest's memory")
}

const CONTINUE: u32 = 0;
