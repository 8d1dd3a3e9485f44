//! Reading and writing the guest's memory, and handing it what it then owns.

use wasmtime::{Caller, Extern};

use super::state::{State, Status};

/// A host call under way.
pub(crate) type Call<'a> = Caller<'a, State>;

/// Copies `size` bytes out of the guest.
pub(crate) fn read(call: &mut Call<'_>, at: u32, size: u32) -> Result<Vec<u8>, Status> {
    let memory = memory(call)?;
    let (at, size) = (at as usize, size as usize);
    let end = at.checked_add(size).ok_or(Status::InvalidMemoryAccess)?;
    memory.data(call).get(at..end).map(<[u8]>::to_vec).ok_or(Status::InvalidMemoryAccess)
}

/// Copies text out of the guest; what is not UTF-8 is shown as such.
pub(crate) fn read_text(call: &mut Call<'_>, at: u32, size: u32) -> Result<String, Status> {
    Ok(String::from_utf8_lossy(&read(call, at, size)?).into_owned())
}

/// Writes bytes into the guest.
pub(crate) fn write(call: &mut Call<'_>, at: u32, bytes: &[u8]) -> Result<(), Status> {
    memory(call)?.write(call, at as usize, bytes).map_err(|_| Status::InvalidMemoryAccess)
}

/// Writes a little-endian number into the guest.
pub(crate) fn write_u32(call: &mut Call<'_>, at: u32, number: u32) -> Result<(), Status> {
    write(call, at, &number.to_le_bytes())
}

/// Hands bytes to the guest in memory that the guest itself allocates; nothing is allocated for nothing, and the
/// pointer is then null, as in Envoy.
pub(crate) fn give(call: &mut Call<'_>, bytes: &[u8], pointer_at: u32, size_at: u32) -> Result<(), Status> {
    let size = u32::try_from(bytes.len()).map_err(|_| Status::InvalidMemoryAccess)?;
    let at = if bytes.is_empty() { 0 } else { allocate(call, size)? };
    write(call, at, bytes)?;
    write_u32(call, pointer_at, at)?;
    write_u32(call, size_at, size)
}

fn allocate(call: &mut Call<'_>, size: u32) -> Result<u32, Status> {
    let function = ["proxy_on_memory_allocate", "malloc"]
        .into_iter()
        .find_map(|name| call.get_export(name).and_then(Extern::into_func))
        .ok_or(Status::InternalFailure)?;
    let function = function.typed::<u32, u32>(&call).map_err(|_| Status::InternalFailure)?;
    match function.call(&mut *call, size) {
        Ok(0) | Err(_) => Err(Status::InvalidMemoryAccess),
        Ok(at) => Ok(at),
    }
}

fn memory(call: &mut Call<'_>) -> Result<wasmtime::Memory, Status> {
    call.get_export("memory").and_then(Extern::into_memory).ok_or(Status::InvalidMemoryAccess)
}
