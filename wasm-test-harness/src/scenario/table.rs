//! Reading the table: files, shared configurations, and what may not be written.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt, fs,
    path::{Path, PathBuf},
    time::Duration,
};

use serde_json::Value;

use super::{
    format::{
        ConfigurationSource, Entry, Expectation, ExpectedOutcome, File, HostName, Listener, Made, Scenario, Step,
        StepEntry,
    },
    placeholder::{duration, expand_configuration, expand_configuration_text},
    providers::{self, Providers},
};

/// Every scenario, and the environment that all of them share.
#[derive(Clone, Debug)]
pub struct Table {
    /// The scenarios in the order of their files' names.
    pub scenarios: Vec<Scenario>,
    /// Environment variables of the VM: one VM in Envoy serves all configurations.
    pub environment: BTreeMap<String, String>,
}

/// Everything that is wrong with the files, one line each.
#[derive(Debug)]
pub struct TableError(Vec<String>);

impl Table {
    /// Reads every `*.yaml` file of a folder, and the configurations in its subfolder `configurations`.
    pub fn load(folder: &Path) -> Result<Self, TableError> {
        let mut errors = Vec::new();
        let mut table = Self { scenarios: Vec::new(), environment: BTreeMap::new() };
        let mut shared = shared_configurations(folder, &mut errors);
        shared.extend(recipes(&mut errors));
        let mut names = BTreeSet::new();
        for path in yaml_files(folder, &mut errors) {
            let file_name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let Some(file) = read::<File>(&path, &mut errors) else { continue };
            for (name, value) in file.environment {
                if table.environment.insert(name.clone(), value.clone()).is_some_and(|other| other != value) {
                    errors.push(format!("{file_name}: environment.{name}: another file gives it another value"));
                }
            }
            let mut configurations = shared.clone();
            configurations.extend(file.configurations);
            for entry in file.scenarios {
                let name = entry.name.clone();
                if !names.insert(name.clone()) {
                    errors.push(format!("{file_name}: {name}: there is another scenario of this name"));
                }
                let (tokens, providers) = (file.tokens.clone(), file.providers.clone());
                match scenario(&file_name, entry, &configurations, tokens, providers, file.listener.clone()) {
                    Ok(scenario) => table.scenarios.push(scenario),
                    Err(error) => errors.push(format!("{file_name}: {name}: {error}")),
                }
            }
        }
        if errors.is_empty() { Ok(table) } else { Err(TableError(errors)) }
    }

    /// The repository's own table, narrowed to the names that hold `SCENARIO` where that is set.
    pub fn of_repository() -> Result<Self, TableError> {
        let mut table = Self::load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/scenarios"))?;
        if let Ok(part) = std::env::var("SCENARIO") {
            table.scenarios.retain(|scenario| scenario.name.contains(&part) || scenario.file.contains(&part));
        }
        Ok(table)
    }

    /// The scenarios about signatures, with configurations that leave those to the host.
    pub fn of_host_crypto(mut self) -> Self {
        let is_about_signatures = |scenario: &Scenario| {
            matches!(scenario.expectation, Expectation::Steps(_)) && SIGNATURES.contains(&scenario.file.as_str())
        };
        self.scenarios.retain(is_about_signatures);
        for scenario in &mut self.scenarios {
            scenario.configuration = scenario.configuration.replacen('{', "{\"crypto\":\"host\",", 1);
        }
        self
    }

    /// The scenarios that a host runs.
    pub fn on(&self, host: HostName) -> impl Iterator<Item = &Scenario> {
        self.scenarios.iter().filter(move |scenario| scenario.hosts.contains(&host))
    }
}

/// The files of scenarios whose outcome hangs on signatures.
const SIGNATURES: [&str; 6] =
    ["algorithms.yaml", "cache.yaml", "dpop.yaml", "forged_tokens.yaml", "key_rotation.yaml", "remote_keys.yaml"];

impl fmt::Display for TableError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} errors in the scenario table:", self.0.len())?;
        self.0.iter().try_for_each(|error| writeln!(f, "  {error}"))
    }
}

impl std::error::Error for TableError {}

fn scenario(
    file: &str,
    entry: Entry,
    configurations: &BTreeMap<String, Value>,
    mut tokens: BTreeMap<String, crate::mint::TokenSpec>,
    mut providers: Providers,
    listener: Option<Listener>,
) -> Result<Scenario, String> {
    tokens.extend(entry.tokens);
    providers.extend(entry.providers);
    let configuration = configuration(&entry.name, entry.configuration, configurations)?;
    if !providers::are_named(&providers, &entry.name, &configuration) {
        providers.clear();
    }
    if entry.hosts.is_some() != entry.because.is_some() {
        return Err("`hosts` and `because` come together".to_owned());
    }
    let steps = !entry.steps.is_empty();
    let single = entry.request.is_some() || entry.forward.is_some() || entry.deny.is_some();
    let expectation = match entry.errors {
        Some(errors) if !steps && !single => Expectation::Refused { errors, more: entry.more_errors },
        Some(_) => return Err("`errors` leaves no request to send".to_owned()),
        None if steps && single => return Err("give `steps`, or one request in the scenario itself".to_owned()),
        None if steps => Expectation::Steps(entry.steps.into_iter().map(step).collect::<Result<_, _>>()?),
        None => Expectation::Steps(vec![step(StepEntry {
            advance: None,
            request: entry.request.unwrap_or_default(),
            forward: entry.forward,
            deny: entry.deny,
            record: entry.record,
            envoy: entry.envoy,
            calls: entry.calls,
            asked: entry.asked,
        })?]),
    };
    let hosts = entry.hosts.unwrap_or_else(|| vec![HostName::Native, HostName::Wasmtime, HostName::Envoy]);
    let moves = matches!(&expectation, Expectation::Steps(steps) if steps.iter().any(|step| !step.advance.is_zero()));
    if moves && hosts.contains(&HostName::Envoy) {
        return Err("`advance` cannot move Envoy's clock: limit `hosts` and say `because`".to_owned());
    }
    let connects = |step: &Step| !step.request.connection.is_empty() || step.request.address.is_some();
    let connects = matches!(&expectation, Expectation::Steps(steps) if steps.iter().any(connects));
    if connects && hosts.contains(&HostName::Envoy) {
        return Err("`connection` and `address` cannot be told to Envoy: limit `hosts` and say `because`".to_owned());
    }
    let listener = entry.listener.or(listener).unwrap_or_default();
    if listener.normalize_path && hosts != [HostName::Envoy] {
        return Err("`listener.normalize_path` is Envoy's: say `hosts: [envoy]` and `because`".to_owned());
    }
    if let Expectation::Steps(steps) = &expectation {
        steps.iter().try_for_each(|step| providers::check(&providers, step))?;
    }
    let (file, name, clock) = (file.to_owned(), entry.name, entry.clock);
    Ok(Scenario { file, name, configuration, clock, tokens, providers, hosts, listener, expectation })
}

