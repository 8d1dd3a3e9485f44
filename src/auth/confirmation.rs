//! Tokens that are good only with a proof of possession (RFC 7800): bound to a client certificate (RFC 8705), or to the key of
//! DPoP proofs (RFC 9449).

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use subtle::ConstantTimeEq as _;

use super::{dpop::DpopMode, peer};
use crate::{host::Host, jose::TokenError, json::Json};

/// What whoever presents a token has to prove besides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Confirmation {
    /// That the client's certificate is the one with this SHA-256 (RFC 8705 §3.1).
    Certificate([u8; 32]),
    /// That whoever has the key of this thumbprint made the request (RFC 9449 §6.1): [`Dpop::check`](super::dpop::Dpop::check).
    ProofKey([u8; 32]),
}

impl Confirmation {
    /// Reads `cnf` (RFC 7800 §3.1), as far as an authenticator accepts it; none where the claims have none, so that the token
    /// is a bearer token.
    ///
    /// # Errors
    ///
    /// [`TokenError::UnsupportedConfirmation`] for any member that is not checked here, also beside one that is: no bound
    /// token is taken for a bearer token, nor for one that is bound to less. [`TokenError::MalformedClaim`] for what is no
    /// SHA-256. [`TokenError::NotBoundToProof`] where it has to be bound to the key of a proof, and is not.
    pub fn read(claims: &Json, mode: DpopMode) -> Result<Option<Self>, TokenError> {
        let confirmation = Self::parse(claims, mode)?;
        match confirmation {
            None | Some(Self::Certificate(_)) if mode == DpopMode::Required => Err(TokenError::NotBoundToProof),
            confirmation => Ok(confirmation),
        }
    }

    fn parse(claims: &Json, mode: DpopMode) -> Result<Option<Self>, TokenError> {
        let Some(confirmation) = claims.get("cnf") else {
            return Ok(None);
        };
        let Json::Object(members) = confirmation else {
            return Err(TokenError::UnsupportedConfirmation);
        };
        let [(name, thumbprint)] = members.as_slice() else {
            return Err(TokenError::UnsupportedConfirmation);
        };
        let bound: fn([u8; 32]) -> Self = match name.as_str() {
            "x5t#S256" => Self::Certificate,
            "jkt" if mode != DpopMode::Off => Self::ProofKey,
            _ => return Err(TokenError::UnsupportedConfirmation),
        };
        let decoded = thumbprint.as_str().and_then(|text| BASE64_URL_SAFE_NO_PAD.decode(text).ok());
        let digest = decoded.and_then(|bytes| bytes.try_into().ok()).ok_or(TokenError::MalformedClaim)?;
        Ok(Some(bound(digest)))
    }

