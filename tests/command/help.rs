//! What all subcommands have in common: help, exit codes, what goes where.

use std::fmt::Write as _;
use std::process::Command;

use serde_json::json;
use wasm_test_harness::generated;

use crate::support::{authorizer, code, command, folder, gatepost, root, stderr, stdout, write};

#[test]
fn help_teaches_by_example() {
    for subcommand in subcommands() {
        let help = help(&subcommand);
        assert!(help.contains("Example") && help.contains("Exit code"), "{subcommand:?}");
    }
    assert!(stdout(&gatepost(&["token", "--help"])).contains("For tests only"));
}

#[test]
fn every_example_of_the_help_runs() {
    let folder = folder();
    // What the examples name.
    std::os::unix::fs::symlink(root().join("tests"), folder.path().join("tests")).unwrap();
    std::fs::copy(root().join("envoy.yaml"), folder.path().join("envoy.yaml")).unwrap();
    let gateway = |mode: &str| {
        let paths = json!([{"method": "GET", "path": "/a", "auth": false}, {"method": "GET", "path": "/b", "auth": true, "mode": mode}]);
        json!({"authorizer": authorizer(), "paths": paths}).to_string()
    };
    write(&folder, "gateway.json", &gateway("shadow"));
    write(&folder, "gateway.new.json", &gateway("enforce"));
    let binary = std::path::Path::new(env!("CARGO_BIN_EXE_gatepost")).parent().unwrap();
    let path = format!("{}:{}", binary.display(), std::env::var("PATH").unwrap());
    let mut count = 0;
    for subcommand in subcommands().into_iter().chain([vec![]]) {
        for example in examples(&help(&subcommand)) {
            let mut shell = Command::new("bash");
            shell.args(["-euo", "pipefail", "-c", &example]).current_dir(folder.path()).env("PATH", &path);
            let output = shell.output().unwrap();
            assert!(output.status.success(), "{example}: {}{}", stdout(&output), stderr(&output));
            assert!(!stdout(&output).is_empty() || example.contains(" > "), "{example}");
            count += 1;
        }
    }
    assert!(count > 10, "only {count} examples");
}

#[test]
fn the_page_about_the_command_is_what_its_help_says() {
    let mut page = String::from(INTRODUCTION);
    let mut section = |name: &str, help: &str| {
        writeln!(page, "## `{name}`\n\n```text\n{}\n```\n", help.trim_end()).unwrap();
    };
    section("gatepost", &help(&[]));
    for subcommand in subcommands() {
        section(&format!("gatepost {}", subcommand.join(" ")), &help(&subcommand));
    }
    page.push_str(SHAPES);
    generated::keep(None, &[("docs/command.md".to_owned(), page)]);
}

#[test]
fn wrong_usage_is_exit_code_2() {
    for arguments in [
        &["explain", "envoy.yaml"][..],
        &["explain", "envoy.yaml", "--path", "/", "--header", "no colon"],
        &["explain", "envoy.yaml", "--path", "/", "--header", ":path: /other"],
        &["explain", "no-such-file", "--path", "/"],
        &["check"],
        &["contract", "no-such-file"],
        &["contract", "envoy.yaml", "--exit-code"],
        &["bench", "no-such-file", "--path", "/"],
        &["completions", "no-such-shell"],
        &["token"],
        &["token", "--key", "no-such-key"],
        &["token", "--key", "es1", "--alg", "none"],
        &["token", "--key", "es1", "--alg", "RS256"],
        &["token", "--key", "es1", "--exp", "soon"],
        &["token", "--key", "es1", "--claim", "role=admin"],
        &["no-such-command"],
    ] {
        let output = gatepost(arguments);
        assert_eq!(code(&output), 2, "{arguments:?}");
        assert!(stdout(&output).is_empty() && !stderr(&output).is_empty(), "{arguments:?}");
    }
}

#[test]
fn a_configuration_that_is_not_valid_is_no_answer() {
    let folder = folder();
    let file = write(&folder, "broken.json", r#"{"paths": [{"method": "GET", "path": "/"}]}"#);
    for arguments in [&["explain", &file, "--path", "/"][..], &["bench", &file, "--path", "/"], &["contract", &file]] {
        let output = gatepost(arguments);
        assert_eq!((code(&output), stdout(&output).as_str()), (2, ""), "{arguments:?}");
        assert!(stderr(&output).contains(&format!("{file}: paths[0].auth: required")), "{}", stderr(&output));
    }
}

#[test]
fn what_is_piped_has_no_colours() {
    let folder = folder();
    let paths = json!([{"method": "GET", "path": "/b", "auth": true, "mode": "shadow"}]);
    let file = write(&folder, "gateway.json", &json!({"authorizer": authorizer(), "paths": paths}).to_string());
    for arguments in [
        &["--help"][..],
        &["check", "--help"],
        &["check", &file],
        &["check", "no-such-file"],
        &["explain", "envoy.yaml", "--path", "/health"],
        &["contract", "envoy.yaml", "--diff", &file],
        &["no-such-command"],
    ] {
        let output = command().args(arguments).env("TERM", "xterm-256color").output().unwrap();
        assert!(!stdout(&output).contains('\x1b') && !stderr(&output).contains('\x1b'), "{arguments:?}");
    }
    // A terminal would have them.
    let output = command().args(["check", &file]).env("CLICOLOR_FORCE", "1").output().unwrap();
    assert!(stdout(&output).contains('\x1b'));
    let output = command().args(["check", &file]).env("CLICOLOR_FORCE", "1").env("NO_COLOR", "1").output().unwrap();
    assert!(!stdout(&output).contains('\x1b'));
}

#[test]
fn decisions_are_counted_and_said_to_be_native() {
    let output = gatepost(&["bench", "envoy.yaml", "--path", "/proxy/a", "--duration", "20ms"]);
    let text = stdout(&output);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert!(text.contains(" 0 forwarded and ") && text.contains("natively") && text.contains("make bench"), "{text}");
}

#[test]
fn shells_get_every_subcommand() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = stdout(&gatepost(&["completions", shell]));
        for subcommand in subcommands() {
            assert!(script.contains(&subcommand[0]), "{shell}: {subcommand:?}");
        }
    }
}

