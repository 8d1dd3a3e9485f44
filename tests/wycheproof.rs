//! Every vector of Project Wycheproof that JWS has an algorithm for.
//!
//! Each test gives the exact numbers of vectors whose verdict is the project's own, and of those that gatepost refuses
//! by a rule of its own. A vector counted there was valid or merely acceptable: nothing invalid is ever let through.
#![cfg(not(target_arch = "wasm32"))]

use std::fmt::Debug;

use base64::{Engine, engine::general_purpose::STANDARD};
use wycheproof::{HashFunction, TestResult, ecdsa, eddsa, mac, rsa_pkcs1_verify, rsa_pss_verify};

use gatepost::crypto::{Algorithm, Curve, KeyError, VerificationKey};

#[test]
fn rsa_pkcs1_verdicts_are_wycheproofs() {
    use rsa_pkcs1_verify::TestName::*;

    let mut tally = Tally::default();
    for name in [
        Rsa2048Sha256,
        Rsa2048Sha384,
        Rsa2048Sha512,
        Rsa3072Sha256,
        Rsa3072Sha384,
        Rsa3072Sha512,
        Rsa4096Sha256,
        Rsa4096Sha384,
        Rsa4096Sha512,
        Rsa8192Sha256,
        Rsa8192Sha384,
        Rsa8192Sha512,
    ] {
        for group in rsa_pkcs1_verify::TestSet::load(name).unwrap().test_groups {
            let algorithm = rs(group.hash);
            let keys = rsa_keys(&group.key.n, &group.key.e, &group.der);
            for test in &group.tests {
                tally.count(name, test.tc_id, test.result, verdict(&keys, algorithm, &test.msg, &test.sig));
            }
        }
    }
    // 12 DigestInfos without NULL are "acceptable" to Wycheproof, and 5 exponents of 3 valid.
    assert_eq!(tally, Tally { agreed: 3089, stricter: 12, refused_keys: 5 });
}

#[test]
fn rsa_pss_verdicts_are_wycheproofs() {
    let mut tally = Tally::default();
    let mut foreign = 0;
    for name in rsa_pss_verify::TestName::all() {
        for group in rsa_pss_verify::TestSet::load(name).unwrap().test_groups {
            let (algorithm, salt) = match group.hash {
                HashFunction::Sha2_384 => (Algorithm::Ps384, 48),
                HashFunction::Sha2_512 => (Algorithm::Ps512, 64),
                _ => (Algorithm::Ps256, 32),
            };
            let ours = SHA2.contains(&group.hash) && group.mgf_hash == Some(group.hash) && group.salt_size == salt;
            let keys = VerificationKey::rsa(&group.key.n, &group.key.e).map(|key| vec![key]);
            for test in &group.tests {
                let verdict = verdict(&keys, algorithm, &test.msg, &test.sig);
                if ours {
                    tally.count(name, test.tc_id, test.result, verdict);
                } else if test.result != TestResult::Invalid {
                    // Another hash, or a salt of another length: good there, and never here.
                    assert_ne!(verdict, Some(true), "{name:?} {}", test.tc_id);
                    foreign += 1;
                }
            }
        }
    }
    assert_eq!(tally, Tally { agreed: 1186, stricter: 0, refused_keys: 0 });
    assert_eq!(foreign, 1633);
}

#[test]
fn ecdsa_verdicts_are_wycheproofs() {
    use ecdsa::TestName::*;

    for (name, curve, algorithm, expected) in [
        (EcdsaSecp256r1Sha256P1363, Curve::P256, Algorithm::Es256, 262),
        (EcdsaSecp384r1Sha384P1363, Curve::P384, Algorithm::Es384, 280),
        (EcdsaSecp521r1Sha512P1363, Curve::P521, Algorithm::Es512, 318),
    ] {
        let mut tally = Tally::default();
        for group in ecdsa::TestSet::load(name).unwrap().test_groups {
            let (x, y) = group.key.key[1..].split_at(curve.coordinate_length());
            let keys = || {
                let key = VerificationKey::ec(curve, x, y)?;
                Ok(vec![key, VerificationKey::from_public_key_pem(&pem(&group.der))?])
            };
            let used = used_often(keys(), algorithm, 2 * curve.coordinate_length());
            for test in &group.tests {
                let verdict = verdict_of_new_and_used(keys(), &used, algorithm, &test.msg, &test.sig);
                tally.count(name, test.tc_id, test.result, verdict);
            }
        }
        assert_eq!(tally, Tally { agreed: expected, stricter: 0, refused_keys: 0 });
    }
}

/// The same as above on the sets that are encoded in DER: all of them are refused, as JWS signatures are not DER.
#[test]
fn der_encoded_ecdsa_signatures_are_refused() {
    use ecdsa::TestName::*;

    let mut refused = 0;
    for (name, curve, algorithm) in [
        (EcdsaSecp256r1Sha256, Curve::P256, Algorithm::Es256),
        (EcdsaSecp384r1Sha384, Curve::P384, Algorithm::Es384),
        (EcdsaSecp521r1Sha512, Curve::P521, Algorithm::Es512),
    ] {
        for group in ecdsa::TestSet::load(name).unwrap().test_groups {
            let (x, y) = group.key.key[1..].split_at(curve.coordinate_length());
            let key = VerificationKey::ec(curve, x, y).unwrap();
            for test in &group.tests {
                assert!(!key.verify(algorithm, &test.msg, &test.sig), "{name:?} {}", test.tc_id);
                refused += 1;
            }
        }
    }
    assert_eq!(refused, 1530);
}

