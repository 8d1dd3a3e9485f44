//! What the host of an engine offers besides requests: data that its workers share, and properties of connections.

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

/// What a decision may ask of the host while it is made.
pub trait Host: Store {
    /// A property of the request's connection, such as `["connection", "mtls"]`, in the host's form; none where it has none.
    /// Each costs a host call: ask only for what the decision needs.
    fn property(&mut self, path: &[&str]) -> Option<Vec<u8>>;
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
