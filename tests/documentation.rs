//! What the documentation shows is what the filter and Envoy take.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde::Deserialize;
use serde_json::{Value, json};
use tempfile::TempDir;
use wasm_test_harness::{
    envoy,
    mint::{self, TokenSpec},
    module_path,
};

#[test]
fn the_configurations_of_the_readme_are_good() {
    check("README.md", "json", 4);
}

#[test]
fn the_configurations_for_api_keys_are_good() {
    check("docs/api-keys.md", "json", 1);
}

#[test]
fn the_configurations_of_the_concepts_the_quick_start_and_the_recipes_are_good() {
    check("docs/concepts.md", "json", 1);
    check("docs/quick-start.md", "json", 1);
    check("docs/recipes.md", "json", 14);
}

#[test]
fn every_recipe_is_a_scenario_with_a_request_that_passes_and_one_that_does_not() {
    let page = fs::read_to_string(root().join("docs/recipes.md")).unwrap();
    let scenarios = fs::read_to_string(root().join("tests/scenarios/recipes.yaml")).unwrap();
    for heading in page.lines().filter_map(|line| line.strip_prefix("## ")) {
        let named = format!("\"recipe: {heading}\"");
        let of_it: Vec<_> = scenarios.split("\n  - name: ").filter(|scenario| scenario.contains(&named)).collect();
        let has = |outcome: &str| of_it.iter().any(|scenario| scenario.contains(outcome));
        assert!(has("forward: {") && has("deny: {"), "docs/recipes.md: {heading}: no scenario runs it both ways");
    }
}

#[test]
fn the_configuration_for_rate_limits_is_good() {
    check("docs/rate-limits.md", "json", 1);
}

#[test]
fn the_bootstrap_for_rate_limits_is_good() {
    let examples = check("docs/rate-limits.md", "yaml", 1);
    assert_envoy_takes(&examples[0], &[]);
}

#[test]
fn the_configuration_for_signed_requests_is_good() {
    check("docs/webhooks.md", "json", 1);
}

#[test]
fn the_configurations_for_identity_providers_are_good() {
    check("docs/identity-providers.md", "json", 11);
}

#[test]
fn the_configuration_for_revocation_is_good() {
    check("docs/revocation.md", "json", 1);
}

#[test]
fn the_configuration_for_operators_is_good() {
    check("docs/operations.md", "json", 1);
}

#[test]
fn the_configuration_for_identity_tokens_is_good() {
    check("docs/identity-token.md", "json", 1);
}

#[test]
fn the_bootstrap_for_identity_providers_is_good() {
    let examples = check("docs/identity-providers.md", "yaml", 1);
    assert_envoy_takes(&examples[0], &[("/etc/ssl/certs/ca-certificates.crt", AUTHORITY.to_owned())]);
}

#[test]
fn the_configurations_for_client_certificates_are_good() {
    check("docs/client-certificates.md", "json", 2);
}

#[test]
fn the_configuration_for_sender_constrained_tokens_is_good() {
    check("docs/sender-constrained-tokens.md", "json", 1);
}

#[test]
fn the_bootstrap_for_client_certificates_is_good() {
    let examples = check("docs/client-certificates.md", "yaml", 1);
    let key = rcgen::KeyPair::generate().unwrap();
    let server = rcgen::CertificateParams::new(vec!["gateway.example.com".to_owned()]).unwrap();
    let files = [
        ("/etc/envoy/clients-ca.pem", AUTHORITY.to_owned()),
        ("/etc/envoy/server.pem", server.self_signed(&key).unwrap().pem()),
        ("/etc/envoy/server.key", key.serialize_pem()),
    ];
    assert_envoy_takes(&examples[0], &files);
}

