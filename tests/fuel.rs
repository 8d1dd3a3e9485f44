//! What a request costs the module, counted and not timed: wasmtime's fuel, about one unit an instruction, and the calls
//! of its host. The same on every machine, hence comparable with what is stored in `tests/fuel.json`.
//!
//! `make fuel-baseline` (`GATEPOST_FUEL_BASELINE=accept`) stores what is measured.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde::{Deserialize, Serialize};
use wasm_test_harness::{
    host::{Clock, Host, Outcome, Plugin, Vm, VmOptions},
    module_path,
};

#[path = "fuel/scenarios.rs"]
mod scenarios;

use scenarios::{Expected, Scenario};

/// `tests/fuel.json`
#[derive(Debug, Deserialize, Serialize)]
struct Baseline {
    /// Of the module that was measured.
    compiler: String,
    /// By the scenario's name.
    scenarios: BTreeMap<String, Cost>,
}

/// What one request costs.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
struct Cost {
    fuel: u64,
    /// How often each host function is called.
    calls: BTreeMap<String, u64>,
}

#[test]
fn no_request_costs_more_than_it_did() {
    let host = Host::load_metered(&module_path()).unwrap_or_else(|error| panic!("{error}"));
    let measured: BTreeMap<String, Cost> = scenarios::all()
        .iter()
        .map(|scenario| {
            let cost = measure(&host, scenario);
            assert_eq!(cost, measure(&host, scenario), "{} is not deterministic", scenario.name);
            (scenario.name.to_owned(), cost)
        })
        .collect();
    let measured = Baseline { compiler: compiler(), scenarios: measured };
    if std::env::var("GATEPOST_FUEL_BASELINE").is_ok_and(|value| value == "accept") {
        let text = serde_json::to_string_pretty(&measured).unwrap() + "\n";
        return fs::write(baseline_path(), text).unwrap();
    }
    let stored = fs::read_to_string(baseline_path()).expect("tests/fuel.json; `make fuel-baseline` makes it");
    let stored: Baseline = serde_json::from_str(&stored).expect("tests/fuel.json as `make fuel-baseline` writes it");
    let differences = compare(&stored, &measured);
    assert!(
        differences.is_empty(),
        "{differences}\nIf that is what you mean: `make fuel-baseline` stores it; say why in the commit.\n"
    );
}

#[test]
fn a_comparison_tells_what_differs_and_by_how_much() {
    let cost = |fuel, calls: &[(&str, u64)]| Cost {
        fuel,
        calls: calls.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect(),
    };
    let baseline = |compiler: &str, cost: Cost| Baseline {
        compiler: compiler.to_owned(),
        scenarios: BTreeMap::from([("hot".to_owned(), cost)]),
    };
    let old = baseline("rustc 1", cost(1_000, &[("a", 1), ("b", 3)]));
    for (compiler, fuel, told) in [
        ("rustc 1", 1_050, ""),
        ("rustc 1", 1_060, "hot: 1000 -> 1060 units of fuel, +6.0 %: it costs more\n"),
        ("rustc 1", 940, "hot: 1000 -> 940 units of fuel, -6.0 %: store the gain\n"),
        ("rustc 2", 1_140, ""),
        ("rustc 2", 860, ""),
        ("rustc 2", 1_160, "hot: 1000 -> 1160 units of fuel, +16.0 %: it costs more (rustc 1 then, rustc 2 now)\n"),
    ] {
        assert_eq!(compare(&old, &baseline(compiler, cost(fuel, &[("a", 1), ("b", 3)]))), told);
    }
    let other_calls = baseline("rustc 2", cost(1_000, &[("b", 2), ("c", 1)]));
    assert_eq!(compare(&old, &other_calls), "hot: calls of a 1 -> 0, b 3 -> 2, c 0 -> 1\n");
    let mut more = baseline("rustc 1", cost(1_000, &[("a", 1), ("b", 3)]));
    more.scenarios.insert("new".to_owned(), cost(1, &[]));
    assert_eq!(compare(&old, &more), "new: is not in tests/fuel.json\n");
    assert_eq!(compare(&more, &old), "new: is in tests/fuel.json alone\n");
}

