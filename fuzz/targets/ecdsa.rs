//! An ECDSA signature is good for gatepost where it is for the curve's crate, with a new key and with one used often; and
//! bytes are a key for both or for none.
#![no_main]

use gatepost::crypto::{Algorithm, Curve, VerificationKey};
use libfuzzer_sys::fuzz_target;
use sha2::{Digest as _, Sha256, Sha384, Sha512};

fuzz_target!(|bytes: &[u8]| {
    match bytes.split_first() {
        Some((0, rest)) => p256::compare(rest),
        Some((1, rest)) => p384::compare(rest),
        Some((2, rest)) => p521::compare(rest),
        _ => Some(()),
    };
});

macro_rules! curve {
    ($module:ident, $curve:ident, $algorithm:ident, $hash:ty, $length:literal) => {
        mod $module {
            use ::$module::{
                FieldBytes, ProjectivePoint, Scalar,
                ecdsa::{Signature, VerifyingKey, signature::Verifier as _},
                elliptic_curve::{PrimeField as _, sec1::ToEncodedPoint as _},
            };

            use super::*;

            /// What is read: a secret, a nonce, a change of the signature, and the message.
            pub(super) fn compare(bytes: &[u8]) -> Option<()> {
                let (secret, rest) = bytes.split_first_chunk::<$length>()?;
                let (nonce, rest) = rest.split_first_chunk::<$length>()?;
                let (change, message) = rest.split_first_chunk::<{ 2 * $length }>()?;
                let (x, y) = change.split_at($length);
                let point = [&[4], x, y].concat();
                let own = VerificationKey::ec(Curve::$curve, x, y);
                assert_eq!(own.is_ok(), VerifyingKey::from_sec1_bytes(&point).is_ok());
                let secret = scalar(secret)?;
                let point = (ProjectivePoint::GENERATOR * secret).to_affine();
                let reference = VerifyingKey::from_affine(point).ok()?;
                let point = point.to_encoded_point(false);
                let key = VerificationKey::ec(Curve::$curve, point.x()?, point.y()?).unwrap();
                let good = signed(secret, scalar(nonce)?, message)?;
                let changed: Vec<u8> = good.iter().zip(change).map(|(good, change)| good ^ change).collect();
                for signature in [&change[..], &changed, &changed, &change[..], &good, &changed] {
                    let expected = Signature::from_slice(signature)
                        .is_ok_and(|signature| reference.verify(message, &signature).is_ok());
                    assert_eq!(key.verify(Algorithm::$algorithm, message, signature), expected);
                }
                Some(())
            }

            /// FIPS 186-5 §6.4.1.
            fn signed(secret: Scalar, nonce: Scalar, message: &[u8]) -> Option<Vec<u8>> {
                let hash = <$hash>::digest(message);
                let mut padded = [0; $length];
                padded[$length - hash.len()..].copy_from_slice(&hash);
                let r = scalar((ProjectivePoint::GENERATOR * nonce).to_affine().to_encoded_point(false).x()?)?;
                let inverse = Option::<Scalar>::from(nonce.invert())?;
                let s = inverse * (scalar(&padded)? + r * secret);
                Some([r.to_repr(), s.to_repr()].concat())
            }

            fn scalar(bytes: &[u8]) -> Option<Scalar> {
                let mut repr = FieldBytes::default();
                repr.copy_from_slice(bytes);
                Scalar::from_repr(repr).into()
            }
        }
    };
}

curve!(p256, P256, Es256, Sha256, 32);
curve!(p384, P384, Es384, Sha384, 48);
curve!(p521, P521, Es512, Sha512, 66);
