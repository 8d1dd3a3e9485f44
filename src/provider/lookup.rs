//! Look-ups of tokens at a provider: one call for all requests that carry the same token, a bounded number at once.

use std::{
    collections::{HashMap, VecDeque},
    fmt,
    time::Duration,
};

use super::{Call, CallId, GRACE, status::is_overdue};
use crate::time::UnixTime;

/// A token, by its SHA-256.
pub type TokenDigest = [u8; 32];

/// The look-ups of one authenticator.
#[derive(Default)]
pub struct Lookups {
    /// Those that are queued or under way, each once.
    wanted: HashMap<TokenDigest, Wanted>,
    /// How long their tokens are together.
    bytes: usize,
    /// Those that are not under way yet, oldest first.
    queue: VecDeque<TokenDigest>,
    under_way: HashMap<CallId, Lookup>,
}

struct Wanted {
    token: String,
    /// Until when somebody waits for it.
    until: UnixTime,
}

/// A look-up that is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lookup {
    /// The token that is asked about.
    pub token: TokenDigest,
    /// Since when.
    pub began: UnixTime,
}

impl Lookups {
    /// Asks for a look-up that somebody waits for until a time, unless there is one for this token already. False if too
    /// many wait for theirs.
    pub fn want(&mut self, digest: TokenDigest, token: &str, until: UnixTime) -> bool {
        if let Some(wanted) = self.wanted.get_mut(&digest) {
            wanted.until = wanted.until.max(until);
            return true;
        }
        let bytes = self.bytes.saturating_add(token.len());
        if self.wanted.len() >= MOST_WANTED || bytes > MOST_BYTES {
            return false;
        }
        self.bytes = bytes;
        self.wanted.insert(digest, Wanted { token: token.to_owned(), until });
        self.queue.push_back(digest);
        true
    }

    /// Starts the next look-up of the queue with the call that `ask` makes of its token, if not too many are under way.
    pub fn start(&mut self, now: UnixTime, ask: impl FnOnce(&str) -> Call) -> Option<Call> {
        if self.under_way.len() >= MOST_UNDER_WAY {
            return None;
        }
        let token = self.queue.pop_front()?;
        let call = ask(&self.wanted.get(&token)?.token);
        self.under_way.insert(call.id, Lookup { token, began: now });
        Some(call)
    }

    /// Ends a look-up. None if the call is not one of these.
    pub fn finish(&mut self, call: CallId) -> Option<Lookup> {
        let lookup = self.under_way.remove(&call)?;
        self.forget(&lookup.token);
        Some(lookup)
    }

    /// Ends a look-up that has not been started and for which nobody waits any longer: the client has gone, or was refused.
    pub fn abandoned(&mut self, now: UnixTime) -> Option<TokenDigest> {
        let token = *self.queue.front()?;
        if self.wanted.get(&token).is_some_and(|wanted| now < wanted.until) {
            return None;
        }
        self.queue.pop_front();
        self.forget(&token);
        Some(token)
    }

    /// The look-ups whose answer the host has lost.
    pub fn overdue(&self, now: UnixTime, timeout: Duration) -> Vec<CallId> {
        let patience = timeout.saturating_add(GRACE);
        let overdue = self.under_way.iter().filter(|(_, lookup)| is_overdue(lookup.began, patience, now));
        overdue.map(|(call, _)| *call).collect()
    }

    /// Whether some have not been started.
    #[must_use]
    pub fn has_queued(&self) -> bool {
        !self.queue.is_empty()
    }

    fn forget(&mut self, token: &TokenDigest) {
        if let Some(wanted) = self.wanted.remove(token) {
            self.bytes = self.bytes.saturating_sub(wanted.token.len());
        }
    }
}

// What it holds are tokens.
impl fmt::Debug for Lookups {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lookups").field("wanted", &self.wanted.len()).finish_non_exhaustive()
    }
}

