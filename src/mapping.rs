//! Header and query values that a route makes from what was verified.

pub mod expression;
pub mod value;

use expression::{Expression, Facts};
use value::Form;

use crate::deny::Reason;

/// What a route sets on the requests that it forwards.
#[derive(Debug, Default)]
pub struct Mapping {
    /// Headers, names in lower case.
    pub headers: Vec<Entry>,
    /// Query parameters.
    pub query: Vec<Entry>,
}

/// One target and where its value comes from.
#[derive(Debug)]
pub struct Entry {
    /// The header or query parameter.
    pub target: String,
    /// Where the value comes from.
    pub expression: Expression,
    /// How it is written; none for the form that its type suggests.
    pub form: Option<Form>,
    /// The value where the source is missing.
    pub default: Option<String>,
    /// Whether a missing value refuses the request.
    pub required: bool,
}

/// The values of a mapping for one request. A target without a value stays absent.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Mapped {
    /// Headers and their values.
    pub headers: Vec<(String, Vec<u8>)>,
    /// Query parameters and their values, not yet encoded.
    pub query: Vec<(String, Vec<u8>)>,
}

impl Mapping {
    /// The values for one request.
    ///
    /// # Errors
    ///
    /// [`Reason::MissingClaim`] where a required value is missing.
    pub fn evaluate(&self, facts: &Facts<'_>) -> Result<Mapped, Reason> {
        let mut mapped = Mapped::default();
        for entry in &self.headers {
            if let Some(value) = entry.value(facts, value::fits_header)? {
                mapped.headers.push((entry.target.clone(), value));
            }
        }
        for entry in &self.query {
            if let Some(value) = entry.value(facts, |_| true)? {
                mapped.query.push((entry.target.clone(), value));
            }
        }
        Ok(mapped)
    }
}

impl Entry {
    fn value(&self, facts: &Facts<'_>, fits: impl Fn(&[u8]) -> bool) -> Result<Option<Vec<u8>>, Reason> {
        let default = || self.default.as_ref().map(|text| text.clone().into_bytes());
        let value = self.expression.evaluate(facts, self.form).or_else(default);
        match value.filter(|value| fits(value)) {
            None if self.required => Err(Reason::MissingClaim),
            value => Ok(value),
        }
    }
}
