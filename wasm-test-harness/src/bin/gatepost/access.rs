//! Who may call a route: its rule, however it nests, as a plain list of alternatives.

use gatepost::auth::AuthenticatorId;
use gatepost::auth::policy::{Combination, Requirements, Rule};
use gatepost::jose::claims::{Accepted, ClaimPath, ClaimStep};

/// What verifies a caller; every member has to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alternative {
    /// The first one speaks: its identity is the caller's.
    pub members: Vec<Member>,
}

/// An authenticator, and what the identity that it verifies has to hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    pub authenticator: AuthenticatorId,
    /// Those of the rule itself and of the rules around it: all of them hold.
    pub requirements: Vec<Requirements>,
}

/// The alternatives of a rule, in the order in which they are tried.
pub fn alternatives(rule: &Rule) -> Vec<Alternative> {
    let mut alternatives = match &rule.combination {
        Combination::Use(authenticator) => {
            let member = Member { authenticator: *authenticator, requirements: Vec::new() };
            vec![Alternative { members: vec![member] }]
        }
        Combination::Any(rules) => rules.iter().flat_map(alternatives).collect(),
        Combination::All(rules) => rules.iter().map(alternatives).fold(vec![], combine),
    };
    for alternative in &mut alternatives {
        if let Some(speaker) = alternative.members.first_mut().filter(|_| rule.requirements != Requirements::default())
        {
            speaker.requirements.push(rule.requirements.clone());
        }
    }
    alternatives
}

/// Each of the first with each of the second.
fn combine(first: Vec<Alternative>, second: Vec<Alternative>) -> Vec<Alternative> {
    if first.is_empty() {
        return second;
    }
    let with = |one: &Alternative, other: &Alternative| Alternative {
        members: one.members.iter().chain(&other.members).cloned().collect(),
    };
    first.iter().flat_map(|one| second.iter().map(move |other| with(one, other))).collect()
}

impl Member {
    /// Groups of roles: one of each group is needed.
    pub fn roles(&self) -> impl Iterator<Item = &[String]> {
        self.requirements.iter().map(|requirements| requirements.roles.as_slice()).filter(|roles| !roles.is_empty())
    }

    /// Scopes, all of which are needed, each once.
    pub fn scopes(&self) -> Vec<&str> {
        let mut scopes: Vec<&str> = Vec::new();
        for scope in self.requirements.iter().flat_map(|requirements| &requirements.scopes) {
            if !scopes.contains(&scope.as_str()) {
                scopes.push(scope);
            }
        }
        scopes
    }

    /// Groups of audiences besides the authenticator's own: one of each group is needed.
    pub fn audiences(&self) -> impl Iterator<Item = &[String]> {
        self.requirements.iter().filter_map(|requirements| match &requirements.audiences {
            Some(Accepted::These(audiences)) => Some(audiences.as_slice()),
            Some(Accepted::Any) | None => None,
        })
    }

    /// Claims with the values of which each needs one.
    pub fn claims(&self) -> impl Iterator<Item = (String, Vec<String>)> {
        let tests = self.requirements.iter().flat_map(|requirements| &requirements.claims);
        tests.map(|test| (claim_text(&test.claim), test.values.iter().map(ToString::to_string).collect()))
    }

    /// What is asked of the identity, in words, each apart.
    pub fn demands(&self) -> Vec<String> {
        let any_of = |items: &[String]| items.iter().map(|item| format!("`{item}`")).collect::<Vec<_>>().join(" or ");
        let roles = self.roles().map(|roles| format!("role {}", any_of(roles)));
        let scopes = self.scopes().into_iter().map(|scope| format!("scope `{scope}`"));
        let audiences = self.audiences().map(|audiences| format!("audience {}", any_of(audiences)));
        let claims = self.claims().map(|(claim, values)| format!("claim `{claim}` = {}", any_of(&values)));
        roles.chain(scopes).chain(audiences).chain(claims).collect()
    }
}

/// A claim's path as a configuration writes it.
pub fn claim_text(path: &ClaimPath) -> String {
    let mut text = String::new();
    for step in &path.0 {
        match step {
            ClaimStep::Dotted(name) if text.is_empty() => text.push_str(name),
            ClaimStep::Dotted(name) => {
                text.push('.');
                text.push_str(name);
            }
            ClaimStep::Exact(name) => {
                text.push_str("['");
                text.push_str(name);
                text.push_str("']");
            }
        }
    }
    text
}
