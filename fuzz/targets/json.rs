//! JSON is what serde_json says it is, and comes back as it was read.
#![no_main]

use gatepost::json::Json;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &[u8]| {
    let ours = Json::parse(text, 64);
    if let Ok(json) = &ours {
        assert_eq!(Json::parse(json.to_string().as_bytes(), 64).as_ref(), Ok(json));
        assert!(!json.equals(&Json::Null) || *json == Json::Null);
    }
    if let Ok(theirs) = serde_json::from_slice::<serde_json::Value>(text) {
        // Where members repeat, serde_json keeps the last one.
        if let Ok(ours) = ours.as_ref().map(|json| json.has_duplicates()) {
            assert!(ours || Json::parse(theirs.to_string().as_bytes(), 64).is_ok());
        }
    }
});
