//! The eight WASI calls that Envoy offers (`wasi_snapshot_preview1`), and no other.

use wasmtime::Linker;

use super::{
    memory::{Call, read, write, write_u32},
    state::{Log, LogLevel, State, Status, perform},
};

/// Defines these functions.
pub(crate) fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    link_streams(linker)?;
    link_environment(linker)
}

fn link_streams(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    linker.func_wrap(
        MODULE,
        "fd_write",
        |mut call: Call<'_>, fd: u32, parts_at: u32, parts: u32, written_at: u32| {
            perform(&mut call, "fd_write", |call| {
                let level = match fd {
                    1 => LogLevel::Info,
                    2 => LogLevel::Error,
                    _ => return Err(BAD_FILE),
                };
                let mut text = Vec::new();
                for part in 0..parts {
                    let (at, size) = pair(call, parts_at + part * 8)?;
                    text.extend(read(call, at, size)?);
                }
                write_u32(call, written_at, u32::try_from(text.len()).map_err(|_| Status::InternalFailure)?)?;
                let message = String::from_utf8_lossy(&text).trim_end().to_owned();
                call.data_mut().logs.push(Log { level, message });
                Ok(())
            })
        },
    )?;
    linker.func_wrap(MODULE, "clock_time_get", |mut call: Call<'_>, _clock: u32, _precision: u64, time_at: u32| {
        perform(&mut call, "clock_time_get", |call| {
            let now = call.data().clock.nanos();
            write(call, time_at, &now.to_le_bytes())
        })
    })?;
    linker.func_wrap(MODULE, "random_get", |mut call: Call<'_>, at: u32, size: u32| {
        perform(&mut call, "random_get", |call| {
            let bytes: Vec<u8> = (0..size).map(|_| random(call.data_mut())).collect();
            write(call, at, &bytes)
        })
    })?;
    linker.func_wrap(MODULE, "proc_exit", |mut call: Call<'_>, code: u32| -> wasmtime::Result<()> {
        call.data_mut().enter("proc_exit");
        Err(wasmtime::Error::msg(format!("proc_exit({code})")))
    })?;
    Ok(())
}

fn link_environment(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    linker.func_wrap(MODULE, "environ_sizes_get", |mut call: Call<'_>, count_at: u32, size_at: u32| {
        perform(&mut call, "environ_sizes_get", |call| {
            let entries = entries(call.data());
            let size: usize = entries.iter().map(Vec::len).sum();
            write_u32(call, count_at, u32::try_from(entries.len()).map_err(|_| Status::InternalFailure)?)?;
            write_u32(call, size_at, u32::try_from(size).map_err(|_| Status::InternalFailure)?)
        })
    })?;
    linker.func_wrap(MODULE, "environ_get", |mut call: Call<'_>, pointers_at: u32, text_at: u32| {
        perform(&mut call, "environ_get", |call| {
            let (mut pointer_at, mut at) = (pointers_at, text_at);
            for entry in entries(call.data()) {
                write_u32(call, pointer_at, at)?;
                write(call, at, &entry)?;
                pointer_at += 4;
                at += u32::try_from(entry.len()).map_err(|_| Status::InternalFailure)?;
            }
            Ok(())
        })
    })?;
    linker.func_wrap(MODULE, "args_sizes_get", |mut call: Call<'_>, count_at: u32, size_at: u32| {
        perform(&mut call, "args_sizes_get", |call| {
            write_u32(call, count_at, 0)?;
            write_u32(call, size_at, 0)
        })
    })?;
    linker.func_wrap(MODULE, "args_get", |mut call: Call<'_>, _: u32, _: u32| {
        perform(&mut call, "args_get", |_| Ok(()))
    })?;
    Ok(())
}

fn pair(call: &mut Call<'_>, at: u32) -> Result<(u32, u32), Status> {
    let bytes = read(call, at, 8)?;
    let number = |from: usize| u32::from_le_bytes([bytes[from], bytes[from + 1], bytes[from + 2], bytes[from + 3]]);
    Ok((number(0), number(4)))
}

fn entries(state: &State) -> Vec<Vec<u8>> {
    state.environment.iter().map(|(name, value)| format!("{name}={value}\0").into_bytes()).collect()
}

/// SplitMix64: the same bytes in every run, so that a failure can be repeated.
fn random(state: &mut State) -> u8 {
    state.random = state.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = state.random;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (z ^ (z >> 31)).to_le_bytes()[0]
}

const MODULE: &str = "wasi_snapshot_preview1";
/// WASI's errno `badf` is 8, as is this status.
const BAD_FILE: Status = Status::CasMismatch;
