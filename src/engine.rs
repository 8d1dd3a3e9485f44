//! One request's decision, without any input or output of its own: heads and times come in, edits and answers go out.
//!
//! ```
//! use gatepost::{config, engine::{Engine, RequestId, Verdict}, host::NoHost, request::Head, time::UnixTime};
//!
//! let configuration = br#"{
//!     "authorizer": {"type": "jwt", "issuer": "https://idp.example.com", "audiences": ["api"],
//!                    "secret": "at least 32 bytes, and kept secret"},
//!     "paths": [{"method": "GET", "path": "/health", "auth": false},
//!               {"method": "GET", "path": "/orders/{.+}", "auth": true}]
//! }"#;
//! let gateway = config::load(configuration, &|_| None).unwrap();
//! let mut engine = Engine::new(gateway, 7);
//! let mut decide = |path: &str| {
//!     let headers = [(":method", "GET"), (":path", path), (":authority", "api.example.com")];
//!     let headers = headers.map(|(name, value)| (name.to_owned(), value.as_bytes().to_vec()));
//!     let head = Head { headers: headers.to_vec(), end_of_stream: true };
//!     engine.decide(RequestId(1), &head, UnixTime::from_secs(1_800_000_000), &mut NoHost).verdict
//! };
//! assert!(matches!(decide("/health"), Verdict::Forward(_)));
//! assert!(matches!(decide("/orders/7"), Verdict::Deny(answer) if answer.status == 401));
//! ```

mod body;
mod limits;
mod providers;
mod step;
mod target;
mod waiting;

use std::{collections::HashSet, num::NonZeroUsize, rc::Rc, time::Duration};

use crate::{
    auth::{
        AuthenticatorId, Identity, Method, Refusal, Unverified, VerifiedToken,
        hmac::BodyHash,
        knowledge::{Means, Patience, Settled, Tokens},
        policy::{Failure, Outcome, Verifier},
        revocation::Revocations,
    },
    config::gateway::{Gateway, Mode},
    deny::Circumstances,
    forward,
    host::Host,
    identity_token::Issued,
    limit::Limits,
    mapping::{Mapped, expression::Facts},
    provider::{CallIds, keys::KeySource, schedule::Random, source::Source},
    replay::{Rejected, Replay, Use},
    request::{Request, folded_name},
    route::table::RouteId,
    strip,
};
use body::Watched;
use limits::{Account, refuse_exceeding};
pub use step::Step;
use step::step;
use target::{Target, locate};
pub use waiting::RequestId;
use waiting::{Pending, Wait, Waiting};

pub use crate::{
    deny::{Answer, Code, GrpcStatus, Reason},
    forward::HeaderEdit,
    request::Head,
    time::UnixTime,
};

/// A gateway, what it has learnt on one worker, and the requests that wait there for an identity provider.
///
/// What it has to know of providers it asks for in the [`Effects`](crate::provider::Effects) of [`tick`](Self::tick) and
/// [`answer`](Self::answer); a request that needs an answer gets [`Verdict::Wait`], and its decision from
/// [`resume`](Self::resume) when [`next_ready`](Self::next_ready) names it.
#[derive(Debug)]
pub struct Engine {
    gateway: Gateway,
    /// One for each authenticator.
    tokens: Vec<Tokens>,
    /// One for each key set of a provider.
    sources: Vec<KeySource>,
    /// One for each revocation list.
    revocations: Vec<Revocations>,
    /// Gatepost's own tokens.
    issued: Issued,
    limits: Limits,
    waiting: Waiting,
    replay: Replay,
    /// Requests in shadow mode that went on, and whose bodies are read as they stream by.
    watched: Watched,
    random: Random,
    calls: CallIds,
}

/// What was decided about a request, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// What to do.
    pub verdict: Verdict,
    /// What to write down about it.
    pub record: Record,
    /// The route that decided, for [`Engine::trailers`].
    pub route: Option<RouteId>,
}

/// What to do with a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Forward it with these changes, in this order.
    Forward(Vec<HeaderEdit>),
    /// Answer it.
    Deny(Answer),
    /// Hold it: a provider has to be asked first.
    Wait,
}

