//! Where the workers of a proxy keep what they share about a document.

use std::cell::Cell;

use sha2::{Digest as _, Sha256};

use super::{source::SourceConfig, status::Status};
use crate::{
    hex,
    host::{Store, Unavailable},
};

/// The two slots of a document.
#[derive(Debug)]
pub struct Slots {
    status: String,
    document: String,
    /// Whether the host has refused the store: this worker stands for itself until it is configured anew.
    alone: Cell<bool>,
}

impl Slots {
    /// Documents of a kind that are fetched alike are one, whatever plugin and configuration asks for them.
    pub fn new(kind: &str, config: &SourceConfig) -> Self {
        let digest = Sha256::digest(format!("{config:?}"));
        let name = hex::write(digest.get(..16).unwrap_or_default());
        // The number tells versions apart that write these slots in different ways.
        let slot = |what| format!("gatepost.{kind}.1.{name}.{what}");
        Self { status: slot("status"), document: slot("set"), alone: Cell::new(false) }
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

    /// Reads the document.
    pub fn read_document(&self, store: &mut dyn Store) -> Option<Vec<u8>> {
        let slot = if self.alone.get() { None } else { store.get(&self.document).ok()? };
        slot.map(|(body, _)| body)
    }

    /// Writes the document.
    pub fn write_document(&self, body: &[u8], store: &mut dyn Store) {
        if !self.alone.get() && store.set(&self.document, body, 0).is_err() {
            self.alone.set(true);
        }
    }
}
