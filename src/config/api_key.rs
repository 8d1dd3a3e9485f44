//! Reading API keys. There may be a hundred thousand, so each is compiled as it is read, and what they share is kept once.

use std::{collections::HashSet, rc::Rc};

use super::{
    decode::{Decode, Errors, Items, Member, Node, good_items, index_path, member_path},
    error::ConfigErrorKind,
    limit::{KeyLimitSchema, compile_key_limit},
    policy::{ROLE_FORM, SCOPE_FORM, is_role, is_scope},
    schema::{ApiKeySchema, Sha256Schema},
};
use crate::{
    auth::api_key::{ApiKey, ApiKeys, Grant, KeyDigest},
    hex,
    mapping::value::fits_header,
    time::UnixTime,
};

impl Decode for Rc<ApiKeys> {
    fn decode(node: &Node<'_>, errors: &mut Errors) -> Option<Self> {
        let items = node.array(errors)?;
        if items.is_empty() {
            node.error(ConfigErrorKind::Empty, errors);
            return None;
        }
        let mut keys = Vec::with_capacity(items.len());
        let mut ids = HashSet::with_capacity(items.len());
        let mut digests = HashSet::with_capacity(items.len());
        let mut grants = HashSet::new();
        for item in node.items(items) {
            let Some(schema) = ApiKeySchema::decode(&item, errors) else {
                continue;
            };
            if item.json.get("id").and_then(|id| id.as_str()).is_some_and(|id| !ids.insert(id)) {
                errors.push(member_path(&item.path, "id"), ConfigErrorKind::Repeated);
            }
            if schema.sha256.get().is_some_and(|digest| !digests.insert(digest.0)) {
                errors.push(member_path(&item.path, "sha256"), ConfigErrorKind::Repeated);
            }
            keys.extend(compile_key(schema, &mut grants, &item.path, errors));
        }
        (keys.len() == items.len()).then(|| Self::new(ApiKeys::new(keys)))
    }
}

impl Decode for Sha256Schema {
    fn decode(node: &Node<'_>, errors: &mut Errors) -> Option<Self> {
        let form = "the SHA-256 of a key, in 64 hexadecimal digits: `gatepost hash-key` tells it";
        let Some(digest) = node.json.as_str().and_then(|text| hex::read(text.as_bytes())) else {
            return node.wrong_type(form, errors);
        };
        if digest == DIGEST_OF_NOTHING {
            node.error(ConfigErrorKind::Invalid("the SHA-256 of a key; this is that of an empty one"), errors);
            return None;
        }
        Some(Self(digest))
    }
}

/// Compiles one key. `None` means that an error was reported.
fn compile_key(
    schema: ApiKeySchema,
    grants: &mut HashSet<Rc<Grant>>,
    path: &str,
    errors: &mut Errors,
) -> Option<(KeyDigest, ApiKey)> {
    let id = compile_name("id", &schema.id, path, errors);
    let grant = compile_grant(&schema.owner, &schema.scopes, &schema.roles, &schema.rate_limit, path, errors);
    let expires = compile_expiry(&schema.expires_at);
    let grant = grant?;
    let grant = match grants.get(&grant) {
        Some(grant) => Rc::clone(grant),
        None => {
            let grant = Rc::new(grant);
            grants.insert(Rc::clone(&grant));
            grant
        }
    };
    Some((schema.sha256.get()?.0, ApiKey { id: id?.into(), grant, expires: expires? }))
}

/// Reads an id or an owner. `None` means that it is absent, or that an error was reported.
pub fn compile_name(member: &str, text: &Member<String>, path: &str, errors: &mut Errors) -> Option<String> {
    let text = text.get()?;
    let kind = match text.as_str() {
        "" => ConfigErrorKind::Empty,
        text if !fits_header(text.as_bytes()) => ConfigErrorKind::Invalid(NAME_FORM),
        _ => return Some(text.clone()),
    };
    errors.push(member_path(path, member), kind);
    None
}

/// When a key ends, if it does. `None` means that an error was reported.
pub fn compile_expiry(expires: &Member<UnixTime>) -> Option<Option<UnixTime>> {
    match expires {
        Member::Bad => None,
        Member::Absent => Some(None),
        Member::Good(time) => Some(Some(*time)),
    }
}

/// Reads what a key allows. `None` means that an error was reported.
pub fn compile_grant(
    owner: &Member<String>,
    scopes: &Member<Items<String>>,
    roles: &Member<Items<String>>,
    rate_limit: &Member<KeyLimitSchema>,
    path: &str,
    errors: &mut Errors,
) -> Option<Grant> {
    let name = compile_name("owner", owner, path, errors);
    let mut list = |member: &str, list: &Member<Items<String>>, good: fn(&str) -> bool, form| {
        let items = match list {
            Member::Absent => return Some(Vec::new()),
            Member::Bad => return None,
            Member::Good(items) => &items.0,
        };
        for (index, _) in good_items(items).filter(|(_, text)| !good(text)) {
            errors.push(index_path(&member_path(path, member), index), ConfigErrorKind::Invalid(form));
        }
        items.iter().cloned().collect()
    };
    let scopes: Option<Vec<String>> = list("scopes", scopes, is_scope, SCOPE_FORM);
    let roles: Option<Vec<String>> = list("roles", roles, is_role, ROLE_FORM);
    let limit = compile_key_limit(rate_limit, &member_path(path, "rate_limit"), errors);
    if name.is_none() && !owner.is_absent() {
        return None;
    }
    Some(Grant { owner: name, scopes: scopes?, roles: roles?, limit: limit? })
}

/// An id and an owner are forwarded in headers.
const NAME_FORM: &str = "free of control characters and of white space at its ends";

/// What hashing nothing by mistake gives. No request presents an empty key.
const DIGEST_OF_NOTHING: KeyDigest = [
    0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4, 0xc8, 0x99, 0x6f, 0xb9, 0x24, 0x27, 0xae, 0x41,
    0xe4, 0x64, 0x9b, 0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52, 0xb8, 0x55,
];
