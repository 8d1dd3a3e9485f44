//! The module's identity tokens, verified by the programs of `docs/identity-token.md`, which share no code with gatepost.
//!
//! `make test` fetches the libraries for Node and Python. Go and Java are left out, aloud, where they are not installed.

use std::{
    env, fs,
    io::{Seek as _, Write as _},
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Command,
    time::{SystemTime, UNIX_EPOCH},
};

use serde_json::{Value, json};
use tempfile::TempDir;
use wasm_test_harness::{
    host::{Clock, Headers, Host, Outcome, Plugin, Request, VmOptions},
    mint::{self, PrivateKey, TokenSpec},
    module_path,
};

#[test]
fn node_takes_the_tokens_of_its_service_and_no_others() {
    for (algorithm, key) in KEY_PAIRS {
        let program = Program::new("js", "identity-token.mjs", &["driver.mjs"]);
        symlink(libraries().join("node_modules"), program.path("node_modules")).unwrap();
        program.judge(algorithm, key, program.command("node", &["driver.mjs"]));
    }
    let program = Program::new("js", "identity-token.mjs", &["secret.mjs"]);
    symlink(libraries().join("node_modules"), program.path("node_modules")).unwrap();
    program.judge("HS256", "hs1", program.command("node", &["secret.mjs", &mint::secret("hs1").unwrap()]));
}

#[test]
fn python_takes_the_tokens_of_its_service_and_no_others() {
    for (algorithm, key) in KEY_PAIRS {
        let program = Program::new("python", "identity_token.py", &["driver.py"]);
        program.judge(algorithm, key, python(&program, &["driver.py"]));
    }
    let program = Program::new("python", "identity_token.py", &["secret.py"]);
    program.judge("HS256", "hs1", python(&program, &["secret.py", &mint::secret("hs1").unwrap()]));
}

#[test]
fn go_takes_the_tokens_of_its_service_and_no_others() {
    if !is_there("go", "version") {
        return;
    }
    for (algorithm, key) in KEY_PAIRS {
        let program = Program::new("go", "identitytoken.go", &["driver.go"]);
        fs::write(program.path("go.mod"), "module driver\n\ngo 1.20\n").unwrap();
        let mut go = program.command("go", &["run", "."]);
        // The machine's own toolchain, and nothing from elsewhere.
        go.env("GOTOOLCHAIN", "local").env("GOPROXY", "off").env("GOFLAGS", "").env("GOWORK", "off");
        program.judge(algorithm, key, go);
    }
}

#[test]
fn java_takes_the_tokens_of_its_service_and_no_others() {
    if !is_there("javac", "-version") {
        return;
    }
    for (algorithm, key) in KEY_PAIRS {
        let program = Program::new("java", "IdentityToken.java", &["Driver.java"]);
        let compiled =
            program.command("javac", &["-encoding", "UTF-8", "IdentityToken.java", "Driver.java"]).output().unwrap();
        assert!(compiled.status.success(), "{}", String::from_utf8_lossy(&compiled.stderr));
        let jwks = jwks(&configuration(algorithm, key));
        let member = |name: &str| jwks["keys"][0][name].as_str().unwrap_or_default().to_owned();
        let arguments = [algorithm.to_owned(), member("kid"), member("x"), member("y")];
        let mut java = program.command("java", &["-cp", ".", "Driver"]);
        java.args(arguments);
        program.judge(algorithm, key, java);
    }
}

/// A program of the page, and what runs it, in a folder of their own.
struct Program {
    folder: TempDir,
}

impl Program {
    fn new(language: &str, file: &str, drivers: &[&str]) -> Self {
        let program = Self { folder: TempDir::new().unwrap() };
        fs::write(program.path(file), snippet(language, file)).unwrap();
        for driver in drivers {
            fs::copy(root().join("tests/identity_token").join(driver), program.path(driver)).unwrap();
        }
        program
    }

    fn path(&self, file: &str) -> PathBuf {
        self.folder.path().join(file)
    }

    fn command(&self, name: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(name);
        command.args(arguments).current_dir(self.folder.path());
        command
    }

