//! Metrics as Envoy keeps them: the id carries the type, a counter refuses an increment by nothing.

use std::collections::BTreeMap;

use super::state::Status;

/// The metrics of one VM.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    defined: Vec<(u32, String)>,
    values: BTreeMap<String, u64>,
}

impl Metrics {
    /// Defines a metric; the same name twice is one metric under two ids.
    pub(crate) fn define(&mut self, kind: u32, name: String) -> Result<u32, Status> {
        if kind > HISTOGRAM {
            return Err(Status::BadArgument);
        }
        self.values.entry(name.clone()).or_default();
        self.defined.push((kind, name));
        u32::try_from(self.defined.len()).map_err(|_| Status::InternalFailure)
    }

    pub(crate) fn increment(&mut self, id: u32, by: i64) -> Result<(), Status> {
        let (kind, value) = self.entry(id)?;
        match kind {
            COUNTER if by <= 0 => Err(Status::BadArgument),
            COUNTER | GAUGE => {
                *value = value.wrapping_add_signed(by);
                Ok(())
            }
            _ => Err(Status::BadArgument),
        }
    }

    pub(crate) fn record(&mut self, id: u32, to: u64) -> Result<(), Status> {
        let (kind, value) = self.entry(id)?;
        *value = if kind == COUNTER { value.wrapping_add(to) } else { to };
        Ok(())
    }

    pub(crate) fn get(&mut self, id: u32) -> Result<u64, Status> {
        match self.entry(id)? {
            (HISTOGRAM, _) => Err(Status::BadArgument),
            (_, value) => Ok(*value),
        }
    }

    /// The value of a metric by its name.
    pub(crate) fn by_name(&self, name: &str) -> Option<u64> {
        self.values.get(name).copied()
    }

    fn entry(&mut self, id: u32) -> Result<(u32, &mut u64), Status> {
        let at = usize::try_from(id).ok().and_then(|id| id.checked_sub(1)).ok_or(Status::NotFound)?;
        let (kind, name) = self.defined.get(at).ok_or(Status::NotFound)?;
        Ok((*kind, self.values.get_mut(name).ok_or(Status::NotFound)?))
    }
}

const COUNTER: u32 = 0;
const GAUGE: u32 = 1;
const HISTOGRAM: u32 = 2;
