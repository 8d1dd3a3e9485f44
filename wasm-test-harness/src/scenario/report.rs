//! What a run of the table tells: every scenario that does not hold, and how.

use std::fmt::{self, Write as _};

use super::format::Scenario;

/// The outcome of one host's run.
#[derive(Debug)]
pub struct Report {
    host: &'static str,
    run: usize,
    failures: Vec<String>,
    others: Vec<String>,
}

impl Report {
    /// An empty report.
    pub fn new(host: &'static str) -> Self {
        Self { host, run: 0, failures: Vec::new(), others: Vec::new() }
    }

    /// Notes one scenario and what does not hold of it.
    pub fn add(&mut self, scenario: &Scenario, differences: &[String]) {
        self.run += 1;
        if differences.is_empty() {
            return;
        }
        let mut text = format!("{}: {}", scenario.file, scenario.name);
        for line in differences {
            let _ = write!(text, "\n      {line}");
        }
        self.failures.push(text);
    }

    /// Notes failures that are no single scenario's.
    pub fn note<'a>(&mut self, lines: impl Iterator<Item = &'a str>) {
        self.others.extend(lines.map(str::to_owned));
    }

    /// Panics with the whole list where something does not hold; a test calls it last.
    ///
    /// # Panics
    ///
    /// Where a scenario does not hold, or none was run.
    pub fn assert(&self) {
        println!("{self}");
        assert!(self.run > 0, "no scenario was run on {}: does SCENARIO name one?", self.host);
        assert!(
            self.failures.is_empty(),
            "{} of {} scenarios do not hold on {}",
            self.failures.len(),
            self.run,
            self.host
        );
        assert!(self.others.is_empty(), "{} failures besides on {}", self.others.len(), self.host);
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}: {} of {} scenarios hold", self.host, self.run - self.failures.len(), self.run)?;
        self.failures.iter().chain(&self.others).try_for_each(|failure| writeln!(f, "  FAILED {failure}"))
    }
}
