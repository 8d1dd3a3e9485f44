//! `make bench`: what gatepost costs in a real Envoy, beside no filter and beside Envoy's own `jwt_authn`.
//!
//! Envoy has one worker, on one core; `wrk`, on another, keeps it busy. What counts is the time of a core that Envoy has
//! used for each request, not how long a request took. `docs/performance.md` says how to read it.

use std::{
    collections::BTreeSet,
    fs, io,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
    time::{Duration, SystemTime},
};

use clap::Parser;
use wasm_test_harness::{client::burst::raise_file_limit, envoy, module_path};

mod bootstrap;
mod cases;
mod chart;
mod load;
mod machine;
mod measure;
mod memory;
mod report;
mod requests;
mod startup;
mod subject;
mod verifications;

use bootstrap::Files;
use cases::{Case, Table};
use load::Wrk;
use machine::{Cores, Machine};
use measure::Effort;
use report::{Module, Report};
use verifications::Verifications;

/// Measures gatepost in Envoy.
#[derive(Debug, Parser)]
#[command(name = "make bench ARGS=...", disable_version_flag = true)]
struct Options {
    /// How often each case has its turn
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Seconds of one turn
    #[arg(long, default_value_t = 2)]
    seconds: u64,
    /// Only the cases whose name holds this; `startup` and `memory` are names, too (may be given several times)
    #[arg(long, value_name = "CASE")]
    only: Vec<String>,
    /// Print the names of the cases, and measure nothing
    #[arg(long)]
    list: bool,
    /// One round of one second, and few tokens: to see that everything works
    #[arg(long)]
    quick: bool,
    /// Where performance.json and performance.svg go, and the requests are kept
    #[arg(long, value_name = "DIR", default_value_os_t = default_folder())]
    output: PathBuf,
    /// Put the tables and the chart into docs/ as well
    #[arg(long, conflicts_with_all = ["only", "quick"])]
    update: bool,
    /// Time signature verifications in this module instead (`make bench-crypto`)
    #[arg(long, value_name = "MODULE")]
    crypto: Option<PathBuf>,
    /// What cargo says to every benchmark
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> io::Result<()> {
    let tables = chosen(cases::tables(if options.quick { 6_000 } else { 20_000 })?, &options.only);
    if options.list {
        tables.iter().flat_map(|table| &table.cases).for_each(|case| println!("{}", case.name));
        println!("startup\nmemory");
        return Ok(());
    }
    let (cores, machine) = (Cores::find()?, Machine::describe());
    if machine.load_before > 0.5 {
        eprintln!("bench: the machine is busy (load {:.1}): figures will be higher than they are", machine.load_before);
    }
    fs::create_dir_all(&options.output)?;
    if let Some(module) = &options.crypto {
        return time_verifications(options, module, cores, machine);
    }
    // Many Envoys at once.
    raise_file_limit()?;
    let (module, wrk) = (module_path(), Wrk::find(&options.output)?);
    let files = Files { module: &module, folder: &options.output };
    let mut report = Report {
        date: now(),
        machine,
        envoy: envoy_version()?,
        module: Module::at(&module)?,
        tables: Vec::new(),
        memory: None,
        startup: Vec::new(),
    };

    prepare(&tables, &options.output)?;
    for table in tables.iter().filter(|table| !table.cases.is_empty()) {
        eprintln!("{}", table.title);
        report.tables.push(measure::measure(table, &files, &wrk, cores, effort(options, table))?);
    }
    if wanted(&options.only, "startup") {
        eprintln!("start of Envoy");
        report.startup = startup::measure(&files, cores, if options.quick { 2 } else { 5 })?;
    }
    if wanted(&options.only, "memory") {
        eprintln!("memory");
        let tokens = if options.quick { 50_000 } else { 1_000_000 };
        report.memory = Some(memory::measure(&files, cores, tokens, LONGEST_MEMORY)?);
    }
    write(&report, options)
}

fn time_verifications(options: &Options, module: &Path, cores: Cores, machine: Machine) -> io::Result<()> {
    let rounds = if options.quick { 5 } else { 30 };
    let figures = verifications::measure(module, cores, rounds)?;
    let report = Verifications { date: now(), machine, envoy: envoy_version()?, figures };
    let (circumstances, text) = (report::circumstances(&report.date, &report.machine, &report.envoy), report.text());
    println!("{circumstances}\n\n{}", text.plain());
    let json = options.output.join("crypto.json");
    fs::write(&json, serde_json::to_string_pretty(&report)? + "\n")?;
    eprintln!("{}", json.display());
    if options.update {
        let page = repository().join("docs/performance.md");
        report::put_between(&page, "make bench-crypto", &format!("{circumstances}\n\n{}", text.markdown()))?;
    }
    Ok(())
}

fn write(report: &Report, options: &Options) -> io::Result<()> {
    println!("{}", report.plain());
    let json = options.output.join("performance.json");
    fs::write(&json, serde_json::to_string_pretty(report)? + "\n")?;
    eprintln!("{}", json.display());
    let chart = report.tables.iter().find(|table| table.name == "requests").map(chart::svg);
    if let Some(chart) = &chart {
        fs::write(options.output.join("performance.svg"), chart)?;
    }
    if options.update {
        let docs = repository().join("docs");
        report::put_between(&docs.join("performance.md"), "make bench", &report.markdown())?;
        if let Some(chart) = &chart {
            fs::write(docs.join("performance.svg"), chart)?;
        }
    }
    Ok(())
}

/// Those cases that are wanted, and those that they are compared with.
fn chosen(tables: Vec<Table>, only: &[String]) -> Vec<Table> {
    let choose = |table: Table| {
        let is_wanted = |case: &&Case| wanted(only, &case.name);
        let mut names: BTreeSet<String> = table.cases.iter().filter(is_wanted).map(|case| case.name.clone()).collect();
        for case in table.cases.iter().filter(is_wanted) {
            names.extend(case.baseline.iter().chain(&case.rival).cloned());
        }
        Table { cases: table.cases.into_iter().filter(|case| names.contains(&case.name)).collect(), ..table }
    };
    tables.into_iter().map(choose).collect()
}

fn wanted(only: &[String], name: &str) -> bool {
    only.is_empty() || only.iter().any(|part| name.contains(part.as_str()))
}

/// Tokens are signed before anything is measured, on all cores.
fn prepare(tables: &[Table], folder: &Path) -> io::Result<()> {
    eprintln!("requests are made once, and kept in {}", folder.display());
    let cases = tables.iter().flat_map(|table| &table.cases);
    let requests: BTreeSet<_> = cases.map(|case| &case.requests).collect();
    requests.into_iter().try_for_each(|requests| requests.file(folder).map(drop))
}

/// What grows with what is seen in less time than what is compared.
fn effort(options: &Options, table: &Table) -> Effort {
    match (options.quick, table.name) {
        (true, _) => Effort { rounds: 1, seconds: 1 },
        (false, "growth") => Effort { rounds: options.rounds.min(3), seconds: options.seconds.min(2) },
        (false, _) => Effort { rounds: options.rounds.max(1), seconds: options.seconds.max(1) },
    }
}

/// `1.40.0`, of `... version: <commit>/1.40.0/Clean/RELEASE/BoringSSL`.
fn envoy_version() -> io::Result<String> {
    let output = Command::new(envoy::binary().map_err(io::Error::other)?).arg("--version").output()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    Ok(text.split('/').nth_back(3).unwrap_or(text.trim()).to_owned())
}

fn now() -> String {
    humantime::format_rfc3339_seconds(SystemTime::now()).to_string()
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn default_folder() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| repository().join("target"), PathBuf::from).join("bench")
}

const LONGEST_MEMORY: Duration = Duration::from_secs(60);
