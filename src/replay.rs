//! What may be used only once: nonces of signed requests and ids of DPoP proofs, remembered for as long as they would be
//! good.
//!
//! The workers of a proxy share one store, whatever their configurations: shared data cannot be deleted, so it is one table
//! of a fixed size. A use falls into one of its [`SETS`] sets, which has [`WAYS`] places and is written by compare-and-swap.
//! Two configurations do not meet there, as what makes an authenticator is part of the digest of its uses. It is no more than
//! that, so that a new configuration does not forget what was seen under the one before.
//!
//! It takes 16 MiB at most, in the host's memory and once for a proxy; a set takes no more than it holds. Where the host has
//! no store, or while it fails, each worker keeps such a table of its own: something may then be used once on each worker.

mod set;

use sha2::{Digest as _, Sha256};

use crate::{
    auth::{Authenticator, AuthenticatorId, Method},
    deny::Reason,
    host::{OwnStore, Store, Unavailable},
    time::UnixTime,
};
pub use set::WAYS;
use set::{Entry, Set};

/// What was used once, and may not be used again.
#[derive(Debug)]
pub struct Replay {
    /// What tells the authenticators of a configuration from those of another, one for each.
    scopes: Vec<[u8; 32]>,
    /// The table of a worker whose host has none.
    own: OwnStore,
}

/// Something that is used by a request, and may be used by no other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Use {
    /// Whose credential it belongs to.
    pub authenticator: AuthenticatorId,
    /// Why a request is refused that uses it again.
    pub replayed: Reason,
    entry: Entry,
}

/// Why something cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rejected {
    /// It was used before, or may have been.
    Replayed,
    /// There is no room to remember it.
    Full,
}

impl Replay {
    /// Nothing of this worker's own has been used yet.
    #[must_use]
    pub fn new(authenticators: &[Authenticator]) -> Self {
        Self { scopes: authenticators.iter().map(scope).collect(), own: OwnStore::default() }
    }

    /// What a credential uses up: `nonce`, as chosen by whoever has `key`, until the last moment at which the credential
    /// would be good. Keys share the room: a single one can take half of it, and none can take what the others need.
    #[must_use]
    pub fn make(
        &self,
        authenticator: AuthenticatorId,
        key: &[u8],
        nonce: &[u8],
        until: UnixTime,
        replayed: Reason,
    ) -> Use {
        let scope = self.scopes.get(authenticator.0).copied().unwrap_or_default();
        let key = Sha256::new().chain_update(scope).chain_update(key).finalize();
        let digest = Sha256::new().chain_update(key).chain_update(nonce).finalize();
        // Rounded up: it is not forgotten while it is good.
        let until = u64::try_from(until.since_epoch().as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX);
        Use { authenticator, replayed, entry: Entry { digest: first(&digest), key: first(&key), until } }
    }

    /// Whether it was used before, or may have been. This uses nothing up: [`enter`](Self::enter) does.
    #[must_use]
    pub fn is_used(&mut self, r#use: &Use, store: &mut dyn Store) -> bool {
        let slot = r#use.entry.slot();
        let own = self.own.get(&slot);
        let shared = store.get(&slot);
        let used = |value: Result<Option<(Vec<u8>, u32)>, Unavailable>| {
            value.ok().flatten().is_some_and(|(value, _)| Set::decode(&value).unwrap_or_default().has(&r#use.entry))
        };
        used(own) || used(shared)
    }

    /// Uses it up. Of any number of workers that try, one succeeds.
    ///
    /// # Errors
    ///
    /// [`Rejected`]: it must not be used then.
    pub fn enter(&mut self, r#use: &Use, now: UnixTime, store: &mut dyn Store) -> Result<(), Rejected> {
        let slot = r#use.entry.slot();
        if let Ok(Some((value, _))) = self.own.get(&slot)
            && Set::decode(&value).unwrap_or_default().has(&r#use.entry)
        {
            return Err(Rejected::Replayed);
        }
        match enter(&slot, &r#use.entry, now, store) {
            Ok(entered) => entered,
            Err(Unavailable) => enter(&slot, &r#use.entry, now, &mut self.own).unwrap_or(Err(Rejected::Full)),
        }
    }
}

impl Entry {
    /// The slot of its set. The number tells versions apart that write these slots in different ways.
    fn slot(&self) -> String {
        let [first, second, ..] = self.digest;
        format!("gatepost.replay.1.{:03x}", u16::from_le_bytes([first, second]) & (SETS - 1))
    }
}

/// Enters something in a store that works.
fn enter(slot: &str, entry: &Entry, now: UnixTime, store: &mut dyn Store) -> Result<Result<(), Rejected>, Unavailable> {
    for _ in 0..MOST_TRIES {
        let (set, cas) = match store.get(slot)? {
            // What is not understood counts as never written: no version of gatepost wrote it.
            Some((value, cas)) => (Set::decode(&value).unwrap_or_default(), cas),
            None => (Set::default(), u32::MAX),
        };
        let set = match set.with(*entry, now) {
            Ok(set) => set,
            Err(rejected) => return Ok(Err(rejected)),
        };
        if store.set(slot, &set.encode(), cas)? {
            return Ok(Ok(()));
        }
    }
    // Each time another worker was faster. What is not entered is not used.
    Ok(Err(Rejected::Full))
}

/// What tells an authenticator from those of other configurations, on every worker alike: its name and whose credentials it
/// takes. What else is said of it may change without making it another one.
fn scope(authenticator: &Authenticator) -> [u8; 32] {
    let name = &authenticator.name;
    let expected = match &authenticator.method {
        // Nothing in these debug forms depends on chance or on an address.
        Method::Jwt(method) => format!("jwt {:?}", (&method.expectations.issuers, &method.expectations.audiences)),
        Method::Hmac(method) => format!("hmac {:?}", method.scheme),
        // What nobody uses once.
        Method::Introspection(_) | Method::ApiKey(_) | Method::Mtls(_) => String::new(),
    };
    Sha256::digest(format!("{name:?} {expected}")).into()
}

/// The first bytes of a digest.
fn first<const N: usize>(digest: &[u8]) -> [u8; N] {
    digest.first_chunk().copied().unwrap_or([0; N]) // not reached: N is 16 at most
}

/// How many sets there are: a power of two.
pub const SETS: u16 = 4096;
/// How often a worker tries to write a set that others write as well.
const MOST_TRIES: usize = 16;

#[cfg(test)]
mod tests;
