//! A path is refused, or read in one way: normalising it again changes nothing.
#![no_main]

use gatepost::route::path::{NormalPath, PathPolicy};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|path: &[u8]| {
    for policy in [PathPolicy::Strict, PathPolicy::Normalize] {
        let Ok(normal) = NormalPath::new(path, policy) else {
            continue;
        };
        let forwarded = normal.forwarded(0);
        assert_eq!(NormalPath::new(forwarded.as_bytes(), policy).unwrap().forwarded(0), forwarded);
        assert!(forwarded.starts_with('/') && !forwarded.contains("//") && !forwarded.contains(['\\', ' ', '#']));
        assert!(normal.segments().all(|segment| !matches!(segment, "." | "..")));
        let _ = normal.lenient();
    }
});
