//! Compiling what has to do with identity providers: where they are, and how keys are kept fresh.

use std::{ops::RangeInclusive, time::Duration};

use super::{
    decode::{Errors, Member, member_path},
    error::ConfigErrorKind,
    schema::{DiscoverySchema, RemoteJwksSchema, RevocationSchema},
};
use crate::provider::{
    endpoint::Endpoint,
    keys::KeySourceId,
    revocation::RevocationSourceId,
    schedule::Timings,
    source::{Origin, SourceConfig},
};

/// What all authenticators have fetched, each once, with the configuration path where it is met first.
#[derive(Default)]
pub struct ProviderSources {
    pub keys: Vec<(String, SourceConfig)>,
    pub revocations: Vec<(String, SourceConfig)>,
}

impl ProviderSources {
    /// Compiles a key set at a URL.
    pub fn compile_remote(
        &mut self,
        schema: &RemoteJwksSchema,
        path: &str,
        errors: &mut Errors,
    ) -> Option<KeySourceId> {
        let endpoint = compile_endpoint(&schema.url, &schema.cluster, path, errors);
        let timings = [&schema.timeout, &schema.refresh, &schema.max_stale, &schema.cooldown];
        let timings = compile_timings(timings, Timings::DEFAULT, path, errors);
        let origin = Origin::Remote(endpoint?);
        Some(KeySourceId(insert(&mut self.keys, path, SourceConfig { origin, timings: timings? })))
    }

    /// Compiles a key set that a discovery document names.
    pub fn compile_discovery(
        &mut self,
        schema: &DiscoverySchema,
        path: &str,
        errors: &mut Errors,
    ) -> Option<KeySourceId> {
        let cluster = compile_cluster(&schema.cluster, &member_path(path, "cluster"), errors);
        let document = schema.issuer.get().and_then(|issuer| {
            // OpenID Connect Discovery 1.0 §4.1
            let url = format!("{}/.well-known/openid-configuration", issuer.strip_suffix('/').unwrap_or(issuer));
            let document = Endpoint::parse(&url, cluster.unwrap_or_default()).filter(|_| !issuer.contains('?'));
            if document.is_none() {
                errors.push(member_path(path, "issuer"), ConfigErrorKind::Invalid(ISSUER_FORM));
            }
            document
        });
        let jwks_cluster = match &schema.jwks_cluster {
            Member::Absent => Some(None),
            given => {
                compile_cluster(given, &member_path(path, "jwks_cluster"), errors).map(|name| Some(name.to_owned()))
            }
        };
        let timings = [&schema.timeout, &schema.refresh, &schema.max_stale, &schema.cooldown];
        let timings = compile_timings(timings, Timings::DEFAULT, path, errors);
        cluster?;
        let issuer = schema.issuer.get()?.clone();
        let origin = Origin::Discovery { issuer, document: document?, jwks_cluster: jwks_cluster? };
        Some(KeySourceId(insert(&mut self.keys, path, SourceConfig { origin, timings: timings? })))
    }

    /// Compiles a revocation list.
    pub fn compile_revocations(
        &mut self,
        schema: &RevocationSchema,
        path: &str,
        errors: &mut Errors,
    ) -> Option<RevocationSourceId> {
        let endpoint = compile_endpoint(&schema.url, &schema.cluster, path, errors);
        // No request asks for a list before its time.
        let timings = [&schema.timeout, &schema.refresh, &schema.max_stale, &Member::Absent];
        let timings = compile_timings(timings, Timings::REVOCATIONS, path, errors);
        let origin = Origin::Remote(endpoint?);
        Some(RevocationSourceId(insert(&mut self.revocations, path, SourceConfig { origin, timings: timings? })))
    }
}

fn insert(sources: &mut Vec<(String, SourceConfig)>, path: &str, config: SourceConfig) -> usize {
    let known = sources.iter().position(|(_, known)| *known == config);
    known.unwrap_or_else(|| {
        sources.push((path.to_owned(), config));
        sources.len().saturating_sub(1)
    })
}

/// Compiles a URL and the cluster behind it.
pub fn compile_endpoint(
    url: &Member<String>,
    cluster: &Member<String>,
    path: &str,
    errors: &mut Errors,
) -> Option<Endpoint> {
    let cluster = compile_cluster(cluster, &member_path(path, "cluster"), errors);
    let endpoint = url.get().and_then(|url| {
        let endpoint = Endpoint::parse(url, cluster.unwrap_or_default());
        if endpoint.is_none() {
            errors.push(member_path(path, "url"), ConfigErrorKind::Invalid(URL_FORM));
        }
        endpoint
    });
    cluster.and(endpoint)
}

/// Compiles how long a provider may take.
pub fn compile_timeout(
    schema: &Member<Duration>,
    default: Duration,
    path: String,
    errors: &mut Errors,
) -> Option<Duration> {
    let form = "longer than zero, and 1m at most: requests wait for it";
    compile_period(schema, default, SHORTEST..=LONGEST_TIMEOUT, form, path, errors)
}

fn compile_period(
    schema: &Member<Duration>,
    default: Duration,
    range: RangeInclusive<Duration>,
    form: &'static str,
    path: String,
    errors: &mut Errors,
) -> Option<Duration> {
    let period = schema.or_default(default)?;
    if !range.contains(&period) {
        errors.push(path, ConfigErrorKind::Invalid(form));
        return None;
    }
    Some(period)
}

fn compile_cluster<'a>(schema: &'a Member<String>, path: &str, errors: &mut Errors) -> Option<&'a str> {
    let cluster = schema.get()?;
    if cluster.is_empty() {
        errors.push(path.to_owned(), ConfigErrorKind::Empty);
        return None;
    }
    Some(cluster)
}

/// Compiles `timeout`, `refresh`, `max_stale` and `cooldown`.
fn compile_timings(
    schema: [&Member<Duration>; 4],
    default: Timings,
    path: &str,
    errors: &mut Errors,
) -> Option<Timings> {
    let [timeout, refresh, max_stale, cooldown] = schema;
    let timeout = compile_timeout(timeout, default.timeout, member_path(path, "timeout"), errors);
    let mut age = |schema: &Member<Duration>, default: Duration, name: &str| {
        let form = "100ms at least, and 8760h at most";
        compile_period(schema, default, SHORTEST_AGE..=LONGEST_PERIOD, form, member_path(path, name), errors)
    };
    let refresh = age(refresh, default.refresh, "refresh");
    let max_stale = age(max_stale, default.max_stale, "max_stale");
    let form = "longer than zero, and 8760h at most";
    let (default, place) = (default.cooldown, member_path(path, "cooldown"));
    let cooldown = compile_period(cooldown, default, SHORTEST..=LONGEST_PERIOD, form, place, errors);
    Some(Timings { timeout: timeout?, refresh: refresh?, max_stale: max_stale?, cooldown: cooldown? })
}

const URL_FORM: &str = "an http or https URL without user and fragment";
const ISSUER_FORM: &str = "an http or https URL without user, query and fragment";
const SHORTEST: Duration = Duration::from_nanos(1);
/// What is never older would have to be fetched all the time.
const SHORTEST_AGE: Duration = Duration::from_millis(100);
const LONGEST_TIMEOUT: Duration = Duration::from_secs(60);
const LONGEST_PERIOD: Duration = Duration::from_secs(365 * 24 * 3600);
