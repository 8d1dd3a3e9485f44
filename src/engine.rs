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
//!     let head = Head { headers: headers.into_iter().collect(), end_of_stream: true };
//!     engine.decide(RequestId(1), &head, UnixTime::from_secs(1_800_000_000), &mut NoHost).verdict
//! };
//! assert!(matches!(decide("/health"), Verdict::Forward(_)));
//! assert!(matches!(decide("/orders/7"), Verdict::Deny(answer) if answer.status == 401));
//! ```

mod attempt;
mod body;
mod limits;
mod providers;
mod step;
mod target;
mod verdict;
mod waiting;

use std::num::NonZeroUsize;

use crate::{
    audit::Entry,
    auth::{
        Method,
        knowledge::{Patience, Tokens},
        revocation::Revocations,
    },
    config::gateway::{Gateway, Mode},
    crypto::{AlgorithmSet, host::offered},
    forward,
    headers::Headers,
    host::Host,
    identity_token::Issued,
    limit::Limits,
    provider::{CallIds, keys::KeySource, schedule::Random, source::Source},
    replay::Replay,
    request::folded_name,
    route::table::RouteId,
    strip,
};
use attempt::{Attempt, Occasion};
use body::Watched;
pub use step::Step;
use verdict::circumstances;
pub use waiting::RequestId;
use waiting::{Pending, Wait, Waiting};

pub use crate::{
    audit::Record,
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
    /// The algorithms whose signatures the host verifies.
    by_host: AlgorithmSet,
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
        let by_host = AlgorithmSet::EMPTY;
        Self { gateway, by_host, tokens, sources, revocations, issued, limits, waiting, replay, watched, random, calls }
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

    /// Finds out which signatures the host verifies, if the configuration leaves any to it: none before this is called.
    pub fn find_host_crypto(&mut self, host: &mut dyn Host) -> AlgorithmSet {
        self.by_host = if self.gateway.host_crypto { offered(host) } else { AlgorithmSet::EMPTY };
        self.by_host
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
    pub fn trailers(&self, route: Option<RouteId>, trailers: &Headers) -> Vec<HeaderEdit> {
        let route = route.and_then(|route| self.gateway.route(route));
        let policy = route.filter(|route| route.mode == Mode::Enforce).and_then(|route| route.policy.as_ref());
        let is_unwanted = |name: &str| {
            strip::is_forged(&self.gateway, route, name)
                || policy.is_some_and(|policy| policy.takes_header(name, &self.gateway.authenticators))
        };
        let names = trailers.iter().map(|(name, _)| name);
        forward::removals_of(names.filter(|name| is_unwanted(&folded_name(name))))
    }

    /// The answer where the host failed to give or take a request's headers.
    #[must_use]
    pub fn host_failure(&self, head: Option<&Head>) -> Answer {
        let circumstances = head.map(circumstances).unwrap_or_default();
        Answer::new(Reason::HostFailure.code(), &self.gateway.responses, &circumstances)
    }

    /// What is to be written down about such an answer.
    #[must_use]
    pub fn host_failure_record(&self, head: Option<&Head>, now: UnixTime) -> Record {
        let record = Record { reason: Some(Reason::HostFailure), ..Record::default() };
        let wanted = self.gateway.audit.is_of(record.outcome());
        Record { entry: wanted.then(|| Box::new(Entry::new(head, now))), ..record }
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
}

#[cfg(test)]
mod tests;
