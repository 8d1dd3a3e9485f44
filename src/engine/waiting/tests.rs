use super::*;
use crate::{auth::AuthenticatorId, headers::Headers, provider::keys::KeySourceId, test::test};

const NEED: Need = Need::Keys(KeySourceId(0));
const OTHER: Need = Need::Keys(KeySourceId(1));

fn pending(bytes: usize) -> Box<Pending> {
    let headers = vec![("x".to_owned(), vec![b'a'; bytes])];
    Pending::new(Head { headers: headers.into(), end_of_stream: true }, second(0), None)
}

/// Waits for these, for 8 seconds each.
fn wait(needs: &[Need]) -> Wait {
    Wait { needs: needs.iter().map(|need| (*need, Duration::from_secs(8))).collect(), is_shadow: false }
}

fn second(second: u64) -> UnixTime {
    UnixTime::from_secs(second)
}

fn ready(waiting: &mut Waiting) -> Vec<u32> {
    let mut all = Vec::new();
    while let Some(id) = waiting.next_ready() {
        assert!(waiting.remove(id).is_some());
        all.push(id.0);
    }
    all
}

test!(whoever_waits_has_a_turn_once, {
    let mut waiting = Waiting::default();
    for id in 1..=3 {
        let needs = if id == 2 { vec![OTHER] } else { vec![NEED, OTHER] };
        waiting.insert(RequestId(id), pending(0), &wait(&needs), second(0)).unwrap();
    }
    waiting.settle(NEED, None);
    waiting.settle(OTHER, None);
    waiting.expire(second(17));
    assert_eq!(ready(&mut waiting), [1, 3, 2]);
    assert!(
        waiting.is_empty() && waiting.rooms() == (0, 0) && waiting.deadlines.is_empty() && waiting.by_need.is_empty()
    );
});

test!(time_runs_out, {
    let mut waiting = Waiting::default();
    waiting.insert(RequestId(1), pending(0), &wait(&[NEED]), second(0)).unwrap();
    waiting.expire(second(8));
    assert!(waiting.next_ready().is_none());
    waiting.expire(second(9));
    assert!(waiting.next_ready().is_some_and(|id| waiting.remove(id).unwrap().is_overdue));
});

test!(waiting_again_does_not_begin_anew, {
    let mut waiting = Waiting::default();
    let deadline = |waiting: &Waiting| waiting.deadlines.first().copied().unwrap().0;
    waiting.insert(RequestId(1), pending(0), &wait(&[NEED]), second(0)).unwrap();
    assert_eq!(deadline(&waiting), second(9));
    let again = waiting.remove(RequestId(1)).unwrap();
    waiting.insert(RequestId(1), again, &wait(&[NEED]), second(0)).unwrap();
    assert_eq!(deadline(&waiting), second(9));
    // Another provider has its own time.
    let again = waiting.remove(RequestId(1)).unwrap();
    waiting.insert(RequestId(1), again, &wait(&[OTHER]), second(0)).unwrap();
    assert_eq!(deadline(&waiting), second(17));
    let again = waiting.remove(RequestId(1)).unwrap();
    waiting.insert(RequestId(1), again, &Wait { is_shadow: true, ..wait(&[NEED]) }, second(0)).unwrap();
    assert_eq!(deadline(&waiting), second(8));
});

test!(a_request_that_went_away_leaves_nothing_behind, {
    let mut waiting = Waiting::default();
    waiting.insert(RequestId(1), pending(10), &wait(&[NEED]), second(0)).unwrap();
    waiting.insert(RequestId(2), pending(10), &wait(&[NEED]), second(0)).unwrap();
    waiting.settle(NEED, None);
    assert!(waiting.remove(RequestId(1)).is_some() && waiting.remove(RequestId(1)).is_none());
    assert_eq!(ready(&mut waiting), [2]);
    assert!(
        waiting.is_empty() && waiting.rooms() == (0, 0) && waiting.deadlines.is_empty() && waiting.ready.is_empty()
    );
});

fn with_body() -> Box<Pending> {
    let hash = BodyHash::of(vec![(AuthenticatorId(0), hmac::Mac::new(&[0; 64].into()), 100)]);
    Pending::new(Head::default(), second(0), Some(Box::new(hash)))
}

fn given_up(waiting: &mut Waiting) -> Option<(u32, Reason)> {
    let id = waiting.next_ready()?;
    let pending = waiting.remove(id)?;
    Some((id.0, pending.body?.whole(AuthenticatorId(0)).err()?))
}

test!(a_body_that_nobody_shows_is_awaited_for_four_seconds, {
    let mut waiting = Waiting::default();
    waiting.insert(RequestId(1), with_body(), &wait(&[Need::Body]), second(0)).unwrap();
    assert!(!waiting.is_urgent());
    waiting.expire(second(3));
    assert_eq!(given_up(&mut waiting), None);
    waiting.expire(second(4));
    assert_eq!(given_up(&mut waiting), Some((1, Reason::BodyWithheld)));
    assert!(waiting.deadlines.is_empty());
});

