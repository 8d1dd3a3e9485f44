//! Every configuration of these tests is held against the JSON Schema as well.

use std::sync::LazyLock;

use jsonschema::Validator;

use super::{ConfigError, ConfigErrorKind};
use crate::route::template::TemplateError;

#[path = "../../../tests/schema/sides.rs"]
mod sides;

/// Asserts that the schema refuses mistakes of shape, and accepts what is good.
pub fn assert_agrees(text: &str, errors: &[ConfigError]) {
    sides::assert_agree(&SCHEMA, text, errors);
}

/// As `gatepost schema` prints it: `tests/schema.rs` sees to that.
static SCHEMA: LazyLock<Validator> = LazyLock::new(|| {
    let schema = serde_json::from_str(include_str!("../../../docs/gatepost.schema.json")).unwrap();
    jsonschema::draft202012::new(&schema).unwrap()
});
