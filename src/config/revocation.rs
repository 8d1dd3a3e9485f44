//! Compiling how it is found out whether tokens are revoked.

use super::{
    decode::Errors,
    provider::ProviderSources,
    schema::{RevocationSchema, RevokedClaimSchema, WithoutListSchema},
};
use crate::auth::revocation::{Revocation, RevokedClaim, WithoutList};

/// Compiles an authenticator's revocation.
pub fn compile_revocation(
    schema: &RevocationSchema,
    path: &str,
    provider_sources: &mut ProviderSources,
    errors: &mut Errors,
) -> Option<Revocation> {
    let list = provider_sources.compile_revocations(schema, path, errors);
    Some(Revocation {
        list: list?,
        by: match schema.by.get() {
            Some(RevokedClaimSchema::Subject) => RevokedClaim::Subject,
            Some(RevokedClaimSchema::Session) => RevokedClaim::Session,
            Some(RevokedClaimSchema::TokenId) | None => RevokedClaim::TokenId,
        },
        without_list: match schema.unavailable.get() {
            Some(WithoutListSchema::Allow) => WithoutList::Allow,
            Some(WithoutListSchema::Deny) | None => WithoutList::Deny,
        },
    })
}
