//! Header and query values that a route makes from what was verified.

pub mod expression;
pub mod value;

use std::{borrow::Cow, cell::RefCell, rc::Rc};

use expression::{Expression, Facts};
use value::Form;

use crate::{deny::Reason, route::table::RouteId};

/// What a route sets on the requests that it forwards.
#[derive(Debug)]
pub struct Mapping {
    /// Headers, names in lower case.
    pub headers: Vec<Entry>,
    /// Query parameters.
    pub query: Vec<Entry>,
    /// Whether its values are the same for all requests of one caller.
    is_of_caller: bool,
}

/// One target and where its value comes from.
#[derive(Debug)]
pub struct Entry {
    /// The header or query parameter.
    pub target: Rc<str>,
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
    pub headers: Vec<(Rc<str>, Rc<[u8]>)>,
    /// Query parameters and their values, not yet encoded.
    pub query: Vec<(Rc<str>, Vec<u8>)>,
}

/// The values of one mapping for one caller, kept with the caller's credential: those of the route that it was last used on,
/// once it has been used twice. Most of what is used only once would be kept in vain.
#[derive(Debug, Default)]
pub struct Memo(RefCell<Remembered>);

#[derive(Debug, Default)]
enum Remembered {
    #[default]
    Unused,
    Used,
    Values(RouteId, Rc<Mapped>),
}

impl Mapping {
    /// What a route sets.
    #[must_use]
    pub fn new(headers: Vec<Entry>, query: Vec<Entry>) -> Self {
        let is_of_caller = headers.iter().chain(&query).all(|entry| entry.expression.is_of_caller());
        Self { headers, query, is_of_caller }
    }

    /// The values for one request on this route. The memo is the caller's, if nobody else was verified.
    ///
    /// # Errors
    ///
    /// [`Reason::MissingClaim`] where a required value is missing.
    pub fn evaluate<'a>(
        &'a self,
        route: RouteId,
        facts: &Facts<'a>,
        memo: Option<&Memo>,
    ) -> Result<Rc<Mapped>, Reason> {
        let memo = memo.filter(|_| self.is_of_caller);
        if let Some(mapped) = memo.and_then(|memo| memo.get(route)) {
            return Ok(mapped);
        }
        let mut mapped = Mapped { headers: Vec::with_capacity(self.headers.len()), query: Vec::new() };
        for entry in &self.headers {
            if let Some(value) = entry.value(facts, value::fits_header)? {
                mapped.headers.push((Rc::clone(&entry.target), (&*value).into()));
            }
        }
        for entry in &self.query {
            if let Some(value) = entry.value(facts, |_| true)? {
                mapped.query.push((Rc::clone(&entry.target), value.into_owned()));
            }
        }
        let mapped = Rc::new(mapped);
        if let Some(memo) = memo.filter(|_| mapped.bytes() <= MOST_KEPT) {
            memo.set(route, Rc::clone(&mapped));
        }
        Ok(mapped)
    }
}

impl Default for Mapping {
    fn default() -> Self {
        Self::new(Vec::new(), Vec::new())
    }
}

impl Mapped {
    fn bytes(&self) -> usize {
        let headers = self.headers.iter().map(|(_, value)| value.len());
        headers.chain(self.query.iter().map(|(_, value)| value.len())).fold(0, usize::saturating_add)
    }
}

impl Memo {
    fn get(&self, route: RouteId) -> Option<Rc<Mapped>> {
        match &*self.0.try_borrow().ok()? {
            Remembered::Values(of, mapped) if *of == route => Some(Rc::clone(mapped)),
            _ => None,
        }
    }

    fn set(&self, route: RouteId, mapped: Rc<Mapped>) {
        if let Ok(mut memo) = self.0.try_borrow_mut() {
            *memo = match *memo {
                Remembered::Unused => Remembered::Used,
                Remembered::Used | Remembered::Values(..) => Remembered::Values(route, mapped),
            };
        }
    }
}

impl Entry {
    fn value<'a>(&'a self, facts: &Facts<'a>, fits: impl Fn(&[u8]) -> bool) -> Result<Option<Cow<'a, [u8]>>, Reason> {
        let default = || self.default.as_ref().map(|text| text.as_bytes().into());
        let value = self.expression.evaluate(facts, self.form).or_else(default);
        match value.filter(|value| fits(value)) {
            None if self.required => Err(Reason::MissingClaim),
            value => Ok(value),
        }
    }
}

/// Bytes of values that are kept with a credential; longer ones are made for each request.
pub const MOST_KEPT: usize = 1024;
