//! Shared data with compare-and-swap, seen by every VM that is given the same store.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use super::state::Status;

/// One process's shared data; clones are the same store.
#[derive(Clone, Debug, Default)]
pub struct SharedData(Arc<Mutex<Slots>>);

#[derive(Debug, Default)]
struct Slots {
    values: HashMap<Vec<u8>, (Vec<u8>, u32)>,
    last_cas: u32,
}

impl SharedData {
    /// The value of a key and its CAS number.
    pub fn get(&self, key: &[u8]) -> Option<(Vec<u8>, u32)> {
        self.0.lock().expect("no holder panics").values.get(key).cloned()
    }

    /// Sets a key. As in Envoy: CAS 0 overwrites, any CAS inserts where the key is absent, else it must be the present
    /// one.
    pub(crate) fn set(&self, key: Vec<u8>, value: Vec<u8>, cas: u32) -> Result<(), Status> {
        let mut slots = self.0.lock().expect("no holder panics");
        if let Some((_, present)) = slots.values.get(&key)
            && cas != 0
            && cas != *present
        {
            return Err(Status::CasMismatch);
        }
        slots.last_cas = slots.last_cas.checked_add(1).unwrap_or(1);
        let number = slots.last_cas;
        slots.values.insert(key, (value, number));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cas_zero_overwrites_and_a_stale_one_is_refused() {
        let store = SharedData::default();
        assert_eq!(store.set(b"k".to_vec(), b"1".to_vec(), 7), Ok(()), "a non-zero CAS inserts an absent key");
        let (_, first) = store.get(b"k").unwrap();
        assert_eq!(store.set(b"k".to_vec(), b"2".to_vec(), 0), Ok(()), "CAS 0 overwrites");
        assert_eq!(store.set(b"k".to_vec(), b"3".to_vec(), first), Err(Status::CasMismatch));
        assert_eq!(store.set(b"k".to_vec(), b"3".to_vec(), u32::MAX), Err(Status::CasMismatch));
        assert_eq!(store.get(b"k").unwrap().0, b"2");
    }
}
