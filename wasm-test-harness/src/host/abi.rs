//! The general functions of the ABI: log, time, ticks, properties, shared data, metrics, buffers, contexts.

use wasmtime::Linker;

use crate::foreign;

use super::{
    memory::{Call, give, read, read_text, write, write_u32},
    state::{Context, Log, LogLevel, State, Status, perform},
    stream::Phase,
};

/// Defines these functions.
pub(crate) fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    link_process(linker)?;
    link_properties(linker)?;
    link_shared_data(linker)?;
    link_metrics(linker)?;
    link_buffers(linker)
}

fn link_process(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    linker.func_wrap("env", "proxy_log", |mut call: Call<'_>, level: u32, at: u32, size: u32| {
        perform(&mut call, "proxy_log", |call| {
            let level = LogLevel::from_number(level).ok_or(Status::BadArgument)?;
            let message = read_text(call, at, size)?;
            call.data_mut().logs.push(Log { level, message });
            Ok(())
        })
    })?;
    linker.func_wrap("env", "proxy_get_log_level", |mut call: Call<'_>, level_at: u32| {
        perform(&mut call, "proxy_get_log_level", |call| write_u32(call, level_at, LogLevel::Trace as u32))
    })?;
    linker.func_wrap("env", "proxy_get_current_time_nanoseconds", |mut call: Call<'_>, time_at: u32| {
        perform(&mut call, "proxy_get_current_time_nanoseconds", |call| {
            let now = call.data().clock.nanos();
            write(call, time_at, &now.to_le_bytes())
        })
    })?;
    linker.func_wrap("env", "proxy_set_tick_period_milliseconds", |mut call: Call<'_>, period: u32| {
        perform(&mut call, "proxy_set_tick_period_milliseconds", |call| {
            call.data_mut().root().ok_or(Status::BadArgument)?.tick = period;
            Ok(())
        })
    })?;
    linker.func_wrap("env", "proxy_set_effective_context", |mut call: Call<'_>, id: u32| {
        perform(&mut call, "proxy_set_effective_context", |call| {
            let state = call.data_mut();
            state.contexts.contains_key(&id).then_some(()).ok_or(Status::BadArgument)?;
            state.effective = Some(id);
            Ok(())
        })
    })?;
    linker.func_wrap("env", "proxy_done", |mut call: Call<'_>| perform(&mut call, "proxy_done", |_| Ok(())))?;
    // Foreign functions are Envoy's alone: a module must do without them.
    linker.func_wrap(
        "env",
        "proxy_call_foreign_function",
        |mut call: Call<'_>,
         name_at: u32,
         name_size: u32,
         at: u32,
         size: u32,
         results_at: u32,
         results_size_at: u32| {
            perform(&mut call, "proxy_call_foreign_function", |call| {
                let name = read_text(call, name_at, name_size)?;
                let arguments = read(call, at, size)?;
                let is_offered = call.data().verifies_signatures;
                let results = is_offered.then(|| foreign::call(&name, &arguments)).flatten().ok_or(Status::NotFound)?;
                give(call, &results, results_at, results_size_at)
            })
        },
    )?;
    Ok(())
}

fn link_properties(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    linker.func_wrap(
        "env",
        "proxy_get_property",
        |mut call: Call<'_>, path_at: u32, path_size: u32, value_at: u32, size_at: u32| {
            perform(&mut call, "proxy_get_property", |call| {
                let path = read_text(call, path_at, path_size)?;
                let value = property(call.data_mut(), &path).ok_or(Status::NotFound)?;
                give(call, &value, value_at, size_at)
            })
        },
    )?;
    linker.func_wrap(
        "env",
        "proxy_set_property",
        |mut call: Call<'_>, path_at: u32, path_size: u32, value_at: u32, size: u32| {
            perform(&mut call, "proxy_set_property", |call| {
                let path = read_text(call, path_at, path_size)?;
                let value = read(call, value_at, size)?;
                // Envoy keeps it as filter state of the stream; a root context has none.
                let stream = call.data_mut().stream().ok_or(Status::NotFound)?;
                stream.properties.insert(path, value);
                Ok(())
            })
        },
    )?;
    Ok(())
}

/// A property by its NUL-separated path: what the stream holds, what the request tells, what the plugin is.
fn property(state: &mut State, path: &str) -> Option<Vec<u8>> {
    let plugin = state.root().map(|root| root.plugin.clone());
    if let Some(stream) = state.stream() {
        if let Some(value) = stream.properties.get(path) {
            return Some(value.clone());
        }
        let header = match path.split('\0').collect::<Vec<_>>().as_slice() {
            ["request", "path"] => Some(":path"),
            ["request", "method"] => Some(":method"),
            ["request", "host"] => Some(":authority"),
            ["request", "scheme"] => Some(":scheme"),
            ["request", "id"] => Some("x-request-id"),
            ["request", "headers", name] => Some(*name),
            _ => None,
        };
        if let Some(name) = header {
            return stream.request_headers.first(name).map(<[u8]>::to_vec);
        }
    }
    let plugin = plugin?;
    match path {
        "plugin_name" => Some(plugin.name.into_bytes()),
        "plugin_root_id" => Some(plugin.root_id.into_bytes()),
        "plugin_vm_id" => Some(Vec::new()),
        _ => None,
    }
}

