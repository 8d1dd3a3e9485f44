//! A list of tokens that are good for nothing any more: `{"revoked": [{"iss", "value", "before"}]}`.
//!
//! Whatever cannot be read fails the whole list, so that the one before stays: a list of which a part is passed over would
//! let somebody in whom it was to keep out. Members that are not known are passed over, as they can only narrow what an
//! entry says.

use std::{
    borrow::Cow,
    collections::{HashMap, hash_map::RandomState},
    fmt,
    hash::{BuildHasher as _, BuildHasherDefault, Hasher},
};

use serde::{
    Deserialize, Deserializer,
    de::{DeserializeSeed, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor},
};

use super::{
    Event, ProviderFailure,
    source::{Document, Retry, Source},
};

/// A list's place among a gateway's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RevocationSourceId(pub usize);

/// A list as one worker knows it.
pub type RevocationSource = Source<RevocationList>;

/// Which values of a claim are revoked, by issuer.
///
/// What they are is not kept: an entry is found by two hashes with keys of this list's own. That two values share both of
/// them is as likely as to guess 128 bits, and would refuse a token, never let one through.
pub struct RevocationList {
    keys: [RandomState; 2],
    /// Until when tokens must have been issued to be revoked; infinity for all.
    entries: HashMap<EntryKey, f64, BuildHasherDefault<EntryHasher>>,
}

/// What a list says about a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Nothing.
    Good,
    /// It is revoked.
    Revoked,
    /// It may be revoked: that depends on when it was issued, which it does not say.
    Unknown,
}

impl RevocationList {
    /// Reads a list.
    ///
    /// # Errors
    ///
    /// [`ProviderFailure::NotAnObject`], [`ProviderFailure::NotARevocationList`] or
    /// [`ProviderFailure::UnreadableRevocation`], which names the first entry that cannot be read.
    pub fn parse(body: &[u8]) -> Result<Self, ProviderFailure> {
        let text = std::str::from_utf8(body).map_err(|_| ProviderFailure::NotAnObject)?;
        let mut reading = Reading { list: Self::empty(), found: false, entry: None, is_list: true };
        let mut json = serde_json::Deserializer::from_str(text);
        let read = Members(&mut reading).deserialize(&mut json).and_then(|()| json.end());
        match (read, reading.entry) {
            (Ok(()), _) => {}
            (Err(_), Some(index)) => return Err(ProviderFailure::UnreadableRevocation { index }),
            (Err(error), None) if error.is_data() && text.trim_ascii_start().starts_with('{') => {
                return Err(ProviderFailure::NotARevocationList);
            }
            (Err(_), None) => return Err(ProviderFailure::NotAnObject),
        }
        if reading.found && reading.is_list { Ok(reading.list) } else { Err(ProviderFailure::NotARevocationList) }
    }

    /// What it says about a token of an issuer, by the value of a claim and when it was issued, in Unix time.
    #[must_use]
    pub fn standing(&self, issuer: &str, value: &str, issued: Option<f64>) -> Standing {
        match (self.entries.get(&self.key(issuer, value)), issued) {
            (None, _) => Standing::Good,
            (Some(before), _) if before.is_infinite() => Standing::Revoked,
            (Some(before), Some(issued)) if issued > *before => Standing::Good,
            (Some(_), Some(_)) => Standing::Revoked,
            (Some(_), None) => Standing::Unknown,
        }
    }

    /// How many values are revoked.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether none is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    fn empty() -> Self {
        Self { keys: [RandomState::new(), RandomState::new()], entries: HashMap::default() }
    }

    /// Of several entries for one value the widest counts.
    fn insert(&mut self, issuer: &str, value: &str, before: f64) {
        let widest = self.entries.entry(self.key(issuer, value)).or_insert(before);
        *widest = widest.max(before);
    }

    fn key(&self, issuer: &str, value: &str) -> EntryKey {
        let [first, second] = &self.keys;
        EntryKey(first.hash_one((issuer, value)), second.hash_one((issuer, value)))
    }
}

impl Document for RevocationList {
    type Notes = ();

    const SLOTS: &'static str = "revocations";
    const MEDIA_TYPES: &'static str = "application/json";
    const MOST_BYTES: usize = MOST_LIST_BYTES;
    // Every second that a list is late is one in which a stolen token is good.
    const LONGEST_RETRY: Retry = Retry::WithinRefresh;

