//! The machine: its cores, and what a process has used of it.

use std::{fs, io};

use rustix::{
    param::clock_ticks_per_second,
    thread::{CpuSet, sched_getaffinity, sched_setaffinity},
};
use serde::Serialize;

/// One core for Envoy and one for what loads it.
#[derive(Clone, Copy, Debug)]
pub struct Cores {
    /// Envoy's.
    pub envoy: usize,
    /// That of this program and of `wrk`.
    pub load: usize,
}

/// What a reader of a figure has to know.
#[derive(Clone, Debug, Serialize)]
pub struct Machine {
    /// The processor, in its maker's words.
    pub processor: String,
    /// The cores that this program may use.
    pub cores: usize,
    /// The kernel's name and version.
    pub system: String,
    /// How many processes wanted a core in the last minute, before anything was measured.
    pub load_before: f64,
}

impl Cores {
    /// The first two cores that this process may use.
    pub fn find() -> io::Result<Self> {
        let own = sched_getaffinity(None)?;
        let mut allowed = (0..CpuSet::MAX_CPU).filter(|core| own.is_set(*core));
        match (allowed.next(), allowed.next()) {
            (Some(envoy), Some(load)) => Ok(Self { envoy, load }),
            _ => Err(io::Error::other(
                "two cores are needed, one for Envoy and one for the load: on one, each would be measured with the other",
            )),
        }
    }
}

/// Does something on one core. Processes and threads that it starts stay there.
pub fn on_core<T>(core: usize, work: impl FnOnce() -> T) -> io::Result<T> {
    let before = sched_getaffinity(None)?;
    let mut only = CpuSet::new();
    only.set(core);
    sched_setaffinity(None, &only)?;
    let result = work();
    sched_setaffinity(None, &before)?;
    Ok(result)
}

impl Machine {
    /// This one.
    pub fn describe() -> Self {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let processors = read("/proc/cpuinfo");
        let model = processors.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
        Self {
            processor: model.map_or_else(|| std::env::consts::ARCH.to_owned(), |(_, name)| name.to_owned()),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            system: format!("Linux {}", read("/proc/sys/kernel/osrelease").trim()),
            load_before: read("/proc/loadavg").split(' ').next().and_then(|load| load.parse().ok()).unwrap_or(0.0),
        }
    }
}

/// The time of a core that a process has used, in microseconds: all its threads, user and system.
pub fn cpu_time(process: u32) -> io::Result<f64> {
    let text = fs::read_to_string(format!("/proc/{process}/stat"))?;
    // The name of the process may hold anything, `)` too; utime and stime are fields 14 and 15 (proc(5)).
    let fields = text.rsplit_once(')').map_or("", |(_, rest)| rest).split_ascii_whitespace();
    let ticks: Vec<u64> = fields.skip(11).take(2).filter_map(|field| field.parse().ok()).collect();
    let [user, system] = ticks[..] else {
        return Err(io::Error::other(format!("/proc/{process}/stat is not as proc(5) says")));
    };
    Ok((user + system) as f64 / clock_ticks_per_second() as f64 * 1e6)
}

/// The memory of a process that is not swapped out, in KiB.
pub fn resident(process: u32) -> io::Result<u64> {
    let text = fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().strip_suffix(" kB")?.parse().ok())
        .ok_or_else(|| io::Error::other(format!("/proc/{process}/status tells no memory")))
}