fn step(entry: StepEntry) -> Result<Step, String> {
    let outcome = match (entry.forward, entry.deny) {
        (Some(forward), None) => ExpectedOutcome::Forward(forward),
        (None, Some(deny)) => {
            if deny.grpc.is_none() && deny.status.is_none() {
                return Err("`deny` needs `status`, or `grpc`".to_owned());
            }
            ExpectedOutcome::Deny(deny)
        }
        _ => return Err("expect exactly one of `forward` and `deny`".to_owned()),
    };
    if entry.request.body.is_some() && !entry.request.chunks.is_empty() {
        return Err("give `body` or `chunks`".to_owned());
    }
    let advance = entry.advance.map_or(Ok(Duration::ZERO), |text| duration(&text))?;
    let StepEntry { request, record, envoy, calls, asked, .. } = entry;
    Ok(Step { advance, request, outcome, record, envoy, calls, asked })
}

fn configuration(
    scenario: &str,
    source: ConfigurationSource,
    known: &BTreeMap<String, Value>,
) -> Result<String, String> {
    let named = |name: &str| {
        let names = || known.keys().cloned().collect::<Vec<_>>().join(", ");
        known.get(name).cloned().ok_or_else(|| format!("no configuration is called {name}; there are {}", names()))
    };
    let mut value = match source {
        ConfigurationSource::Named(name) => named(&name)?,
        ConfigurationSource::Made(Made { base: None, patch: None, text: Some(text) }) => {
            return expand_configuration_text(scenario, &text);
        }
        ConfigurationSource::Made(Made { base: Some(name), patch: Some(patch), text: None }) => {
            let mut value = named(&name)?;
            json_patch::merge(&mut value, &patch);
            value
        }
        ConfigurationSource::Made(Made { base: None, patch: Some(value), text: None }) => value,
        ConfigurationSource::Made(_) => {
            return Err("configuration: a name, or `use` with `patch`, or `patch` alone, or `text` alone".to_owned());
        }
    };
    expand_configuration(scenario, &mut value)?;
    Ok(value.to_string())
}

fn shared_configurations(folder: &Path, errors: &mut Vec<String>) -> BTreeMap<String, Value> {
    let folder = folder.join("configurations");
    if !folder.is_dir() {
        return BTreeMap::new();
    }
    let name = |path: &Path| path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let files = yaml_files(&folder, errors);
    files.into_iter().filter_map(|path| Some((name(&path), read::<Value>(&path, errors)?))).collect()
}

/// The configurations of `docs/recipes.md`, by their headings.
fn recipes(errors: &mut Vec<String>) -> Vec<(String, Value)> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/recipes.md");
    let text = fs::read_to_string(&page).unwrap_or_else(|error| {
        errors.push(format!("{}: {error}", page.display()));
        String::new()
    });
    let mut recipes = Vec::new();
    for section in text.split("\n## ").skip(1) {
        let heading = section.lines().next().unwrap_or_default();
        let block = section.split_once("```json\n").and_then(|(_, rest)| rest.split_once("```"));
        match block.map(|(block, _)| serde_json::from_str(block)) {
            Some(Ok(value)) => recipes.push((format!("recipe: {heading}"), value)),
            Some(Err(error)) => errors.push(format!("docs/recipes.md: {heading}: {error}")),
            None => errors.push(format!("docs/recipes.md: {heading}: no configuration")),
        }
    }
    recipes
}

fn yaml_files(folder: &Path, errors: &mut Vec<String>) -> Vec<PathBuf> {
    let mut files = match fs::read_dir(folder) {
        Ok(entries) => entries.filter_map(|entry| entry.ok().map(|entry| entry.path())).collect::<Vec<_>>(),
        Err(error) => {
            errors.push(format!("{}: {error}", folder.display()));
            Vec::new()
        }
    };
    files.retain(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    files.sort();
    files
}

fn read<T: serde::de::DeserializeOwned>(path: &Path, errors: &mut Vec<String>) -> Option<T> {
    let text = fs::read_to_string(path).map_err(|error| error.to_string());
    match text.and_then(|text| serde_saphyr::from_str(&text).map_err(|error| error.to_string())) {
        Ok(value) => Some(value),
        Err(error) => {
            errors.push(format!("{}: {error}", path.display()));
            None
        }
    }
}
