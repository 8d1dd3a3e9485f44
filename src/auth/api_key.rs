//! API keys: long random strings that a gateway knows by their SHA-256 alone.

use std::{collections::hash_map::RandomState, fmt, hash::BuildHasher as _, rc::Rc};

use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use super::{Authenticator, AuthenticatorId, Identity, Unverified, VerifiedToken};
use crate::{deny::Reason, jose::claims::Times, json::Json, limit::rate::Rate, time::UnixTime};

/// How API keys are verified.
#[derive(Debug)]
pub struct ApiKeyMethod {
    /// The keys.
    pub keys: Rc<ApiKeys>,
}

/// API keys, found by their SHA-256.
///
/// Whoever presents keys knows the digests of what he presents. A search that went by the digests themselves would take
/// a time, and touch memory, that tell how far one of his agrees with one that is stored: bits of a stored digest, with
/// which guesses at a weak key can be tested elsewhere. So the search goes by a mark that a secret of this worker's makes
/// of the digest, which tells nothing of its neighbours, and digests are compared in constant time.
pub struct ApiKeys {
    /// By mark. Keyed SipHash, with a secret that nobody outside can learn.
    keys: Box<[Entry]>,
    marks: RandomState,
}

/// An API key.
#[derive(Clone)]
pub struct ApiKey {
    /// Its name, which is no secret.
    pub id: Box<str>,
    /// What it allows.
    pub grant: Rc<Grant>,
    /// When it ends.
    pub expires: Option<UnixTime>,
}

/// What a key allows. Many API keys may share one.
#[derive(Default, PartialEq, Eq, Hash)]
pub struct Grant {
    /// Whose it is.
    pub owner: Option<String>,
    /// Its scopes.
    pub scopes: Vec<String>,
    /// Its roles.
    pub roles: Vec<String>,
    /// How many requests pass.
    pub limit: Option<Rate>,
}

/// The SHA-256 of an API key.
pub type KeyDigest = [u8; 32];

struct Entry {
    mark: u64,
    digest: KeyDigest,
    key: ApiKey,
}

impl ApiKeyMethod {
    /// Verifies a key.
    ///
    /// # Errors
    ///
    /// The key is unknown, or it has expired: a key's time is the gateway's own, so no skew is allowed for.
    pub fn verify(
        &self,
        id: AuthenticatorId,
        authenticator: &Authenticator,
        presented: &str,
        now: UnixTime,
    ) -> Result<Rc<VerifiedToken>, Unverified> {
        let key = self.keys.find(presented).ok_or(Reason::UnknownApiKey)?;
        if key.expires.is_some_and(|expires| now >= expires) {
            return Err(Reason::ExpiredApiKey.into());
        }
        let subject = Some(key.id.to_string());
        Ok(Rc::new(key.grant.verified(id, authenticator, "api_key", subject, key.expires)))
    }
}

impl Grant {
    /// Whoever has shown a key with this grant, and until when.
    pub(super) fn verified(
        &self,
        id: AuthenticatorId,
        authenticator: &Authenticator,
        method: &'static str,
        subject: Option<String>,
        expires: Option<UnixTime>,
    ) -> VerifiedToken {
        let identity = Identity {
            authenticator: id,
            authenticator_name: authenticator.name.clone(),
            method,
            issuer: None,
            subject,
            owner: self.owner.clone(),
            limit: self.limit,
            roles: self.roles.clone(),
            scopes: self.scopes.clone(),
            claims: Json::Null,
        };
        let times = Times { expires: expires.map(UnixTime::as_secs_f64), ..Times::default() };
        VerifiedToken::new(identity, times, None, None)
    }
}

impl ApiKeys {
    /// These keys, no two of which have one digest.
    #[must_use]
    pub fn new(keys: Vec<(KeyDigest, ApiKey)>) -> Self {
        let marks = RandomState::new();
        let entries = keys.into_iter().map(|(digest, key)| Entry { mark: marks.hash_one(digest), digest, key });
        let mut keys: Box<[Entry]> = entries.collect();
        keys.sort_unstable_by_key(|entry| entry.mark);
        Self { keys, marks }
    }

    /// The key that was presented.
    #[must_use]
    pub fn find(&self, presented: &str) -> Option<&ApiKey> {
        if presented.len() > MAX_LENGTH {
            return None;
        }
        let digest: KeyDigest = Sha256::digest(presented).into();
        let mark = self.marks.hash_one(digest);
        let start = self.keys.partition_point(|entry| entry.mark < mark);
        let mut candidates = self.keys.iter().skip(start).take_while(|entry| entry.mark == mark);
        candidates.find(|entry| bool::from(entry.digest.ct_eq(&digest))).map(|entry| &entry.key)
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }
}

impl fmt::Debug for ApiKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiKeys").field("len", &self.len()).finish_non_exhaustive()
    }
}