/// What operators learn about a decision.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// The route that decided.
    pub route: Option<String>,
    /// Who verified the caller, or whose refusal is reported.
    pub authenticator: Option<String>,
    /// Why the request was refused, or would have been.
    pub reason: Option<Reason>,
    /// Whether it was forwarded all the same, as shadow mode asks.
    pub shadow: bool,
}

impl Engine {
    /// An engine that has learnt nothing yet. The seed is random: workers are told apart by it.
    #[must_use]
    pub fn new(gateway: Gateway, seed: u64) -> Self {
        let tokens = gateway.authenticators.iter().map(|authenticator| {
            Tokens::new(match &authenticator.method {
                Method::Jwt(_) | Method::Mtls(_) => gateway.cached_tokens,
                Method::Introspection(method) => method.entries,
                Method::ApiKey(_) | Method::Hmac(_) => NonZeroUsize::MIN, // none is kept: they are looked at anew
            })
        });
        let tokens = tokens.collect();
        let sources = gateway.key_sources.iter();
        let sources = sources.map(|(place, config)| KeySource::new(place.clone(), config.clone())).collect();
        let lists = gateway.revocation_sources.iter();
        let lists = lists.map(|(place, config)| Revocations::new(Source::new(place.clone(), config.clone())));
        let revocations = lists.collect();
        let (random, calls) = (Random::new(seed), CallIds::default());
        let issued = Issued::new(gateway.cached_tokens);
        let (waiting, limits) = (Waiting::default(), Limits::default());
        let replay = Replay::new(&gateway.authenticators);
        let watched = Watched::default();
        Self { gateway, tokens, sources, revocations, issued, limits, waiting, replay, watched, random, calls }
    }

    /// The configuration.
    #[must_use]
    pub fn gateway(&self) -> &Gateway {
        &self.gateway
    }

    /// Names the plugin, so that workers which share their data with those of others count apart from them.
    pub fn set_plugin(&mut self, names: &[&str]) {
        self.limits.set_plugin(names);
    }

    /// Decides about a request, or keeps it until it can be decided.
    pub fn decide(&mut self, id: RequestId, head: &Head, now: UnixTime, host: &mut dyn Host) -> Decision {
        let occasion = Occasion::first(head, now);
        let Attempt { decision, wait, body } = self.attempt(&occasion, host, &mut |_| {});
        match wait {
            None => {
                self.watched.insert(id, head, now, body, &decision);
                decision
            }
            Some(wait) => {
                let pending = Pending::new(head.clone(), now, body);
                self.hold(id, pending, &wait, decision, now, host)
            }
        }
    }

    /// Decides about a request whose body is whole, and tells each step. The request is not kept, and uses nothing up.
    pub fn explain(&mut self, head: &Head, body: &[u8], now: UnixTime, host: &mut dyn Host) -> (Decision, Vec<Step>) {
        let occasion = Occasion { is_real: false, ..Occasion::first(head, now) };
        let hash = self.attempt(&occasion, host, &mut |_| {}).body.map(|mut hash| {
            hash.update(body);
            hash.end();
            hash
        });
        let mut steps = Vec::new();
        let occasion = Occasion { body: hash.as_deref(), ..occasion };
        let attempt = self.attempt(&occasion, host, &mut |step| steps.push(step()));
        (attempt.decision, steps)
    }

    /// The edits for the trailers of a request that this route decided: no client may forge identity there either, and no
    /// credential goes on in them, though none is read there.
    #[must_use]
    pub fn trailers(&self, route: Option<RouteId>, trailers: &[(String, Vec<u8>)]) -> Vec<HeaderEdit> {
        let route = route.and_then(|route| self.gateway.route(route));
        let mut removed = HashSet::new();
        let policy = route.filter(|route| route.mode == Mode::Enforce).and_then(|route| route.policy.as_ref());
        let is_unwanted = |name: &str| {
            strip::is_forged(&self.gateway, route, name)
                || policy.is_some_and(|policy| policy.takes_header(name, &self.gateway.authenticators))
        };
        let unwanted = trailers.iter().filter(|(name, _)| is_unwanted(&folded_name(name)));
        unwanted.filter(|(name, _)| removed.insert(name)).map(|(name, _)| HeaderEdit::Remove(name.clone())).collect()
    }

