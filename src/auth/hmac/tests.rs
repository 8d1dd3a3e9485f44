use super::*;
use crate::test::test;

test!(secrets_of_any_length_are_keys, {
    // RFC 4231, test cases 1, 2 and 6: a secret of 20 bytes, of 4, and of more than a block.
    for (secret, data, tag) in [
        (vec![0x0b; 20], b"Hi There".as_slice(), "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"),
        (
            b"Jefe".to_vec(),
            b"what do ya want for nothing?",
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
        ),
        (
            vec![0xaa; 131],
            b"Test Using Larger Than Block-Size Key - Hash Key First",
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
        ),
    ] {
        let made = keyed(&secret).chain_update(data).finalize().into_bytes();
        let made: String = made.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(made, tag);
    }
});

test!(debug_shows_no_secret, {
    let grant = Grant { owner: Some("acme".to_owned()), ..Grant::default() };
    let secrets = vec![Secret::shared(b"hush"), Secret::of_key("k1".to_owned(), b"hush", grant, None)];
    let method = HmacMethod {
        scheme: Scheme::Generic,
        secrets,
        tolerance: Duration::from_secs(1),
        max_body: 1,
        body_timeout: Duration::from_secs(1),
    };
    let debug = format!("{method:?}");
    assert!(debug.contains("k1") && !debug.contains("hush") && !debug.contains("Hmac {"), "{debug}");
});

test!(a_body_is_hashed_piece_by_piece_for_each_reader, {
    let mut hash = BodyHash::of(vec![(AuthenticatorId(0), keyed(b"k"), 5), (AuthenticatorId(1), keyed(b"k"), 3)]);
    assert!(!hash.update(b"ab"));
    assert!(!hash.update(b"c"));
    assert!(matches!(hash.whole(AuthenticatorId(0)), Ok(None)) && hash.is_open());
    // Too long for one of them, and told once.
    assert!(hash.update(b"d"));
    assert!(!hash.update(b"e"));
    assert_eq!(hash.whole(AuthenticatorId(1)).err(), Some(Reason::BodyTooLarge));
    hash.end();
    assert!(!hash.is_open() && hash.length() == 5);
    let statement = Statement { signatures: Vec::new(), time: None, prefix: Vec::new(), key: None, nonce: None };
    let expected: Tag = keyed(b"k").chain_update(b"abcde").finalize().into_bytes().into();
    let whole = hash.whole(AuthenticatorId(0)).unwrap().unwrap();
    assert_eq!(whole.tags(&statement, &[Secret::shared(b"k")]), [expected]);
    assert_eq!(hash.whole(AuthenticatorId(2)).err(), Some(Reason::HostFailure));
});

test!(a_body_that_is_given_up_is_not_whole, {
    let mut hash = BodyHash::of(vec![(AuthenticatorId(0), keyed(b"k"), 5)]);
    hash.give_up(Reason::BodyTimeout);
    hash.give_up(Reason::BodyWithheld);
    assert!(!hash.is_open());
    assert_eq!(hash.whole(AuthenticatorId(0)).err(), Some(Reason::BodyTimeout));
});
