//! The host calls that gatepost makes (proxy-wasm ABI 0.2.1).
//!
//! The SDK's own wrappers panic on every status that they do not expect and on names that are not UTF-8, and a panic
//! ends the VM with all its requests. These give the failure back instead, so that the request at hand is denied.

#![allow(unsafe_code, reason = "host calls are foreign functions; this file alone makes them")]

use std::{
    ptr::{null, null_mut},
    time::Duration,
};

use proxy_wasm::{hostcalls, types::LogLevel};

use crate::{
    engine::{Answer, HeaderEdit, UnixTime},
    headers::Headers,
    host::{Host, Store, Unavailable},
    metrics::Kind,
    provider::Call,
};

/// A header map of the ABI.
#[derive(Clone, Copy)]
pub enum Map {
    RequestHeaders = 0,
    RequestTrailers = 1,
    CallResponseHeaders = 6,
}

/// A buffer of the ABI.
#[derive(Clone, Copy)]
enum Buffer {
    RequestBody = 0,
    CallResponseBody = 4,
    PluginConfiguration = 7,
}

/// A host call that did not succeed.
#[derive(Clone, Copy, Debug)]
pub struct Failure;

/// The time of the host.
pub fn now() -> Result<UnixTime, Failure> {
    let mut nanoseconds = 0_u64;
    // SAFETY: the host writes one u64 to the address of one.
    check(unsafe { proxy_get_current_time_nanoseconds(&raw mut nanoseconds) })?;
    Ok(UnixTime::from_nanos(nanoseconds))
}

/// Writes a line to the host's log. A line that it does not take is lost.
pub fn log(level: LogLevel, line: &str) {
    // SAFETY: the host reads `line.len()` bytes from the address of as many.
    let _ = unsafe { proxy_log(level as u32, line.as_ptr(), line.len()) };
}

/// The plugin configuration.
pub fn plugin_configuration() -> Result<Vec<u8>, Failure> {
    buffer(Buffer::PluginConfiguration)
}

/// The body of the answer to the call at hand.
pub fn call_response_body() -> Result<Vec<u8>, Failure> {
    buffer(Buffer::CallResponseBody)
}

/// A part of what the host holds of the request's body. One that gives less than it announced fails.
pub fn request_body(start: usize, size: usize) -> Result<Vec<u8>, Failure> {
    // SAFETY: `received` gives valid addresses.
    let part = received(|data, given| unsafe {
        proxy_get_buffer_bytes(Buffer::RequestBody as u32, start, size, data, given)
    })?;
    if part.len() == size { Ok(part) } else { Err(Failure) }
}

/// All headers of a map, in one crossing.
pub fn headers(map: Map) -> Result<Headers, Failure> {
    // SAFETY: `received` gives valid addresses.
    let serialized = received(|data, size| unsafe { proxy_get_header_map_pairs(map as u32, data, size) })?;
    Headers::deserialize(serialized).ok_or(Failure)
}

/// Makes edits, one call each, and stops at the first that fails.
pub fn edit(map: Map, edits: &[HeaderEdit]) -> Result<(), Failure> {
    for edit in edits {
        // SAFETY: the host reads as many bytes as name and value have.
        check(unsafe {
            match edit {
                HeaderEdit::Remove(name) => proxy_remove_header_map_value(map as u32, name.as_ptr(), name.len()),
                HeaderEdit::Set(name, value) => {
                    proxy_replace_header_map_value(map as u32, name.as_ptr(), name.len(), value.as_ptr(), value.len())
                }
            }
        })?;
    }
    Ok(())
}

/// Answers the request. A host that knows gRPC turns the answer into a gRPC status.
pub fn respond(answer: &Answer) -> Result<(), Failure> {
    let headers = serialize(&answer.headers);
    let body = answer.grpc.map_or(answer.body.as_str(), |grpc| grpc.message);
    let grpc_status = answer.grpc.map_or(-1, |grpc| i32::from(grpc.code));
    // SAFETY: the host reads as many bytes as body and headers have; there are no details.
    check(unsafe {
        proxy_send_local_response(
            u32::from(answer.status),
            null(),
            0,
            body.as_ptr(),
            body.len(),
            headers.as_ptr(),
            headers.len(),
            grpc_status,
        )
    })
}

