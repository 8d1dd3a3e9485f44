//! One try at a decision: the stages that a request goes through, from its head to its verdict.

use std::{rc::Rc, time::Duration};

use super::{
    Decision, Engine, Head, Reason, Record, Step, UnixTime, Verdict,
    limits::Account,
    step::step,
    target::locate,
    verdict::{circumstances, deny, forward, refuse, refuse_exceeding},
    waiting::Wait,
};
use crate::{
    audit::Entry,
    auth::{
        AuthenticatorId, Method, Need, Refusal, VerifiedToken,
        hmac::BodyHash,
        knowledge::{Means, Patience, Settled},
        policy::{Failure, Outcome, Verifier},
    },
    config::gateway::{Gateway, Mode},
    deny::Circumstances,
    host::Host,
    replay::{Rejected, Replay, Use},
    request::Request,
};

/// One try at a decision.
pub struct Occasion<'a> {
    pub head: &'a Head,
    /// When the request came.
    pub came: UnixTime,
    pub now: UnixTime,
    pub settled: &'a [Settled],
    pub patience: Patience,
    /// Whether the request is let through if it is good, so that what it uses is used up.
    pub is_real: bool,
    /// What has come of the body.
    pub body: Option<&'a BodyHash>,
}

/// A decision, or what it waits for.
pub struct Attempt {
    pub decision: Decision,
    pub wait: Option<Wait>,
    /// What its body is to be hashed with, at the first try.
    pub body: Option<Box<BodyHash>>,
}

impl<'a> Occasion<'a> {
    pub fn first(head: &'a Head, now: UnixTime) -> Self {
        Self { head, came: now, now, settled: &[], patience: Patience::Waits, body: None, is_real: true }
    }
}

impl From<Decision> for Attempt {
    fn from(decision: Decision) -> Self {
        Self { decision, wait: None, body: None }
    }
}

impl Engine {
    /// Tries to decide, and writes down what came of it.
    pub(super) fn attempt(&mut self, occasion: &Occasion<'_>, host: &mut dyn Host, observe: Observer<'_>) -> Attempt {
        let mut caller = None;
        let mut attempt = self.try_to_decide(occasion, host, observe, &mut caller);
        if attempt.wait.is_none() {
            self.write_down(&mut attempt.decision, caller.as_deref(), occasion);
        }
        attempt
    }

    /// Completes the record of a decision.
    fn write_down(&self, decision: &mut Decision, caller: Option<&VerifiedToken>, occasion: &Occasion<'_>) {
        let record = &mut decision.record;
        record.subject = caller.and_then(VerifiedToken::caller).cloned();
        if occasion.is_real && self.gateway.audit.is_of(record.outcome()) {
            let route = decision.route.and_then(|route| self.gateway.route(route));
            record.entry = Some(Box::new(Entry {
                route: route.map(|route| Rc::clone(&route.name)),
                key_id: caller.and_then(|caller| self.key_id(caller)).map(Into::into),
                ..Entry::new(Some(occasion.head), occasion.came)
            }));
        }
    }

    /// The id of the key that vouches for a caller, as the configuration or the provider has it.
    fn key_id<'a>(&'a self, caller: &'a VerifiedToken) -> Option<&'a str> {
        match &self.gateway.authenticators.get(caller.identity.authenticator.0)?.method {
            Method::Jwt(method) => method.key_id(caller.key?, &self.sources),
            Method::ApiKey(_) | Method::Hmac(_) => caller.identity.subject.as_deref(),
            Method::Introspection(_) | Method::Mtls(_) => None,
        }
    }

    /// Tries to decide. Whoever was verified is told as well, even if that is not enough.
    fn try_to_decide(
        &mut self,
        occasion: &Occasion<'_>,
        host: &mut dyn Host,
        observe: Observer<'_>,
        caller: &mut Option<Rc<VerifiedToken>>,
    ) -> Attempt {
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
                by_host: self.by_host,
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
                spent: Vec::new(),
            },
            csrf_origins: gateway.csrf_origins.as_deref(),
            observer: &mut |id, verdict| observe(&mut || step(name_of(gateway, id), verdict)),
            verdicts: Vec::new(),
        };
        let record = Record { route: target.route.map(|route| Rc::clone(&route.label)), ..Record::default() };
        let outcome = target.policy.map(|policy| policy.evaluate(&request, &mut verifier));
        let Verifier { means: Means { needs, mut uses, .. }, verdicts, .. } = verifier;
        let begin = || {
            let policy = target.policy.filter(|_| body.is_none() && !head.end_of_stream)?;
            BodyHash::new(&policy.readers, &gateway.authenticators, &request, target.path.forwarded(0))
        };
        let (verified, mut record) = match outcome {
            None => (Vec::new(), record),
            Some(Outcome::Anonymous) => {
                observe(&mut || Step::Anonymous);
                (Vec::new(), record)
            }
            Some(Outcome::Verified(verified)) => (verified, record),
            Some(Outcome::Waits) => {
                if needs.contains(&Need::Body) && target.mode == Mode::Enforce {
                    let mut account = Account::refused(gateway, target.route);
                    if let Err(exceeded) = account.has_room_by_address(&mut self.limits, now, host) {
                        return refuse_exceeding(gateway, &request, Some(&target), &exceeded, record).into();
                    }
                }
                let needs = needs.into_iter().map(|need| (need, self.patience(need))).collect();
                let wait = Wait { needs, is_shadow: target.mode == Mode::Shadow };
                let decision = Decision { verdict: Verdict::Wait, record, route: target.id };
                return Attempt { decision, wait: Some(wait), body: begin() };
            }
            Some(Outcome::Refused(failure)) => {
                let mut verdicts = verdicts.into_iter();
                *caller = verdicts.find(|(id, _)| *id == failure.authenticator).and_then(|(_, verdict)| verdict.ok());
                let authenticator = gateway.authenticators.get(failure.authenticator.0);
                let authenticator = authenticator.map(|authenticator| Rc::clone(&authenticator.name));
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
        if let Some(first) = verified.first() {
            *caller = Some(Rc::clone(first));
            let caller = &first.identity;
            record.authenticator = Some(Rc::clone(&caller.authenticator_name));
            observe(&mut || Step::Verified {
                authenticator: caller.authenticator_name.to_string(),
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

/// Told of each step, as a closure, so that a step which nobody wants to see costs nothing.
pub type Observer<'a> = &'a mut dyn FnMut(&mut dyn FnMut() -> Step);

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

fn name_of(gateway: &Gateway, id: AuthenticatorId) -> String {
    let authenticator = gateway.authenticators.get(id.0);
    authenticator.map(|authenticator| authenticator.name.to_string()).unwrap_or_default()
}

/// When it is worth another try to remember something. Another nonce may find room at once.
const RETRY_AFTER: Duration = Duration::from_secs(1);
