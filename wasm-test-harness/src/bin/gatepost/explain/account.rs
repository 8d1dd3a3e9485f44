//! What the engine does not tell of a decision because nobody but a person asks: why not another route, where credentials
//! were found, and which checks they passed.

use gatepost::auth::{Authenticator, Method};
use gatepost::credential::Source;
use gatepost::deny::Reason;
use gatepost::engine::{Head, Step};
use gatepost::jose::TokenError::{self, *};
use gatepost::request::Request;
use gatepost::route::path::NormalPath;
use gatepost::route::template::Part;
use serde_json::{Value, json};

use super::steps::Finding;
use crate::access::alternatives;
use crate::probe::{Decider, Probe};
use crate::view::{RouteView, View};

/// What can be said besides the steps.
pub struct Account {
    findings: Vec<Finding>,
    not_chosen: Vec<Value>,
    credentials: Vec<Value>,
    checks: Vec<Value>,
}

impl Account {
    /// Looks at the request and the steps of its decision.
    pub fn of(view: View<'_>, head: &Head, steps: &[Step]) -> Self {
        let mut account =
            Self { findings: Vec::new(), not_chosen: Vec::new(), credentials: Vec::new(), checks: Vec::new() };
        let Ok(request) = Request::new(head) else {
            return account;
        };
        let chosen = steps.iter().find_map(|step| match step {
            Step::Route(label) => view.routes().find(|route| **label == *route.compiled.label),
            _ => None,
        });
        account.tell_routes(view, &request, chosen);
        let Some(policy) = chosen.and_then(|route| route.compiled.policy.as_ref()) else {
            return account;
        };
        for alternative in alternatives(&policy.rule) {
            for member in alternative.members.iter().filter(|member| !member.demands().is_empty()) {
                let text = format!("{}: {}", view.name(member.authenticator), member.demands().join(", "));
                account.findings.push(Finding { step: "needs", text });
            }
        }
        for authenticator in policy.readers.iter().filter_map(|id| view.gateway.authenticators.get(id.0)) {
            account.tell_credential(authenticator, &request);
        }
        for step in steps {
            if let Step::Authenticator { name, refused } = step
                && let Some(authenticator) = view.gateway.authenticators.iter().find(|one| *one.name == **name)
            {
                account.tell_checks(authenticator, *refused);
            }
        }
        account
    }

    /// The findings of the engine with these among them.
    pub fn merge(&mut self, mut findings: Vec<Finding>) -> Vec<Finding> {
        // What leads to the authenticators' verdicts goes before them, and what they looked at after.
        let is_verdict = |finding: &Finding| finding.step == "authenticator";
        let (after, before): (Vec<_>, Vec<_>) = self.findings.drain(..).partition(|finding| finding.step == "checks");
        let last = findings.iter().rposition(is_verdict).map_or(findings.len(), |index| index + 1);
        findings.splice(last..last, after);
        let first = findings.iter().position(is_verdict).unwrap_or(findings.len());
        findings.splice(first..first, before);
        findings
    }

