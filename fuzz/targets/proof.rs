//! A DPoP proof is read without a panic, and none but the published one is good.
#![no_main]

use gatepost::{
    crypto::{AlgorithmSet, host::Verifier},
    host::NoHost,
    jose::dpop::{Origin, Proof, Statement},
    route::path::{NormalPath, PathPolicy},
    time::UnixTime,
};
use libfuzzer_sys::fuzz_target;

// The proof, and a URL after a line end.
fuzz_target!(|text: &str| {
    let (proof, url) = text.split_once('\n').unwrap_or((text, ""));
    let origin = Origin::parse(url).or_else(|| Origin::parse("https://resource.example.org"));
    let path = NormalPath::new(b"/protectedresource", PathPolicy::Normalize).unwrap();
    let statement = Statement {
        key: &KEY,
        token: "Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU",
        method: "GET",
        origin: origin.as_ref(),
        path: &path,
        path_policy: PathPolicy::Normalize,
        now: UnixTime::from_secs(1_562_262_618),
    };
    // The signature is over every byte but its own, and its own are one way of writing two numbers, or four.
    if let Ok(good) = Proof::verify(proof, &statement, &mut Verifier::new(&mut NoHost, AlgorithmSet::EMPTY)) {
        assert_eq!(good.id, "e1j3V_bKic8-LAEB");
    }
});

/// The thumbprint of RFC 9449 §6.1: `0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I`.
const KEY: [u8; 32] = [
    0xd1, 0x97, 0x0e, 0x08, 0xe4, 0x59, 0x35, 0x8c, 0xbe, 0x0d, 0x6a, 0x6a, 0xab, 0x7d, 0x23, 0x67, 0x22, 0x46, 0x1d,
    0x33, 0x74, 0x77, 0x61, 0xe0, 0x94, 0x15, 0x77, 0xba, 0x28, 0x2e, 0x03, 0x82,
];