    /// The answer where the host failed to give or take a request's headers.
    #[must_use]
    pub fn host_failure(&self, head: Option<&Head>) -> Answer {
        let circumstances = head.map(circumstances).unwrap_or_default();
        Answer::new(Reason::HostFailure.code(), &self.gateway.responses, &circumstances)
    }

    /// Keeps a request that waits, or refuses it where there is no room.
    fn hold(
        &mut self,
        id: RequestId,
        pending: Box<Pending>,
        wait: &Wait,
        decision: Decision,
        now: UnixTime,
        host: &mut dyn Host,
    ) -> Decision {
        match self.waiting.insert(id, pending, wait, now) {
            Ok(()) => decision,
            Err(pending) => {
                let patience = Patience::NoRoom;
                let (head, came) = (&pending.head, pending.came);
                let body = pending.body.as_deref();
                let occasion =
                    Occasion { settled: &pending.settled, patience, body, came, ..Occasion::first(head, now) };
                self.attempt(&occasion, host, &mut |_| {}).decision
            }
        }
    }

    fn attempt(&mut self, occasion: &Occasion<'_>, host: &mut dyn Host, observe: Observer<'_>) -> Attempt {
        let Occasion { head, came, now, settled, patience, body, is_real } = *occasion;
        let gateway = &self.gateway;
        let refused = |(reason, allow)| {
            let circumstances = Circumstances { allow, ..circumstances(head) };
            deny(gateway, reason, &circumstances, Record::default(), None).into()
        };
        if head.is_too_large() {
            return refused((Reason::HeadersTooLarge, None));
        }
        let request = match Request::new(head) {
            Ok(request) => request,
            Err(reason) => return refused((reason, None)),
        };
        let target = match locate(gateway, &request, observe) {
            Ok(target) => target,
            Err(refusal) => {
                // No limit is for what no route takes, but the one for everything.
                let counted = Account::refused(gateway, None).count(&mut self.limits, occasion, host, observe);
                return match counted {
                    Err(exceeded) if gateway.mode == Mode::Enforce => {
                        refuse_exceeding(gateway, &request, None, &exceeded, Record::default()).into()
                    }
                    _ => refused(refusal),
                };
            }
        };
        let (tokens, sources) = (self.tokens.as_mut_slice(), self.sources.as_mut_slice());
        let revocations = self.revocations.as_mut_slice();
        let (replay, needs, uses) = (&mut self.replay, Vec::new(), Vec::new());
        let mut verifier = Verifier {
            authenticators: &gateway.authenticators,
            path: &target.path,
            path_policy: gateway.path_policy,
            means: Means {
                now,
                came,
                host: &mut *host,
                tokens,
                sources,
                revocations,
                settled,
                patience,
                body,
                holds_body: target.mode == Mode::Enforce,
                needs,
                replay,
                uses,
            },
            csrf_origins: gateway.csrf_origins.as_deref(),
            observer: &mut |id, verdict| observe(&mut || step(name_of(gateway, id), verdict)),
            verdicts: Vec::new(),
        };
        let record = Record { route: target.route.map(|route| route.label.clone()), ..Record::default() };
        let outcome = target.policy.map(|policy| policy.evaluate(&request, &mut verifier));
        let Means { needs, mut uses, .. } = verifier.means;
        let begin = || {
            let policy = target.policy.filter(|_| body.is_none() && !head.end_of_stream)?;
            BodyHash::new(&policy.readers, &gateway.authenticators, &request, &target.path.forwarded(0))
        };
        let (verified, mut record) = match outcome {
            None => (Vec::new(), record),
            Some(Outcome::Anonymous) => {
                observe(&mut || Step::Anonymous);
                (Vec::new(), record)
            }
            Some(Outcome::Verified(verified)) => (verified, record),
            Some(Outcome::Waits) => {
                let needs = needs.into_iter().map(|need| (need, self.patience(need))).collect();
                let wait = Wait { needs, is_shadow: target.mode == Mode::Shadow };
                let decision = Decision { verdict: Verdict::Wait, record, route: target.id };
                return Attempt { decision, wait: Some(wait), body: begin() };
            }
            Some(Outcome::Refused(failure)) => {
                let authenticator = gateway.authenticators.get(failure.authenticator.0);
                let authenticator = authenticator.map(|authenticator| authenticator.name.clone());
                let record = Record { authenticator, ..record };
                let body = begin().filter(|_| failure.refusal.reason == Reason::BodyUnread);
                let mut account = Account::refused(gateway, target.route);
                // A provider that fails is nobody's attempt.
                let counts = failure.refusal.reason.code().status() != 503;
                let counted = if counts { account.count(&mut self.limits, occasion, host, observe) } else { Ok(()) };
                let decision = match counted {
                    Ok(()) => refuse(gateway, &request, &target, failure, record),
                    Err(exceeded) => refuse_exceeding(gateway, &request, Some(&target), &exceeded, record),
                };
                return Attempt { body, ..account.tell(decision, host).into() };
            }
        };
        if let Some(caller) = verified.first().map(|verified| &verified.identity) {
            record.authenticator = Some(caller.authenticator_name.clone());
            observe(&mut || Step::Verified {
                authenticator: caller.authenticator_name.clone(),
                roles: caller.roles.len(),
                scopes: caller.scopes.len(),
            });
        }
        let mut account = Account::admitted(gateway, &target, &verified);
        if let Err(exceeded) = account.count(&mut self.limits, occasion, host, observe) {
            return account.tell(refuse_exceeding(gateway, &request, Some(&target), &exceeded, record), host).into();
        }
        // What others used up, or tried to, in vain, stays as it was.
        uses.retain(|r#use| verified.iter().any(|verified| verified.identity.authenticator == r#use.authenticator));
        let used = if is_real { use_up(&uses, &mut self.replay, now, host) } else { Ok(()) };
        let decision = match used {
            Ok(()) => forward(gateway, &request, &target, &verified, &mut self.issued, now, record),
            Err(failure) => refuse(gateway, &request, &target, failure, record),
        };
        account.tell(decision, host).into()
    }
}

/// One try at a decision.
struct Occasion<'a> {
    head: &'a Head,
    /// When the request came.
    came: UnixTime,
    now: UnixTime,
    settled: &'a [Settled],
    patience: Patience,
    /// Whether the request is let through if it is good, so that what it uses is used up.
    is_real: bool,
    /// What has come of the body.
    body: Option<&'a BodyHash>,
}

