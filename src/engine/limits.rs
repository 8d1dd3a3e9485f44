//! Which limits a request counts against, and for whom.
//!
//! Who was let in counts as the identity that was verified, or, as the limit asks, by address or with all callers of the
//! route. Whoever was not let in counts by address alone: nobody can use up what is somebody else's, or a route's, without
//! a credential for it.

use std::rc::Rc;

use super::{
    Decision, HeaderEdit, Step, UnixTime, Verdict,
    attempt::{Observer, Occasion},
    target::Target,
};
use crate::{
    auth::VerifiedToken,
    config::gateway::{Gateway, LIMIT_KEY_HEADER, Route},
    host::Host,
    limit::{By, Charge, Exceeded, Limit, Limits, Place, caller},
};

/// Whom a request counts for.
pub struct Account<'a> {
    gateway: &'a Gateway,
    route: Option<&'a Route>,
    /// Those who were verified, the caller first.
    verified: &'a [Rc<VerifiedToken>],
    /// Whether the request was let in: not, where its credential was refused, and not a preflight, which nobody was asked
    /// to vouch for.
    is_admitted: bool,
    /// Asked of the host when it is needed.
    address: Option<String>,
}

impl<'a> Account<'a> {
    /// The account of a request that was let in for those who were verified, or for everyone.
    pub fn admitted(gateway: &'a Gateway, target: &Target<'a>, verified: &'a [Rc<VerifiedToken>]) -> Self {
        let is_preflight = target.route.is_some() && !target.maps;
        Self { gateway, route: target.route, verified, is_admitted: !is_preflight, address: None }
    }

    /// The account of a request that was refused.
    pub fn refused(gateway: &'a Gateway, route: Option<&'a Route>) -> Self {
        Self { gateway, route, verified: &[], is_admitted: false, address: None }
    }

    /// Counts the request against all its limits, or against none. One that is only explained is counted nowhere.
    pub fn count(
        &mut self,
        limits: &mut Limits,
        occasion: &Occasion<'_>,
        host: &mut dyn Host,
        observe: Observer<'_>,
    ) -> Result<(), Exceeded> {
        let charges = self.charges(host);
        if charges.is_empty() {
            return Ok(());
        }
        let counted = match occasion.is_real {
            true => limits.take(&charges, occasion.now, host),
            false => limits.look_at(&charges, occasion.now, host),
        };
        for Charge { limit, .. } in &charges {
            let exceeded = counted.as_ref().is_err_and(|exceeded| exceeded.limits.iter().any(|(one, _)| one == limit));
            observe(&mut || Step::RateLimit { name: limit.name, exceeded });
        }
        counted
    }

    /// Whether there is room by address, whoever the caller turns out to be: what is refused in any case need not be held
    /// until its body is there.
    pub fn has_room_by_address(
        &mut self,
        limits: &mut Limits,
        now: UnixTime,
        host: &mut dyn Host,
    ) -> Result<(), Exceeded> {
        let charges: Vec<Charge> =
            self.charges(host).into_iter().filter(|charge| charge.limit.by == By::Address).collect();
        limits.look_at(&charges, now, host)
    }

    /// Tells the host for whom the request counts, where it goes on and the configuration asks for it.
    pub fn tell(&mut self, mut decision: Decision, host: &mut dyn Host) -> Decision {
        if let (true, Verdict::Forward(edits)) = (self.gateway.limit_key, &mut decision.verdict) {
            edits.push(HeaderEdit::Set(LIMIT_KEY_HEADER.into(), self.caller(host).into_bytes().into()));
        }
        decision
    }

    fn charges(&mut self, host: &mut dyn Host) -> Vec<Charge> {
        let of_route = self.route.and_then(|route| route.rate_limit.as_ref());
        let mut charges = Vec::new();
        for limit in self.gateway.rate_limit.iter().chain(of_route) {
            let caller = match limit.by {
                By::Identity => self.caller(host),
                By::Route if self.is_admitted => caller::of_route(self.route.map(|route| &*route.label)),
                By::Route | By::Address => self.address(host),
            };
            charges.push(Charge { limit: limit.clone(), caller });
        }
        for verified in self.verified {
            let identity = &verified.identity;
            if let (Some(rate), Some(caller)) = (identity.limit, verified.caller()) {
                let caller = caller.to_string();
                // All keys of an authenticator share their slots, so that a hundred thousand need no more than one.
                let place = Place::new(&["keys", &identity.authenticator_name]);
                charges.push(Charge { limit: Limit { name: "key", place, rate, by: By::Identity }, caller });
            }
        }
        charges
    }

    /// The identity, if there is one that says who it is, else the address.
    fn caller(&mut self, host: &mut dyn Host) -> String {
        let identity = self.verified.first().and_then(|verified| verified.caller());
        identity.map_or_else(|| self.address(host), |caller| caller.to_string())
    }

    fn address(&mut self, host: &mut dyn Host) -> String {
        let ask = || caller::of_address(host.property(&["source", "address"]).as_deref());
        self.address.get_or_insert_with(ask).clone()
    }
}
