//! Policies: which authenticators a route asks, how they combine, and what the identity has to hold.

use std::{borrow::Cow, cell::OnceCell, rc::Rc};

use super::{
    Authenticator, AuthenticatorId, Identity, Method, Refusal, Unverified, VerifiedToken, dpop::Sent, knowledge::Means,
};
use crate::{
    credential::{self, Credential, Places, Source},
    deny::Reason,
    jose::{
        TokenError,
        claims::{Accepted, ClaimTest, check_audience},
    },
    request::{Request, folded_name},
    route::path::{NormalPath, PathPolicy},
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
    /// The places from which credentials are removed, where they are the same for all requests.
    fixed_places: OnceCell<Option<Places>>,
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
    /// Not known before a provider has answered.
    Waits,
    /// Refused; the authenticator is the one whose refusal is reported.
    Refused(Failure),
}

/// Why a rule did not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Why, and when another try is worth it.
    pub refusal: Refusal,
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
    /// What they verify with.
    pub means: Means<'a>,
    /// The request's path.
    pub path: &'a NormalPath,
    /// How that was normalised.
    pub path_policy: PathPolicy,
    /// Origins, besides the request's own, whose requests may carry cookies; none to leave origins unchecked.
    pub csrf_origins: Option<&'a [String]>,
    /// Told of each authenticator's verdict.
    pub observer: &'a mut dyn FnMut(AuthenticatorId, Result<(), Unverified>),
    /// What the authenticators that were asked said.
    pub verdicts: Vec<(AuthenticatorId, Result<Rc<VerifiedToken>, Unverified>)>,
}

/// What a caller has to hold: what a rule requires, and the rules around it.
struct Required<'a> {
    here: &'a Requirements,
    around: Option<&'a Required<'a>>,
}

/// Why a rule has not verified anyone.
enum Stop {
    Failed(Failure),
    Waits,
}

impl Policy {
    /// A policy with this rule.
    #[must_use]
    pub fn new(rule: Rule, optional: bool) -> Self {
        let mut readers = Vec::new();
        rule.collect_readers(&mut readers);
        Self { rule, optional, readers, fixed_places: OnceCell::new() }
    }

    /// Whether somebody in it verifies signatures over bodies.
    #[must_use]
    pub fn reads_body(&self, authenticators: &[Authenticator]) -> bool {
        let mut readers = self.readers.iter().filter_map(|id| authenticators.get(id.0));
        readers.any(|reader| matches!(reader.method, Method::Hmac(_)))
    }

    /// Decides who makes a request.
    pub fn evaluate(&self, request: &Request<'_>, verifier: &mut Verifier<'_>) -> Outcome {
        match self.rule.evaluate(None, request, verifier) {
            Ok(verified) => Outcome::Verified(verified),
            Err(Stop::Waits) => Outcome::Waits,
            Err(Stop::Failed(failure)) if self.optional && !failure.presented => Outcome::Anonymous,
            Err(Stop::Failed(failure)) => Outcome::Refused(failure),
        }
    }

