//! The metrics: one table of what there is, from which hosts are told their names and docs/operations.md its table.
//!
//! A metric is called `gatepost.`, its name here, and a value for each of its labels: `gatepost.requests.users.allowed`.
//! Hosts that know labels make some of these values with the regular expressions of docs/operations.md.

use sha2::{Digest as _, Sha256};

use crate::host::{Store, Unavailable};

/// What a host does with a metric's values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It adds them up.
    Counter,
    /// It keeps the last.
    Gauge,
    /// It counts them by their size.
    Histogram,
}

/// What tells the metrics of one name apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Label {
    /// The authenticator's name in the configuration; `none` where none was asked.
    Authenticator,
    /// An [`Outcome`](crate::audit::Outcome).
    Outcome,
    /// A [`Reason`](crate::deny::Reason).
    Reason,
    /// How it went.
    Result,
    /// The limit: the one at the top, the route's or the key's.
    Limit,
}

/// Declares the table. Only the command and the tests ask for what the metrics are to people.
macro_rules! metrics {
    ($($variant:ident $kind:ident $name:literal [$($label:ident $values:expr),*] $unit:literal $help:literal,)*) => {
        /// The metrics of one name.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Metric {
            $(#[doc = $help] $variant,)*
        }

        impl Metric {
            /// Every one.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// What hosts do with its values.
            #[must_use]
            pub const fn kind(self) -> Kind {
                match self {
                    $(Self::$variant => Kind::$kind,)*
                }
            }

            /// Its name, without `gatepost.` and without labels.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }

            /// Its labels, in order, and the values that they have; none where these are the configuration's.
            #[cfg(not(target_arch = "wasm32"))]
            #[must_use]
            pub const fn labels(self) -> &'static [(Label, &'static [&'static str])] {
                match self {
                    $(Self::$variant => &[$((Label::$label, $values)),*],)*
                }
            }

            /// What is counted, or in what it is measured.
            #[cfg(not(target_arch = "wasm32"))]
            #[must_use]
            pub const fn unit(self) -> &'static str {
                match self {
                    $(Self::$variant => $unit,)*
                }
            }

            /// What it tells.
            #[cfg(not(target_arch = "wasm32"))]
            #[must_use]
            pub const fn help(self) -> &'static str {
                match self {
                    $(Self::$variant => $help,)*
                }
            }
        }
    };
}

metrics! {
    Requests Counter "requests" [Authenticator &[], Outcome OUTCOMES] "requests"
        "Decisions, by whoever verified the caller, or whose refusal is reported. Those that allowed are told with the next tick, \
         200 ms later at most.",
    Denied Counter "denied" [Reason &[]] "requests"
        "Requests that were denied, or, in shadow mode, would have been, by the precise reason.",
    RateLimited Counter "rate_limited" [Limit LIMITS] "requests"
        "Requests beyond a limit, by the first one that they exceed.",
    Waiting Gauge "waiting" [] "requests"
        "Requests that wait for a provider or for their bodies.",
    TokenCache Counter "token_cache" [Authenticator &[], Result SOUGHT] "look-ups"
        "Tokens that were looked for among those that were verified before. Told with the next tick, 200 ms later at most.",
    KeyFetches Counter "key_fetches" [Authenticator &[], Result FETCHED] "fetches"
        "Fetches of a key set, by one worker for all.",
    KeyAge Gauge "key_age_seconds" [Authenticator &[]] "seconds"
        "How long ago the keys in use were fetched. There is none for keys that stand in the configuration.",
    RevocationFetches Counter "revocation_fetches" [Authenticator &[], Result FETCHED] "fetches"
        "Fetches of a revocation list, by one worker for all.",
    RevocationAge Gauge "revocation_age_seconds" [Authenticator &[]] "seconds"
        "How long ago the revocation list in use was fetched.",
    RevocationsUnchecked Counter "revocations_unchecked" [Authenticator &[]] "tokens"
        "Tokens that were accepted without a revocation list, as the configuration asks for.",
    Introspections Counter "introspections" [Authenticator &[], Result LOOKED_UP] "look-ups"
        "Tokens that their issuer was asked about.",
    IntrospectionLatency Histogram "introspection_latency_ms" [Authenticator &[]] "milliseconds"
        "How long the issuer took to answer, where it did.",
    ConfigGeneration Counter "config_generation" [] "configurations"
        "How often the proxy has taken another configuration than the one before. Filters that share a plugin's name and \
         root id count one another's as well.",
}