/// Sends an HTTP request. Its answer comes to the root context, under the number that is given back.
///
/// Through the SDK, which has to know the number, or ends the VM when the answer comes.
pub fn call(call: &Call) -> Result<u32, Failure> {
    let headers = call.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let body = (!call.body.is_empty()).then_some(call.body.as_slice());
    hostcalls::dispatch_http_call(&call.cluster, headers, body, Vec::new(), call.timeout).map_err(|_| Failure)
}

/// Has the host call the root context's `on_tick` again and again.
pub fn set_tick_period(period: Duration) -> Result<(), Failure> {
    let millis = u32::try_from(period.as_millis()).map_err(|_| Failure)?;
    // SAFETY: no address is passed.
    check(unsafe { proxy_set_tick_period_milliseconds(millis) })
}

/// Has the calls that follow speak for another context. A stream that is gone is a failure.
pub fn set_effective_context(context: u32) -> Result<(), Failure> {
    // SAFETY: no address is passed.
    check(unsafe { proxy_set_effective_context(context) })
}

/// Lets a held request go on. Its headers are out of reach from then on.
pub fn resume_request() -> Result<(), Failure> {
    const HTTP_REQUEST: u32 = 0;
    // SAFETY: no address is passed.
    check(unsafe { proxy_continue_stream(HTTP_REQUEST) })
}

/// What the host offers a decision.
pub struct TheHost;

impl Host for TheHost {
    fn property(&mut self, path: &[&str]) -> Option<Vec<u8>> {
        let path = path.join("\0");
        // SAFETY: `received` gives valid addresses; the host reads as many bytes as the path has.
        received(|data, size| unsafe { proxy_get_property(path.as_ptr(), path.len(), data, size) }).ok()
    }

    fn call(&mut self, function: &str, arguments: &[u8]) -> Option<Vec<u8>> {
        let (name, name_size) = (function.as_ptr(), function.len());
        let (arguments, arguments_size) = (arguments.as_ptr(), arguments.len());
        // SAFETY: `received` gives valid addresses; the host reads as many bytes as name and arguments have.
        received(|data, size| unsafe {
            proxy_call_foreign_function(name, name_size, arguments, arguments_size, data, size)
        })
        .ok()
    }
}

impl Store for TheHost {
    fn get(&mut self, slot: &str) -> Result<Option<(Vec<u8>, u32)>, Unavailable> {
        const NOT_FOUND: u32 = 1;
        let mut cas = 0;
        let mut status = OK;
        let value = received(|data, size| {
            // SAFETY: `received` gives valid addresses; the host reads `slot.len()` bytes and writes one u32 to the
            // address of one.
            status = unsafe { proxy_get_shared_data(slot.as_ptr(), slot.len(), data, size, &raw mut cas) };
            status
        });
        match value {
            Ok(value) => Ok(Some((value, cas))),
            Err(Failure) if status == NOT_FOUND => Ok(None),
            Err(Failure) => Err(Unavailable),
        }
    }

    fn set(&mut self, slot: &str, value: &[u8], expected: u32) -> Result<bool, Unavailable> {
        const CAS_MISMATCH: u32 = 8;
        // SAFETY: the host reads as many bytes as slot and value have.
        match unsafe { proxy_set_shared_data(slot.as_ptr(), slot.len(), value.as_ptr(), value.len(), expected) } {
            OK => Ok(true),
            CAS_MISMATCH => Ok(false),
            _ => Err(Unavailable),
        }
    }
}

/// A metric that the host has defined.
#[derive(Clone, Copy)]
pub struct MetricId(u32);

/// Defines a metric.
pub fn define_metric(kind: Kind, name: &str) -> Result<MetricId, Failure> {
    let kind = match kind {
        Kind::Counter => 0,
        Kind::Gauge => 1,
        Kind::Histogram => 2,
    };
    let mut metric = 0;
    // SAFETY: the host reads `name.len()` bytes and writes one u32 to the address of one.
    check(unsafe { proxy_define_metric(kind, name.as_ptr(), name.len(), &raw mut metric) })?;
    Ok(MetricId(metric))
}

/// Adds to a metric, other than nothing. What the host does not take is lost.
pub fn add(metric: MetricId, offset: i64) {
    // SAFETY: no address is passed.
    let _ = unsafe { proxy_increment_metric(metric.0, offset) };
}

/// Sets a gauge, or adds a value to a histogram. What the host does not take is lost.
pub fn record(metric: MetricId, value: u64) {
    // SAFETY: no address is passed.
    let _ = unsafe { proxy_record_metric(metric.0, value) };
}

