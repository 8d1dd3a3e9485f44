//! One set of the table: what it remembers, and how it stands in its slot.

use super::Rejected;
use crate::time::UnixTime;

/// What is remembered of a use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What was used: enough of its SHA-256 for nobody to find two of one digest.
    pub digest: [u8; 16],
    /// Whose it is.
    pub key: [u8; 8],
    /// The last moment at which it would be good, in milliseconds of Unix time.
    pub until: u64,
}

/// The entries of a set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Set {
    /// The latest `until` of those that were forgotten. What is good no longer than they were may have been among them,
    /// should the clock have been set back since; nothing else can meet this.
    forgotten: u64,
    entries: Vec<Entry>,
}

impl Set {
    /// Whether something was entered, or may have been.
    pub fn has(&self, entry: &Entry) -> bool {
        entry.until <= self.forgotten || self.entries.iter().any(|other| other.digest == entry.digest)
    }

    /// With one more entry, and without those that are over.
    pub fn with(mut self, entry: Entry, now: UnixTime) -> Result<Self, Rejected> {
        let now_millis = u64::try_from(now.since_epoch().as_millis()).unwrap_or(u64::MAX);
        if self.has(&entry) {
            return Err(Rejected::Replayed);
        }
        let over = self.entries.iter().filter(|other| other.until < now_millis).map(|other| other.until);
        self.forgotten = over.fold(self.forgotten, u64::max);
        self.entries.retain(|other| other.until >= now_millis);
        // No key takes more than it leaves: one that is alone takes half of the places, and however many came before,
        // the next one finds some.
        let own = self.entries.iter().filter(|other| other.key == entry.key).count();
        if own >= WAYS.saturating_sub(self.entries.len()) {
            return Err(Rejected::Full);
        }
        self.entries.push(entry);
        Ok(self)
    }

    /// As it stands in the slot.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.entries.len().saturating_add(1).saturating_mul(ENTRY));
        bytes.push(VERSION);
        bytes.extend(self.forgotten.to_le_bytes());
        for entry in &self.entries {
            bytes.extend(entry.digest);
            bytes.extend(entry.key);
            bytes.extend(entry.until.to_le_bytes());
        }
        bytes
    }

    /// Reads the slot; none if it is not understood.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let (version, rest) = bytes.split_first()?;
        let (forgotten, rest) = rest.split_first_chunk()?;
        let (entries, rest) = rest.as_chunks::<ENTRY>();
        if *version != VERSION || !rest.is_empty() || entries.len() > WAYS {
            return None;
        }
        let entries = entries.iter().map(Entry::decode).collect::<Option<_>>()?;
        Some(Self { forgotten: u64::from_le_bytes(*forgotten), entries })
    }
}

impl Entry {
    fn decode(bytes: &[u8; ENTRY]) -> Option<Self> {
        let (digest, rest) = bytes.split_first_chunk()?;
        let (key, rest) = rest.split_first_chunk()?;
        let until = u64::from_le_bytes(*rest.first_chunk()?);
        Some(Self { digest: *digest, key: *key, until })
    }
}

/// How many entries a set has.
pub const WAYS: usize = 128;
/// The bytes of an entry.
const ENTRY: usize = 32;
const VERSION: u8 = 1;
