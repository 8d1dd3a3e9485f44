//! An ES256 signature is good for gatepost where it is for the p256 crate, with a new key and with one used often.
#![no_main]

use gatepost::crypto::{Algorithm, Curve, VerificationKey};
use libfuzzer_sys::fuzz_target;
use p256::ecdsa::{
    Signature, SigningKey,
    signature::{Signer as _, Verifier as _},
};

fuzz_target!(|bytes: &[u8]| {
    let Some((secret, rest)) = bytes.split_first_chunk::<32>() else {
        return;
    };
    let Some((change, message)) = rest.split_first_chunk::<64>() else {
        return;
    };
    let Ok(signing) = SigningKey::from_slice(secret) else {
        return;
    };
    let point = signing.verifying_key().to_encoded_point(false);
    let (x, y) = point.as_bytes()[1..].split_at(32);
    let key = VerificationKey::ec(Curve::P256, x, y).unwrap();
    let good: Signature = signing.sign(message);
    let changed: Vec<u8> = good.to_bytes().iter().zip(change).map(|(good, change)| good ^ change).collect();
    for signature in [&change[..], &changed, &changed, &change[..], &good.to_bytes(), &changed] {
        let expected = Signature::from_slice(signature)
            .is_ok_and(|signature| signing.verifying_key().verify(message, &signature).is_ok());
        assert_eq!(key.verify(Algorithm::Es256, message, signature), expected);
    }
});
