//! gatepost: gateway authentication as a proxy-wasm filter.
#![deny(unsafe_code)]
