//! Hosts the gatepost filter: natively, in wasmtime, in Envoy.
//!
//! | to | look in |
//! |---|---|
//! | run the table of promises on the three hosts | [`scenario`] |
//! | drive the module callback by callback, with faults | [`host`] |
//! | start an Envoy with the module, and stop it | [`envoy`] |
//! | see what a service receives | [`echo`] |
//! | send a request byte for byte, or thousands at once | [`client`] |
//! | verify a signature as Envoy does for a filter | [`foreign`] |
//! | keep a page in step with the code that it is made from | [`generated`] |
//! | script an identity provider, and let it fail | [`provider`] |
//! | make tokens and key sets, honest or not | [`mint`] |
//! | make a container image of the module | [`image`] |
//! | describe what a configuration may hold, to editors | [`schema`] |
//! | and to people | [`mod@reference`] |

use std::path::{Path, PathBuf};

pub mod client;
pub mod echo;
pub mod envoy;
pub mod foreign;
pub mod generated;
pub mod host;
pub mod image;
pub mod mint;
pub mod provider;
pub mod reference;
pub mod scenario;
pub mod schema;

/// The module under test: `GATEPOST_MODULE`, else what `make build` makes.
pub fn module_path() -> PathBuf {
    let built = || {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
        target.join("wasm32-wasip1/release/gatepost.wasm")
    };
    std::env::var_os("GATEPOST_MODULE").map_or_else(built, PathBuf::from)
}