#[test]
fn tokens_of_each_identity_provider_are_read_as_the_page_says() {
    let tokens = fs::read_to_string(root().join("tests/documented_tokens.yaml")).unwrap();
    let providers: Vec<Provider> = serde_saphyr::from_str(&tokens).unwrap();
    let examples = examples("docs/identity-providers.md", "json");
    let with_keys = examples.iter().filter(|(_, example)| example.contains("\"jwks\"")).count();
    assert_eq!(providers.len(), with_keys, "a configuration without tokens, or tokens without a configuration");
    for Provider { issuer, accepted, refused } in providers {
        let quoted = format!("\"{issuer}\"");
        let example = examples.iter().find(|(_, text)| text.contains("\"jwks\"") && text.contains(&quoted));
        let (_, example) = example.unwrap_or_else(|| panic!("no configuration for {issuer}"));
        let folder = TempDir::new().unwrap();
        let file = folder.path().join("example.json");
        fs::write(&file, with_own_keys(example).to_string()).unwrap();
        for (tokens, expected) in [(accepted, "forward"), (refused, "deny")] {
            for token in tokens {
                let report = token.verdict(&issuer, &file);
                assert_eq!(report["verdict"], expected, "{issuer}: {:?} {}: {report}", token.because, token.claims);
            }
        }
    }
}

/// Checks every fenced block of a language with `gatepost check`. A page that lost its examples does not pass, nor one whose
/// examples deserve a warning, but for those that the page is there to show.
fn check(page: &str, language: &str, count: usize) -> Vec<String> {
    let examples = examples(page, language);
    assert_eq!(examples.len(), count, "{page}");
    for (line, example) in &examples {
        let folder = TempDir::new().unwrap();
        let file = folder.path().join(format!("example.{language}"));
        fs::write(&file, example).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_gatepost"));
        command.args(["check", "--deny-warnings", "--at", &NOW_OF_EXAMPLES.to_string()]);
        let shown = SHOWN.iter().filter(|(shown_on, _)| *shown_on == page);
        command.args(shown.flat_map(|(_, warning)| ["--allow", warning]));
        for secret in ["PARTNER_SECRET", "INTROSPECTION_SECRET", "GITHUB_SECRET", "STRIPE_SECRET"] {
            command.args(["--env", &format!("{secret}=0123456789abcdef0123456789abcdef")]);
        }
        command.args(["--env", &format!("IDENTITY_TOKEN_KEY={}", mint::private_text("es1").unwrap())]);
        let output = command.arg(&file).output().unwrap();
        assert!(output.status.success(), "{page}:{line}: {}", String::from_utf8_lossy(&output.stdout));
    }
    examples.into_iter().map(|(_, example)| example).collect()
}

/// The fenced blocks of a language, each with the line where it begins.
fn examples(page: &str, language: &str) -> Vec<(usize, String)> {
    let text = fs::read_to_string(root().join(page)).unwrap_or_else(|error| panic!("{page}: {error}"));
    let fence = format!("```{language}");
    let mut examples = Vec::new();
    let mut lines = text.lines().enumerate();
    while let Some((index, line)) = lines.next() {
        if line == fence {
            let block: Vec<&str> = lines.by_ref().map(|(_, line)| line).take_while(|line| *line != "```").collect();
            examples.push((index + 1, block.join("\n")));
        }
    }
    examples
}