/// A decision, or what it waits for.
struct Attempt {
    decision: Decision,
    wait: Option<Wait>,
    /// What its body is to be hashed with, at the first try.
    body: Option<Box<BodyHash>>,
}

impl<'a> Occasion<'a> {
    fn first(head: &'a Head, now: UnixTime) -> Self {
        Self { head, came: now, now, settled: &[], patience: Patience::Waits, body: None, is_real: true }
    }
}

impl From<Decision> for Attempt {
    fn from(decision: Decision) -> Self {
        Self { decision, wait: None, body: None }
    }
}

/// Told of each step, as a closure, so that a step which nobody wants to see costs nothing.
type Observer<'a> = &'a mut dyn FnMut(&mut dyn FnMut() -> Step);

/// Uses up what the credentials of a request may be used for only once.
fn use_up(uses: &[Use], replay: &mut Replay, now: UnixTime, store: &mut dyn Host) -> Result<(), Failure> {
    uses.iter().try_for_each(|r#use| {
        replay.enter(r#use, now, store).map_err(|rejected| {
            let refusal = match rejected {
                Rejected::Replayed => r#use.replayed.into(),
                Rejected::Full => Refusal { reason: Reason::ReplayStoreFull, retry_after: Some(RETRY_AFTER) },
            };
            Failure::of_verified(refusal, r#use.authenticator)
        })
    })
}

