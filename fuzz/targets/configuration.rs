//! A configuration loads, or says why not; it never panics.
#![no_main]

use gatepost::config;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &[u8]| {
    if let Err(errors) = config::load(text, &|_| None) {
        assert!(!errors.is_empty() && errors.iter().all(|error| !error.to_string().is_empty()));
    }
});
