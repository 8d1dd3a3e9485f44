//! What a request's body hashes to, piece by piece as it comes. No byte of it is kept.

use std::{fmt, time::Duration};

use hmac::{Hmac, Mac as _};
use sha2::{Digest as _, Sha256};

use super::{Secret, Tag, headers::Statement};
use crate::{
    auth::{Authenticator, AuthenticatorId, Method},
    deny::Reason,
    hex,
    request::Request,
};

/// A body as far as it has come, for all authenticators of a policy that want to know what it hashes to.
pub struct BodyHash {
    readers: Vec<Reader>,
    length: usize,
    has_ended: bool,
    /// Why no more of it is awaited.
    given_up: Option<Reason>,
}

/// One authenticator's.
struct Reader {
    authenticator: AuthenticatorId,
    hash: Hash,
    max_body: usize,
    timeout: Duration,
}

/// A hash that is under way.
pub enum Hash {
    /// With each secret, as the secret goes before what it signs.
    Keyed(Vec<Hmac<Sha256>>),
    /// Of the body alone: what is signed holds its digest.
    Plain(Sha256),
}

impl BodyHash {
    /// Nothing of the body has come. None where no authenticator wants to know of it.
    #[must_use]
    pub fn new(
        readers: &[AuthenticatorId],
        authenticators: &[Authenticator],
        request: &Request<'_>,
        path: &str,
    ) -> Option<Box<Self>> {
        let reader = |id: &AuthenticatorId| match &authenticators.get(id.0)?.method {
            Method::Hmac(method) => Some(Reader {
                authenticator: *id,
                hash: method.begin(request, path)?,
                max_body: method.max_body,
                timeout: method.body_timeout,
            }),
            _ => None,
        };
        let readers: Vec<Reader> = readers.iter().filter_map(reader).collect();
        if readers.is_empty() {
            return None;
        }
        Some(Box::new(Self { readers, length: 0, has_ended: false, given_up: None }))
    }

    /// Takes the next piece. Tells whether that makes the body too long for somebody.
    pub fn update(&mut self, piece: &[u8]) -> bool {
        let before = self.length;
        self.length = self.length.saturating_add(piece.len());
        let mut is_too_long = false;
        for reader in &mut self.readers {
            if self.length > reader.max_body {
                is_too_long |= before <= reader.max_body;
                continue;
            }
            match &mut reader.hash {
                Hash::Keyed(macs) => macs.iter_mut().for_each(|mac| mac.update(piece)),
                Hash::Plain(hash) => hash.update(piece),
            }
        }
        is_too_long
    }

    /// The body is whole.
    pub fn end(&mut self) {
        self.has_ended = true;
    }

    /// No more of it is awaited.
    pub fn give_up(&mut self, reason: Reason) {
        self.given_up.get_or_insert(reason);
    }

    /// Whether more of it is awaited.
    #[must_use]
    pub fn is_open(&self) -> bool {
        !self.has_ended && self.given_up.is_none()
    }

    /// How much of it has come, in bytes.
    #[must_use]
    pub fn length(&self) -> usize {
        self.length
    }

    /// How long it may take.
    #[must_use]
    pub fn timeout(&self) -> Duration {
        self.readers.iter().map(|reader| reader.timeout).max().unwrap_or_default()
    }

    /// What the whole body hashes to for an authenticator; none while more is to come.
    ///
    /// # Errors
    ///
    /// The body is too long, or was not awaited to its end.
    pub fn whole(&self, id: AuthenticatorId) -> Result<Option<&Hash>, Reason> {
        let Some(reader) = self.readers.iter().find(|reader| reader.authenticator == id) else {
            return Err(Reason::HostFailure); // not reached: whoever can verify a head reads its body
        };
        match self.given_up {
            _ if self.length > reader.max_body => Err(Reason::BodyTooLarge),
            _ if self.has_ended => Ok(Some(&reader.hash)),
            Some(reason) => Err(reason),
            None => Ok(None),
        }
    }
}

impl Hash {
    /// What a signature is compared with, for each of the secrets with which it was begun.
    pub(super) fn tags(&self, statement: &Statement<'_>, secrets: &[Secret]) -> Vec<Tag> {
        let tag = |mac: Hmac<Sha256>| mac.finalize().into_bytes().into();
        match self {
            Self::Keyed(macs) => macs.iter().cloned().map(tag).collect(),
            Self::Plain(hash) => {
                let digest = hex::write(&hash.clone().finalize());
                let sign =
                    |secret: &Secret| tag(secret.mac.clone().chain_update(&statement.prefix).chain_update(&digest));
                secrets.iter().map(sign).collect()
            }
        }
    }
}

// A keyed hash could go on to sign something else.
impl fmt::Debug for BodyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { length, has_ended, given_up, .. } = self;
        let mut debug = f.debug_struct("BodyHash");
        debug.field("length", length).field("has_ended", has_ended).field("given_up", given_up).finish_non_exhaustive()
    }
}

#[cfg(test)]
impl BodyHash {
    /// For authenticators that want bodies of so many bytes.
    pub(crate) fn of(readers: Vec<(AuthenticatorId, Hmac<Sha256>, usize)>) -> Self {
        let timeout = Duration::from_secs(10);
        let reader =
            |(authenticator, mac, max_body)| Reader { authenticator, hash: Hash::Keyed(vec![mac]), max_body, timeout };
        Self { readers: readers.into_iter().map(reader).collect(), length: 0, has_ended: false, given_up: None }
    }
}
