//! Policies: which authenticators a route asks, how they combine, and what the identity has to hold.

use std::rc::Rc;

use super::{Authenticator, AuthenticatorId, Identity, Method, jwt::VerifiedToken};
use crate::{
    cache::TokenCache,
    credential::{self, Credential, Places},
    deny::Reason,
    jose::{
        TokenError,
        claims::{Accepted, ClaimTest, check_audience},
    },
    request::Request,
    time::UnixTime,
};

/// What a route asks of its callers.
#[derive(Debug)]
pub struct Policy {
    /// Who verifies.
    pub rule: Rule,
    /// Whether a request without any credential is forwarded without identity.
    pub optional: bool,
    /// Every authenticator in the rule, each once, in order.
    pub readers: Vec<AuthenticatorId>,
}

/// A tree of alternatives and conjunctions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Who verifies.
    pub combination: Combination,
    /// What the identity has to hold.
    pub requirements: Requirements,
}

/// How authenticators combine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Combination {
    /// One authenticator.
    Use(AuthenticatorId),
    /// The first, in order, that verifies and holds what is required.
    Any(Vec<Rule>),
    /// All of them; the first one's identity speaks.
    All(Vec<Rule>),
}

/// What an identity has to hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Requirements {
    /// Any one of these.
    pub roles: Vec<String>,
    /// All of these.
    pub scopes: Vec<String>,
    /// What `aud` has to hold, if the rule narrows it.
    pub audiences: Option<Accepted>,
    /// All of these tests.
    pub claims: Vec<ClaimTest>,
}

/// What a policy found.
#[derive(Debug)]
pub enum Outcome {
    /// Everyone who was verified, the caller first.
    Verified(Vec<Rc<VerifiedToken>>),
    /// No credential, and none is needed.
    Anonymous,
    /// Refused; the authenticator is the one whose refusal is reported.
    Refused(Failure),
}

/// Why a rule did not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Why.
    pub reason: Reason,
    /// Whose credential it was.
    pub authenticator: AuthenticatorId,
    /// The scopes that were asked for, where one of them is missing.
    pub scopes: Vec<String>,
    /// Whether any credential was presented.
    presented: bool,
    /// Whether the credential verified, and its identity did not hold what is required.
    verified: bool,
}

/// What a policy needs besides the request.
pub struct Verifier<'a> {
    /// The gateway's authenticators.
    pub authenticators: &'a [Authenticator],
    /// Their caches.
    pub caches: &'a mut [TokenCache],
    /// The time.
    pub now: UnixTime,
    /// Origins, besides the request's own, whose requests may carry cookies; none to leave origins unchecked.
    pub csrf_origins: Option<&'a [String]>,
    /// Told of each authenticator's verdict.
    pub observer: &'a mut dyn FnMut(AuthenticatorId, Option<Reason>),
    /// What the authenticators that were asked said.
    pub verdicts: Vec<(AuthenticatorId, Result<Rc<VerifiedToken>, Reason>)>,
}

impl Policy {
    /// A policy with this rule.
    #[must_use]
    pub fn new(rule: Rule, optional: bool) -> Self {
        let mut readers = Vec::new();
        rule.collect_readers(&mut readers);
        Self { rule, optional, readers }
    }

    /// Decides who makes a request.
    pub fn evaluate(&self, request: &Request<'_>, verifier: &mut Verifier<'_>) -> Outcome {
        match self.rule.evaluate(request, verifier) {
            Ok(verified) => Outcome::Verified(verified),
            Err(failure) if self.optional && !failure.presented => Outcome::Anonymous,
            Err(failure) => Outcome::Refused(failure),
        }
    }

    /// The places from which credentials are removed: all that an authenticator of the policy reads, but what one reads that
    /// forwards its credential, unless it is the very one that another has verified.
    #[must_use]
    pub fn places(&self, authenticators: &[Authenticator], verified: &[&Identity], request: &Request<'_>) -> Places {
        let readers = || self.readers.iter().filter_map(|id| Some((*id, authenticators.get(id.0)?)));
        let mut places = Places::default();
        for (_, reader) in readers() {
            reader.sources.iter().for_each(|source| places.insert(source));
        }
        for (_, reader) in readers().filter(|(_, reader)| reader.forward_credential) {
            reader.carriers(request).into_iter().for_each(|source| places.keep(source));
        }
        let has_verified = |id: AuthenticatorId| verified.iter().any(|identity| identity.authenticator == id);
        for (_, reader) in readers().filter(|(id, reader)| has_verified(*id) && !reader.forward_credential) {
            reader.carriers(request).into_iter().for_each(|source| places.give_up(source));
        }
        places
    }
}

impl Rule {
    fn collect_readers(&self, readers: &mut Vec<AuthenticatorId>) {
        match &self.combination {
            Combination::Use(id) if !readers.contains(id) => readers.push(*id),
            Combination::Use(_) => {}
            Combination::Any(rules) | Combination::All(rules) => {
                rules.iter().for_each(|rule| rule.collect_readers(readers));
            }
        }
    }

