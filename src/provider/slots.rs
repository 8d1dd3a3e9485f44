//! Where the workers of a proxy keep what they share about a key set.

use std::cell::Cell;

use sha2::{Digest as _, Sha256};

use super::{keys::KeySourceConfig, status::Status};
use crate::host::{Store, Unavailable};

/// The two slots of a key set.
#[derive(Debug)]
pub struct Slots {
    status: String,
    keys: String,
    /// Whether the host has refused the store: this worker stands for itself until it is configured anew.
    alone: Cell<bool>,
}

impl Slots {
    /// Key sets that are fetched alike are one, whatever plugin and configuration asks for them.
    pub fn new(config: &KeySourceConfig) -> Self {
        let digest = Sha256::digest(format!("{config:?}"));
        let name: String = digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
        // The number tells versions apart that write these slots in different ways.
        let slot = |what| format!("gatepost.keys.1.{name}.{what}");
        Self { status: slot("status"), keys: slot("set"), alone: Cell::new(false) }
    }

    /// Reads the status, and gives the number with which to write it. A worker that is alone has its own.
    pub fn read(&self, own: Status, store: &mut dyn Store) -> (Status, u32) {
        let slot = if self.alone.get() { Err(Unavailable) } else { store.get(&self.status) };
        match slot {
            Ok(Some((bytes, cas))) => (Status::decode(&bytes).unwrap_or_default(), cas),
            Ok(None) => (Status::default(), u32::MAX),
            Err(Unavailable) => {
                self.alone.set(true);
                (own, u32::MAX)
            }
        }
    }

    /// Writes the status. False if another worker has done so since it was read.
    pub fn write(&self, status: Status, expected: u32, store: &mut dyn Store) -> bool {
        if self.alone.get() {
            return true;
        }
        let written = store.set(&self.status, &status.encode(), expected);
        self.alone.set(written.is_err());
        written != Ok(false)
    }

    /// Reads the key set.
    pub fn read_keys(&self, store: &mut dyn Store) -> Option<Vec<u8>> {
        let slot = if self.alone.get() { None } else { store.get(&self.keys).ok()? };
        slot.map(|(body, _)| body)
    }

    /// Writes the key set.
    pub fn write_keys(&self, body: &[u8], store: &mut dyn Store) {
        if !self.alone.get() && store.set(&self.keys, body, 0).is_err() {
            self.alone.set(true);
        }
    }
}
