//! Client certificates (mutual TLS): the host has validated them, the patterns of the configuration say whose are good.

use std::rc::Rc;

use super::{Authenticator, AuthenticatorId, Identity, Unverified, VerifiedToken, knowledge::Means, peer};
use crate::{cache::WITHOUT_EXPIRY, deny::Reason, hex, jose::claims::Times, json::Json};
use peer::PeerCertificate;

/// Which certificates are good: those that match any one pattern.
#[derive(Debug)]
pub struct MtlsMethod {
    /// For URIs.
    pub uri_sans: Vec<Pattern>,
    /// For DNS names, in lower case.
    pub dns_sans: Vec<Pattern>,
    /// For subjects.
    pub subjects: Vec<Pattern>,
    /// SHA-256 of whole certificates.
    pub fingerprints: Vec<[u8; 32]>,
    /// Whether the listener lets no certificate through that it has not validated.
    pub listener_validates: bool,
}

/// What a name has to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pattern {
    /// This.
    Exact(String),
    /// Anything that begins so.
    Prefix(String),
}

impl MtlsMethod {
    /// Whether there is any pattern.
    #[must_use]
    pub fn has_patterns(&self) -> bool {
        let names = [&self.uri_sans, &self.dns_sans, &self.subjects];
        !self.fingerprints.is_empty() || names.iter().any(|patterns| !patterns.is_empty())
    }

    /// Verifies the certificate of the request's connection.
    ///
    /// # Errors
    ///
    /// There is none, the host has not validated it, or no pattern matches.
    pub fn verify(
        &self,
        id: AuthenticatorId,
        authenticator: &Authenticator,
        means: &mut Means<'_>,
    ) -> Result<Rc<VerifiedToken>, Unverified> {
        // On each request: what follows says whose certificate it is, and not that it is good.
        peer::check_validated(means.host, self.listener_validates)?;
        let now = means.now;
        let digest = peer::told_digest(means.host);
        if let Some(digest) = digest
            && let Some(known) = means.tokens(id)?.verified.get(&digest, now)
        {
            return Ok(known);
        }
        let certificate = PeerCertificate::read(means.host);
        let subject = self.matching(&certificate).ok_or(Reason::UnlistedCertificate)?;
        let identity = Identity {
            authenticator: id,
            authenticator_name: authenticator.name.clone(),
            method: "mtls",
            issuer: None,
            subject: Some(subject),
            owner: None,
            limit: None,
            roles: Vec::new(),
            scopes: Vec::new(),
            claims: claims(certificate),
        };
        let verified = Rc::new(VerifiedToken::new(identity, Times::default(), None, None));
        if let Some(digest) = digest {
            let until = now.saturating_add(WITHOUT_EXPIRY).as_secs_f64();
            means.tokens(id)?.verified.insert(&digest, Rc::clone(&verified), until, now);
        }
        Ok(verified)
    }

    /// What of the certificate matches: a URI before a DNS name, the subject, and the fingerprint.
    fn matching(&self, certificate: &PeerCertificate) -> Option<String> {
        let PeerCertificate { uri_sans, dns_sans, subject, digest } = certificate;
        let is_listed = |patterns: &[Pattern], name: &str| patterns.iter().any(|pattern| pattern.matches(name));
        let uri = || uri_sans.iter().find(|uri| is_listed(&self.uri_sans, uri)).cloned();
        let dns = || dns_sans.iter().find(|name| is_listed(&self.dns_sans, &name.to_ascii_lowercase())).cloned();
        let subject = || subject.as_ref().filter(|subject| is_listed(&self.subjects, subject)).cloned();
        let fingerprint =
            || digest.filter(|digest| self.fingerprints.contains(digest)).map(|digest| hex::write(&digest));
        uri().or_else(dns).or_else(subject).or_else(fingerprint)
    }
}

impl Pattern {
    fn matches(&self, name: &str) -> bool {
        match self {
            Self::Exact(exact) => name == exact,
            Self::Prefix(prefix) => name.starts_with(prefix.as_str()),
        }
    }
}