/// Checks a bootstrap with Envoy itself: these are the files that it names besides the module, and it opens no connection.
fn assert_envoy_takes(bootstrap: &str, files: &[(&str, String)]) {
    let folder = TempDir::new().unwrap();
    let mut places = vec![("/etc/envoy/gatepost.wasm", module_path())];
    for (index, (there, content)) in files.iter().enumerate() {
        let here = folder.path().join(index.to_string());
        fs::write(&here, content).unwrap();
        places.push((there, here));
    }
    let mut text = bootstrap.to_owned();
    for (there, here) in places {
        assert_eq!(text.matches(there).count(), 1, "{there}");
        text = text.replace(there, &here.to_string_lossy());
    }
    let file = folder.path().join("envoy.yaml");
    fs::write(&file, text).unwrap();
    let envoy = envoy::binary().unwrap_or_else(|error| panic!("{error}"));
    let output =
        Command::new(envoy).args(["--mode", "validate", "--log-level", "error", "-c"]).arg(&file).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// The tokens for one of the page's configurations.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Provider {
    issuer: String,
    accepted: Vec<Token>,
    refused: Vec<Token>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Token {
    path: String,
    #[serde(default = "get")]
    method: String,
    #[serde(default = "jwt")]
    typ: Option<String>,
    claims: Value,
    because: Option<String>,
}

impl Token {
    /// What `gatepost explain` says of it.
    fn verdict(&self, issuer: &str, configuration: &Path) -> Value {
        let mut claims = json!({"iss": issuer, "sub": "user-1", "exp": "@now+5m"});
        claims.as_object_mut().unwrap().extend(self.claims.as_object().unwrap().clone());
        let header = json!({"typ": self.typ});
        let spec = TokenSpec { key: "rs1".to_owned(), header, claims, ..TokenSpec::default() };
        let authorization = format!("authorization: Bearer {}", mint::mint(&spec, NOW).unwrap());
        let mut command = Command::new(env!("CARGO_BIN_EXE_gatepost"));
        command.arg("explain").arg(configuration).args(["--json", "--at", &NOW.to_string()]);
        command.args(["--method", &self.method, "--path", &self.path, "--header", &authorization]);
        serde_json::from_slice(&command.output().unwrap().stdout).unwrap()
    }
}

fn get() -> String {
    "GET".to_owned()
}

fn jwt() -> Option<String> {
    Some("JWT".to_owned())
}

/// The configuration with keys of ours in place of the provider's.
fn with_own_keys(example: &str) -> Value {
    let mut configuration: Value = serde_json::from_str(example).unwrap();
    let own = json!({"inline": mint::jwks(&["rs1"]).unwrap()});
    if let Some(authorizer) = configuration.get_mut("authorizer") {
        authorizer["jwks"] = own.clone();
    }
    let named = configuration.get_mut("authenticators").and_then(Value::as_object_mut);
    for authenticator in named.into_iter().flat_map(|named| named.values_mut()) {
        authenticator["jwks"] = own.clone();
    }
    configuration
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// What examples do on purpose, by page.
const SHOWN: [(&str, &str); 5] = [
    ("README.md", "shadow-mode@paths[2].mode"),
    ("README.md", "credential-in-query@authenticators.machines.from[1]"),
    ("docs/api-keys.md", "credential-in-query@authorizer.from[2]"),
    ("docs/webhooks.md", "inline-secret"),
    ("docs/webhooks.md", "short-secret"),
];
/// 2026-11-22T00:00:00Z: before the keys of the examples end.
const NOW_OF_EXAMPLES: u64 = 1_795_305_600;
/// 2027-01-15T08:00:00Z
const NOW: u64 = 1_800_000_000;
/// A certificate that stands for the system's authorities; nobody holds its key.
const AUTHORITY: &str = "\
-----BEGIN CERTIFICATE-----
MIIBmjCCAUGgAwIBAgIUZ0mzgRWNhnJbg1dBXk+/JIYJu/gwCgYIKoZIzj0EAwIw
IjEgMB4GA1UEAwwXYW4gYXV0aG9yaXR5IGZvciBhIHRlc3QwIBcNMjYxMTIyMTcx
MTUxWhgPMjEyNjEwMjkxNzExNTFaMCIxIDAeBgNVBAMMF2FuIGF1dGhvcml0eSBm
b3IgYSB0ZXN0MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE5ONHUSYbYMJ2MsCM
PPX4W/Kyu9RQKYXmipQGfG8Fqzr11A0mnu8Fc7trHluOlpzb0vEGSXGHWQkiwpgb
Sy5c8KNTMFEwHQYDVR0OBBYEFMDf6HXNxb4U34u8qCzv19SoTQA3MB8GA1UdIwQY
MBaAFMDf6HXNxb4U34u8qCzv19SoTQA3MA8GA1UdEwEB/wQFMAMBAf8wCgYIKoZI
zj0EAwIDRwAwRAIgZIEjm9DEE1v4+GWW/1DhL4tdU5aNXRNOxY7KG+lpow8CIFRi
MN9X3ZbrAZ23STOpFs8xxPvAMlR9W/q5tUm4+AbK
-----END CERTIFICATE-----
";