    /// The members of the JSON report.
    pub fn to_json(&self) -> [(&'static str, Value); 3] {
        [
            ("not_chosen", json!(self.not_chosen)),
            ("credentials", json!(self.credentials)),
            ("checks", json!(self.checks)),
        ]
    }

    fn tell_routes(&mut self, view: View<'_>, request: &Request<'_>, chosen: Option<RouteView<'_>>) {
        let Ok(path) = NormalPath::new(request.path, view.gateway.path_policy) else {
            return;
        };
        let host = request.host();
        let probe = Probe {
            host: host.to_string(),
            path: String::from_utf8_lossy(request.path).into_owned(),
            method: request.method.to_owned(),
        };
        let serves_others = probe.decider(view.gateway) == Decider::NotServed;
        for route in view.routes().filter(|route| chosen.is_none_or(|chosen| chosen.index != route.index)) {
            let has_path = matches(route, &path);
            let because = if !has_path {
                "another path".to_owned()
            } else if !is_for_host(route, &host) {
                format!("it is for {}", route.hosts().join(", "))
            } else if serves_others || !serves(route, request.method) {
                format!("it serves {}", route.methods().join(" "))
            } else {
                "another one is more specific".to_owned()
            };
            if has_path {
                let text = format!("{} {}: {because}", route.place(), route.title());
                self.findings.push(Finding { step: "not chosen", text });
            }
            self.not_chosen.push(json!({"route": route.compiled.label.to_string(), "because": because}));
        }
    }

    fn tell_credential(&mut self, authenticator: &Authenticator, request: &Request<'_>) {
        let name = &authenticator.name;
        let carriers: Vec<String> = authenticator.carriers(request).into_iter().map(source_text).collect();
        let text = match (&authenticator.method, carriers.as_slice()) {
            (Method::Mtls(_), _) => "of the connection, which is not explained here".to_owned(),
            (_, []) => {
                let sources: Vec<_> = authenticator.sources.iter().map(source_text).collect();
                format!("none in {}", sources.join(", "))
            }
            (_, found) => format!("in {}", found.join(", ")),
        };
        self.credentials.push(json!({"authenticator": **name, "found": carriers}));
        self.findings.push(Finding { step: "credential", text: format!("{name}: {text}") });
    }

    fn tell_checks(&mut self, authenticator: &Authenticator, refused: Option<Reason>) {
        let refused = match refused {
            None => None,
            Some(Reason::Token(error)) => Some(error),
            // No check of a token's was what refused it.
            Some(_) => return,
        };
        let checks: Vec<&Check> = CHECKS.iter().filter(|check| (check.applies)(&authenticator.method)).collect();
        let failed = refused.and_then(|error| checks.iter().position(|check| check.errors.contains(&error)));
        if checks.is_empty() || (refused.is_some() && failed.is_none()) {
            return;
        }
        let end = failed.unwrap_or(checks.len());
        for (index, check) in checks.iter().enumerate() {
            let result = match index.cmp(&end) {
                std::cmp::Ordering::Less => "passed",
                std::cmp::Ordering::Equal => "failed",
                std::cmp::Ordering::Greater => "not_reached",
            };
            self.checks.push(json!({"authenticator": *authenticator.name, "check": check.name, "result": result}));
        }
        let names = |checks: &[&Check]| checks.iter().map(|check| check.name).collect::<Vec<_>>().join(", ");
        let lists = [
            ("passed", checks.get(..end).unwrap_or_default()),
            ("failed", checks.get(end..).unwrap_or_default().get(..1).unwrap_or_default()),
            ("not reached", checks.get(end..).unwrap_or_default().get(1..).unwrap_or_default()),
        ];
        for (result, checks) in lists.iter().filter(|(_, checks)| !checks.is_empty()) {
            let text = format!("{}: {result}: {}", authenticator.name, names(checks));
            self.findings.push(Finding { step: "checks", text });
        }
    }
}

/// What is looked at, in this order, and how it fails.
struct Check {
    name: &'static str,
    errors: &'static [TokenError],
    applies: fn(&Method) -> bool,
}

const CHECKS: [Check; 13] = [
    Check { name: "form", errors: &[Malformed, CriticalHeader], applies: is_jwt },
    Check { name: "algorithm", errors: &[AlgorithmNotAllowed], applies: is_jwt },
    Check { name: "key", errors: &[UnknownKey], applies: is_jwt },
    Check { name: "signature", errors: &[BadSignature], applies: is_jwt },
    Check { name: "active", errors: &[Inactive], applies: |method| matches!(method, Method::Introspection(_)) },
    Check { name: "times", errors: &[MalformedClaim, Expired, NotYetValid, IssuedInTheFuture], applies: has_claims },
    Check { name: "issuer", errors: &[WrongIssuer], applies: has_claims },
    Check { name: "audience", errors: &[WrongAudience], applies: has_claims },
    Check { name: "type", errors: &[WrongType], applies: is_jwt },
    Check { name: "required claims", errors: &[MissingRequiredClaim], applies: has_claims },
    Check { name: "values of claims", errors: &[ClaimMismatch, LifetimeTooLong], applies: has_claims },
    Check {
        name: "binding",
        errors: &[
            UnsupportedConfirmation,
            NotBoundToProof,
            BoundTokenAsBearer,
            NoBoundCertificate,
            UnknownCertificate,
            WrongCertificate,
        ],
        applies: has_claims,
    },
    Check {
        name: "revocation",
        errors: &[NotRevocable, Revoked],
        applies: |method| matches!(method, Method::Jwt(jwt) if jwt.revocation.is_some()),
    },
];

fn is_jwt(method: &Method) -> bool {
    matches!(method, Method::Jwt(_))
}

fn has_claims(method: &Method) -> bool {
    matches!(method, Method::Jwt(_) | Method::Introspection(_))
}

fn source_text(source: &Source) -> String {
    match source {
        Source::Header { name, scheme: Some(scheme) } => format!("header `{name}` ({scheme})"),
        Source::Header { name, scheme: None } => format!("header `{name}`"),
        Source::Cookie { name } => format!("cookie `{name}`"),
        Source::Query { name } => format!("query parameter `{name}`"),
    }
}

fn matches(route: RouteView<'_>, path: &NormalPath) -> bool {
    let template = &route.compiled.template;
    let ignores_case = route.written["case_insensitive"] == true;
    let is_long_enough =
        if template.open { path.len() >= template.parts.len() } else { path.len() == template.parts.len() };
    is_long_enough
        && template.parts.iter().zip(path.segments()).all(|(part, segment)| match part {
            Part::Literal(text) => text == segment || (ignores_case && text.eq_ignore_ascii_case(segment)),
            Part::Parameter(_) => !segment.is_empty(),
        })
}

fn is_for_host(route: RouteView<'_>, host: &str) -> bool {
    let hosts = route.hosts();
    hosts.is_empty()
        || hosts.iter().any(|pattern| {
            let pattern = pattern.to_ascii_lowercase();
            pattern == host || pattern.strip_prefix('*').is_some_and(|suffix| host.ends_with(suffix))
        })
}

fn serves(route: RouteView<'_>, method: &str) -> bool {
    let methods = route.methods();
    methods == ["ANY"] || methods.contains(&method) || (method == "HEAD" && methods.contains(&"GET"))
}
