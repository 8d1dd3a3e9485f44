//! Requests that stand for all those which a route is there for, and what decides about them.

use gatepost::config::gateway::Gateway;
use gatepost::engine::Head;
use gatepost::route::path::NormalPath;

use crate::view::RouteView;

/// A request that a route has, unless another one takes it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Probe {
    pub host: String,
    pub path: String,
    pub method: String,
}

/// What decides about a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decider {
    /// The route with this index.
    Route(usize),
    /// No route has the path: what `unmatched` says.
    Unmatched,
    /// The path serves other methods.
    NotServed,
    /// The path is refused.
    Refused,
}

impl Probe {
    /// One for each host and method of the route; `any` are those that stand for `ANY`.
    pub fn all(route: RouteView<'_>, any: &[&str]) -> Vec<Self> {
        let methods = match route.methods().as_slice() {
            ["ANY"] => any.to_vec(),
            methods => methods.to_vec(),
        };
        let hosts: Vec<String> = match route.hosts().as_slice() {
            [] => vec![format!("{WORD}.invalid")],
            hosts => {
                hosts.iter().map(|host| host.to_ascii_lowercase().replacen("*.", &format!("{WORD}."), 1)).collect()
            }
        };
        let segment = |segment: &str| match segment {
            "{.+}" => format!("{WORD}/rest"),
            segment if segment.starts_with('{') => WORD.to_owned(),
            literal => literal.to_owned(),
        };
        let path = route.path().split('/').map(segment).collect::<Vec<_>>().join("/");
        // A route that ignores case may share its spelling with one that does not.
        let spellings = match route.written["case_insensitive"] == true {
            true => vec![path.clone(), path.to_ascii_uppercase()],
            false => vec![path],
        };
        let mut probes = Vec::new();
        for host in &hosts {
            for path in &spellings {
                let probe =
                    |method: &&str| Self { host: host.clone(), path: path.clone(), method: (*method).to_owned() };
                probes.extend(methods.iter().map(probe));
            }
        }
        probes
    }

    /// The head of the request.
    pub fn head(&self) -> Head {
        let headers = [(":authority", &self.host), (":path", &self.path), (":method", &self.method)];
        let headers = headers.into_iter().map(|(name, value)| (name.to_owned(), value.clone().into_bytes()));
        let scheme = (":scheme".to_owned(), b"https".to_vec());
        Head { headers: headers.chain([scheme]).collect(), end_of_stream: true }
    }

    /// What decides about it in a gateway.
    pub fn decider(&self, gateway: &Gateway) -> Decider {
        let Ok(path) = NormalPath::new(self.path.as_bytes(), gateway.path_policy) else {
            return Decider::Refused;
        };
        match gateway.table.find(&self.host, &path) {
            None => Decider::Unmatched,
            Some(leaf) => leaf.route(&self.method).map_or(Decider::NotServed, Decider::Route),
        }
    }
}

/// What no configuration is likely to name.
const WORD: &str = "gatepost-probe";
/// A method that only `ANY` serves.
pub const ANY_METHOD: &str = "GATEPOST-PROBE";
