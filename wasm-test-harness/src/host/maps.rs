//! Header maps: the calls that read and edit them, and when Envoy has them.

use wasmtime::Linker;

use super::{
    headers::{Headers, deserialize, unsendable},
    memory::{Call, give, read, read_text, write_u32},
    state::{State, Status, perform},
    stream::Phase,
};

/// Defines these functions.
pub(crate) fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    link_reads(linker)?;
    link_edits(linker)
}

fn link_reads(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    linker.func_wrap(
        "env",
        "proxy_get_header_map_pairs",
        |mut call: Call<'_>, kind: u32, value_at: u32, size_at: u32| {
            perform(&mut call, "proxy_get_header_map_pairs", |call| {
                let bytes = map(call.data_mut(), kind)?.serialize();
                give(call, &bytes, value_at, size_at)
            })
        },
    )?;
    linker.func_wrap(
        "env",
        "proxy_get_header_map_value",
        |mut call: Call<'_>, kind: u32, name_at: u32, name_size: u32, value_at: u32, size_at: u32| {
            perform(&mut call, "proxy_get_header_map_value", |call| {
                let name = read_text(call, name_at, name_size)?;
                let value = map(call.data_mut(), kind)?.first(&name).map(<[u8]>::to_vec).ok_or(Status::NotFound)?;
                give(call, &value, value_at, size_at)
            })
        },
    )?;
    linker.func_wrap("env", "proxy_get_header_map_size", |mut call: Call<'_>, kind: u32, size_at: u32| {
        perform(&mut call, "proxy_get_header_map_size", |call| {
            let size = map(call.data_mut(), kind)?.serialize().len();
            write_u32(call, size_at, u32::try_from(size).map_err(|_| Status::InternalFailure)?)
        })
    })?;
    Ok(())
}

fn link_edits(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    linker.func_wrap(
        "env",
        "proxy_set_header_map_pairs",
        |mut call: Call<'_>, kind: u32, pairs_at: u32, size: u32| {
            perform(&mut call, "proxy_set_header_map_pairs", |call| {
                let bytes = read(call, pairs_at, size)?;
                let pairs = deserialize(&bytes).ok_or(Status::BadArgument)?;
                call.data_mut().violation("writing all pairs wipes the request in Envoy's corner cases".to_owned());
                // Envoy: nothing at all is written where there are too many or too much.
                let fits = pairs.len() <= MAX_PAIRS && bytes.len() <= MAX_PAIRS_SIZE;
                *editable(call.data_mut(), kind)? = Headers::new(if fits { pairs } else { Vec::new() });
                Ok(())
            })
        },
    )?;
    linker.func_wrap(
        "env",
        "proxy_add_header_map_value",
        |mut call: Call<'_>, kind: u32, name_at: u32, name_size: u32, value_at: u32, value_size: u32| {
            perform(&mut call, "proxy_add_header_map_value", |call| {
                let (name, value) = field(call, name_at, name_size, value_at, value_size)?;
                editable(call.data_mut(), kind)?.add(&name, &value);
                Ok(())
            })
        },
    )?;
    linker.func_wrap(
        "env",
        "proxy_replace_header_map_value",
        |mut call: Call<'_>, kind: u32, name_at: u32, name_size: u32, value_at: u32, value_size: u32| {
            perform(&mut call, "proxy_replace_header_map_value", |call| {
                let (name, value) = field(call, name_at, name_size, value_at, value_size)?;
                editable(call.data_mut(), kind)?.replace(&name, &value);
                Ok(())
            })
        },
    )?;
    linker.func_wrap(
        "env",
        "proxy_remove_header_map_value",
        |mut call: Call<'_>, kind: u32, name_at: u32, name_size: u32| {
            perform(&mut call, "proxy_remove_header_map_value", |call| {
                let name = read_text(call, name_at, name_size)?;
                editable(call.data_mut(), kind)?.remove(&name);
                Ok(())
            })
        },
    )?;
    Ok(())
}

fn field(
    call: &mut Call<'_>,
    name_at: u32,
    name_size: u32,
    value_at: u32,
    value_size: u32,
) -> Result<(String, Vec<u8>), Status> {
    let name = read_text(call, name_at, name_size)?;
    let value = read(call, value_at, value_size)?;
    if let Some(reason) = unsendable(&name, &value) {
        call.data_mut().violation(reason);
    }
    Ok((name, value))
}

/// A map to read. It is gone after `Continue` and after a resume: Envoy then answers BadArgument.
fn map(state: &mut State, kind: u32) -> Result<&mut Headers, Status> {
    if matches!(kind, CALL_RESPONSE_HEADERS | CALL_RESPONSE_TRAILERS) {
        let answer = state.answer.as_mut().ok_or(Status::BadArgument)?;
        return Ok(if kind == CALL_RESPONSE_HEADERS { &mut answer.headers } else { &mut answer.trailers });
    }
    let open = state.stream().is_some_and(|stream| match kind {
        _ if stream.phase == Phase::Log => kind <= RESPONSE_TRAILERS,
        REQUEST_HEADERS => stream.request_headers_open,
        REQUEST_TRAILERS => stream.request_trailers_open,
        RESPONSE_HEADERS => stream.phase == Phase::ResponseHeaders,
        RESPONSE_TRAILERS => stream.phase == Phase::ResponseTrailers,
        _ => false,
    });
    if !open {
        state.violation(format!("header map {kind} is touched where Envoy has none"));
        return Err(Status::BadArgument);
    }
    let stream = state.stream().ok_or(Status::BadArgument)?;
    Ok(match kind {
        REQUEST_HEADERS => &mut stream.request_headers,
        REQUEST_TRAILERS => &mut stream.request_trailers,
        RESPONSE_HEADERS => &mut stream.response_headers,
        _ => &mut stream.response_trailers,
    })
}

/// A map to edit: what a callout answered cannot be, nor anything while the stream is logged.
fn editable(state: &mut State, kind: u32) -> Result<&mut Headers, Status> {
    let logged = state.stream().is_some_and(|stream| stream.phase == Phase::Log);
    if logged || matches!(kind, CALL_RESPONSE_HEADERS | CALL_RESPONSE_TRAILERS) {
        state.violation(format!("header map {kind} is edited where it can only be read"));
        return Err(Status::BadArgument);
    }
    map(state, kind)
}

const REQUEST_HEADERS: u32 = 0;
const REQUEST_TRAILERS: u32 = 1;
const RESPONSE_HEADERS: u32 = 2;
const RESPONSE_TRAILERS: u32 = 3;
const CALL_RESPONSE_HEADERS: u32 = 6;
const CALL_RESPONSE_TRAILERS: u32 = 7;
const MAX_PAIRS: usize = 1024;
const MAX_PAIRS_SIZE: usize = 1 << 20;
