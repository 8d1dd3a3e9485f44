//! `gatepost bench`: how long a decision takes on this machine, without a proxy.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use gatepost::engine::{Engine, RequestId, Verdict};
use gatepost::host::NoHost;

use crate::configuration::{Configuration, parse_variable};
use crate::explain::request::{Request, RequestArguments};
use crate::failure::{Failure, print};
use crate::time::time;

/// Measures how many decisions a second this machine makes
///
/// One request is decided again and again, natively and on one core: to compare configurations and credentials with one another. It is
/// not what a request costs in a proxy: `make bench` measures that, in Envoy.
#[derive(clap::Args)]
#[command(after_help = "\
Example:
  $ gatepost bench envoy.yaml --path /health --duration 100ms

Exit code: 0 measured, 2 wrong usage, a configuration that cannot be read or is not valid, or a
request that waits for a provider.")]
pub struct Arguments {
    /// The configuration, as `gatepost check` takes it; `-` is standard input.
    #[arg(value_name = "FILE")]
    file: PathBuf,

    #[command(flatten)]
    request: RequestArguments,

    /// How long to measure.
    #[arg(long, default_value = "1s", value_name = "DURATION", value_parser = humantime::parse_duration)]
    duration: Duration,

    /// A variable of the VM's environment, for `{"env": "NAME"}`; may be repeated.
    #[arg(long = "env", value_name = "NAME=VALUE", value_parser = parse_variable)]
    variables: Vec<(String, String)>,
}

pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let configuration = Configuration::read_one(&arguments.file, &arguments.variables)?;
    let mut engine = Engine::new(configuration.load_for_use()?, 0);
    let head = Request::new(&arguments.request).head();
    let now = time(None)?;
    let started = Instant::now();
    let (mut forwarded, mut denied) = (0_u32, 0_u32);
    while started.elapsed() < arguments.duration || forwarded + denied == 0 {
        // A clock that stands still: no token expires meanwhile.
        match engine.decide(RequestId(1), &head, now, &mut NoHost).verdict {
            Verdict::Forward(_) => forwarded += 1,
            Verdict::Deny(_) => denied += 1,
            Verdict::Wait => {
                let why = "the request waits for a provider or for its body, so there is no decision to measure";
                return Err(Failure::Usage(why.to_owned()));
            }
        }
    }
    let decisions = forwarded + denied;
    let each = started.elapsed() / decisions;
    let rate = f64::from(decisions) / started.elapsed().as_secs_f64();
    print(&format!(
        "{rate:.0} decisions a second ({each:.2?} each), {forwarded} forwarded and {denied} denied\n\
         natively, on one core of this machine; in a proxy a request costs more: `make bench` measures that in Envoy\n"
    ));
    Ok(())
}