    fn read(body: &[u8]) -> Result<(Self, Self::Notes), ProviderFailure> {
        Ok((Self::parse(body)?, ()))
    }

    fn tell(&self, place: &str, notes: Option<()>, events: &mut Vec<Event>) {
        let (entries, changed) = (self.len(), notes.is_some());
        events.push(Event::RevocationsFetched { place: place.to_owned(), entries, changed });
    }

    fn failed(place: String, failure: ProviderFailure) -> Event {
        Event::RevocationsFailed { place, failure }
    }
}

// What is revoked is nobody else's business.
impl fmt::Debug for RevocationList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RevocationList").field("entries", &self.len()).finish_non_exhaustive()
    }
}

/// Two keyed hashes of an issuer and a value.
#[derive(PartialEq, Eq)]
struct EntryKey(u64, u64);

impl std::hash::Hash for EntryKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.0);
    }
}

/// Takes what is a hash already.
#[derive(Default)]
struct EntryHasher(u64);

impl Hasher for EntryHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte); // not reached: keys are written whole
        }
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

/// How far a list has been read.
struct Reading {
    list: RevocationList,
    /// Whether `revoked` has come.
    found: bool,
    /// The entry that is being read.
    entry: Option<usize>,
    /// Whether `revoked` came once.
    is_list: bool,
}

/// The members of the whole.
struct Members<'a>(&'a mut Reading);

/// The items of `revoked`.
struct Entries<'a>(&'a mut Reading);

/// One of them.
struct Entry<'a>(&'a mut RevocationList);

/// A string that is copied only where it is escaped.
struct Text<'a>(Cow<'a, str>);

/// A Unix time, with or without a fraction.
struct Before(f64);

impl<'de> DeserializeSeed<'de> for Members<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Members<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(Text(name)) = map.next_key()? {
            if name != "revoked" {
                map.next_value::<IgnoredAny>()?;
                continue;
            }
            self.0.is_list = !self.0.found;
            self.0.found = true;
            if !self.0.is_list {
                return Err(A::Error::duplicate_field("revoked"));
            }
            map.next_value_seed(Entries(self.0))?;
        }
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for Entries<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Entries<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let mut index: usize = 0;
        self.0.entry = Some(index);
        while items.next_element_seed(Entry(&mut self.0.list))?.is_some() {
            index = index.saturating_add(1);
            self.0.entry = Some(index);
        }
        self.0.entry = None;
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for Entry<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Entry<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let (mut issuer, mut value, mut before) = (None, None, None);
        while let Some(Text(name)) = map.next_key()? {
            match &*name {
                "iss" => once(&mut issuer, map.next_value::<Text<'_>>()?, "iss")?,
                "value" => once(&mut value, map.next_value::<Text<'_>>()?, "value")?,
                "before" => once(&mut before, map.next_value::<Before>()?, "before")?,
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        let Text(issuer) = issuer.ok_or_else(|| A::Error::missing_field("iss"))?;
        let Text(value) = value.ok_or_else(|| A::Error::missing_field("value"))?;
        self.0.insert(&issuer, &value, before.map_or(f64::INFINITY, |Before(before)| before));
        Ok(())
    }
}

/// Of two members with one name nobody knows which one is meant.
fn once<T, E: serde::de::Error>(member: &mut Option<T>, value: T, name: &'static str) -> Result<(), E> {
    match member.replace(value) {
        None => Ok(()),
        Some(_) => Err(E::duplicate_field(name)),
    }
}

impl<'de> Deserialize<'de> for Text<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextVisitor;

        impl<'de> Visitor<'de> for TextVisitor {
            type Value = Text<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Borrowed(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
        }

        deserializer.deserialize_str(TextVisitor)
    }
}

impl<'de> Deserialize<'de> for Before {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let before = f64::deserialize(deserializer)?;
        // One beyond is in milliseconds, and one before the epoch was never meant.
        let good = (0.0..=LATEST).contains(&before);
        if good { Ok(Self(before)) } else { Err(D::Error::custom("not a Unix time")) }
    }
}

/// Some 180,000 entries of 90 bytes.
pub const MOST_LIST_BYTES: usize = 16 * 1024 * 1024;
/// The end of the year 9999, as for the times of tokens.
const LATEST: f64 = 253_402_300_799.0;

#[cfg(test)]
mod tests;