/// What mappings and claim tests can refer to. What the certificate does not have is left out.
fn claims(certificate: PeerCertificate) -> Json {
    let PeerCertificate { uri_sans, dns_sans, subject, digest } = certificate;
    let list = |names: Vec<String>| {
        let names: Vec<Json> = names.into_iter().map(Json::String).collect();
        (!names.is_empty()).then_some(Json::Array(names))
    };
    let members = [
        ("uri_sans", list(uri_sans)),
        ("dns_sans", list(dns_sans)),
        ("subject", subject.map(Json::String)),
        ("sha256", digest.map(|digest| Json::String(hex::write(&digest)))),
    ];
    let members = members.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    Json::Object(members.collect())
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;

    use super::*;
    use crate::{
        auth::{
            Method,
            knowledge::{Patience, Tokens},
            peer::tests::Connection,
        },
        config,
        crypto::AlgorithmSet,
        replay::Replay,
        test::test,
        time::UnixTime,
    };

    /// An authenticator with these members.
    fn authenticator(members: &str) -> Authenticator {
        let configuration = format!(
            r#"{{"authorizer": {{"type": "mtls", {members}}}, "paths": [{{"method": "GET", "path": "/", "auth": true}}]}}"#
        );
        let gateway = config::load(configuration.as_bytes(), &|_| None).unwrap();
        gateway.authenticators.into_iter().next().unwrap()
    }

    fn verify(
        authenticator: &Authenticator,
        tokens: &mut [Tokens],
        host: &mut Connection,
    ) -> Result<Rc<VerifiedToken>, Unverified> {
        let Method::Mtls(method) = &authenticator.method else { panic!("{authenticator:?}") };
        let now = UnixTime::from_secs(1_800_000_000);
        let (settled, patience, needs) = (&[][..], Patience::Waits, Vec::new());
        let (replay, uses, revocations) = (&mut Replay::new(&[]), Vec::new(), &mut [][..]);
        let (body, holds_body) = (None, true);
        let mut means = Means {
            by_host: AlgorithmSet::EMPTY,
            now,
            came: now,
            host,
            tokens,
            sources: &mut [],
            revocations,
            settled,
            patience,
            body,
            holds_body,
            needs,
            replay,
            uses,
            spent: Vec::new(),
        };
        method.verify(AuthenticatorId(0), authenticator, &mut means)
    }

    /// The subject that such an authenticator finds in such a certificate.
    fn subject(members: &str, properties: &[(&str, &[u8])]) -> Option<String> {
        let mut all = vec![("peer_certificate_valid", &[1][..]), ("mtls", &[1])];
        all.extend(properties);
        let mut tokens = [Tokens::new(NonZeroUsize::MIN)];
        match verify(&authenticator(members), &mut tokens, &mut Connection::new(&all)) {
            Ok(verified) => verified.identity.subject.clone(),
            Err(unverified) => {
                assert_eq!(unverified, Reason::UnlistedCertificate.into());
                None
            }
        }
    }

    const PEM: &[u8] = include_bytes!("../../tests/vectors/certificates/several_names.pem");

    test!(a_pattern_is_a_whole_name_or_its_beginning, {
        let uri = |pattern: &str, uri: &[u8]| {
            subject(&format!(r#""uri_sans": ["{pattern}"]"#), &[("uri_san_peer_certificate", uri)])
        };
        let id = "spiffe://cluster.local/ns/prod/sa/a";
        for pattern in [id, "spiffe://cluster.local/ns/prod/*", "spiffe://cluster.local/ns/prod/sa/a*", "*"] {
            assert_eq!(uri(pattern, id.as_bytes()).as_deref(), Some(id), "{pattern}");
        }
        for pattern in [
            "spiffe://cluster.local/ns/prod/",
            "SPIFFE://cluster.local/ns/prod/*",
            "spiffe://cluster.local/ns/prod/sa/aa*",
        ] {
            assert_eq!(uri(pattern, id.as_bytes()), None, "{pattern}");
        }
        assert_eq!(uri("*", b""), None);
        assert_eq!(uri("*", b"spiffe://a/\xff"), None);
        assert_eq!(uri("*", b"spiffe://a/\0b"), None);
        let dns = subject(r#""dns_sans": ["A.example.*"]"#, &[("dns_san_peer_certificate", b"a.EXAMPLE.com")]);
        assert_eq!(dns.as_deref(), Some("a.EXAMPLE.com"));
        let name = subject(r#""subjects": ["CN=ci,*"]"#, &[("subject_peer_certificate", b"CN=ci,O=Acme\\, Inc")]);
        assert_eq!(name.as_deref(), Some("CN=ci,O=Acme\\, Inc"));
        assert_eq!(subject(r#""subjects": ["CN=ci,*"]"#, &[("subject_peer_certificate", b"CN=ci\\,O=Acme")]), None);
    });

    test!(a_kind_of_name_is_compared_with_its_own_patterns, {
        let value = b"a.example.com";
        for property in ["dns_san_peer_certificate", "subject_peer_certificate", "uri_san_local_certificate"] {
            assert_eq!(subject(r#""uri_sans": ["a.example.com"]"#, &[(property, value)]), None, "{property}");
        }
    });

    test!(a_fingerprint_is_of_the_whole_certificate, {
        let hex = "1a2B".repeat(16);
        let colons: Vec<String> =
            hex.as_bytes().chunks(2).map(|pair| String::from_utf8(pair.to_vec()).unwrap()).collect();
        for written in [hex.clone(), colons.join(":")] {
            let members = format!(r#""fingerprints": ["{written}"]"#);
            let found = subject(&members, &[("sha256_peer_certificate_digest", hex.to_lowercase().as_bytes())]);
            assert_eq!(found, Some(hex.to_lowercase()));
            let other = hex.to_lowercase().replace('b', "c");
            assert_eq!(subject(&members, &[("sha256_peer_certificate_digest", other.as_bytes())]), None);
        }
    });

    test!(all_names_count_where_the_host_offers_the_certificate, {
        let members = r#""uri_sans": ["spiffe://cluster.local/ns/prod/sa/b"]"#;
        let first = ("uri_san_peer_certificate", b"spiffe://cluster.local/ns/prod/sa/a".as_slice());
        assert_eq!(subject(members, &[first]), None);
        let found = subject(members, &[first, ("peer_certificate", PEM)]);
        assert_eq!(found.as_deref(), Some("spiffe://cluster.local/ns/prod/sa/b"));
        // A host that tells no digest: ours is the same.
        let fingerprint = hex::write(&peer::digest(&mut Connection::new(&[("peer_certificate", PEM)])).unwrap());
        let found = subject(&format!(r#""fingerprints": ["{fingerprint}"]"#), &[("peer_certificate", PEM)]);
        assert_eq!(found, Some(fingerprint));
    });

    test!(a_certificate_that_is_known_is_still_validated_each_time, {
        let authenticator = authenticator(r#""uri_sans": ["spiffe://a/*"]"#);
        let mut tokens = [Tokens::new(NonZeroUsize::MIN)];
        let digest = "ab".repeat(32);
        let mut host = |valid: u8, digest: &str| {
            let mut host = Connection::new(&[
                ("peer_certificate_valid", &[valid]),
                ("mtls", &[1]),
                ("sha256_peer_certificate_digest", digest.as_bytes()),
                ("uri_san_peer_certificate", format!("spiffe://a/{valid}").as_bytes()),
            ]);
            let verdict = verify(&authenticator, &mut tokens, &mut host);
            (verdict.map(|verified| verified.identity.subject.clone().unwrap()), host.asked)
        };
        let (first, asked) = host(1, &digest);
        assert_eq!(first.as_deref(), Ok("spiffe://a/1"));
        assert!(asked > 2);
        assert_eq!(host(1, &digest), (first, 2));
        assert_eq!(host(0, &digest).0, Err(Reason::UnvalidatedCertificate.into()));
    });
}
