//! What the module asks of the proxy besides headers: HTTP calls, local replies, resuming; and what it may not ask.

use wasmtime::Linker;

use super::{
    headers::{Headers, deserialize, unsendable},
    memory::{Call, read, read_text, write_u32},
    state::{State, Status, perform},
    stream::LocalReply,
};

/// An HTTP call that the module has dispatched.
#[derive(Clone, Debug)]
pub struct HttpCall {
    /// The token by which it is answered.
    pub token: u32,
    /// The root context that the answer goes to.
    pub root: u32,
    /// The cluster.
    pub upstream: String,
    /// Request headers, pseudo-headers included.
    pub headers: Headers,
    /// Request body.
    pub body: Vec<u8>,
    /// Milliseconds until it must be answered.
    pub timeout: u32,
}

/// What an HTTP call is answered with. A call that was never sent has no headers at all.
#[derive(Clone, Debug, Default)]
pub struct CallAnswer {
    /// Response headers, `:status` included.
    pub headers: Headers,
    /// Response body.
    pub body: Vec<u8>,
    /// Response trailers.
    pub trailers: Headers,
}

/// Defines these functions.
pub(crate) fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    link_http_call(linker)?;
    link_local_response(linker)?;
    link_streams(linker)?;
    link_unsupported(linker)
}

fn link_http_call(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    linker.func_wrap(
        "env",
        "proxy_http_call",
        |mut call: Call<'_>,
         upstream_at: u32,
         upstream_size: u32,
         headers_at: u32,
         headers_size: u32,
         body_at: u32,
         body_size: u32,
         _trailers_at: u32,
         _trailers_size: u32,
         timeout: u32,
         token_at: u32| {
            perform(&mut call, "proxy_http_call", |call| {
                let upstream = read_text(call, upstream_at, upstream_size)?;
                let pairs = read(call, headers_at, headers_size)?;
                let headers = Headers::new(deserialize(&pairs).ok_or(Status::BadArgument)?);
                let body = read(call, body_at, body_size)?;
                let state = call.data_mut();
                let complete = [":method", ":path", ":authority"].iter().all(|name| headers.first(name).is_some());
                if !state.clusters.contains(&upstream) || !complete {
                    return Err(Status::BadArgument);
                }
                let subject = state.subject();
                let root = state.stream_by_id(subject).map_or(subject, |stream| stream.root);
                let token = u32::try_from(state.http_calls.len() + 1).map_err(|_| Status::InternalFailure)?;
                state.http_calls.push(HttpCall { token, root, upstream, headers, body, timeout });
                write_u32(call, token_at, token)
            })
        },
    )?;
    Ok(())
}

fn link_local_response(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    linker.func_wrap(
        "env",
        "proxy_send_local_response",
        |mut call: Call<'_>,
         status: u32,
         _details_at: u32,
         _details_size: u32,
         body_at: u32,
         body_size: u32,
         headers_at: u32,
         headers_size: u32,
         grpc_status: i32| {
            perform(&mut call, "proxy_send_local_response", |call| {
                let body = read(call, body_at, body_size)?;
                let pairs = read(call, headers_at, headers_size)?;
                let headers = deserialize(&pairs).ok_or(Status::BadArgument)?;
                let state = call.data_mut();
                if let Some(reason) = headers.iter().find_map(|(name, value)| unsendable(name, value)) {
                    state.violation(format!("{reason}: Envoy answers 503 in its own form"));
                }
                let stream = state.stream().ok_or(Status::BadArgument)?;
                if stream.answered {
                    state.violation("a second local response".to_owned());
                    return Err(Status::BadArgument);
                }
                stream.answered = true;
                let grpc_status = u32::try_from(grpc_status).ok();
                stream.local_reply = Some(LocalReply { status, headers, body, grpc_status });
                Ok(())
            })
        },
    )?;
    Ok(())
}

fn link_streams(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    linker.func_wrap("env", "proxy_continue_stream", |mut call: Call<'_>, kind: u32| {
        perform(&mut call, "proxy_continue_stream", |call| {
            let stream = call.data_mut().stream().ok_or(Status::BadArgument)?;
            match kind {
                0 => stream.resume(),
                1 => {}
                _ => return Err(Status::BadArgument),
            }
            Ok(())
        })
    })?;
    linker.func_wrap("env", "proxy_close_stream", |mut call: Call<'_>, kind: u32| {
        perform(&mut call, "proxy_close_stream", |call| {
            let stream = call.data_mut().stream().ok_or(Status::BadArgument)?;
            if kind > 1 {
                return Err(Status::BadArgument);
            }
            stream.reset = true;
            Ok(())
        })
    })?;
    Ok(())
}

/// What the Rust SDK declares and gatepost has no use for. A module that calls one anyway is told so.
fn link_unsupported(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    fn refuse(mut call: Call<'_>, function: &'static str) -> u32 {
        perform(&mut call, function, |call| {
            call.data_mut().violation(format!("{function} is not modelled by this host"));
            Err(Status::Unimplemented)
        })
    }
    let mut define = |name: &'static str, parameters: usize| {
        let ty = wasmtime::FuncType::new(
            linker.engine(),
            std::iter::repeat_n(wasmtime::ValType::I32, parameters),
            [wasmtime::ValType::I32],
        );
        linker
            .func_new("env", name, ty, move |call, _, results| {
                results[0] = wasmtime::Val::I32(refuse(call, name).cast_signed());
                Ok(())
            })
            .map(|_| ())
    };
    define("proxy_register_shared_queue", 3)?;
    define("proxy_resolve_shared_queue", 5)?;
    define("proxy_dequeue_shared_queue", 3)?;
    define("proxy_enqueue_shared_queue", 3)?;
    define("proxy_grpc_call", 12)?;
    define("proxy_grpc_stream", 9)?;
    define("proxy_grpc_send", 4)?;
    define("proxy_grpc_cancel", 1)?;
    define("proxy_grpc_close", 1)?;
    define("proxy_get_status", 3)
}
