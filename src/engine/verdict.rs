//! What a decision comes to: the edits of a request that is forwarded, or the answer to one that is not.

use std::rc::Rc;

use super::{Answer, Decision, Head, Reason, Record, UnixTime, Verdict, target::Target};
use crate::{
    auth::{AuthenticatorId, Identity, VerifiedToken, policy::Failure},
    config::gateway::{Gateway, Mode},
    deny::Circumstances,
    forward,
    identity_token::Issued,
    limit::Exceeded,
    mapping::{Mapped, expression::Facts},
    request::Request,
    route::table::RouteId,
    strip,
};

/// Forwards a request, with what was verified and nothing that its client may have forged.
pub fn forward(
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
    let view = strip::strip(gateway, target.route, places.as_deref(), *request);
    let facts = Facts { request: &view, path: &target.path, identities: &identities };
    let memo = match verified {
        [only] => Some(&only.mapped),
        _ => None,
    };
    let mapped = match (target.route.filter(|_| target.maps), target.id) {
        (Some(route), Some(id)) => route.mapping.evaluate(id, &facts, memo),
        _ => Ok(Rc::default()),
    };
    match mapped {
        Ok(mapped) => {
            let token = identity_token(gateway, target, verified, issued, now);
            let edits = forward::edits(&view, &target.path, target.route, &mapped, token);
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
) -> Option<(Rc<str>, Rc<[u8]>)> {
    let audience = target.route.filter(|_| target.maps)?.audience.as_deref()?;
    let (issuer, caller) = (gateway.identity_token.as_ref()?, verified.first()?);
    // Where a policy asks for several credentials, the first that expires ends what they say together.
    let expires = verified.iter().filter_map(|verified| verified.times.expires).min_by(f64::total_cmp);
    let token = issuer.issue(&caller.identity, audience, expires, issued, now);
    Some((Rc::clone(&issuer.header), token))
}

/// Denies a request, or, in shadow mode, forwards it without any mapped value and with its credentials.
pub fn refuse(
    gateway: &Gateway,
    request: &Request<'_>,
    target: &Target<'_>,
    failure: Failure,
    record: Record,
) -> Decision {
    let reason = failure.refusal.reason;
    if target.mode == Mode::Shadow {
        let view = strip::strip(gateway, target.route, None, *request);
        let edits = forward::edits(&view, &target.path, target.route, &Mapped::default(), None);
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

/// Answers a request.
pub fn deny(
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

/// What an answer has to know of a request whatever the reason.
pub fn circumstances(head: &Head) -> Circumstances<'_> {
    Circumstances { origin: head.origin(), grpc: head.is_grpc(), ..Circumstances::default() }
}

/// Refuses a request that exceeds a limit, or, in shadow mode, forwards it as one that was refused.
pub fn refuse_exceeding(
    gateway: &Gateway,
    request: &Request<'_>,
    target: Option<&Target<'_>>,
    exceeded: &Exceeded,
    record: Record,
) -> Decision {
    let record = Record { limit: exceeded.limits.first().map(|(limit, _)| limit.name), ..record };
    if let Some(target) = target.filter(|target| target.mode == Mode::Shadow) {
        let failure = Failure::of_verified(Reason::RateLimited.into(), AuthenticatorId(usize::MAX));
        return refuse(gateway, request, target, failure, record);
    }
    let circumstances = Circumstances {
        retry_after: Some(exceeded.retry_after()),
        limits: &exceeded.limits,
        ..circumstances(request.head())
    };
    deny(gateway, Reason::RateLimited, &circumstances, record, target.and_then(|target| target.id))
}
