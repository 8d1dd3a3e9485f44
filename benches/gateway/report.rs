//! What was measured, as JSON, as plain text and as Markdown.

use std::{io, path::Path};

use serde::Serialize;

use crate::{
    machine::Machine,
    measure::{Effort, Figures, Measured},
    memory::Memory,
    startup::Startup,
};

/// Everything that a run has found out.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// When, in UTC (RFC 3339).
    pub date: String,
    /// Where.
    pub machine: Machine,
    /// `envoy --version`.
    pub envoy: String,
    /// The module.
    pub module: Module,
    /// What each request costs.
    pub tables: Vec<Measured>,
    /// What memory does.
    pub memory: Option<Memory>,
    /// How fast Envoy starts.
    pub startup: Vec<Startup>,
}

/// The module's size, in bytes.
#[derive(Clone, Debug, Serialize)]
pub struct Module {
    /// As it is.
    pub size: u64,
    /// As it may be at most.
    pub budget: u64,
}

/// A table of text.
pub struct Text {
    /// What stands above it.
    pub title: String,
    /// Its columns.
    pub head: Vec<String>,
    /// Its rows.
    pub rows: Vec<Vec<String>>,
}

impl Module {
    /// The module at this path.
    pub fn at(path: &Path) -> io::Result<Self> {
        let size = std::fs::metadata(path)
            .map_err(|error| io::Error::other(format!("{}: {error}; `make build` makes it", path.display())))?
            .len();
        Ok(Self { size, budget: BUDGET })
    }
}

impl Report {
    /// For people, on a terminal.
    pub fn plain(&self) -> String {
        let tables: Vec<String> = self.texts().iter().map(Text::plain).collect();
        format!("{}\n\n{}", self.circumstances(), tables.join("\n"))
    }

    /// For `docs/performance.md`.
    pub fn markdown(&self) -> String {
        let tables: Vec<String> = self.texts().iter().map(Text::markdown).collect();
        format!("{}\n\n{}", self.circumstances(), tables.join("\n"))
    }

    fn circumstances(&self) -> String {
        circumstances(&self.date, &self.machine, &self.envoy)
    }

    fn texts(&self) -> Vec<Text> {
        let mut texts: Vec<Text> = self.tables.iter().map(cases).collect();
        texts.push(self.rest());
        texts
    }

    fn rest(&self) -> Text {
        let mut rows = Vec::new();
        for startup in &self.startup {
            let label = format!("start of Envoy to the first 200, {}", startup.label);
            rows.push(vec![label, startup.median.map_or_else(String::new, |time| format!("{time:.0} ms"))]);
        }
        if let Some(memory) = &self.memory {
            let mebibytes = |kib: u64| format!("{:.1} MiB", kib as f64 / 1024.0);
            rows.push(vec!["memory of Envoy with gatepost, at first".to_owned(), mebibytes(memory.before)]);
            rows.push(vec!["... once its cache of tokens is full".to_owned(), mebibytes(memory.cache_full)]);
            rows.push(vec![format!("... after {} distinct tokens", memory.tokens), mebibytes(memory.after)]);
        }
        rows.push(vec!["the module".to_owned(), format!("{} bytes", self.module.size)]);
        rows.push(vec!["... its budget".to_owned(), format!("{} bytes", self.module.budget)]);
        Text { title: "Start, memory, size".to_owned(), head: vec![String::new(), String::new()], rows }
    }
}

/// When, where and with what.
pub fn circumstances(date: &str, machine: &Machine, envoy: &str) -> String {
    let day = date.split('T').next().unwrap_or_default();
    format!(
        "Measured on {day}, on {} ({} cores, {}; load {:.1} before), with Envoy {envoy}.",
        machine.processor, machine.cores, machine.system, machine.load_before
    )
}

fn cases(measured: &Measured) -> Text {
    let Effort { rounds, seconds } = measured.effort;
    let has_ratio = measured.cases.iter().any(|figures| figures.of_jwt_authn.is_some());
    let mut head = vec![String::new(), "us/request".to_owned(), "added".to_owned(), "lowest..highest".to_owned()];
    head.extend(has_ratio.then(|| "of jwt_authn".to_owned()));
    let row = |figures: &Figures| {
        let mut row = vec![figures.label.clone()];
        if !figures.supported {
            row.push("not supported by this module".to_owned());
            row.extend([String::new(), String::new()]);
        } else {
            row.push(figures.median.map_or_else(String::new, |median| format!("{median:.1}")));
            row.push(figures.added.map_or_else(String::new, |added| format!("{added:+.1}")));
            let lowest = figures.rounds.iter().copied().fold(f64::INFINITY, f64::min);
            let highest = figures.rounds.iter().copied().fold(0.0, f64::max);
            row.push(format!("{lowest:.1}..{highest:.1}"));
        }
        if has_ratio {
            row.push(figures.of_jwt_authn.map_or_else(String::new, |ratio| format!("{ratio:.2}")));
        }
        row
    };
    Text {
        title: format!("{} (us; {rounds} rounds of {seconds} s, medians)", measured.title),
        head,
        rows: measured.cases.iter().map(row).collect(),
    }
}

impl Text {
    /// For people, on a terminal.
    pub fn plain(&self) -> String {
        let rows = || std::iter::once(&self.head).chain(&self.rows);
        let width = |column: usize| rows().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
        let widths: Vec<usize> = (0..self.head.len()).map(|column| width(column).unwrap_or(0)).collect();
        let line = |row: &Vec<String>| {
            let cells = row.iter().zip(&widths).enumerate().map(|(column, (cell, width))| match column {
                0 => format!("{cell:<width$}"),
                _ => format!("{cell:>width$}"),
            });
            cells.collect::<Vec<_>>().join("  ").trim_end().to_owned() + "\n"
        };
        format!("{}\n{}", self.title, rows().map(line).collect::<String>())
    }

    /// For a page.
    pub fn markdown(&self) -> String {
        let line = |row: &Vec<String>| format!("| {} |\n", row.join(" | "));
        let rule = format!("|---|{}\n", "---:|".repeat(self.head.len() - 1));
        format!("**{}**\n\n{}{rule}{}", self.title, line(&self.head), self.rows.iter().map(line).collect::<String>())
    }
}

/// Puts text between the markers of a page.
pub fn put_between(page: &Path, name: &str, text: &str) -> io::Result<()> {
    let old = std::fs::read_to_string(page)?;
    let (begin, end) = (format!("<!-- {name}: begin -->\n"), format!("<!-- {name}: end -->"));
    let parts = old.split_once(&begin).and_then(|(before, rest)| Some((before, rest.split_once(&end)?.1)));
    let Some((before, after)) = parts else {
        return Err(io::Error::other(format!("{} lacks the markers of {name}", page.display())));
    };
    std::fs::write(page, format!("{before}{begin}\n{}\n\n{end}{after}", text.trim()))
}

/// 1.5 MiB.
const BUDGET: u64 = 3 * 512 * 1024;