    /// Has the program verify the module's tokens, and everything that is none.
    fn judge(&self, algorithm: &str, key: &str, mut command: Command) {
        let configuration = configuration(algorithm, key);
        if algorithm != "HS256" {
            fs::write(self.path("jwks.json"), jwks(&configuration).to_string()).unwrap();
        }
        let cases = cases(&configuration, algorithm, key);
        // A file, not a pipe: a program that dies at its start shall be heard.
        let mut input = tempfile::tempfile().unwrap();
        for Case { audience, token, .. } in &cases {
            writeln!(input, "{audience} {token}").unwrap();
        }
        input.rewind().unwrap();
        let output = command.stdin(input).output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
        let verdicts = String::from_utf8(output.stdout).unwrap();
        assert_eq!(verdicts.lines().count(), cases.len(), "{command:?}");
        let wrong: Vec<_> =
            cases.iter().zip(verdicts.lines()).filter(|(case, verdict)| case.expected != *verdict).collect();
        let wrong: Vec<_> = wrong.iter().map(|(case, verdict)| format!("{}: {verdict}", case.name)).collect();
        assert!(wrong.is_empty(), "{algorithm}, {command:?}:\n{}", wrong.join("\n"));
    }
}

struct Case {
    name: &'static str,
    audience: &'static str,
    token: String,
    expected: &'static str,
}

fn cases(configuration: &Value, algorithm: &str, key: &str) -> Vec<Case> {
    let good = module_token(configuration, now());
    let expired = module_token(configuration, now() - 3600);
    let kid = PrivateKey::named(key).unwrap().thumbprint();
    let minted = |patch: Value| {
        let mut spec = json!({
            "key": key,
            "header": {"alg": algorithm, "typ": "gatepost+jwt", "kid": kid},
            "claims": {"iss": "gatepost", "sub": "minted", "aud": "orders", "auth": "users", "iat": "@now", "exp": "@now+10m"},
        });
        merge(&mut spec, &patch);
        spec["claims"].as_object_mut().unwrap().retain(|_, claim| !claim.is_null());
        mint::mint(&serde_json::from_value::<TokenSpec>(spec).unwrap(), now()).unwrap()
    };
    let [header, payload, signature] = good.split('.').collect::<Vec<_>>().try_into().unwrap();
    let other_key = match algorithm {
        "ES256" => "es1",
        "EdDSA" => "ed1",
        _ => "hs2",
    };
    let with_other = minted(json!({"claims": {"sub": "admin"}}));
    let other_payload = with_other.split('.').nth(1).unwrap();
    let refused = |name, token| Case { name, audience: "orders", token, expected: "refused" };
    vec![
        Case { name: "the module's own", audience: "orders", token: good.clone(), expected: "ok Zoë \"1\"" },
        // What is refused below is refused for what it says, not for who made it.
        Case { name: "the mint's", audience: "orders", token: minted(json!({})), expected: "ok minted" },
        Case { name: "another service's", audience: "billing", token: good.clone(), expected: "refused" },
        Case { name: "a part of the audience", audience: "order", token: good.clone(), expected: "refused" },
        refused("an expired one of the module's", expired),
        refused("an expired one", minted(json!({"claims": {"exp": "@now-5s"}}))),
        refused("one without exp", minted(json!({"claims": {"exp": null}}))),
        refused("typ JWT", minted(json!({"header": {"typ": "JWT"}}))),
        refused("typ at+jwt", minted(json!({"header": {"typ": "at+jwt"}}))),
        refused("no typ", minted(json!({"header": {"typ": null}}))),
        refused("another issuer", minted(json!({"claims": {"iss": "https://idp.example.com"}}))),
        refused("no issuer", minted(json!({"claims": {"iss": null}}))),
        refused("no audience", minted(json!({"claims": {"aud": null}}))),
        refused("alg none", minted(json!({"header": {"alg": "none"}, "sign_as": "none"}))),
        refused("alg none in capitals", minted(json!({"header": {"alg": "NONE"}, "sign_as": "none"}))),
        refused("alg none and a good signature", minted(json!({"header": {"alg": "none"}, "sign_as": algorithm}))),
        refused(
            "the public key as a secret",
            minted(json!({"header": {"alg": "HS256"}, "sign_as": "HS256", "secret": "public_jwk"})),
        )
        .unless(algorithm == "HS256"),
        refused("another key", minted(json!({"key": other_key}))),
        refused("an unknown key id", minted(json!({"header": {"kid": "other"}}))).unless(algorithm == "HS256"),
        refused("a flipped signature", minted(json!({"tamper": {"flip_signature_bit": 0}}))),
        refused("another payload", format!("{header}.{other_payload}.{signature}")),
        refused("no signature", format!("{header}.{payload}.")),
        refused("two parts", format!("{header}.{payload}")),
        refused("four parts", format!("{good}.{signature}")),
        refused("no token", String::new()),
        refused("no token at all", "null".to_owned()),
    ]
    .into_iter()
    .filter(|case| !case.name.is_empty())
    .collect()
}

