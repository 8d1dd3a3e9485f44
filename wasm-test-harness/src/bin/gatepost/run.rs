//! `gatepost run`: the demo gateway, with requests to try.

mod client;
mod envoy;
mod plan;
mod requests;

use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};
use wasm_test_harness::echo::Echo;
use wasm_test_harness::mint::{self, TokenSpec};

use crate::failure::{Failure, print};
use envoy::Envoy;
use plan::Plan;

/// Runs the demo gateway, with requests to try
///
/// Starts Envoy with envoy.yaml and an echo service behind it: the whole of it on one machine, with an issuer whose key is in the
/// repository.
#[derive(clap::Args)]
#[command(after_help = "\
Example, from the repository's root:
    make run

It runs until Ctrl-C, and leaves nothing behind. With --check it sends the requests itself, compares
what comes back, and ends:
    make run ARGS=--check

Envoy is the binary that ENVOY= names, else `envoy` on PATH. `make run` fetches one if there is none.

Exit code: 0 ended by a signal, or all answers as expected; 1 the demo failed; 2 a file that cannot be
read.")]
pub struct Arguments {
    /// Envoy's configuration.
    #[arg(long, default_value = "envoy.yaml", value_name = "FILE")]
    config: PathBuf,

    /// Send the requests, verify the answers, and end.
    #[arg(long)]
    check: bool,
}

pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| Failure::Invalid(format!("no runtime: {error}")))?
        .block_on(demonstrate(arguments))
}

async fn demonstrate(arguments: &Arguments) -> Result<(), Failure> {
    // Listening for signals before anything starts: whatever has started by then is also ended.
    let mut terminated = signal(SignalKind::terminate()).map_err(no_signals)?;
    let mut interrupted = signal(SignalKind::interrupt()).map_err(no_signals)?;

    let plan = Plan::read(&arguments.config)?;
    plan.check_ports()?;
    tokio::select! {
        result = serve(&plan, arguments.check) => result,
        _ = terminated.recv() => Ok(()),
        _ = interrupted.recv() => Ok(()),
    }
}

/// Runs until Envoy ends by itself, or the check is done. Dropping the future ends everything.
async fn serve(plan: &Plan, check: bool) -> Result<(), Failure> {
    let _echo = Echo::start_at(plan.service.address)
        .await
        .map_err(|error| Failure::Invalid(format!("the echo service on {}: {error}", plan.service.address)))?;
    let envoy = Envoy::start(plan, check)?;
    wait_until_ready(plan, &envoy).await?;

    let requests = requests::all(&demo_token()?);
    if check {
        return requests::verify(&requests, plan.gateway.address).await;
    }
    print(&requests::instructions(&requests, plan.gateway.address));
    loop {
        envoy.check_alive()?;
        tokio::time::sleep(POLL).await;
    }
}

async fn wait_until_ready(plan: &Plan, envoy: &Envoy) -> Result<(), Failure> {
    let started = tokio::time::Instant::now();
    while started.elapsed() < START_TIMEOUT {
        envoy.check_alive()?;
        // Envoy is ready before its workers have compiled the module; the public route answers when all of it works.
        if client::get(plan.admin.address, "/ready", &[]).await.is_ok_and(|answer| answer.status == 200)
            && client::get(plan.gateway.address, "/health", &[]).await.is_ok_and(|answer| answer.status == 200)
        {
            return Ok(());
        }
        tokio::time::sleep(POLL).await;
    }
    Err(Failure::Invalid(format!(
        "Envoy did not answer 200 to http://{}/health within {} s; what it says stands above",
        plan.gateway.address,
        START_TIMEOUT.as_secs()
    )))
}

/// A token of the demo's issuer, as envoy.yaml trusts it.
fn demo_token() -> Result<String, Failure> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_secs());
    let claims = json!({
        "iss": "https://demo-issuer.example",
        "aud": "demo",
        "sub": "user-1",
        "iat": "@now",
        "exp": "@now+8h",
    });
    let spec = TokenSpec { key: "es1".to_owned(), claims, ..TokenSpec::default() };
    mint::mint(&spec, now).map_err(|error| Failure::Invalid(format!("the demo token: {error}")))
}

fn no_signals(error: std::io::Error) -> Failure {
    Failure::Invalid(format!("cannot listen for signals: {error}"))
}

/// V8 compiles the module on start, which is slow on a busy machine.
const START_TIMEOUT: Duration = Duration::from_secs(60);

const POLL: Duration = Duration::from_millis(100);
