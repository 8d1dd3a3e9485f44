//! Tokens that were verified, so that their signatures need not be verified again; and tokens that were signed.

use std::{
    collections::hash_map::RandomState,
    hash::{BuildHasher, Hasher},
    num::NonZeroUsize,
    rc::Rc,
    time::Duration,
};

use lru::LruCache;

use crate::{auth::VerifiedToken, mapping, time::UnixTime};

/// The verified tokens of one authenticator, found by the whole token, byte for byte, or by its SHA-256. Bounded in number
/// and in bytes; the least recently used go first.
#[derive(Debug)]
pub struct TokenCache<T = VerifiedToken, S = BySignature> {
    hashes: S,
    /// By the token's hash, which is keyed: of two tokens with one hash the later one is kept.
    entries: LruCache<u64, Entry<T>, AsIs>,
    capacity: usize,
    bytes: usize,
    most_bytes: usize,
}

/// Hashes the end of a token: it belongs to the signature, which nobody but the issuer can choose, or is that of a digest.
#[derive(Clone, Debug, Default)]
pub struct BySignature(RandomState);

/// Hashes all of it.
#[derive(Clone, Debug, Default)]
pub struct ByWhole(RandomState);

/// How a token is hashed.
pub trait TokenHash: Default {
    /// Its hash, under a key that nobody knows.
    fn hash(&self, token: &[u8]) -> u64;
}

/// Leaves hashes as they are.
#[derive(Clone, Debug, Default)]
struct AsIs(u64);

/// What takes memory.
pub trait Footprint {
    /// How much, roughly, in bytes.
    fn footprint(&self) -> usize;
}

#[derive(Debug)]
struct Entry<T> {
    key: Box<[u8]>,
    token: Rc<T>,
    /// Unix time in seconds.
    until: f64,
    bytes: usize,
}

impl TokenHash for BySignature {
    fn hash(&self, token: &[u8]) -> u64 {
        self.0.hash_one(token.last_chunk::<HASHED_BYTES>().map_or(token, <[u8; HASHED_BYTES]>::as_slice))
    }
}

impl TokenHash for ByWhole {
    fn hash(&self, token: &[u8]) -> u64 {
        self.0.hash_one(token)
    }
}

impl BuildHasher for AsIs {
    type Hasher = Self;

    fn build_hasher(&self) -> Self {
        Self(0)
    }
}

impl Hasher for AsIs {
    fn write(&mut self, bytes: &[u8]) {
        // Not reached: hashes are written whole.
        bytes.iter().for_each(|byte| self.0 = self.0.rotate_left(8) ^ u64::from(*byte));
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

impl<T: Footprint, S: TokenHash> TokenCache<T, S> {
    /// A cache of this many tokens at most.
    #[must_use]
    pub fn new(capacity: NonZeroUsize) -> Self {
        Self {
            hashes: S::default(),
            // Grown as needed: a bounded one of the library takes all its room at once.
            entries: LruCache::unbounded_with_hasher(AsIs(0)),
            capacity: capacity.get(),
            bytes: 0,
            most_bytes: capacity.get().saturating_mul(MEAN_BYTES),
        }
    }

    /// A token that was verified before. Its times are the caller's to check.
    pub fn get(&mut self, token: &[u8], now: UnixTime) -> Option<Rc<T>> {
        let hash = self.hashes.hash(token);
        let entry = self.entries.get(&hash).filter(|entry| is_equal(&entry.key, token))?;
        if now.as_secs_f64() >= entry.until {
            self.forget(hash);
            return None;
        }
        Some(Rc::clone(&entry.token))
    }

    /// Keeps a verified token until a time, in seconds of Unix time: its `exp`, or earlier.
    pub fn insert(&mut self, token: &[u8], verified: Rc<T>, until: f64, now: UnixTime) {
        if now.as_secs_f64() >= until {
            return; // good within the clock skew alone
        }
        let bytes = token.len().saturating_add(verified.footprint());
        let entry = Entry { key: token.into(), token: verified, until, bytes };
        let replaced = self.entries.put(self.hashes.hash(token), entry);
        self.bytes = self.bytes.saturating_add(bytes).saturating_sub(replaced.map_or(0, |entry| entry.bytes));
        while self.entries.len() > self.capacity || self.bytes > self.most_bytes {
            let Some((_, evicted)) = self.entries.pop_lru() else {
                return;
            };
            self.bytes = self.bytes.saturating_sub(evicted.bytes);
        }
    }

    fn forget(&mut self, hash: u64) {
        if let Some(entry) = self.entries.pop(&hash) {
            self.bytes = self.bytes.saturating_sub(entry.bytes);
        }
    }

    /// Lets all tokens go but these.
    pub fn retain(&mut self, keep: impl Fn(&T) -> bool) {
        let gone = self.entries.iter().filter(|(_, entry)| !keep(&entry.token)).map(|(hash, _)| *hash);
        for hash in gone.collect::<Vec<_>>() {
            self.forget(hash);
        }
    }

    /// How many tokens are kept.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether none is kept.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

impl Footprint for VerifiedToken {
    fn footprint(&self) -> usize {
        self.identity.claims.footprint().saturating_add(mapping::MOST_KEPT)
    }
}

/// Whether two tokens are the same: eight bytes at a time, where a comparison of slices takes one after the other in
/// WebAssembly.
fn is_equal(a: &[u8], b: &[u8]) -> bool {
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<8>(), b.as_chunks::<8>());
    let is_same = |(a, b): (&[u8; 8], &[u8; 8])| u64::from_ne_bytes(*a) == u64::from_ne_bytes(*b);
    a.len() == b.len() && a_rest == b_rest && a.iter().zip(b).all(is_same)
}

/// How long a token without `exp` is kept.
pub const WITHOUT_EXPIRY: Duration = Duration::from_secs(300);

/// 192 bits of a signature in base64url, 256 of a digest.
const HASHED_BYTES: usize = 32;

/// The room that a token and its claims take on average, in bytes: very long ones push out more than one other.
const MEAN_BYTES: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        auth::{AuthenticatorId, Identity},
        jose::claims::Times,
        json::Json,
        test::test,
    };