impl Case {
    /// The case, or none where it says nothing.
    fn unless(self, condition: bool) -> Self {
        if condition { Self { name: "", ..self } } else { self }
    }
}

/// What the module in wasmtime tells the service at a time.
fn module_token(configuration: &Value, now: u64) -> String {
    let host = Host::load(&module_path()).unwrap();
    let mut vm = host.vm(VmOptions { clock: Clock::at(now), ..VmOptions::default() }).unwrap();
    let (root, accepted) = vm
        .start(Plugin {
            name: "gatepost".to_owned(),
            root_id: "gatepost".to_owned(),
            configuration: configuration.to_string().into_bytes(),
        })
        .unwrap();
    assert!(accepted, "{:?}", vm.logs());
    let claims = json!({
        "iss": "https://idp.example.com", "aud": "api", "sub": "Zoë \"1\"", "scope": "orders:read", "roles": ["a\\b", "c"],
        "exp": "@now+30m",
    });
    let credential = mint::mint(&TokenSpec { claims, ..TokenSpec::default() }, now).unwrap();
    let headers = [
        (":method", "GET"),
        (":path", "/orders"),
        (":authority", "gateway.example.com"),
        (":scheme", "http"),
        ("authorization", &format!("Bearer {credential}")),
        ("x-identity-token", "forged"),
    ];
    let headers = headers.map(|(name, value)| (name.to_owned(), value.as_bytes().to_vec()));
    let headers = Headers::new(headers.to_vec());
    let request = Request { headers, end_of_stream: true, ..Request::default() };
    let id = vm.exchange(root, request).unwrap();
    let Outcome::Forwarded(forwarded) = vm.outcome(id) else { panic!("it is not forwarded") };
    let [token] = forwarded.headers.all("x-identity-token")[..] else { panic!("not one token") };
    String::from_utf8(token.to_vec()).unwrap()
}

fn configuration(algorithm: &str, key: &str) -> Value {
    json!({
        "authenticators": {"users": {
            "type": "jwt", "issuer": "https://idp.example.com", "audiences": ["api"],
            "jwks": {"inline": mint::jwks(&["es1"]).unwrap()},
        }},
        "identity_token": {
            "header": "x-identity-token", "algorithm": algorithm, "key": mint::private_text(key).unwrap(), "ttl": "10m",
        },
        "paths": [{"method": "GET", "path": "/orders", "auth": "users", "integration": {"type": "http_proxy", "server": "orders"}}],
    })
}

/// What `gatepost jwks` prints.
fn jwks(configuration: &Value) -> Value {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("gatepost.json");
    fs::write(&file, configuration.to_string()).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_gatepost")).arg("jwks").arg(&file).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The page's program of this name.
fn snippet(language: &str, file: &str) -> String {
    let page = fs::read_to_string(root().join("docs/identity-token.md")).unwrap();
    let fence = format!("```{language}\n");
    let blocks = page.split(&fence).skip(1).map(|rest| rest.split("\n```\n").next().unwrap());
    let mut named = blocks.filter(|block| block.lines().next().is_some_and(|line| line.ends_with(file)));
    let program = named.next().unwrap_or_else(|| panic!("the page has no {file}"));
    assert_eq!(named.count(), 0, "the page has two of {file}");
    program.to_owned()
}

fn python(program: &Program, arguments: &[&str]) -> Command {
    // -S: the machine may have another version of the library, which must not be taken instead.
    let mut python = program.command("python3", &["-S"]);
    python.args(arguments).env("PYTHONPATH", libraries().join("python")).env("PYTHONIOENCODING", "utf-8");
    python
}

fn is_there(command: &str, argument: &str) -> bool {
    let there = Command::new(command).arg(argument).output().is_ok_and(|output| output.status.success());
    if !there {
        eprintln!("left out: there is no `{command}` on this machine");
    }
    there
}

/// Puts the members of a patch in their places, also those that are null: to the mint they mean that there is none.
fn merge(target: &mut Value, patch: &Value) {
    match patch {
        Value::Object(patch) => patch.iter().for_each(|(name, value)| merge(&mut target[name], value)),
        _ => *target = patch.clone(),
    }
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Where `wasm-test-harness/setup/crosscheck.sh` put the libraries.
fn libraries() -> PathBuf {
    let folder = env::var_os("GATEPOST_CROSSCHECK");
    folder.expect("GATEPOST_CROSSCHECK is not set; run the tests by `make test`, which sets it").into()
}

const KEY_PAIRS: [(&str, &str); 2] = [("ES256", "es2"), ("EdDSA", "ed2")];
