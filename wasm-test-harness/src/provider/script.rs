//! What is answered to whom, and what was asked: no input, no output.

use std::collections::BTreeMap;

use super::Answer;

/// The answers of any number of providers.
#[derive(Debug, Default)]
pub struct Script {
    resources: BTreeMap<(String, String), Resource>,
    asked: Vec<Asked>,
}

/// A request that a provider received.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// The method.
    pub method: String,
    /// The authority, as it came.
    pub authority: String,
    /// The target's path, with its query.
    pub path: String,
    /// Header fields without pseudo-headers and `host`, in order.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The body.
    pub body: Vec<u8>,
}

#[derive(Debug, Default)]
struct Resource {
    answers: Vec<Answer>,
    given: usize,
    calls: usize,
    held: bool,
}

impl Script {
    /// What is answered from now on, one after the other; calls are counted on.
    pub fn answer(&mut self, authority: &str, path: &str, answers: impl IntoIterator<Item = Answer>) {
        let resource = self.resources.entry((authority.to_owned(), path.to_owned())).or_default();
        resource.answers = answers.into_iter().collect();
        resource.given = 0;
    }

    /// The answer to a request: the next one of its script, the last one again and again, 404 where there is none.
    pub fn ask(&mut self, asked: Asked) -> Answer {
        let resource = self.resources.entry((asked.authority.clone(), asked.resource().to_owned())).or_default();
        resource.calls += 1;
        let last = resource.answers.len().saturating_sub(1);
        let answer = resource.answers.get(resource.given.min(last)).cloned();
        resource.given += 1;
        self.asked.push(asked);
        answer.unwrap_or_else(|| Answer::status(404))
    }

    /// Whether answers are held back for now; calls are counted all the same.
    pub fn hold(&mut self, authority: &str, path: &str, held: bool) {
        self.resources.entry((authority.to_owned(), path.to_owned())).or_default().held = held;
    }

    pub(super) fn is_held(&self, authority: &str, path: &str) -> bool {
        self.resources.get(&(authority.to_owned(), path.to_owned())).is_some_and(|resource| resource.held)
    }

    /// How often it was asked so far.
    pub fn calls(&self, authority: &str, path: &str) -> usize {
        self.resources.get(&(authority.to_owned(), path.to_owned())).map_or(0, |resource| resource.calls)
    }

    /// Everything that was asked, in order.
    pub fn asked(&self) -> &[Asked] {
        &self.asked
    }
}

impl Asked {
    /// The path without its query.
    pub fn resource(&self) -> &str {
        self.path.split_once('?').map_or(self.path.as_str(), |(path, _)| path)
    }

    /// The first value of a header.
    pub fn header(&self, name: &str) -> Option<&[u8]> {
        self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_slice())
    }
}