/// What one request spends in a VM that has served others like it.
fn measure(host: &Host, scenario: &Scenario) -> Cost {
    let options = VmOptions { clock: Clock::at(scenarios::NOW), ..VmOptions::default() };
    let options = VmOptions { allow_on_headers_stop_iteration: true, ..options };
    let mut vm = host.vm(options).unwrap_or_else(|trap| panic!("{}: {trap}", scenario.name));
    let plugin = Plugin {
        name: "fuel".to_owned(),
        root_id: "fuel".to_owned(),
        configuration: scenario.configuration.to_string().into_bytes(),
    };
    let (root, accepted) = vm.start(plugin).unwrap_or_else(|trap| panic!("{}: {trap}", scenario.name));
    assert!(accepted, "{}: {:?}", scenario.name, vm.logs());
    let (last, before) = scenario.requests.split_last().expect("a request");
    for request in before {
        serve(&mut vm, root, scenario, request);
    }
    let (fuel, calls) = (vm.spent().expect("a host that meters"), vm.host_calls().len());
    serve(&mut vm, root, scenario, last);
    let fuel = vm.spent().expect("a host that meters") - fuel;
    let mut cost = Cost { fuel, calls: BTreeMap::new() };
    for call in &vm.host_calls()[calls..] {
        assert!(call.status <= 1, "{}: {call:?}", scenario.name); // NotFound is an answer
        *cost.calls.entry(call.function.to_owned()).or_default() += 1;
    }
    assert!(vm.violations().is_empty(), "{}: {:?}", scenario.name, vm.violations());
    cost
}

/// One exchange from its context's creation to its end, and what has to come of it.
fn serve(vm: &mut Vm, root: u32, scenario: &Scenario, request: &wasm_test_harness::host::Request) {
    let failed = |what: &dyn std::fmt::Debug| -> ! { panic!("{}: {what:?}: {:?}", scenario.name, request.headers) };
    let id = vm.exchange(root, request.clone()).unwrap_or_else(|trap| failed(&trap));
    match (vm.outcome(id), scenario.expected) {
        (Outcome::Forwarded(forwarded), Expected::Forwarded(headers)) => {
            for (name, value) in headers {
                assert_eq!(forwarded.headers.first(name), Some(value.as_bytes()), "{}: {name}", scenario.name);
            }
        }
        (Outcome::Answered(reply), Expected::Answered(status)) => {
            assert_eq!(reply.status(), status, "{}", scenario.name);
        }
        (outcome, _) => failed(&outcome),
    }
    vm.close(id).unwrap_or_else(|trap| failed(&trap));
}

/// A line for each difference that counts.
fn compare(stored: &Baseline, measured: &Baseline) -> String {
    let same_compiler = stored.compiler == measured.compiler;
    let (allowed, compilers) = match same_compiler {
        true => (SAME_COMPILER, String::new()),
        false => (OTHER_COMPILER, format!(" ({} then, {} now)", stored.compiler, measured.compiler)),
    };
    let mut told = String::new();
    for (name, new) in &measured.scenarios {
        let Some(old) = stored.scenarios.get(name) else {
            let _ = writeln!(told, "{name}: is not in tests/fuel.json");
            continue;
        };
        let percent = (new.fuel as f64 - old.fuel as f64) * 100.0 / old.fuel as f64;
        if percent.abs() > allowed {
            let what = if percent > 0.0 { "it costs more" } else { "store the gain" };
            let (old, new) = (old.fuel, new.fuel);
            let _ = writeln!(told, "{name}: {old} -> {new} units of fuel, {percent:+.1} %: {what}{compilers}");
        }
        if old.calls != new.calls {
            let _ = writeln!(told, "{name}: calls of {}", different_calls(&old.calls, &new.calls));
        }
    }
    for name in stored.scenarios.keys().filter(|name| !measured.scenarios.contains_key(*name)) {
        let _ = writeln!(told, "{name}: is in tests/fuel.json alone");
    }
    told
}

fn different_calls(old: &BTreeMap<String, u64>, new: &BTreeMap<String, u64>) -> String {
    let names: std::collections::BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    let count = |calls: &BTreeMap<String, u64>, name: &str| calls.get(name).copied().unwrap_or(0);
    let differing = names.into_iter().filter(|name| count(old, name) != count(new, name));
    let told: Vec<_> = differing.map(|name| format!("{name} {} -> {}", count(old, name), count(new, name))).collect();
    told.join(", ")
}

/// What compiles the module: `rustc 1.95.0 (59807616e 2026-04-14)`. The module itself has no room for it.
fn compiler() -> String {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("setup/wasm-cargo.sh");
    let output = Command::new(&script).arg("--compiler").output().unwrap_or_else(|error| panic!("{script:?}: {error}"));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("a version").trim().to_owned()
}

fn baseline_path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fuel.json")
}

/// In percent.
const SAME_COMPILER: f64 = 5.0;
const OTHER_COMPILER: f64 = 15.0;