/// The longest key that is hashed, in bytes.
const MAX_LENGTH: usize = 16 * 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{auth::Method, credential::OnMultiple, test::test};

    fn key(number: usize) -> (KeyDigest, ApiKey) {
        let id = format!("key-{number}");
        let digest = Sha256::digest(format!("the secret of {id}")).into();
        (digest, ApiKey { id: id.into(), grant: Rc::default(), expires: None })
    }

    fn verify(key: ApiKey, presented: &str, now: UnixTime) -> Result<Rc<VerifiedToken>, Unverified> {
        let keys = Rc::new(ApiKeys::new(vec![(Sha256::digest("a key").into(), key)]));
        let method = ApiKeyMethod { keys };
        let authenticator = Authenticator {
            name: "machines".into(),
            sources: Vec::new(),
            on_multiple: OnMultiple::Reject,
            forward_credential: false,
            method: Method::ApiKey(ApiKeyMethod { keys: Rc::clone(&method.keys) }),
        };
        method.verify(AuthenticatorId(3), &authenticator, presented, now)
    }

    test!(each_of_many_keys_is_found_and_no_other_string, {
        let keys = ApiKeys::new((1000..2000).map(key).collect());
        assert_eq!(keys.len(), 1000);
        for number in 1000..2000 {
            let presented = format!("the secret of key-{number}");
            assert_eq!(keys.find(&presented).map(|key| key.id.to_string()), Some(format!("key-{number}")));
            for other in [&presented[1..], &presented[..presented.len() - 1], &format!("{presented} ")] {
                assert!(keys.find(other).is_none(), "{other}");
            }
        }
        for other in ["", "key-1000", "the secret of key-2000", "THE SECRET OF KEY-1000"] {
            assert!(keys.find(other).is_none(), "{other}");
        }
        assert!(ApiKeys::new(Vec::new()).is_empty());
        assert!(ApiKeys::new(Vec::new()).find("the secret of key-1").is_none());
    });

    test!(a_digest_is_no_key, {
        let keys = ApiKeys::new(vec![key(1)]);
        let hex: String = key(1).0.iter().map(|byte| format!("{byte:02x}")).collect();
        assert!(keys.find(&hex).is_none());
    });

    test!(keys_whose_marks_are_equal_are_told_apart, {
        let mut keys = ApiKeys::new(vec![key(1), key(2), key(3)]);
        // Nobody can find such keys; here the marks are made equal by hand.
        let mark = keys.marks.hash_one(key(2).0);
        keys.keys.iter_mut().for_each(|entry| entry.mark = mark);
        assert_eq!(keys.find("the secret of key-2").map(|key| &*key.id), Some("key-2"));
        let position = keys.keys.iter().position(|entry| &*entry.key.id == "key-2").unwrap();
        keys.keys[position].digest[31] ^= 1;
        assert!(keys.find("the secret of key-2").is_none());
    });

    test!(what_is_too_long_is_not_hashed, {
        let (longest, longer) = ("k".repeat(MAX_LENGTH), "k".repeat(MAX_LENGTH + 1));
        let digest = |text: &str| Sha256::digest(text).into();
        let keys = ApiKeys::new(vec![(digest(&longest), key(1).1), (digest(&longer), key(2).1)]);
        assert_eq!(keys.find(&longest).map(|key| &*key.id), Some("key-1"));
        assert!(keys.find(&longer).is_none());
    });

    test!(a_key_speaks_for_its_id_until_it_expires, {
        let grant = Grant {
            owner: Some("acme".to_owned()),
            scopes: vec!["read".to_owned()],
            roles: vec!["ci".to_owned()],
            limit: None,
        };
        let end = UnixTime::parse_rfc3339("2027-01-01T00:00:00.5Z").unwrap();
        let key = ApiKey { id: "deploy".into(), grant: Rc::new(grant), expires: Some(end) };
        let before = UnixTime::parse_rfc3339("2027-01-01T00:00:00.499999999Z").unwrap();
        let verified = verify(key.clone(), "a key", before).unwrap();
        let identity = &verified.identity;
        assert_eq!(identity.authenticator, AuthenticatorId(3));
        assert_eq!((&*identity.authenticator_name, identity.method), ("machines", "api_key"));
        assert_eq!((identity.subject.as_deref(), identity.owner.as_deref()), (Some("deploy"), Some("acme")));
        assert_eq!(
            (identity.scopes.as_slice(), identity.roles.as_slice()),
            (&["read".to_owned()][..], &["ci".to_owned()][..])
        );
        assert_eq!((identity.issuer.as_deref(), &identity.claims), (None, &Json::Null));
        // Not a nanosecond of skew.
        assert_eq!(verify(key.clone(), "a key", end).unwrap_err(), Reason::ExpiredApiKey.into());
        assert_eq!(verify(key.clone(), "another", before).unwrap_err(), Reason::UnknownApiKey.into());
        let endless = ApiKey { expires: None, ..key };
        assert!(verify(endless, "a key", UnixTime::from_secs(253_402_300_799)).is_ok());
    });

    test!(debug_shows_no_digest, {
        let method = ApiKeyMethod { keys: Rc::new(ApiKeys::new(vec![key(1)])) };
        assert_eq!(format!("{method:?}"), "ApiKeyMethod { keys: ApiKeys { len: 1, .. } }");
    });
}