    /// The places from which credentials are removed: all that an authenticator of the policy reads, but what one reads that
    /// forwards its credential, unless it is the very one that another has verified.
    #[must_use]
    pub fn places(
        &self,
        authenticators: &[Authenticator],
        verified: &[&Identity],
        request: &Request<'_>,
    ) -> Cow<'_, Places> {
        let readers = || self.readers.iter().filter_map(|id| Some((*id, authenticators.get(id.0)?)));
        let all = || {
            let mut places = Places::default();
            for (_, reader) in readers() {
                reader.sources.iter().chain(&reader.proof_source()).for_each(|source| places.insert(source));
            }
            places
        };
        let is_fixed = || !readers().any(|(_, reader)| reader.forward_credential);
        if let Some(places) = self.fixed_places.get_or_init(|| is_fixed().then(all)) {
            return Cow::Borrowed(places);
        }
        let mut places = all();
        for (_, reader) in readers().filter(|(_, reader)| reader.forward_credential) {
            reader.carriers(request).into_iter().chain(&reader.proof_source()).for_each(|source| places.keep(source));
        }
        let has_verified = |id: AuthenticatorId| verified.iter().any(|identity| identity.authenticator == id);
        for (_, reader) in readers().filter(|(id, reader)| has_verified(*id) && !reader.forward_credential) {
            reader
                .carriers(request)
                .into_iter()
                .chain(&reader.proof_source())
                .for_each(|source| places.give_up(source));
        }
        Cow::Owned(places)
    }

    /// Whether a header of this folded name is a credential's place from which nothing is forwarded.
    #[must_use]
    pub fn takes_header(&self, folded: &str, authenticators: &[Authenticator]) -> bool {
        let mut readers = self.readers.iter().filter_map(|id| authenticators.get(id.0));
        let is_here = |source: &Source| matches!(source, Source::Header { name, .. } if folded_name(name) == folded);
        readers.any(|reader| {
            let is_read = reader.sources.iter().any(is_here) || reader.proof_source().as_ref().is_some_and(is_here);
            is_read && !reader.forward_credential
        })
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

    /// Decides who makes a request. What the rules around this one require is asked of each alternative: an `any` goes on
    /// where the caller does not hold it, however deep it stands.
    fn evaluate(
        &self,
        around: Option<&Required<'_>>,
        request: &Request<'_>,
        verifier: &mut Verifier<'_>,
    ) -> Result<Vec<Rc<VerifiedToken>>, Stop> {
        let required = Required { here: &self.requirements, around };
        match &self.combination {
            Combination::Use(id) => {
                let caller = verifier.verify(*id, request)?;
                required.check(&caller.identity)?;
                Ok(vec![caller])
            }
            Combination::Any(rules) => {
                let mut failures = Vec::new();
                for rule in rules {
                    match rule.evaluate(Some(&required), request, verifier) {
                        Ok(verified) => return Ok(verified),
                        // The next alternative is not asked before it is known that this one does not verify: a shadow,
                        // which does not wait for a body, would forward another identity.
                        Err(Stop::Failed(failure)) if failure.refusal.reason == Reason::BodyUnread => {
                            return Err(Stop::Failed(failure));
                        }
                        Err(Stop::Waits) => return Err(Stop::Waits),
                        Err(Stop::Failed(failure)) => failures.push(failure),
                    }
                }
                Err(Stop::Failed(Failure::most_useful(failures)))
            }
            Combination::All(rules) => {
                let mut all = Vec::new();
                let mut failures = Vec::new();
                let mut lacks = None;
                let mut waits = false;
                for (index, rule) in rules.iter().enumerate() {
                    // The first one speaks: it has to hold what is required, and no other does.
                    let speaks = index == 0;
                    let mut verified = rule.evaluate(speaks.then_some(&required), request, verifier);
                    if speaks && let Err(Stop::Failed(failure)) = verified {
                        // Who has not all the credentials is told of that first, whatever else is required.
                        verified = rule.evaluate(None, request, verifier);
                        lacks = verified.is_ok().then_some(failure);
                    }
                    match verified {
                        Ok(verified) => all.extend(verified),
                        // All providers are asked at once.
                        Err(Stop::Waits) => waits = true,
                        Err(Stop::Failed(failure)) => failures.push(failure),
                    }
                }
                if waits {
                    return Err(Stop::Waits);
                }
                if failures.is_empty() {
                    return lacks.map_or(Ok(all), |failure| Err(Stop::Failed(failure)));
                }
                failures.extend(lacks.filter(|failure| failure.refusal.retry_after.is_some()));
                let mut failure = Failure::most_useful(failures);
                failure.presented |= !all.is_empty();
                Err(Stop::Failed(failure))
            }
        }
    }
}

impl Required<'_> {
    /// Checks what the caller holds, from the inside out.
    fn check(&self, caller: &Identity) -> Result<(), Stop> {
        self.here.check_identity(caller).map_err(|reason| {
            let failure = Failure::of_verified(reason.into(), caller.authenticator);
            Stop::Failed(Failure { scopes: self.here.scopes.clone(), ..failure })
        })?;
        self.around.map_or(Ok(()), |around| around.check(caller))
    }
}