test!(where_bodies_are_shown_a_slow_one_has_its_time, {
    let mut waiting = Waiting::default();
    for id in 1..=2 {
        waiting.insert(RequestId(id), with_body(), &wait(&[Need::Body]), second(0)).unwrap();
    }
    // One comes, and both have the whole of their time.
    assert!(waiting.wants_body(RequestId(2)) && !waiting.feed(RequestId(2), b"a"));
    waiting.expire(second(9));
    assert_eq!(given_up(&mut waiting), None);
    waiting.insert(RequestId(3), with_body(), &wait(&[Need::Body]), second(0)).unwrap();
    waiting.expire(second(10));
    let mut timed_out = Vec::new();
    while let Some((id, reason)) = given_up(&mut waiting) {
        assert_eq!(reason, Reason::BodyTimeout);
        timed_out.push(id);
    }
    assert_eq!(timed_out, [1, 2, 3]);
    assert!(waiting.is_empty() && waiting.deadlines.is_empty() && waiting.body_bytes == 0);
});

test!(a_provider_that_is_asked_after_a_slow_body_has_its_time, {
    let mut waiting = Waiting { has_seen_body: true, ..Waiting::default() };
    waiting.insert(RequestId(1), with_body(), &wait(&[Need::Body]), second(0)).unwrap();
    assert!(!waiting.is_urgent() && waiting.by_need.is_empty());
    assert!(waiting.end_body(RequestId(1)));
    let pending = waiting.remove(RequestId(1)).unwrap();
    waiting.insert(RequestId(1), pending, &wait(&[NEED]), second(9)).unwrap();
    assert!(waiting.is_urgent());
    waiting.expire(second(17));
    assert_eq!(waiting.next_ready(), None);
    waiting.expire(second(18));
    assert_eq!(waiting.next_ready(), Some(RequestId(1)));
});

test!(a_provider_s_time_and_the_body_s_are_apart, {
    let mut waiting = Waiting { has_seen_body: true, ..Waiting::default() };
    waiting.insert(RequestId(1), with_body(), &wait(&[NEED, Need::Body]), second(0)).unwrap();
    assert!(waiting.is_urgent());
    waiting.expire(second(9));
    let id = waiting.next_ready().unwrap();
    let pending = waiting.remove(id).unwrap();
    assert!(pending.is_overdue && pending.body.as_ref().unwrap().is_open());
    // It is held again, for the body alone: no tick has to come soon.
    waiting.insert(id, pending, &wait(&[Need::Body]), second(0)).unwrap();
    assert!(!waiting.is_urgent());
    waiting.expire(second(10));
    assert_eq!(given_up(&mut waiting), Some((1, Reason::BodyTimeout)));
});

test!(what_the_host_holds_is_bounded, {
    let mut waiting = Waiting::default();
    let piece = vec![0; 1024 * 1024];
    let mut fed = 0;
    for id in 0..300 {
        waiting.insert(RequestId(id), with_body(), &wait(&[Need::Body]), second(0)).unwrap();
        waiting.feed(RequestId(id), &piece);
        let is_open = waiting.requests[&RequestId(id)].body.as_ref().unwrap().is_open();
        fed += usize::from(is_open);
    }
    assert_eq!(fed, MOST_BODY_BYTES / piece.len());
    (0..300).for_each(|id| drop(waiting.remove(RequestId(id))));
    assert_eq!(waiting.body_bytes, 0);
});

test!(a_head_counts_with_all_that_it_takes, {
    // One field, as a host gives it: its name stands in both buffers.
    let lengths = [1, 1000, 0].map(u32::to_le_bytes).concat();
    let headers = Headers::deserialize([lengths, vec![b'x'; 1000], vec![0; 2]].concat()).unwrap();
    let pending = Pending::new(Head { headers, end_of_stream: true }, second(0), None);
    assert!(pending.bytes() > 2000, "{}", pending.bytes());
});

test!(number_and_bytes_are_bounded, {
    let mut waiting = Waiting::default();
    let insert = |waiting: &mut Waiting, id, bytes| {
        waiting.insert(RequestId(id), pending(bytes), &wait(&[NEED]), second(0)).is_ok()
    };
    assert!(!insert(&mut waiting, 0, MOST_BYTES));
    let inserted = (0..5000).filter(|id| insert(&mut waiting, *id, 0));
    assert_eq!(inserted.count(), MOST_REQUESTS);
    assert!(waiting.remove(RequestId(7)).is_some());
    assert!(insert(&mut waiting, 5000, 0));
});

test!(whoever_sends_slowly_takes_no_room_of_those_who_wait_for_providers, {
    let mut waiting = Waiting::default();
    let insert = |waiting: &mut Waiting, id, pending, need| {
        waiting.insert(RequestId(id), pending, &wait(&[need]), second(0)).is_ok()
    };
    let slow = (0..5000).filter(|id| insert(&mut waiting, *id, with_body(), Need::Body));
    assert_eq!(slow.count(), MOST_REQUESTS);
    assert!(insert(&mut waiting, 5000, pending(0), NEED));
    assert!(waiting.remove(RequestId(5000)).is_some() && waiting.remove(RequestId(0)).is_some());
    assert!(insert(&mut waiting, 0, with_body(), Need::Body));
    assert!(!insert(&mut waiting, 5001, with_body(), Need::Body));
});