#[test]
fn eddsa_verdicts_are_wycheproofs() {
    let mut tally = Tally::default();
    for group in eddsa::TestSet::load(eddsa::TestName::Ed25519).unwrap().test_groups {
        let keys = || {
            let key = VerificationKey::ed25519(&group.key.pk)?;
            Ok(vec![key, VerificationKey::from_public_key_pem(&pem(&group.der))?])
        };
        let used = used_often(keys(), Algorithm::EdDsa, 64);
        for test in &group.tests {
            let verdict = verdict_of_new_and_used(keys(), &used, Algorithm::EdDsa, &test.msg, &test.sig);
            tally.count("Ed25519", test.tc_id, test.result, verdict);
        }
    }
    assert_eq!(tally, Tally { agreed: 151, stricter: 0, refused_keys: 0 });
}

#[test]
fn hmac_verdicts_are_wycheproofs() {
    use mac::TestName::*;

    // Half of the tags are truncated to half, of which 30 are valid to Wycheproof; short secrets make no keys.
    for (name, algorithm, full, expected) in [
        (HmacSha256, Algorithm::Hs256, 256, Tally { agreed: 138, stricter: 30, refused_keys: 6 }),
        (HmacSha384, Algorithm::Hs384, 384, Tally { agreed: 138, stricter: 30, refused_keys: 6 }),
        (HmacSha512, Algorithm::Hs512, 512, Tally { agreed: 138, stricter: 30, refused_keys: 6 }),
    ] {
        let mut tally = Tally::default();
        for group in mac::TestSet::load(name).unwrap().test_groups {
            for test in &group.tests {
                // A secret shorter than the hash makes no key, or one without this algorithm.
                let keys = VerificationKey::hmac(&test.key)
                    .map(|key| vec![key])
                    .ok()
                    .filter(|keys| keys[0].algorithms().contains(algorithm))
                    .ok_or(KeyError::TooShort { bits: 0, least: 0 });
                let verdict = verdict(&keys, algorithm, &test.msg, &test.tag);
                // JWS has no truncated tags (RFC 7518 §3.2).
                let result = match test.result {
                    TestResult::Valid if 8 * test.tag.len() < full => TestResult::Acceptable,
                    result => result,
                };
                tally.count(name, test.tc_id, result, verdict);
            }
        }
        assert_eq!(tally, expected, "{name:?}");
    }
}

#[derive(Default, PartialEq, Debug)]
struct Tally {
    /// Accepted what is valid, refused what is not.
    agreed: usize,
    /// Refused, though valid or acceptable to Wycheproof.
    stricter: usize,
    /// The key was refused before any signature was looked at.
    refused_keys: usize,
}

impl Tally {
    fn count(&mut self, name: impl Debug, id: usize, result: TestResult, verdict: Option<bool>) {
        match (result, verdict) {
            (_, None) => self.refused_keys += 1,
            (TestResult::Valid, Some(true)) | (TestResult::Invalid, Some(false)) => self.agreed += 1,
            (TestResult::Acceptable, Some(false)) => self.stricter += 1,
            (_, Some(verdict)) => panic!("{name:?} {id}: {result:?}, but verified: {verdict}"),
        }
    }
}

/// What all of these keys, which are one in several encodings, say of a signature; None if they were refused.
fn verdict(
    keys: &Result<Vec<VerificationKey>, KeyError>,
    algorithm: Algorithm,
    message: &[u8],
    signature: &[u8],
) -> Option<bool> {
    let keys = keys.as_ref().ok()?;
    let verdicts: Vec<bool> = keys.iter().map(|key| key.verify(algorithm, message, signature)).collect();
    assert!(verdicts.iter().all(|verdict| *verdict == verdicts[0]));
    Some(verdicts[0])
}

/// What keys that verify their first signature say, and keys that have verified many, for which tables are made.
fn verdict_of_new_and_used(
    new: Result<Vec<VerificationKey>, KeyError>,
    used: &Result<Vec<VerificationKey>, KeyError>,
    algorithm: Algorithm,
    message: &[u8],
    signature: &[u8],
) -> Option<bool> {
    let verdicts = [&new, used].map(|keys| verdict(keys, algorithm, message, signature));
    assert_eq!(verdicts[0], verdicts[1]);
    verdicts[0]
}

fn used_often(
    keys: Result<Vec<VerificationKey>, KeyError>,
    algorithm: Algorithm,
    signature_length: usize,
) -> Result<Vec<VerificationKey>, KeyError> {
    let signature = vec![1; signature_length];
    for key in keys.iter().flatten() {
        for _ in 0..10 {
            assert!(!key.verify(algorithm, b"", &signature));
        }
    }
    keys
}

fn rsa_keys(n: &[u8], e: &[u8], der: &[u8]) -> Result<Vec<VerificationKey>, KeyError> {
    Ok(vec![VerificationKey::rsa(n, e)?, VerificationKey::from_public_key_pem(&pem(der))?])
}

fn pem(der: &[u8]) -> String {
    format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", STANDARD.encode(der))
}

fn rs(hash: HashFunction) -> Algorithm {
    match hash {
        HashFunction::Sha2_256 => Algorithm::Rs256,
        HashFunction::Sha2_384 => Algorithm::Rs384,
        HashFunction::Sha2_512 => Algorithm::Rs512,
        hash => panic!("{hash:?} is none of JWS's"),
    }
}

const SHA2: [HashFunction; 3] = [HashFunction::Sha2_256, HashFunction::Sha2_384, HashFunction::Sha2_512];