impl Requirements {
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
    pub fn of_verified(refusal: Refusal, authenticator: AuthenticatorId) -> Self {
        Self { refusal, authenticator, scopes: Vec::new(), presented: true, verified: true }
    }

    /// Of several failures one of a provider, as the caller's credential may be good; else the one that got furthest. The
    /// first of equals.
    fn most_useful(failures: Vec<Self>) -> Self {
        let presented = failures.iter().any(|failure| failure.presented);
        let progress = |failure: &Self| {
            let Refusal { reason, retry_after } = failure.refusal;
            (retry_after.is_some(), failure.verified, reason.progress())
        };
        let furthest = failures.into_iter().rev().max_by_key(progress);
        let furthest = furthest.unwrap_or(Self {
            refusal: Reason::MissingCredential.into(),
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
    fn verify(&mut self, id: AuthenticatorId, request: &Request<'_>) -> Result<Rc<VerifiedToken>, Stop> {
        let known = self.verdicts.iter().find(|(known, _)| *known == id).map(|(_, verdict)| verdict.clone());
        let verdict = known.unwrap_or_else(|| {
            let verdict = self.authenticate(id, request);
            (self.observer)(id, verdict.as_ref().map(|_| ()).map_err(|unverified| *unverified));
            self.verdicts.push((id, verdict.clone()));
            verdict
        });
        verdict.map_err(|unverified| match unverified {
            Unverified::Waits => Stop::Waits,
            Unverified::Refused(refusal) => {
                let presented = !refusal.reason.is_absence();
                Stop::Failed(Failure { refusal, authenticator: id, scopes: Vec::new(), presented, verified: false })
            }
        })
    }

    fn authenticate(&mut self, id: AuthenticatorId, request: &Request<'_>) -> Result<Rc<VerifiedToken>, Unverified> {
        let Some(authenticator) = self.authenticators.get(id.0) else {
            return Err(Reason::HostFailure.into()); // not reached: ids are made from the list of authenticators
        };
        if let Method::Mtls(method) = &authenticator.method {
            return method.verify(id, authenticator, &mut self.means);
        }
        if let Method::Hmac(method) = &authenticator.method {
            return method.verify(id, authenticator, request, self.path.forwarded(0), &mut self.means);
        }
        let found = credential::find(&authenticator.sources, authenticator.on_multiple, request);
        let found = found.map_err(|reason| match (&authenticator.method, reason) {
            (Method::ApiKey(_), Reason::MalformedCredential) => Reason::MalformedApiKey,
            (_, reason) => reason,
        })?;
        let credential = found.ok_or(Reason::MissingCredential)?;
        if self.csrf_origins.is_some_and(|origins| is_cross_site(&credential, request, origins)) {
            return Err(Reason::CrossSite.into());
        }
        match &authenticator.method {
            Method::Jwt(method) => {
                let verified = method.verify(id, authenticator, &credential.value, &mut self.means)?;
                let sent = Sent { request, path: self.path, path_policy: self.path_policy };
                method.dpop.check(id, &verified, &credential, &sent, &mut self.means)?;
                // Last: a list has nothing to say about a token that is not good otherwise.
                if let Some(revocation) = &method.revocation {
                    revocation.check(&verified, &mut self.means)?;
                }
                Ok(verified)
            }
            // An API key is not shown to a provider, though both be read at one place.
            Method::Introspection(_) if self.is_api_key(&credential.value) => Err(TokenError::ForeignIssuer.into()),
            Method::Introspection(method) => method.verify(id, &credential.value, &mut self.means),
            Method::ApiKey(method) => method.verify(id, authenticator, &credential.value, self.means.now),
            Method::Mtls(method) => method.verify(id, authenticator, &mut self.means),
            Method::Hmac(_) => Err(Reason::HostFailure.into()), // not reached: see above
        }
    }

    /// Whether a credential is a key of the configuration's, be it expired.
    fn is_api_key(&self, credential: &str) -> bool {
        let mut authenticators = self.authenticators.iter();
        authenticators.any(|authenticator| match &authenticator.method {
            Method::ApiKey(method) => method.keys.find(credential).is_some(),
            Method::Jwt(_) | Method::Introspection(_) | Method::Mtls(_) | Method::Hmac(_) => false,
        })
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
