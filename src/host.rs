//! What the host of an engine offers besides requests: data that its workers share, and properties of connections.

use std::collections::HashMap;

/// What the workers of a proxy share: slots with compare-and-swap.
pub trait Store {
    /// The value of a slot, and the number that a later [`set`](Self::set) has to name; none where nobody has set it.
    ///
    /// # Errors
    ///
    /// [`Unavailable`] where the host has no such store, or does not give it.
    fn get(&mut self, slot: &str) -> Result<Option<(Vec<u8>, u32)>, Unavailable>;

    /// Sets a slot if its number is still `expected`: `u32::MAX` for one that nobody has set, 0 whatever it is. Tells
    /// whether it did.
    ///
    /// # Errors
    ///
    /// [`Unavailable`] as in [`get`](Self::get).
    fn set(&mut self, slot: &str, value: &[u8], expected: u32) -> Result<bool, Unavailable>;
}

/// The store cannot be used. Each worker then stands for itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unavailable;

/// A store of one worker's own, for what the host's does not take. Nobody else writes there, so that no write is ever lost
/// and numbers say nothing. It grows with the slots that are set.
#[derive(Debug, Default)]
pub struct OwnStore(HashMap<String, Vec<u8>>);

/// What a decision may ask of the host while it is made.
pub trait Host: Store {
    /// A property of the request's connection, such as `["connection", "mtls"]`, in the host's form; none where it has none.
    /// Each costs a host call: ask only for what the decision needs.
    fn property(&mut self, path: &[&str]) -> Option<Vec<u8>>;

    /// Calls a foreign function, one that this host offers beside those of the ABI; none where it has no such function, or the
    /// call fails.
    fn call(&mut self, function: &str, arguments: &[u8]) -> Option<Vec<u8>> {
        let _ = (function, arguments);
        None
    }
}

/// A host that has nothing: no store, so that the worker stands for itself, and no properties.
#[derive(Clone, Copy, Debug)]
pub struct NoHost;

impl Host for NoHost {
    fn property(&mut self, _: &[&str]) -> Option<Vec<u8>> {
        None
    }
}

impl Store for NoHost {
    fn get(&mut self, _: &str) -> Result<Option<(Vec<u8>, u32)>, Unavailable> {
        Err(Unavailable)
    }

    fn set(&mut self, _: &str, _: &[u8], _: u32) -> Result<bool, Unavailable> {
        Err(Unavailable)
    }
}

impl Store for OwnStore {
    fn get(&mut self, slot: &str) -> Result<Option<(Vec<u8>, u32)>, Unavailable> {
        Ok(self.0.get(slot).map(|value| (value.clone(), 0)))
    }

    fn set(&mut self, slot: &str, value: &[u8], _: u32) -> Result<bool, Unavailable> {
        self.0.insert(slot.to_owned(), value.to_vec());
        Ok(true)
    }
}

#[cfg(test)]
impl OwnStore {
    /// What the slots hold.
    pub(crate) fn values(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        self.0.values().map(Vec::as_slice)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test::test;

    test!(a_store_of_ones_own_takes_every_write, {
        let mut store = OwnStore::default();
        assert_eq!(store.get("a"), Ok(None));
        for (value, expected) in [(b"1", u32::MAX), (b"2", 0), (b"3", 7), (b"4", u32::MAX)] {
            assert_eq!(store.set("a", value, expected), Ok(true));
            let (read, number) = store.get("a").unwrap().unwrap();
            assert_eq!(read, value);
            assert_eq!(store.set("b", value, number), Ok(true));
        }
        assert_eq!(store.get("b").unwrap().unwrap().0, b"4");
        assert_eq!(store.get("c"), Ok(None));
    });
}