    const NOW: UnixTime = UnixTime::from_secs(1000);

    fn verified(expires: Option<f64>) -> Rc<VerifiedToken> {
        let identity = Identity {
            authenticator: AuthenticatorId(0),
            authenticator_name: "".into(),
            method: "jwt",
            issuer: None,
            subject: None,
            owner: None,
            limit: None,
            roles: Vec::new(),
            scopes: Vec::new(),
            claims: Json::Null,
        };
        Rc::new(VerifiedToken::new(identity, Times { expires, ..Times::default() }, None, None))
    }

    fn cache(capacity: usize) -> TokenCache<VerifiedToken> {
        TokenCache::new(NonZeroUsize::new(capacity).unwrap())
    }

    test!(the_least_recently_used_token_goes_first, {
        let mut cache = cache(2);
        cache.insert(b"a", verified(Some(2000.0)), 2000.0, NOW);
        cache.insert(b"b", verified(Some(2000.0)), 2000.0, NOW);
        assert!(cache.get(b"a", NOW).is_some());
        cache.insert(b"c", verified(Some(2000.0)), 2000.0, NOW);
        assert!(cache.get(b"a", NOW).is_some() && cache.get(b"b", NOW).is_none() && cache.get(b"c", NOW).is_some());
        let bytes = cache.bytes;
        cache.insert(b"a", verified(Some(2000.0)), 2000.0, NOW);
        assert_eq!((cache.len(), cache.bytes), (2, bytes));
        cache.retain(|_| false);
        assert_eq!((cache.len(), cache.bytes), (0, 0));
    });

    test!(nothing_is_kept_past_its_expiry, {
        let mut cache = cache(2);
        cache.insert(b"a", verified(Some(1000.0)), 1000.0, NOW);
        assert!(cache.is_empty());
        cache.insert(b"a", verified(Some(1000.5)), 1000.5, NOW);
        assert!(cache.get(b"a", NOW).is_some());
        assert!(cache.get(b"a", UnixTime::from_nanos(1_000_500_000_000)).is_none());
        assert!(cache.is_empty() && cache.bytes == 0);
    });

    test!(what_is_not_retained_frees_its_room, {
        let mut cache = cache(3);
        cache.insert(b"a", verified(Some(2000.0)), 2000.0, NOW);
        cache.insert(b"b", verified(None), 2000.0, NOW);
        cache.retain(|token| token.times.expires.is_none());
        assert!(cache.get(b"a", NOW).is_none() && cache.get(b"b", NOW).is_some());
        cache.retain(|_| false);
        assert!(cache.is_empty() && cache.bytes == 0);
    });

    test!(tokens_that_end_alike_are_told_apart, {
        let mut cache = cache(2);
        let tokens = ["a", "b"].map(|start| format!("{start}{}", "x".repeat(40)).into_bytes());
        cache.insert(&tokens[0], verified(Some(2000.0)), 2000.0, NOW);
        assert!(cache.get(&tokens[0], NOW).is_some() && cache.get(&tokens[1], NOW).is_none());
        // Of two with one hash the later is kept.
        cache.insert(&tokens[1], verified(Some(2000.0)), 2000.0, NOW);
        assert!(cache.get(&tokens[0], NOW).is_none() && cache.get(&tokens[1], NOW).is_some());
        cache.retain(|_| false);
        assert_eq!((cache.len(), cache.bytes), (0, 0));
        for (a, b) in [("", ""), ("a", "a"), ("12345678", "12345678"), ("123456789", "123456789")] {
            assert!(is_equal(a.as_bytes(), b.as_bytes()));
        }
        for (a, b) in [("", "a"), ("12345678", "12345679"), ("123456789", "123456780"), ("12345678", "123456789")] {
            assert!(!is_equal(a.as_bytes(), b.as_bytes()));
        }
    });

    test!(bytes_are_bounded, {
        let mut cache = cache(3);
        for name in ["a", "b", "c", "d"] {
            cache.insert(name.repeat(7000).as_bytes(), verified(Some(2000.0)), 2000.0, NOW);
            assert!(cache.bytes <= 3 * MEAN_BYTES);
        }
        assert_eq!(cache.len(), 1);
        cache.insert("e".repeat(13_000).as_bytes(), verified(Some(2000.0)), 2000.0, NOW);
        assert_eq!((cache.len(), cache.bytes), (0, 0));
    });
}