fn forward(
    gateway: &Gateway,
    request: &Request<'_>,
    target: &Target<'_>,
    verified: &[Rc<VerifiedToken>],
    issued: &mut Issued,
    now: UnixTime,
    record: Record,
) -> Decision {
    let identities: Vec<&Identity> = verified.iter().map(|verified| &verified.identity).collect();
    let places = target
        .readers
        .filter(|_| target.mode == Mode::Enforce)
        .map(|policy| policy.places(&gateway.authenticators, &identities, request));
    let view = strip::strip(gateway, target.route, places.as_ref(), *request);
    let facts = Facts { request: &view, path: &target.path, identities: &identities };
    let mapped = match target.route.filter(|_| target.maps) {
        None => Ok(Mapped::default()),
        Some(route) => route.mapping.evaluate(&facts),
    };
    match mapped {
        Ok(mut mapped) => {
            mapped.headers.extend(identity_token(gateway, target, verified, issued, now));
            let edits = forward::edits(&view, &target.path, target.route, mapped);
            Decision { verdict: Verdict::Forward(edits), record, route: target.id }
        }
        Err(reason) => {
            let caller = identities.first().map_or(AuthenticatorId(usize::MAX), |identity| identity.authenticator);
            refuse(gateway, request, target, Failure::of_verified(reason.into(), caller), record)
        }
    }
}

/// The header that tells the service who calls it, where there is a caller and the configuration asks for it.
fn identity_token(
    gateway: &Gateway,
    target: &Target<'_>,
    verified: &[Rc<VerifiedToken>],
    issued: &mut Issued,
    now: UnixTime,
) -> Option<(String, Vec<u8>)> {
    let audience = target.route.filter(|_| target.maps)?.audience.as_deref()?;
    let (issuer, caller) = (gateway.identity_token.as_ref()?, verified.first()?);
    // Where a policy asks for several credentials, the first that expires ends what they say together.
    let expires = verified.iter().filter_map(|verified| verified.times.expires).min_by(f64::total_cmp);
    let token = issuer.issue(&caller.identity, audience, expires, issued, now);
    Some((issuer.header.clone(), token))
}

/// Denies a request, or, in shadow mode, forwards it without any mapped value and with its credentials.
fn refuse(gateway: &Gateway, request: &Request<'_>, target: &Target<'_>, failure: Failure, record: Record) -> Decision {
    let reason = failure.refusal.reason;
    if target.mode == Mode::Shadow {
        let view = strip::strip(gateway, target.route, None, *request);
        let edits = forward::edits(&view, &target.path, target.route, Mapped::default());
        let record = Record { reason: Some(reason), shadow: true, ..record };
        return Decision { verdict: Verdict::Forward(edits), record, route: target.id };
    }
    let mut circumstances = circumstances(request.head());
    circumstances.scopes = &failure.scopes;
    circumstances.retry_after = failure.refusal.retry_after;
    circumstances.proof_failed = reason.is_of_proof();
    let readers = target.policy.iter().flat_map(|policy| &policy.readers);
    for scheme in readers.filter_map(|id| gateway.authenticators.get(id.0)).flat_map(|reader| reader.method.schemes()) {
        if !circumstances.schemes.contains(scheme) {
            circumstances.schemes.push(scheme);
        }
    }
    deny(gateway, reason, &circumstances, record, target.id)
}

fn deny(
    gateway: &Gateway,
    reason: Reason,
    circumstances: &Circumstances<'_>,
    record: Record,
    route: Option<RouteId>,
) -> Decision {
    Decision {
        verdict: Verdict::Deny(Answer::new(reason.code(), &gateway.responses, circumstances)),
        record: Record { reason: Some(reason), ..record },
        route,
    }
}

fn circumstances(head: &Head) -> Circumstances<'_> {
    Circumstances { origin: head.origin(), grpc: head.is_grpc(), ..Circumstances::default() }
}

fn name_of(gateway: &Gateway, id: AuthenticatorId) -> String {
    let authenticator = gateway.authenticators.get(id.0);
    authenticator.map(|authenticator| authenticator.name.clone()).unwrap_or_default()
}

/// When it is worth another try to remember something. Another nonce may find room at once.
const RETRY_AFTER: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests;
