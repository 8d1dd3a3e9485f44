//! From the text of a plugin configuration to a compiled [`Gateway`], or to every error in it with its place.
//!
//! ```
//! use gatepost::config;
//!
//! let errors = config::load(br#"{"paths": [{"method": "GET", "path": "/x"}]}"#, &|_| None).unwrap_err();
//! assert_eq!(errors[0].to_string(), "paths[0].auth: required");
//! ```

mod api_key;
mod authenticator;
mod compile;
mod decode;
#[cfg(not(target_arch = "wasm32"))]
pub mod describe;
mod error;
pub mod gateway;
mod hmac;
mod identity_token;
mod introspection;
mod jwt;
mod limit;
mod mapping;
mod mtls;
mod policy;
mod provider;
mod revocation;
mod routes;
mod schema;
mod secret;

pub use compile::OVERRIDE_HEADERS;
pub use error::{ConfigError, ConfigErrorKind};
pub use gateway::Gateway;

use decode::{Decode, Errors, Node};

use crate::json::{Json, duplicate_names};

/// Where `{"env": NAME}` is looked up.
pub type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Reads, validates and compiles a whole plugin configuration.
///
/// # Errors
///
/// Every error in the configuration, in the order in which they were met: what is not understood is never ignored.
pub fn load(text: &[u8], environment: Environment<'_>) -> Result<Gateway, Vec<ConfigError>> {
    let mut errors = Errors::default();
    let json = match Json::parse(text, MAX_DEPTH) {
        Ok(json) => json,
        Err(error) => {
            errors.push(String::new(), ConfigErrorKind::Json(error));
            return Err(errors.into_vec());
        }
    };
    check_members(&json, "", &mut errors);
    let schema = schema::GatewaySchema::decode(&Node::root(&json), &mut errors);
    let gateway = schema.and_then(|schema| compile::compile(&schema, environment, &mut errors));
    match gateway {
        Some(gateway) if errors.is_empty() => Ok(gateway),
        _ => Err(errors.into_vec()),
    }
}

/// Reports every `null` and every member name that comes twice, wherever they are.
fn check_members(json: &Json, path: &str, errors: &mut Errors) {
    match json {
        Json::Null => errors.push(path.to_owned(), ConfigErrorKind::Null),
        Json::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                check_members(item, &decode::index_path(path, index), errors);
            }
        }
        Json::Object(members) => {
            for name in duplicate_names(members) {
                errors.push(decode::member_path(path, name), ConfigErrorKind::DuplicateMember);
            }
            for (name, value) in members {
                if matches!(value, Json::Null | Json::Array(_) | Json::Object(_)) {
                    check_members(value, &decode::member_path(path, name), errors);
                }
            }
        }
        _ => {}
    }
}

/// How deep a configuration may nest.
const MAX_DEPTH: usize = 64;

#[cfg(test)]
mod tests;
