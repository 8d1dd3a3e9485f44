//! A provider's key set: the document that JWTs are verified with.

use super::{
    Event, MOST_ANSWER_BYTES, ProviderFailure,
    document::{KeyDocument, read_key_set},
    source::{Availability, Document, Retry, Source},
};
use crate::{
    jose::jwk::{JwkErrorKind, KeySet},
    time::UnixTime,
};

/// A key set's place among a gateway's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeySourceId(pub usize);

/// A key set as one worker knows it.
pub type KeySource = Source<KeySet>;

impl KeySource {
    /// The keys, if there are any that may be used, or what to do without them.
    ///
    /// # Errors
    ///
    /// [`Availability`]
    pub fn keys(&self, now: UnixTime) -> Result<&KeySet, Availability> {
        self.document(now)
    }

    /// What to do about a token that names a key which is not in the set, in a request that came at a time; none to refuse
    /// it. A fetch is asked for unless one has been a short while ago.
    pub fn on_unknown_key(&mut self, came: UnixTime, now: UnixTime) -> Option<Availability> {
        self.on_missing(came, now)
    }
}

impl Document for KeySet {
    /// The keys that are not used: where they stand, and why.
    type Notes = Vec<(String, JwkErrorKind)>;

    const SLOTS: &'static str = "keys";
    // RFC 7517 §8.5.2; many providers call it JSON.
    const MEDIA_TYPES: &'static str = "application/jwk-set+json, application/json";
    const MOST_BYTES: usize = MOST_ANSWER_BYTES;
    const LONGEST_RETRY: Retry = Retry::BacksOff;

    fn read(body: &[u8]) -> Result<(Self, Self::Notes), ProviderFailure> {
        read_key_set(body).map(|KeyDocument { keys, refused }| (keys, refused))
    }

    fn tell(&self, place: &str, notes: Option<Self::Notes>, events: &mut Vec<Event>) {
        if notes.is_some() && self.has_symmetric() {
            events.push(Event::SymmetricKey { place: place.to_owned() });
        }
        let notes = notes.unwrap_or_default();
        let refused = notes.len();
        for (member, kind) in notes.into_iter().take(MOST_TOLD) {
            events.push(Event::KeyRefused { place: place.to_owned(), member, kind });
        }
        events.push(Event::KeysFetched { place: place.to_owned(), keys: self.len(), refused });
    }

    fn failed(place: String, failure: ProviderFailure) -> Event {
        Event::FetchFailed { place, failure }
    }
}

/// How many keys that are not used are told one by one.
const MOST_TOLD: usize = 8;

#[cfg(test)]
mod tests;
