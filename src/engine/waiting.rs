//! Requests that wait for a provider: bounded in number, in bytes and in time.

use std::{
    collections::{BTreeSet, HashMap, VecDeque},
    time::Duration,
};

use super::Head;
use crate::{
    auth::{Need, knowledge::Settled},
    time::UnixTime,
};

/// A request, by the host's number for its stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RequestId(pub u32);

/// The requests that wait.
#[derive(Debug, Default)]
pub struct Waiting {
    requests: HashMap<RequestId, Pending>,
    /// Who waits for what. A request that went away may still be named.
    by_need: HashMap<Need, Vec<RequestId>>,
    deadlines: BTreeSet<(UnixTime, RequestId)>,
    /// Those whose turn has come, in the order in which it did.
    ready: VecDeque<RequestId>,
    bytes: usize,
}

/// A request that waits.
#[derive(Debug)]
pub struct Pending {
    /// The request.
    pub head: Head,
    /// How look-ups that it has waited for have ended.
    pub settled: Vec<Settled>,
    /// Whether its time is over.
    pub is_overdue: bool,
    /// How often it has waited.
    pub rounds: u8,
    deadline: UnixTime,
    is_ready: bool,
    bytes: usize,
}

impl Pending {
    /// A request that has not waited yet.
    #[must_use]
    pub fn new(head: Head) -> Self {
        let bytes = head.headers.iter().map(|(name, value)| name.len().saturating_add(value.len()).saturating_add(64));
        let bytes = bytes.fold(0, usize::saturating_add);
        let deadline = UnixTime::from_secs(0);
        Self { head, settled: Vec::new(), is_overdue: false, rounds: 0, deadline, is_ready: false, bytes }
    }
}

impl Waiting {
    /// Has a request wait.
    ///
    /// # Errors
    ///
    /// The request, if there is no room for it.
    pub fn insert(
        &mut self,
        id: RequestId,
        mut pending: Pending,
        needs: &[Need],
        until: UnixTime,
    ) -> Result<(), Pending> {
        let bytes = self.bytes.saturating_add(pending.bytes);
        if self.requests.len() >= MOST_REQUESTS || bytes > MOST_BYTES || self.requests.contains_key(&id) {
            return Err(pending);
        }
        for need in needs {
            self.by_need.entry(*need).or_default().push(id);
        }
        self.bytes = bytes;
        self.deadlines.insert((until, id));
        pending.deadline = until;
        pending.is_ready = false;
        pending.rounds = pending.rounds.saturating_add(1);
        self.requests.insert(id, pending);
        Ok(())
    }

    /// Lets a request go.
    pub fn remove(&mut self, id: RequestId) -> Option<Pending> {
        let pending = self.requests.remove(&id)?;
        self.deadlines.remove(&(pending.deadline, id));
        self.bytes = self.bytes.saturating_sub(pending.bytes);
        if self.requests.is_empty() {
            // What is left in these are names of requests that went away.
            self.by_need.clear();
            self.ready.clear();
        }
        Some(pending)
    }

    /// Takes the next request whose turn has come.
    pub fn next_ready(&mut self) -> Option<(RequestId, Pending)> {
        loop {
            let id = self.ready.pop_front()?;
            if self.requests.get(&id).is_some_and(|pending| pending.is_ready) {
                return self.remove(id).map(|pending| (id, pending));
            }
        }
    }

    /// It is the turn of everyone who waits for this; a look-up leaves them its outcome.
    pub fn settle(&mut self, need: Need, settled: Option<&Settled>) {
        for id in self.by_need.remove(&need).unwrap_or_default() {
            if let Some(pending) = self.requests.get_mut(&id) {
                pending.settled.extend(settled.cloned());
            }
            self.make_ready(id);
        }
    }

