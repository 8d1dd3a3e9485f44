//! Tokens that are bound to the key of DPoP proofs (RFC 9449 §7): which proof a request needs, and where it stands.

use super::{AuthenticatorId, Unverified, VerifiedToken, confirmation::Confirmation, knowledge::Means};
use crate::{
    credential::{Credential, Source, scheme},
    crypto::host::Verifier,
    deny::Reason,
    jose::{
        TokenError,
        dpop::{Origin, Proof, ProofError, Statement},
    },
    request::Request,
    route::path::{NormalPath, PathPolicy},
};

/// What an authenticator asks of those who present a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dpop {
    /// Which tokens it accepts.
    pub mode: DpopMode,
    /// Where clients think that they send their requests; the request's own scheme and authority where it is not given.
    pub origin: Option<Origin>,
}

/// Which tokens an authenticator accepts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DpopMode {
    /// None that is bound to the key of a proof.
    #[default]
    Off,
    /// Those that are, with a proof, and those that are not.
    Allowed,
    /// Only those that are.
    Required,
}

/// Where a request was sent, as its client saw it.
#[derive(Clone, Copy, Debug)]
pub struct Sent<'a> {
    /// The request.
    pub request: &'a Request<'a>,
    /// Its path, before any rewriting.
    pub path: &'a NormalPath,
    /// How that was normalised.
    pub path_policy: PathPolicy,
}

impl Dpop {
    /// Checks that whoever presents a token may do so. The proof is looked at on every request, and nothing of it is kept
    /// but that it was used.
    ///
    /// # Errors
    ///
    /// A [`TokenError`] where the token is presented as what it is not, a [`ProofError`] where its proof is not good.
    pub fn check(
        &self,
        id: AuthenticatorId,
        token: &VerifiedToken,
        credential: &Credential<'_>,
        sent: &Sent<'_>,
        means: &mut Means<'_>,
    ) -> Result<(), Unverified> {
        let Some(Confirmation::ProofKey(key)) = &token.confirmation else {
            // A proof by no key in particular proves nothing: the scheme would say that it does.
            let claims_to_be = self.mode != DpopMode::Off && credential.schemes.has(scheme::DPOP);
            return if claims_to_be { Err(TokenError::NotBoundToProof.into()) } else { Ok(()) };
        };
        // RFC 9449 §7.2: whoever stole the token would present it so.
        if credential.schemes.has("Bearer") {
            return Err(TokenError::BoundTokenAsBearer.into());
        }
        let mut proofs = sent.request.header(PROOF_HEADER);
        let proof = match (proofs.next(), proofs.next()) {
            (None, _) => return Err(ProofError::Missing.into()),
            (Some(proof), None) => std::str::from_utf8(proof).map_err(|_| ProofError::Malformed)?,
            (Some(_), Some(_)) => return Err(ProofError::Several.into()),
        };
        let own = Origin::new(sent.request.scheme, sent.request.authority);
        let statement = Statement {
            key,
            token: &credential.value,
            method: sent.request.method,
            origin: self.origin.as_ref().or(own.as_ref()),
            path: sent.path,
            path_policy: sent.path_policy,
            now: means.now,
        };
        let Proof { id: nonce, until } =
            Proof::verify(proof, &statement, &mut Verifier::new(means.host, means.by_host))?;
        means.use_once(id, key, nonce.as_bytes(), until, Reason::Proof(ProofError::Replayed))
    }
}

impl DpopMode {
    /// The authentication schemes with which a caller can answer.
    #[must_use]
    pub fn schemes(self) -> &'static [&'static str] {
        match self {
            Self::Off => &["Bearer"],
            Self::Allowed => &["Bearer", scheme::DPOP],
            Self::Required => &[scheme::DPOP],
        }
    }

    /// Where a proof stands; none where it is nobody's business.
    #[must_use]
    pub fn proof_source(self) -> Option<Source> {
        let header = || Source::Header { name: PROOF_HEADER.to_owned(), scheme: None };
        (self != Self::Off).then(header)
    }
}

/// RFC 9449 §4.1.
const PROOF_HEADER: &str = "dpop";