/// Calls of one authenticator and worker at once: hosts bound the requests to a cluster themselves (Envoy to 1,024 for all
/// workers), and turn down what is beyond.
const MOST_UNDER_WAY: usize = 128;
/// Those that are queued as well. A client that asks and goes away leaves one behind.
const MOST_WANTED: usize = 4096;
/// How long their tokens may be together.
const MOST_BYTES: usize = 8 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test::test;

    const NOW: UnixTime = UnixTime::from_secs(1000);
    const LATER: UnixTime = UnixTime::from_secs(1002);

    fn call(id: u64) -> impl FnOnce(&str) -> Call {
        move |token| Call {
            id: CallId(id),
            cluster: String::new(),
            headers: Vec::new(),
            body: token.as_bytes().to_vec(),
            timeout: Duration::from_secs(1),
            most_bytes: 0,
        }
    }

    test!(one_token_is_looked_up_once_at_a_time, {
        let mut lookups = Lookups::default();
        lookups.want([1; 32], "a", LATER);
        lookups.want([1; 32], "a", LATER);
        assert_eq!(lookups.start(NOW, call(7)).unwrap().body, b"a");
        lookups.want([1; 32], "a", LATER);
        assert!(lookups.start(NOW, call(8)).is_none() && !lookups.has_queued());
        assert_eq!(lookups.finish(CallId(8)), None);
        assert_eq!(lookups.finish(CallId(7)), Some(Lookup { token: [1; 32], began: NOW }));
        assert_eq!(lookups.finish(CallId(7)), None);
        lookups.want([1; 32], "a", LATER);
        assert!(lookups.start(NOW, call(9)).is_some());
    });

    test!(a_bounded_number_is_under_way, {
        let mut lookups = Lookups::default();
        for number in 0..=u8::MAX {
            lookups.want([number; 32], "a", LATER);
        }
        let started = (0..256).filter(|id| lookups.start(NOW, call(*id)).is_some()).count();
        assert_eq!(started, MOST_UNDER_WAY);
        assert!(lookups.finish(CallId(0)).is_some() && lookups.start(NOW, call(1000)).is_some());
        let wanted = (0..5000_u16).filter(|number| {
            let mut digest = [0xff; 32];
            digest[..2].copy_from_slice(&number.to_le_bytes());
            lookups.want(digest, "a", LATER)
        });
        assert!(wanted.count() < MOST_WANTED && lookups.wanted.len() == MOST_WANTED);
    });

    test!(what_nobody_waits_for_is_not_looked_up, {
        let mut lookups = Lookups::default();
        for number in 1..=3 {
            lookups.want([number; 32], "token", if number == 2 { NOW } else { LATER });
        }
        lookups.want([1; 32], "token", NOW);
        assert_eq!(lookups.abandoned(NOW), None);
        assert!(lookups.start(NOW, call(1)).is_some());
        assert_eq!(lookups.abandoned(NOW), Some([2; 32]));
        assert_eq!(lookups.abandoned(NOW), None);
        assert_eq!(lookups.abandoned(LATER), Some([3; 32]));
        assert_eq!(lookups.abandoned(LATER), None);
        let finished = lookups.finish(CallId(1)).map(|lookup| lookup.token);
        assert_eq!((finished, lookups.bytes, lookups.wanted.len()), (Some([1; 32]), 0, 0));
        let long = "a".repeat(MOST_BYTES);
        assert!(lookups.want([4; 32], &long, LATER) && !lookups.want([5; 32], "a", LATER));
    });

    test!(a_lost_answer_is_noticed, {
        let mut lookups = Lookups::default();
        lookups.want([1; 32], "a", LATER);
        lookups.start(NOW, call(7));
        let timeout = Duration::from_secs(1);
        assert!(lookups.overdue(NOW.saturating_add(timeout * 2), timeout).is_empty());
        assert_eq!(lookups.overdue(NOW.saturating_add(timeout * 3), timeout), [CallId(7)]);
        assert_eq!(lookups.overdue(UnixTime::from_secs(0), timeout), [CallId(7)], "the clock was set back");
    });
}
