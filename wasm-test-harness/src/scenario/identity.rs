//! The universal promise: nothing that a configuration calls identity reaches the service unless gatepost put it there.

use serde_json::Value;

/// The header names that a configuration reserves for identity, folded as the contract folds them (section 4).
#[derive(Debug, Default)]
pub(super) struct IdentitySet {
    exact: Vec<String>,
    prefixes: Vec<String>,
    clusters: Vec<String>,
}

impl IdentitySet {
    /// Reads the set from the configuration's text by a way of its own, so that a mistake of the filter's is not made
    /// twice.
    pub(super) fn of(configuration: &str) -> Self {
        let configuration: Value = serde_json::from_str(configuration).unwrap_or_default();
        let mut set = Self { prefixes: vec!["x-gatepost-".to_owned()], ..Self::default() };
        let texts = |value: &Value| -> Vec<String> {
            value.as_array().into_iter().flatten().filter_map(Value::as_str).map(fold).collect()
        };
        for name in texts(&configuration["identity_headers"]) {
            // The trailing `*` of a prefix was folded like any other sign.
            let original = configuration["identity_headers"].as_array().into_iter().flatten().filter_map(Value::as_str);
            match original.filter(|original| fold(original) == name).any(|original| original.ends_with('*')) {
                true => set.prefixes.push(name[..name.len() - 1].to_owned()),
                false => set.exact.push(name),
            }
        }
        set.exact.extend(configuration["identity_token"]["header"].as_str().map(fold));
        for path in configuration["paths"].as_array().into_iter().flatten() {
            let mapped = path["mapping"]["headers"].as_object().into_iter().flatten();
            set.exact.extend(mapped.map(|(name, _)| fold(name)).filter(|name| !is_replaced_only(name)));
            set.clusters.extend(path["integration"]["server"].as_str().map(str::to_owned));
        }
        for server in configuration["servers"].as_array().into_iter().flatten() {
            set.clusters.extend(server["cluster"].as_str().map(str::to_owned));
        }
        set
    }

    /// Whether a field is identity, and so must have been expected.
    pub(super) fn holds(&self, name: &str, value: &[u8]) -> bool {
        let name = fold(name);
        // The filter's own choice of a cluster; a scenario that cares expects it by name.
        if name == "x-gatepost-cluster" && self.clusters.iter().any(|cluster| cluster.as_bytes() == value) {
            return false;
        }
        self.exact.contains(&name) || self.prefixes.iter().any(|prefix| name.starts_with(prefix.as_str()))
    }
}

/// Each character but letters and digits folded to `-`.
fn fold(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' }).collect()
}

/// Mapped, but replaced on their own route alone and stripped nowhere else.
fn is_replaced_only(folded: &str) -> bool {
    matches!(folded, "authorization" | "cookie") || folded.starts_with("content-") || folded.starts_with("x-forwarded-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_of_an_identity_header_is_in_the_set() {
        let set = IdentitySet::of(
            r#"{"identity_headers": ["x-user-*", "x-only"], "servers": [{"cluster": "orders"}],
                "paths": [{"mapping": {"headers": {"X-Tenant_Id": "a", "cookie": "b"}}}]}"#,
        );
        for name in ["x_user_id", "X-User.Name", "x-only", "x-tenant-id", "x.tenant_id", "x-gatepost-cluster"] {
            assert!(set.holds(name, b"forged"), "{name}");
        }
        for name in ["x-onlyx", "x-use", "cookie"] {
            assert!(!set.holds(name, b"forged"), "{name}");
        }
        assert!(!set.holds("x-gatepost-cluster", b"orders"));
    }
}
