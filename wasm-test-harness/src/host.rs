//! A proxy-wasm 0.2.1 host on wasmtime that behaves as Envoy does.
//!
//! [`Host`] is the compiled module, [`Vm`] one instance of it with any number of plugins (root contexts), and a stream
//! is one HTTP exchange, driven by [`Vm::exchange`] or callback by callback. Where the ABI leaves a choice, Envoy's is
//! taken: maps are gone after `Continue`, local replies are deferred, and so on; the modules below say which and why.

use std::{fmt, path::Path};

use wasmtime::{Config, Engine, Linker, Module};

mod abi;
mod calls;
mod clock;
mod fault;
mod headers;
mod maps;
mod memory;
mod metrics;
mod shared_data;
mod state;
mod stream;
mod vm;
mod wasi;

pub use calls::{CallAnswer, HttpCall};
pub use clock::Clock;
pub use fault::Fault;
pub use headers::{Headers, is_joined};
pub use shared_data::SharedData;
pub use state::{HostCall, Log, LogLevel, Status};
pub use stream::{Forwarded, Outcome, Reply, Request};
pub use vm::{Plugin, Vm, VmOptions};

/// A compiled module, from which any number of VMs are made.
pub struct Host {
    engine: Engine,
    module: Module,
    linker: Linker<state::State>,
}

/// The module cannot be loaded: it is unreadable, not WebAssembly, or imports what no host of ours offers.
#[derive(Debug)]
pub struct LoadError(String);

/// The guest trapped, which in Envoy kills the worker's VM.
#[derive(Clone, Debug)]
pub struct Trap {
    /// The callback in which it happened, by its ABI name.
    pub callback: &'static str,
    /// What the engine, and the guest's own panic message, say about it.
    pub message: String,
}

impl Host {
    /// Compiles the module at `path`.
    pub fn load(path: &Path) -> Result<Self, LoadError> {
        Self::from_bytes(&read(path)?)
    }

    /// As [`load`](Self::load), for VMs that tell what they spend: see [`Vm::spent`]. They are slower.
    pub fn load_metered(path: &Path) -> Result<Self, LoadError> {
        let mut config = Config::new();
        config.consume_fuel(true);
        let engine = Engine::new(&config).map_err(|e| LoadError(format!("{e:#}")))?;
        Self::compile(engine, &read(path)?)
    }

    /// Compiles a module from its bytes.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, LoadError> {
        Self::compile(Engine::default(), bytes)
    }

    fn compile(engine: Engine, bytes: &[u8]) -> Result<Self, LoadError> {
        let module = Module::new(&engine, bytes).map_err(|e| LoadError(format!("not a usable module: {e:#}")))?;
        let mut linker = Linker::new(&engine);
        abi::link(&mut linker)
            .and_then(|()| maps::link(&mut linker))
            .and_then(|()| calls::link(&mut linker))
            .and_then(|()| wasi::link(&mut linker))
            .map_err(|e| LoadError(format!("{e:#}")))?;
        Ok(Self { engine, module, linker })
    }

    /// A fresh VM, initialised, with no plugin yet.
    pub fn vm(&self, options: VmOptions) -> Result<Vm, Trap> {
        Vm::new(&self.engine, &self.module, &self.linker, options)
    }
}

fn read(path: &Path) -> Result<Vec<u8>, LoadError> {
    std::fs::read(path).map_err(|e| LoadError(format!("{}: {e}; `make build` makes it", path.display())))
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for LoadError {}

impl fmt::Display for Trap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the module trapped in {}: {}", self.callback, self.message)
    }
}

impl std::error::Error for Trap {}

#[cfg(test)]
mod tests;