fn link_shared_data(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    linker.func_wrap(
        "env",
        "proxy_get_shared_data",
        |mut call: Call<'_>, key_at: u32, key_size: u32, value_at: u32, size_at: u32, cas_at: u32| {
            perform(&mut call, "proxy_get_shared_data", |call| {
                let key = read(call, key_at, key_size)?;
                let (value, cas) = call.data().shared.get(&key).ok_or(Status::NotFound)?;
                give(call, &value, value_at, size_at)?;
                write_u32(call, cas_at, cas)
            })
        },
    )?;
    linker.func_wrap(
        "env",
        "proxy_set_shared_data",
        |mut call: Call<'_>, key_at: u32, key_size: u32, value_at: u32, value_size: u32, cas: u32| {
            perform(&mut call, "proxy_set_shared_data", |call| {
                let key = read(call, key_at, key_size)?;
                let value = read(call, value_at, value_size)?;
                call.data().shared.set(key, value, cas)
            })
        },
    )?;
    Ok(())
}

fn link_metrics(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    linker.func_wrap(
        "env",
        "proxy_define_metric",
        |mut call: Call<'_>, kind: u32, name_at: u32, name_size: u32, id_at: u32| {
            perform(&mut call, "proxy_define_metric", |call| {
                let name = read_text(call, name_at, name_size)?;
                let id = call.data_mut().metrics.define(kind, name)?;
                write_u32(call, id_at, id)
            })
        },
    )?;
    linker.func_wrap("env", "proxy_increment_metric", |mut call: Call<'_>, id: u32, by: i64| {
        perform(&mut call, "proxy_increment_metric", |call| call.data_mut().metrics.increment(id, by))
    })?;
    linker.func_wrap("env", "proxy_record_metric", |mut call: Call<'_>, id: u32, value: u64| {
        perform(&mut call, "proxy_record_metric", |call| call.data_mut().metrics.record(id, value))
    })?;
    linker.func_wrap("env", "proxy_get_metric", |mut call: Call<'_>, id: u32, value_at: u32| {
        perform(&mut call, "proxy_get_metric", |call| {
            let value = call.data_mut().metrics.get(id)?;
            write(call, value_at, &value.to_le_bytes())
        })
    })?;
    Ok(())
}

fn link_buffers(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    linker.func_wrap(
        "env",
        "proxy_get_buffer_bytes",
        |mut call: Call<'_>, kind: u32, start: u32, size: u32, value_at: u32, size_at: u32| {
            perform(&mut call, "proxy_get_buffer_bytes", |call| {
                let buffer = buffer(call.data_mut(), kind).ok_or(Status::NotFound)?;
                let end = start.checked_add(size).ok_or(Status::BadArgument)?;
                let end = (end as usize).min(buffer.len());
                let part = buffer.get(start as usize..end).unwrap_or_default().to_vec();
                give(call, &part, value_at, size_at)
            })
        },
    )?;
    linker.func_wrap(
        "env",
        "proxy_set_buffer_bytes",
        |mut call: Call<'_>, kind: u32, start: u32, size: u32, value_at: u32, value_size: u32| {
            perform(&mut call, "proxy_set_buffer_bytes", |call| {
                let value = read(call, value_at, value_size)?;
                let stream = call.data_mut().stream().ok_or(Status::NotFound)?;
                let buffer = match (kind, stream.phase) {
                    (REQUEST_BODY, Phase::RequestBody) => &mut stream.request_body,
                    (RESPONSE_BODY, Phase::ResponseBody) => &mut stream.response_body,
                    _ => return Err(Status::NotFound),
                };
                let start = (start as usize).min(buffer.len());
                let end = start.saturating_add(size as usize).min(buffer.len());
                buffer.splice(start..end, value);
                Ok(())
            })
        },
    )?;
    Ok(())
}

fn buffer(state: &mut State, kind: u32) -> Option<Vec<u8>> {
    match kind {
        REQUEST_BODY => {
            let stream = state.stream()?;
            (stream.request_body_open).then(|| stream.request_body.clone())
        }
        RESPONSE_BODY => {
            let stream = state.stream()?;
            (stream.phase == Phase::ResponseBody).then(|| stream.response_body.clone())
        }
        CALL_RESPONSE_BODY => state.answer.as_ref().map(|answer| answer.body.clone()),
        VM_CONFIGURATION => Some(Vec::new()),
        PLUGIN_CONFIGURATION => match state.contexts.get(&state.current)? {
            Context::Root(root) if root.configuring => Some(root.plugin.configuration.clone()),
            _ => None,
        },
        _ => None,
    }
}

const REQUEST_BODY: u32 = 0;
const RESPONSE_BODY: u32 = 1;
const CALL_RESPONSE_BODY: u32 = 4;
const VM_CONFIGURATION: u32 = 6;
const PLUGIN_CONFIGURATION: u32 = 7;