    fn evaluate(&self, request: &Request<'_>, verifier: &mut Verifier<'_>) -> Result<Vec<Rc<VerifiedToken>>, Failure> {
        match &self.combination {
            Combination::Use(id) => {
                let verified = verifier.verify(*id, request)?;
                self.requirements.check(vec![verified])
            }
            Combination::Any(rules) => {
                let mut failures = Vec::new();
                for rule in rules {
                    let verified = rule.evaluate(request, verifier);
                    match verified.and_then(|verified| self.requirements.check(verified)) {
                        Ok(verified) => return Ok(verified),
                        Err(failure) => failures.push(failure),
                    }
                }
                Err(Failure::most_useful(failures))
            }
            Combination::All(rules) => {
                let mut all = Vec::new();
                let mut failures = Vec::new();
                for rule in rules {
                    match rule.evaluate(request, verifier) {
                        Ok(verified) => all.extend(verified),
                        Err(failure) => failures.push(failure),
                    }
                }
                if failures.is_empty() {
                    return self.requirements.check(all);
                }
                let mut failure = Failure::most_useful(failures);
                failure.presented |= !all.is_empty();
                Err(failure)
            }
        }
    }
}

impl Requirements {
    /// Checks what the caller, the first of those verified, holds.
    fn check(&self, verified: Vec<Rc<VerifiedToken>>) -> Result<Vec<Rc<VerifiedToken>>, Failure> {
        if let Some(caller) = verified.first() {
            self.check_identity(&caller.identity).map_err(|reason| Failure {
                reason,
                authenticator: caller.identity.authenticator,
                scopes: self.scopes.clone(),
                presented: true,
                verified: true,
            })?;
        }
        Ok(verified)
    }

    fn check_identity(&self, identity: &Identity) -> Result<(), Reason> {
        if let Some(audiences) = &self.audiences {
            check_audience(audiences, &identity.claims)?;
        }
        if !self.claims.iter().all(|test| test.passes(&identity.claims)) {
            return Err(Reason::Token(TokenError::ClaimMismatch));
        }
        if !self.roles.is_empty() && !self.roles.iter().any(|role| identity.roles.contains(role)) {
            return Err(Reason::InsufficientRole);
        }
        if !self.scopes.iter().all(|scope| identity.scopes.contains(scope)) {
            return Err(Reason::InsufficientScope);
        }
        Ok(())
    }
}

impl Failure {
    /// A failure of a request whose caller was verified.
    #[must_use]
    pub fn of_verified(reason: Reason, authenticator: AuthenticatorId) -> Self {
        Self { reason, authenticator, scopes: Vec::new(), presented: true, verified: true }
    }

    /// Of several failures the one that got furthest, the first of equals.
    fn most_useful(failures: Vec<Self>) -> Self {
        let presented = failures.iter().any(|failure| failure.presented);
        let furthest = failures.into_iter().rev().max_by_key(|failure| (failure.verified, failure.reason.progress()));
        let furthest = furthest.unwrap_or(Self {
            reason: Reason::MissingCredential,
            authenticator: AuthenticatorId(usize::MAX),
            scopes: Vec::new(),
            presented: false,
            verified: false,
        });
        Self { presented, ..furthest }
    }
}

impl Verifier<'_> {
    /// What one authenticator says, asked once for a request however often its policy names it.
    fn verify(&mut self, id: AuthenticatorId, request: &Request<'_>) -> Result<Rc<VerifiedToken>, Failure> {
        let known = self.verdicts.iter().find(|(known, _)| *known == id).map(|(_, verdict)| verdict.clone());
        let verdict = known.unwrap_or_else(|| {
            let verdict = self.authenticate(id, request);
            (self.observer)(id, verdict.as_ref().err().copied());
            self.verdicts.push((id, verdict.clone()));
            verdict
        });
        verdict.map_err(|reason| Failure {
            reason,
            authenticator: id,
            scopes: Vec::new(),
            presented: reason != Reason::MissingCredential,
            verified: false,
        })
    }

    fn authenticate(&mut self, id: AuthenticatorId, request: &Request<'_>) -> Result<Rc<VerifiedToken>, Reason> {
        let (Some(authenticator), Some(cache)) = (self.authenticators.get(id.0), self.caches.get_mut(id.0)) else {
            return Err(Reason::HostFailure); // not reached: ids are made from the list of authenticators
        };
        let credential = credential::find(&authenticator.sources, authenticator.on_multiple, request)?;
        let credential = credential.ok_or(Reason::MissingCredential)?;
        if self.csrf_origins.is_some_and(|origins| is_cross_site(&credential, request, origins)) {
            return Err(Reason::CrossSite);
        }
        match &authenticator.method {
            Method::Jwt(method) => Ok(method.verify(id, authenticator, &credential.value, self.now, cache)?),
        }
    }
}

/// Whether a browser may have attached the credential to a request that another site made.
fn is_cross_site(credential: &Credential<'_>, request: &Request<'_>, origins: &[String]) -> bool {
    if !credential.from_cookie || !request.is_unsafe() {
        return false;
    }
    let foreign =
        |origin: &[u8]| !request.is_own_origin(origin) && !origins.iter().any(|listed| listed.as_bytes() == origin);
    request.header("sec-fetch-site").any(|site| site.eq_ignore_ascii_case(b"cross-site"))
        || request.header("origin").any(foreign)
}