    /// It is the turn of everyone who has waited for long enough.
    pub fn expire(&mut self, now: UnixTime) {
        while let Some((_, id)) = self.deadlines.first().copied().filter(|(deadline, _)| *deadline <= now) {
            self.deadlines.pop_first();
            if let Some(pending) = self.requests.get_mut(&id) {
                pending.is_overdue = true;
            }
            self.make_ready(id);
        }
    }

    /// How many wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.requests.len()
    }

    /// Whether nobody waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.requests.is_empty()
    }

    fn make_ready(&mut self, id: RequestId) {
        if let Some(pending) = self.requests.get_mut(&id).filter(|pending| !pending.is_ready) {
            pending.is_ready = true;
            self.ready.push_back(id);
        }
    }
}

/// What a host may take beyond a provider's time-out to say that it is over.
pub const GRACE: Duration = Duration::from_secs(1);
/// How often a request may wait: for keys, for the key that it names, for look-ups.
pub const MOST_ROUNDS: u8 = 4;
/// How many requests wait on one worker.
const MOST_REQUESTS: usize = 4096;
/// How much their heads may take, in bytes.
const MOST_BYTES: usize = 32 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{provider::keys::KeySourceId, test::test};

    const NEED: Need = Need::Keys(KeySourceId(0));
    const OTHER: Need = Need::Keys(KeySourceId(1));

    fn pending(bytes: usize) -> Pending {
        let headers = vec![("x".to_owned(), vec![b'a'; bytes])];
        Pending::new(Head { headers, end_of_stream: true })
    }

    fn second(second: u64) -> UnixTime {
        UnixTime::from_secs(second)
    }

    fn ready(waiting: &mut Waiting) -> Vec<u32> {
        std::iter::from_fn(|| waiting.next_ready()).map(|(id, _)| id.0).collect()
    }

    test!(whoever_waits_has_a_turn_once, {
        let mut waiting = Waiting::default();
        for id in 1..=3 {
            let needs = if id == 2 { vec![OTHER] } else { vec![NEED, OTHER] };
            waiting.insert(RequestId(id), pending(0), &needs, second(9)).unwrap();
        }
        waiting.settle(NEED, None);
        waiting.settle(OTHER, None);
        waiting.expire(second(9));
        assert_eq!(ready(&mut waiting), [1, 3, 2]);
        assert!(waiting.is_empty() && waiting.bytes == 0 && waiting.deadlines.is_empty() && waiting.by_need.is_empty());
    });

    test!(time_runs_out, {
        let mut waiting = Waiting::default();
        waiting.insert(RequestId(1), pending(0), &[NEED], second(9)).unwrap();
        waiting.expire(second(8));
        assert!(waiting.next_ready().is_none());
        waiting.expire(second(9));
        assert!(waiting.next_ready().is_some_and(|(_, pending)| pending.is_overdue && pending.rounds == 1));
    });

    test!(a_request_that_went_away_leaves_nothing_behind, {
        let mut waiting = Waiting::default();
        waiting.insert(RequestId(1), pending(10), &[NEED], second(9)).unwrap();
        waiting.insert(RequestId(2), pending(10), &[NEED], second(9)).unwrap();
        waiting.settle(NEED, None);
        assert!(waiting.remove(RequestId(1)).is_some() && waiting.remove(RequestId(1)).is_none());
        assert_eq!(ready(&mut waiting), [2]);
        assert!(waiting.is_empty() && waiting.bytes == 0 && waiting.deadlines.is_empty() && waiting.ready.is_empty());
    });

    test!(number_and_bytes_are_bounded, {
        let mut waiting = Waiting::default();
        let insert = |waiting: &mut Waiting, id, bytes| {
            waiting.insert(RequestId(id), pending(bytes), &[NEED], second(9)).is_ok()
        };
        assert!(!insert(&mut waiting, 0, MOST_BYTES));
        let inserted = (0..5000).filter(|id| insert(&mut waiting, *id, 0));
        assert_eq!(inserted.count(), MOST_REQUESTS);
        assert!(waiting.remove(RequestId(7)).is_some());
        assert!(insert(&mut waiting, 5000, 0));
    });
}