/// Every subcommand, those below others after them.
fn subcommands() -> Vec<Vec<String>> {
    let listed = |parent: &[String]| -> Vec<Vec<String>> {
        let help = help(parent);
        let lines = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
        let names = lines.filter(|line| line.starts_with("  ") && !line.starts_with("   "));
        let names = names.filter_map(|line| line.split_whitespace().next()).filter(|name| *name != "help");
        names.map(|name| [parent, &[name.to_owned()]].concat()).collect()
    };
    listed(&[]).into_iter().flat_map(|subcommand| [vec![subcommand.clone()], listed(&subcommand)].concat()).collect()
}

fn help(subcommand: &[String]) -> String {
    let output = command().args(subcommand).arg("--help").output().unwrap();
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    stdout(&output)
}

/// What stands behind a `$`, with the lines that it goes on in.
fn examples(help: &str) -> Vec<String> {
    let mut lines = help.lines();
    let mut examples = Vec::new();
    while let Some(line) = lines.next() {
        let Some(example) = line.trim_start().strip_prefix("$ ") else {
            continue;
        };
        let mut example = example.to_owned();
        while example.ends_with('\\') {
            example.push('\n');
            example.push_str(lines.next().unwrap());
        }
        examples.push(example);
    }
    examples
}

const INTRODUCTION: &str = "\
# The command

`gatepost` is the filter's native companion: it loads configurations as the module does, with the module's own code, and says what
would happen before it happens. It reads a plugin configuration (JSON, or the same as YAML), an Envoy bootstrap or listener, and
an Istio `WasmPlugin`; where a file has several filters, findings name the listener and the filter.

```sh
cargo run -p wasm-test-harness --bin gatepost -- --help
```

| exit code | |
|---|---|
| 0 | success |
| 1 | a finding: an error in a configuration (`check`), a warning with `--deny-warnings`, a request that is refused or waits (`explain`), a difference with `--exit-code` (`contract --diff`), a demo that fails (`run`) |
| 2 | no answer: wrong usage, a file that cannot be read, and, but for `check`, a configuration that is not valid. A test that expects a refusal does not pass because the configuration is broken |

";

const SHAPES: &str = "\
## What `--json` prints

One object on standard output. Members may be added; what is here keeps its name and its meaning.

`check`: `configurations`, a list of `{source, valid, routes, authenticators, errors, warnings}` (`routes` and `authenticators` are
counts, and only there where it is valid); `errors` of `{place, message}`; `warnings` of `{code, place, message, meaning, remedy}`,
whose codes are those of [warnings](warnings.md). `errors` and `warnings` at the top are counts.

`explain`: `request`; `steps`, a list of `{step, finding}` in the order of the text; `route` and `authenticator`, or null; `reason`,
the label of a [denial](denials.md), with `reason_meaning`, `reason_remedy` and `reason_documentation`, or null; `shadow`;
`not_chosen` of `{route, because}`; `credentials` of `{authenticator, found}`; `checks` of `{authenticator, check, result}` with the
result `passed`, `failed` or `not_reached`; and `verdict`: `forward`, with `forwarded` (`request`, `authority`, `headers`, `added`,
`removed` of `{name, value}`, and `query` with the parameters `added` and `removed`), `deny`, with `answer` (`status`, `headers`,
`body`, for gRPC `grpc`), or `wait`, with `calls`, what providers would be asked.

`contract`: `routes` of `{methods, path, hosts, cluster, open, shadow, callers, headers, query, identity_token_audience,
rate_limits}`, where `callers` are `{authenticators, holds}` and headers and parameters `{name, holds, presence, form, origin}` with
the origin `configured`, `verified` or `caller`; `unmatched`; `authenticators`; `removed_headers`; `removed_query`;
`identity_token`, or null. With `--diff`: `changes` of `{subject, change, effect}` with the effect `loosened`, `changed` or
`tightened`, and `loosened`, their count.
";
