use super::{super::pem, *};
use crate::{
    host::{Store, Unavailable},
    test::test,
};

/// A host whose answers are written by a function of the call's arguments.
struct Scripted<F>(F, usize);

impl<F: FnMut(&str, &[u8]) -> Option<Vec<u8>>> Host for Scripted<F> {
    fn property(&mut self, _: &[&str]) -> Option<Vec<u8>> {
        None
    }

    fn call(&mut self, function: &str, arguments: &[u8]) -> Option<Vec<u8>> {
        self.1 += 1;
        (self.0)(function, arguments)
    }
}

impl<F> Store for Scripted<F> {
    fn get(&mut self, _: &str) -> Result<Option<(Vec<u8>, u32)>, Unavailable> {
        Err(Unavailable)
    }

    fn set(&mut self, _: &str, _: &[u8], _: u32) -> Result<bool, Unavailable> {
        Err(Unavailable)
    }
}

/// The fields of the arguments, each of which has its length before it.
fn fields(mut arguments: &[u8]) -> Vec<Vec<u8>> {
    let mut fields = Vec::new();
    while let [tag, rest @ ..] = arguments {
        assert_eq!(usize::from(*tag), (fields.len() + 1) << 3 | 2);
        let digits = rest.iter().position(|byte| *byte < 0x80).unwrap() + 1;
        let length = rest[..digits].iter().rev().fold(0, |length, digit| length << 7 | usize::from(digit & 0x7f));
        fields.push(rest[digits..digits + length].to_vec());
        arguments = &rest[digits + length..];
    }
    fields
}

/// What a host that verifies says.
fn honest(function: &str, arguments: &[u8]) -> Option<Vec<u8>> {
    assert_eq!(function, "verify_signature");
    let fields = fields(arguments);
    let [hash, key, signature, message] = &fields[..] else { panic!("four fields") };
    let algorithm = KNOWN.into_iter().find(|(_, pem, _)| der(pem) == *key);
    let (known, pem, _) = algorithm.unwrap();
    let bits = &known.name()[2..];
    let (algorithm, signature) = match known.name().starts_with('E') {
        true => (known, plain_signature(signature, known)),
        false => {
            (Algorithm::from_name(&format!("RS{}", &hash.escape_ascii().to_string()[3..])).unwrap(), signature.clone())
        }
    };
    assert!(known.name().starts_with('R') || bits == "256" || bits == "384" || bits == "512");
    let good = VerificationKey::from_public_key_pem(pem).unwrap().verify(algorithm, message, &signature);
    Some(if good { vec![8, 1] } else { b"\x12\x03bad".to_vec() })
}

/// What OpenSSL wrote.
fn der(pem: &str) -> Vec<u8> {
    pem::content(pem, "PUBLIC KEY").ok().unwrap()
}

/// R and S side by side again.
fn plain_signature(der: &[u8], algorithm: Algorithm) -> Vec<u8> {
    match algorithm {
        Algorithm::Es256 => p256::ecdsa::Signature::from_der(der).unwrap().to_bytes().to_vec(),
        Algorithm::Es384 => p384::ecdsa::Signature::from_der(der).unwrap().to_bytes().to_vec(),
        _ => p521::ecdsa::Signature::from_der(der).unwrap().to_bytes().to_vec(),
    }
}

fn verify(host: &mut dyn Host, offered: AlgorithmSet, algorithm: Algorithm, message: &[u8]) -> bool {
    let (_, pem, signature) = KNOWN.into_iter().find(|(known, ..)| *known == algorithm).unwrap();
    let key = VerificationKey::from_public_key_pem(pem).unwrap();
    Verifier::new(host, offered).verify(&key, algorithm, message, signature)
}

test!(a_host_that_verifies_is_found_and_asked, {
    let mut host = Scripted(honest, 0);
    let all: AlgorithmSet = KNOWN.into_iter().map(|(algorithm, ..)| algorithm).collect();
    assert_eq!(offered(&mut host), all);
    assert_eq!(host.1, 12);
    for algorithm in all.iter() {
        assert!(verify(&mut host, all, algorithm, b"header.payload"), "{algorithm}");
        assert!(!verify(&mut host, all, algorithm, b"header.Payload"), "{algorithm}");
    }
    assert_eq!(host.1, 24);
    // What is not offered stays here.
    assert!(verify(&mut host, AlgorithmSet::EMPTY, Algorithm::Es256, b"header.payload"));
    assert_eq!(host.1, 24);
});

test!(a_host_that_does_not_know_good_from_bad_is_not_asked, {
    for answer in
        [None, Some(vec![]), Some(vec![8, 1]), Some(vec![8, 0]), Some(vec![8, 2]), Some(vec![7]), Some(vec![8])]
    {
        assert_eq!(offered(&mut Scripted(|_: &str, _: &[u8]| answer.clone(), 0)), AlgorithmSet::EMPTY, "{answer:?}");
    }
    // One that fails later on is no reason to refuse anybody.
    let offered = AlgorithmSet::of(&[Algorithm::Rs256]);
    for answer in [None, Some(vec![1, 2, 3])] {
        let mut host = Scripted(|_: &str, _: &[u8]| answer.clone(), 0);
        assert!(verify(&mut host, offered, Algorithm::Rs256, b"header.payload"));
        assert!(!verify(&mut host, offered, Algorithm::Rs256, b"header.Payload"));
        assert_eq!(host.1, 2);
    }
});

test!(verdicts_are_read_strictly, {
    for (answer, verdict) in [
        (&[8, 1][..], Some(true)),
        (&[], Some(false)),
        (&[8, 0], Some(false)),
        (b"\x12\x01x", Some(false)),
        // Good, and yet an error.
        (b"\x08\x01\x12\x01x", Some(false)),
        (&[8, 3], None),
        (&[8, 1, 0], None),
        (&[16, 1], None),
    ] {
        assert_eq!(read_verdict(answer), verdict, "{answer:?}");
    }
});

test!(keys_are_written_as_openssl_writes_them, {
    for (algorithm, pem, _) in KNOWN {
        let key = VerificationKey::from_public_key_pem(pem).unwrap();
        assert_eq!(key.spki.as_deref(), Some(&*der(pem)), "{algorithm}");
    }
    // A compressed point would have to be decompressed.
    let compressed = include_str!("../../../tests/vectors/crypto/p256_compressed.pem");
    assert_eq!(VerificationKey::from_public_key_pem(compressed).unwrap().spki, None);
});

test!(numbers_are_as_short_as_they_get_and_never_negative, {
    for (number, expected) in [
        (&[0, 0][..], &[2, 1, 0][..]),
        (&[0, 1], &[2, 1, 1]),
        (&[0x7f], &[2, 1, 0x7f]),
        (&[0x80], &[2, 2, 0, 0x80]),
        (&[0, 0, 0xff, 0], &[2, 3, 0, 0xff, 0]),
    ] {
        assert_eq!(integer(number), expected);
    }
    for (length, expected) in [(0x7f, &[5, 0x7f][..]), (0x80, &[5, 0x81, 0x80]), (0x100, &[5, 0x82, 1, 0])] {
        assert_eq!(element(5, &vec![0; length])[..expected.len()], *expected);
    }
    assert_eq!(ecdsa_signature(&[1; 63], Curve::P256), None);
});
