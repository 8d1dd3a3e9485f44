//! Secrets: given in the configuration, or named in the environment.

use base64::{
    Engine as _,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};

use super::{Environment, decode::Errors, error::ConfigErrorKind, schema::SecretSchema};

/// Reads a secret, as text or as base64.
pub fn compile_secret(
    schema: &SecretSchema,
    base64: bool,
    path: &str,
    environment: Environment<'_>,
    errors: &mut Errors,
) -> Option<Vec<u8>> {
    let text = match schema {
        SecretSchema::Text(text) => text.clone(),
        SecretSchema::Environment(name) => match environment(name).filter(|value| !value.is_empty()) {
            Some(value) => value,
            None => {
                errors.push(path.to_owned(), ConfigErrorKind::EnvironmentUnset { name: name.clone() });
                return None;
            }
        },
    };
    if !base64 {
        return Some(text.into_bytes());
    }
    let decoded = STANDARD.decode(&text).or_else(|_| URL_SAFE.decode(&text)).ok();
    if decoded.is_none() {
        errors.push(path.to_owned(), ConfigErrorKind::Invalid("base64"));
    }
    decoded
}

const LENIENT_PADDING: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&base64::alphabet::STANDARD, LENIENT_PADDING);
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&base64::alphabet::URL_SAFE, LENIENT_PADDING);
