//! Compiling rate limits.

use std::{
    num::{NonZeroU32, NonZeroUsize},
    time::Duration,
};

#[cfg(not(target_arch = "wasm32"))]
use super::describe::forms::AtMost;
use super::{
    decode::{Errors, Member, choice, member_path, object},
    error::ConfigErrorKind,
};
use crate::limit::{By, Limit, Place, rate::Rate};

object! {
    /// A limit of all routes, or of one. Every limit that applies to a request has to let it pass.
    pub struct RateLimitSchema {
        /// How many requests pass in that time.
        required "requests" requests: NonZeroUsize as AtMost<1_000_000_000>,
        /// The time, from `1ms` to `24h`.
        required "per" per: Duration,
        /// How many pass at once after a pause. By default all `requests` up to 20; of more than 20 a fifth, and no fewer
        /// than 20.
        optional "burst" burst: NonZeroUsize as AtMost<1_000_000_000>,
        /// Who counts together.
        optional "by" by: BySchema = "identity",
    }
}

object! {
    /// A limit of one key. Every limit that applies to a request has to let it pass.
    pub struct KeyLimitSchema {
        /// How many requests pass in that time.
        required "requests" requests: NonZeroUsize as AtMost<1_000_000_000>,
        /// The time, from `1ms` to `24h`.
        required "per" per: Duration,
        /// How many pass at once after a pause. By default all `requests` up to 20; of more than 20 a fifth, and no fewer
        /// than 20.
        optional "burst" burst: NonZeroUsize as AtMost<1_000_000_000>,
    }
}

choice! {
    /// Whose requests count together.
    pub enum BySchema {
        /// Those of an identity: authenticator, issuer and subject. Anonymous and refused ones count by address.
        "identity" => Identity,
        /// Those from an address (of IPv6 its first 64 bits).
        "ip" => Ip,
        /// All that the route lets in. Refused ones count by address.
        "route" => Route,
    }
}

/// Compiles a limit: `Some(None)` is none, `None` one with an error.
pub fn compile_limit(
    schema: &Member<RateLimitSchema>,
    name: &'static str,
    place: Place,
    path: &str,
    errors: &mut Errors,
) -> Option<Option<Limit>> {
    let schema = match schema {
        Member::Absent => return Some(None),
        Member::Bad => return None,
        Member::Good(schema) => schema,
    };
    let rate = compile_rate(&schema.requests, &schema.per, &schema.burst, path, errors);
    let by = match schema.by {
        Member::Bad => None,
        Member::Absent | Member::Good(BySchema::Identity) => Some(By::Identity),
        Member::Good(BySchema::Ip) => Some(By::Address),
        Member::Good(BySchema::Route) => Some(By::Route),
    };
    Some(Some(Limit { name, place, rate: rate?, by: by? }))
}

/// Compiles a key's limit: `Some(None)` is none, `None` one with an error.
pub fn compile_key_limit(schema: &Member<KeyLimitSchema>, path: &str, errors: &mut Errors) -> Option<Option<Rate>> {
    match schema {
        Member::Absent => Some(None),
        Member::Bad => None,
        Member::Good(schema) => compile_rate(&schema.requests, &schema.per, &schema.burst, path, errors).map(Some),
    }
}

fn compile_rate(
    requests: &Member<NonZeroUsize>,
    per: &Member<Duration>,
    burst: &Member<NonZeroUsize>,
    path: &str,
    errors: &mut Errors,
) -> Option<Rate> {
    let mut count = |name: &str, count: &Member<NonZeroUsize>| {
        let count = *count.get()?;
        let small = u32::try_from(count.get()).ok().and_then(NonZeroU32::new).filter(|count| *count <= MOST_REQUESTS);
        if small.is_none() {
            errors.push(member_path(path, name), ConfigErrorKind::Invalid("at most 1000000000"));
        }
        small
    };
    let requests = count("requests", requests);
    let burst = match burst {
        Member::Absent => Some(None),
        burst => count("burst", burst).map(Some),
    };
    let per = per.get().copied();
    if per.is_some_and(|per| per < SHORTEST || per > LONGEST) {
        errors.push(member_path(path, "per"), ConfigErrorKind::Invalid("a time from 1ms to 24h"));
        return None;
    }
    Some(Rate::new(requests?, per?, burst?))
}

const MOST_REQUESTS: NonZeroU32 = NonZeroU32::new(1_000_000_000).unwrap();
const SHORTEST: Duration = Duration::from_millis(1);
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);