/// Tells the host's access log something about the request at hand. What the host does not take is not told.
pub fn tell(name: &str, value: &str) {
    // SAFETY: the host reads as many bytes as name and value have.
    let _ = unsafe { proxy_set_property(name.as_ptr(), name.len(), value.as_ptr(), value.len()) };
}

/// Resets the request's stream.
pub fn reset_request() {
    const HTTP_REQUEST: u32 = 0;
    // SAFETY: no address is passed. There is nothing left to do if it fails.
    let _ = unsafe { proxy_close_stream(HTTP_REQUEST) };
}

const OK: u32 = 0;

fn buffer(buffer: Buffer) -> Result<Vec<u8>, Failure> {
    received(|data, size| {
        // SAFETY: `received` gives valid addresses.
        unsafe { proxy_get_buffer_bytes(buffer as u32, 0, usize::MAX, data, size) }
    })
}

fn check(status: u32) -> Result<(), Failure> {
    if status == OK { Ok(()) } else { Err(Failure) }
}

/// Bytes that the host allocates in the module's memory and hands over.
fn received(call: impl FnOnce(*mut *mut u8, *mut usize) -> u32) -> Result<Vec<u8>, Failure> {
    let mut data = null_mut();
    let mut size = 0;
    check(call(&raw mut data, &raw mut size))?;
    if data.is_null() {
        return if size == 0 { Ok(Vec::new()) } else { Err(Failure) };
    }
    // SAFETY: the host got the memory from `proxy_on_memory_allocate`, which makes a `Vec` of this capacity and leaks it
    // to the host; it gives it back here, written to its whole size.
    Ok(unsafe { Vec::from_raw_parts(data, size, size) })
}

fn serialize(headers: &[(String, String)]) -> Vec<u8> {
    let length = |length: usize| u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes();
    let mut bytes = length(headers.len()).to_vec();
    for (name, value) in headers {
        bytes.extend_from_slice(&length(name.len()));
        bytes.extend_from_slice(&length(value.len()));
    }
    for (name, value) in headers {
        for text in [name, value] {
            bytes.extend_from_slice(text.as_bytes());
            bytes.push(0);
        }
    }
    bytes
}

#[link(wasm_import_module = "env")]
unsafe extern "C" {
    fn proxy_log(level: u32, message: *const u8, size: usize) -> u32;
    fn proxy_get_current_time_nanoseconds(time: *mut u64) -> u32;
    fn proxy_get_buffer_bytes(buffer: u32, start: usize, most: usize, data: *mut *mut u8, size: *mut usize) -> u32;
    fn proxy_get_header_map_pairs(map: u32, data: *mut *mut u8, size: *mut usize) -> u32;
    fn proxy_remove_header_map_value(map: u32, name: *const u8, name_size: usize) -> u32;
    fn proxy_replace_header_map_value(
        map: u32,
        name: *const u8,
        name_size: usize,
        value: *const u8,
        value_size: usize,
    ) -> u32;
    fn proxy_define_metric(kind: u32, name: *const u8, name_size: usize, metric: *mut u32) -> u32;
    fn proxy_increment_metric(metric: u32, offset: i64) -> u32;
    fn proxy_record_metric(metric: u32, value: u64) -> u32;
    fn proxy_set_property(path: *const u8, path_size: usize, value: *const u8, value_size: usize) -> u32;
    fn proxy_close_stream(stream: u32) -> u32;
    fn proxy_continue_stream(stream: u32) -> u32;
    fn proxy_set_effective_context(context: u32) -> u32;
    fn proxy_set_tick_period_milliseconds(period: u32) -> u32;
    fn proxy_get_shared_data(
        key: *const u8,
        key_size: usize,
        value: *mut *mut u8,
        value_size: *mut usize,
        cas: *mut u32,
    ) -> u32;
    fn proxy_get_property(path: *const u8, path_size: usize, value: *mut *mut u8, value_size: *mut usize) -> u32;
    fn proxy_call_foreign_function(
        name: *const u8,
        name_size: usize,
        arguments: *const u8,
        arguments_size: usize,
        results: *mut *mut u8,
        results_size: *mut usize,
    ) -> u32;
    fn proxy_set_shared_data(key: *const u8, key_size: usize, value: *const u8, value_size: usize, cas: u32) -> u32;
    fn proxy_send_local_response(
        status: u32,
        details: *const u8,
        details_size: usize,
        body: *const u8,
        body_size: usize,
        headers: *const u8,
        headers_size: usize,
        grpc_status: i32,
    ) -> u32;
}