    /// Checks what the connection proves. Whether the host has validated the certificate is nothing to it: the handshake has proved who has
    /// its key, and who that is the token says (RFC 8705 §6.2).
    ///
    /// # Errors
    ///
    /// [`TokenError::NoBoundCertificate`], [`TokenError::UnknownCertificate`] or [`TokenError::WrongCertificate`].
    pub fn check(&self, host: &mut dyn Host) -> Result<(), TokenError> {
        let Self::Certificate(bound) = self else {
            return Ok(()); // it is for the request to prove
        };
        match peer::digest(host) {
            Some(shown) if bool::from(bound.ct_eq(&shown)) => Ok(()),
            Some(_) => Err(TokenError::WrongCertificate),
            None if peer::has_certificate(host) => Err(TokenError::UnknownCertificate),
            None => Err(TokenError::NoBoundCertificate),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{auth::peer::tests::Connection, test::test};

    // The example of RFC 8705 §3.1, but for its last character, whose lowest bits no encoder sets.
    const THUMBPRINT: &str = "bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg0";

    fn read(confirmation: &str) -> Result<Option<Confirmation>, TokenError> {
        read_as(confirmation, DpopMode::Off)
    }

    fn read_as(confirmation: &str, mode: DpopMode) -> Result<Option<Confirmation>, TokenError> {
        Confirmation::read(&Json::parse(format!("{{{confirmation}}}").as_bytes(), 8).unwrap(), mode)
    }

    test!(a_token_is_bound_to_one_certificate_and_nothing_else, {
        let bound = read(&format!(r#""cnf":{{"x5t#S256":"{THUMBPRINT}"}}"#)).unwrap();
        assert!(matches!(bound, Some(Confirmation::Certificate([0x6f, 0x07, 0x0a, ..]))));
        assert_eq!(read(r#""sub":"x""#), Ok(None));
        for other in [
            "null",
            "{}",
            "[]",
            r#""x5t#S256""#,
            r#"{"jkt":"x"}"#,
            &format!(r#"{{"x5t#S256":"{THUMBPRINT}","jkt":"x"}}"#),
            &format!(r#"{{"jwk":{{}},"x5t#S256":"{THUMBPRINT}"}}"#),
            &format!(r#"{{"X5T#s256":"{THUMBPRINT}"}}"#),
        ] {
            assert_eq!(read(&format!(r#""cnf":{other}"#)), Err(TokenError::UnsupportedConfirmation), "{other}");
        }
        for malformed in
            ["null", "1", r#""""#, "[]", r#""AAAA""#, &format!("\"{THUMBPRINT}=\""), &format!("\" {THUMBPRINT}\"")]
        {
            let claims = format!(r#""cnf":{{"x5t#S256":{malformed}}}"#);
            assert_eq!(read(&claims), Err(TokenError::MalformedClaim), "{malformed}");
        }
        // The last character of a thumbprint holds four bits; others are of no canonical encoding.
        let odd = THUMBPRINT.replace("dg0", "dg2");
        assert_eq!(read(&format!(r#""cnf":{{"x5t#S256":"{odd}"}}"#)), Err(TokenError::MalformedClaim));
    });

    test!(a_mode_accepts_tokens_of_its_kind, {
        let (key, certificate) =
            (format!(r#""cnf":{{"jkt":"{THUMBPRINT}"}}"#), format!(r#""cnf":{{"x5t#S256":"{THUMBPRINT}"}}"#));
        for (mode, key_is, certificate_is, bearer_is) in [
            (DpopMode::Off, Err(TokenError::UnsupportedConfirmation), Ok(true), Ok(false)),
            (DpopMode::Allowed, Ok(true), Ok(true), Ok(false)),
            (DpopMode::Required, Ok(true), Err(TokenError::NotBoundToProof), Err(TokenError::NotBoundToProof)),
        ] {
            let is_bound = |confirmation: &str| read_as(confirmation, mode).map(|bound| bound.is_some());
            assert_eq!(is_bound(&key), key_is, "{mode:?}");
            assert_eq!(is_bound(&certificate), certificate_is, "{mode:?}");
            assert_eq!(is_bound(r#""sub":"x""#), bearer_is, "{mode:?}");
            let both = format!(r#""cnf":{{"x5t#S256":"{THUMBPRINT}","jkt":"{THUMBPRINT}"}}"#);
            assert_eq!(is_bound(&both), Err(TokenError::UnsupportedConfirmation), "{mode:?}");
        }
        assert_eq!(read_as(r#""cnf":{"jkt":"AAAA"}"#, DpopMode::Allowed), Err(TokenError::MalformedClaim));
    });

    test!(the_certificate_on_the_connection_decides, {
        let bound = Confirmation::Certificate([0xab; 32]);
        let digest = "sha256_peer_certificate_digest";
        let check = |properties: &[(&str, &[u8])]| bound.check(&mut Connection::new(properties));
        assert_eq!(check(&[(digest, "ab".repeat(32).as_bytes())]), Ok(()));
        assert_eq!(
            check(&[("mtls", &[1]), ("peer_certificate_valid", &[0]), (digest, "AB".repeat(32).as_bytes())]),
            Ok(())
        );
        let other = "ab".repeat(31) + "aa";
        assert_eq!(check(&[("mtls", &[1]), (digest, other.as_bytes())]), Err(TokenError::WrongCertificate));
        assert_eq!(check(&[("mtls", &[1])]), Err(TokenError::UnknownCertificate));
        assert_eq!(check(&[("mtls", &[1]), (digest, b"abab")]), Err(TokenError::UnknownCertificate));
        assert_eq!(check(&[("mtls", &[0])]), Err(TokenError::NoBoundCertificate));
        assert_eq!(check(&[]), Err(TokenError::NoBoundCertificate));
    });
}
