//! Cases side by side, in rounds.

use std::{io, time::Duration};

use serde::Serialize;

use crate::{
    bootstrap::Files,
    cases::{Case, Table},
    load::Wrk,
    machine::{Cores, cpu_time, on_core},
    subject::Subject,
};

/// How long is measured.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Effort {
    /// How often each case has its turn.
    pub rounds: usize,
    /// Seconds of one turn.
    pub seconds: u64,
}

/// A table that was measured.
#[derive(Clone, Debug, Serialize)]
pub struct Measured {
    /// The table's name.
    pub name: &'static str,
    /// What a reader sees above it.
    pub title: &'static str,
    /// How long was measured.
    pub effort: Effort,
    /// Its cases, in order.
    pub cases: Vec<Figures>,
}

/// What one case costs: microseconds of a core for each request, of Envoy with all its threads.
#[derive(Clone, Debug, Serialize)]
pub struct Figures {
    /// The case's name.
    pub name: String,
    /// What a reader sees.
    pub label: String,
    /// Whether the module knows what the case configures.
    pub supported: bool,
    /// Each round's figure, in order.
    pub rounds: Vec<f64>,
    /// Their median.
    pub median: Option<f64>,
    /// The median less that of no filter.
    pub added: Option<f64>,
    /// What is added, in parts of what `jwt_authn` adds for the same.
    pub of_jwt_authn: Option<f64>,
}

/// Measures a table: all processes are started first, then have their turns, round by round.
pub fn measure(table: &Table, files: &Files<'_>, wrk: &Wrk, cores: Cores, effort: Effort) -> io::Result<Measured> {
    let mut subjects = Vec::new();
    for case in &table.cases {
        eprintln!("  starting {}", case.name);
        subjects.push((case, Subject::start(case, files, cores)?, Vec::new()));
    }
    // V8 compiles anew what runs often, in the background: that is no request's cost.
    for (case, subject, _) in &mut subjects {
        turn(case, subject.as_mut(), wrk, cores, WARM_UP)?;
    }
    for round in 0..effort.rounds {
        eprintln!("  round {} of {}", round + 1, effort.rounds);
        for (case, subject, rounds) in &mut subjects {
            rounds.extend(turn(case, subject.as_mut(), wrk, cores, Duration::from_secs(effort.seconds))?);
        }
    }
    let mut cases: Vec<Figures> = Vec::new();
    for (case, subject, rounds) in subjects {
        let traps = subject.as_ref().map(|subject| subject.envoy.traps()).unwrap_or_default();
        if !traps.is_empty() {
            return Err(io::Error::other(format!("{}: {traps:?}", case.name)));
        }
        let figures = figures(case, subject.is_some(), rounds, &cases);
        cases.push(figures);
    }
    Ok(Measured { name: table.name, title: table.title, effort, cases })
}

/// One turn: microseconds for each request.
fn turn(
    case: &Case,
    subject: Option<&mut Subject>,
    wrk: &Wrk,
    cores: Cores,
    time: Duration,
) -> io::Result<Option<f64>> {
    let Some(subject) = subject else { return Ok(None) };
    let process = subject.envoy.process_id();
    let before = cpu_time(process)?;
    let outcome = on_core(cores.load, || wrk.run(subject.address, &subject.requests, subject.sent, time))?
        .map_err(|error| io::Error::other(format!("{}: {error}", case.name)))?;
    subject.sent += outcome.requests;
    Ok(Some((cpu_time(process)? - before) / outcome.requests as f64))
}

fn figures(case: &Case, supported: bool, rounds: Vec<f64>, before: &[Figures]) -> Figures {
    let find = |name: &Option<String>| before.iter().find(|figures| Some(&figures.name) == name.as_ref());
    let own = median(&rounds);
    let added = own.zip(find(&case.baseline).and_then(|none| none.median)).map(|(own, none)| own - none);
    let rival = find(&case.rival).and_then(|rival| rival.added).filter(|rival| *rival > 0.0);
    let of_jwt_authn = added.zip(rival).map(|(added, rival)| added / rival);
    Figures { name: case.name.clone(), label: case.label.clone(), supported, rounds, median: own, added, of_jwt_authn }
}

/// The median; of an even number the mean of the two in the middle.
pub fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() % 2 {
        1 => sorted.get(middle).copied(),
        _ => Some((sorted.get(middle.checked_sub(1)?)? + sorted.get(middle)?) / 2.0),
    }
}

const WARM_UP: Duration = Duration::from_secs(1);