impl Metric {
    /// The whole name of the one with these labels.
    #[must_use]
    pub fn full_name(self, labels: &[&str]) -> String {
        let mut name = [PREFIX, self.name()].concat();
        for label in labels {
            name.push('.');
            name.push_str(label);
        }
        name
    }
}

/// Whether a plugin, by its names, has another configuration than before, as the first of its workers learns.
pub fn is_new_configuration(plugin: &[&str], configuration: &[u8], store: &mut dyn Store) -> bool {
    let mut hasher = Sha256::new();
    plugin.iter().for_each(|name| hasher.update([name, "\n"].concat()));
    let slot = ["gatepost.configuration.", &crate::hex::write(&hasher.finalize())].concat();
    let digest = Sha256::digest(configuration);
    let expected = match store.get(&slot) {
        Ok(Some((known, _))) if *known == *digest => return false,
        Ok(Some((_, number))) => number,
        Ok(None) => u32::MAX,
        Err(Unavailable) => return true, // each for itself
    };
    store.set(&slot, &digest, expected) != Ok(false)
}

/// The values of [`Label::Result`], in the order in which [`Metric`]s of several are defined.
pub const SOUGHT: &[&str] = &["hit", "miss"];
/// As [`SOUGHT`].
pub const FETCHED: &[&str] = &["succeeded", "failed"];
/// As [`SOUGHT`].
pub const LOOKED_UP: &[&str] = &["active", "inactive", "failed"];
/// The values of [`Label::Limit`].
pub const LIMITS: &[&str] = &["default", "route", "key"];
/// The values of [`Label::Outcome`].
pub const OUTCOMES: &[&str] = &["allowed", "denied", "shadow_denied"];
/// Stands for the authenticator of a request that none was asked about.
pub const NO_AUTHENTICATOR: &str = "none";
/// What all names begin with.
pub const PREFIX: &str = "gatepost.";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{audit::Outcome, host::OwnStore, test::test};

    test!(names_are_told_apart_and_prometheus_takes_them, {
        let names: std::collections::HashSet<&str> = Metric::ALL.iter().map(|metric| metric.name()).collect();
        assert_eq!(names.len(), Metric::ALL.len());
        assert!(names.iter().all(|name| name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')));
        assert_eq!(Metric::Requests.full_name(&["users", "allowed"]), "gatepost.requests.users.allowed");
        assert_eq!(Outcome::ALL.map(Outcome::name), *OUTCOMES);
    });

    test!(a_configuration_is_new_to_the_first_worker_and_whenever_it_changes, {
        let mut store = OwnStore::default();
        let mut is_new =
            |plugin: &[&str], configuration: &[u8]| is_new_configuration(plugin, configuration, &mut store);
        assert!(is_new(&["a", "b"], b"1") && !is_new(&["a", "b"], b"1"));
        assert!(is_new(&["a", "b"], b"2") && is_new(&["a", "b"], b"1"));
        assert!(is_new(&["ab", ""], b"1") && !is_new(&["a", "b"], b"1"));
        assert!(is_new_configuration(&[], b"1", &mut crate::host::NoHost));
    });

    test!(whoever_loses_the_race_does_not_count, {
        /// Another worker is always faster.
        struct Raced(OwnStore);
        impl Store for Raced {
            fn get(&mut self, slot: &str) -> Result<Option<(Vec<u8>, u32)>, Unavailable> {
                self.0.get(slot)
            }
            fn set(&mut self, _: &str, _: &[u8], _: u32) -> Result<bool, Unavailable> {
                Ok(false)
            }
        }
        assert!(!is_new_configuration(&["a"], b"1", &mut Raced(OwnStore::default())));
    });
}
