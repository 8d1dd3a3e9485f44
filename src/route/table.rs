//! The lookup table: hosts, then path segments from left to right, then methods.
//!
//! At each segment a literal goes before `{name}`, and that before `{.+}`; the order of the file means nothing. The
//! most specific path decides alone, whatever methods it serves.

use std::collections::HashMap;

use super::{
    path::NormalPath,
    template::{Part, Template},
};

/// A route's place in the configuration.
pub type RouteId = usize;

/// All routes of a gateway.
#[derive(Debug, Default)]
pub struct Table {
    exact_hosts: HashMap<String, Node>,
    /// Longest suffix first; the suffix begins with its dot.
    suffix_hosts: Vec<(String, Node)>,
    any_host: Node,
    /// Whether a route ignores case.
    is_insensitive: bool,
    /// Whether a literal has capitals, or a path ends with a slash.
    has_variants: bool,
}

/// Which authorities a route is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HostPattern {
    /// All of them.
    Any,
    /// One host, in lower case.
    Exact(String),
    /// `*.suffix`: every host below it. Holds `.suffix`, in lower case.
    Suffix(String),
}

/// The methods that a route serves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Methods {
    /// Every method but CONNECT and TRACE.
    Any,
    /// These. `GET` serves `HEAD` as well.
    These(Vec<String>),
}

/// The routes of one path.
#[derive(Debug, Default)]
pub struct Leaf {
    exact: Vec<(String, RouteId)>,
    any: Option<RouteId>,
}

#[derive(Debug, Default)]
struct Node {
    literals: HashMap<String, Node>,
    /// Literals of case-insensitive routes, in lower case.
    insensitive: HashMap<String, Node>,
    /// The literals that differ in ASCII case alone, by their common form in lower case.
    spellings: HashMap<String, Vec<String>>,
    parameter: Option<Box<Node>>,
    /// What ends here.
    leaf: Option<Leaf>,
    /// What ends here with `{.+}`.
    open: Option<Leaf>,
}

impl Table {
    /// Adds a route.
    ///
    /// # Errors
    ///
    /// The route from which this one could never be told apart.
    pub fn insert(
        &mut self,
        host: &HostPattern,
        template: &Template,
        case_insensitive: bool,
        methods: &Methods,
        route: RouteId,
    ) -> Result<(), RouteId> {
        self.is_insensitive |= case_insensitive;
        // The slash of `/` ends no other path than its own.
        let is_root = template.parts.len() == 1;
        self.has_variants |= template.parts.iter().any(|part| match part {
            Part::Literal(text) => (text.is_empty() && !is_root) || !is_plain(text),
            Part::Parameter(_) => false,
        });
        self.host(host).leaf_mut(template, case_insensitive).insert(methods, route)
    }

    /// The most specific path that matches, on the most specific host that has one.
    #[must_use]
    pub fn find(&self, host: &str, path: &NormalPath) -> Option<&Leaf> {
        if self.is_insensitive {
            return self.search(host, path, path.len(), Comparison::Exact).first().copied();
        }
        self.hosts(host).find_map(|node| node.find(path, 0))
    }

    /// The paths that would be the most specific ones for a server that ignores ASCII case and one trailing slash.
    #[must_use]
    pub fn find_lookalikes(&self, host: &str, path: &NormalPath) -> Vec<&Leaf> {
        let has_slash = path.segments().next_back().is_some_and(str::is_empty);
        self.search(host, path, path.len().saturating_sub(usize::from(has_slash)), Comparison::Lenient)
    }

    /// Whether a path has no other lookalike than itself, as far as that shows at once: where neither it nor any route has a
    /// capital or a trailing slash.
    #[must_use]
    pub fn is_alone(&self, path: &NormalPath) -> bool {
        !self.is_insensitive
            && !self.has_variants
            && path.segments().all(|segment| !segment.is_empty() && is_plain(segment))
    }

    fn search(&self, host: &str, path: &NormalPath, end: usize, comparison: Comparison) -> Vec<&Leaf> {
        for node in self.hosts(host) {
            let mut search = Search { path, end, comparison, trail: Vec::new(), best: Vec::new(), found: Vec::new() };
            node.search(0, &mut search);
            if !search.found.is_empty() {
                return search.found;
            }
        }
        Vec::new()
    }

    fn hosts<'a, 'h>(&'a self, host: &'h str) -> impl Iterator<Item = &'a Node> + use<'a, 'h> {
        let suffixes = self
            .suffix_hosts
            .iter()
            // `*.suffix` asks for at least one character before the dot.
            .filter(move |(suffix, _)| host.len() > suffix.len() && host.ends_with(suffix.as_str()))
            .map(|(_, node)| node);
        self.exact_hosts.get(host).into_iter().chain(suffixes).chain(std::iter::once(&self.any_host))
    }

    fn host(&mut self, pattern: &HostPattern) -> &mut Node {
        match pattern {
            HostPattern::Any => &mut self.any_host,
            HostPattern::Exact(host) => self.exact_hosts.entry(host.clone()).or_default(),
            HostPattern::Suffix(suffix) => {
                let longer = |other: &str| other.len() > suffix.len();
                let position = self
                    .suffix_hosts
                    .partition_point(|(other, _)| longer(other) || (other.len() == suffix.len() && other < suffix));
                if self.suffix_hosts.get(position).is_none_or(|(other, _)| other != suffix) {
                    self.suffix_hosts.insert(position, (suffix.clone(), Node::default()));
                }
                match self.suffix_hosts.get_mut(position) {
                    Some((_, node)) => node,
                    None => &mut self.any_host, // not reached: the entry was inserted above
                }
            }
        }
    }
}

impl Leaf {
    /// The route that serves a method: the one that names it, `GET` for `HEAD`, then `ANY`.
    #[must_use]
    pub fn route(&self, method: &str) -> Option<RouteId> {
        let head = || if method == "HEAD" { self.explicit_route("GET") } else { None };
        let any = || self.any.filter(|_| !matches!(method, "CONNECT" | "TRACE"));
        self.explicit_route(method).or_else(head).or_else(any)
    }

    /// The route that names a method itself.
    #[must_use]
    pub fn explicit_route(&self, method: &str) -> Option<RouteId> {
        self.exact.iter().find(|(name, _)| name == method).map(|(_, route)| *route)
    }

    /// The value of `Allow` (RFC 9110 §10.2.1).
    #[must_use]
    pub fn allow(&self) -> String {
        let mut methods: Vec<&str> = self.exact.iter().map(|(method, _)| method.as_str()).collect();
        if methods.contains(&"GET") {
            methods.push("HEAD");
        }
        if self.any.is_some() {
            methods.extend(["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"]);
        }
        methods.sort_unstable();
        methods.dedup();
        methods.join(", ")
    }

    fn insert(&mut self, methods: &Methods, route: RouteId) -> Result<(), RouteId> {
        match methods {
            Methods::Any => match self.any {
                Some(other) => return Err(other),
                None => self.any = Some(route),
            },
            Methods::These(methods) => {
                for method in methods {
                    if let Some(other) = self.explicit_route(method) {
                        return Err(other);
                    }
                    self.exact.push((method.clone(), route));
                }
            }
        }
        Ok(())
    }
}

impl Node {
    fn leaf_mut(&mut self, template: &Template, case_insensitive: bool) -> &mut Leaf {
        let mut node = self;
        for part in &template.parts {
            node = match part {
                Part::Literal(text) if case_insensitive => {
                    node.insensitive.entry(text.to_ascii_lowercase()).or_default()
                }
                Part::Literal(text) => {
                    let spellings = node.spellings.entry(text.to_ascii_lowercase()).or_default();
                    if !spellings.contains(text) {
                        spellings.push(text.clone());
                    }
                    node.literals.entry(text.clone()).or_default()
                }
                Part::Parameter(_) => node.parameter.get_or_insert_default(),
            };
        }
        let leaf = if template.open { &mut node.open } else { &mut node.leaf };
        leaf.get_or_insert_default()
    }

    /// What [`search`](Self::search) finds where case counts: the first, as the most specific is looked at first.
    fn find(&self, path: &NormalPath, index: usize) -> Option<&Leaf> {
        let found = match path.segment(index) {
            None => self.leaf.as_ref(),
            Some(segment) => {
                let next = index.wrapping_add(1);
                let literal = self.literals.get(segment).and_then(|node| node.find(path, next));
                let parameter = || self.parameter.as_ref().filter(|_| !segment.is_empty())?.find(path, next);
                literal.or_else(parameter)
            }
        };
        found.or(self.open.as_ref())
    }

    fn search<'a>(&'a self, index: usize, search: &mut Search<'a, '_>) {
        let path = search.path;
        if let Some(segment) = path.segment(index).filter(|_| index < search.end) {
            let next = index.wrapping_add(1);
            for node in self.literal_children(segment, search.comparison) {
                search.descend(LITERAL, node, next);
            }
            if let Some(node) = self.parameter.as_ref().filter(|_| !segment.is_empty()) {
                search.descend(PARAMETER, node, next);
            }
        } else {
            if let Some(leaf) = &self.leaf {
                search.offer(LITERAL, leaf);
            }
            if search.comparison == Comparison::Lenient {
                let with_slash = [self.literals.get(""), self.insensitive.get("")];
                for leaf in with_slash.into_iter().flatten().filter_map(|node| node.leaf.as_ref()) {
                    search.offer(LITERAL, leaf);
                }
            }
        }
        if let Some(leaf) = &self.open {
            search.offer(OPEN, leaf);
        }
    }

    /// The literals that a segment matches; one that is spelled as the segment goes first.
    fn literal_children(&self, text: &str, comparison: Comparison) -> impl Iterator<Item = &Self> {
        let exact = self.literals.get(text);
        let folds = !self.insensitive.is_empty() || comparison == Comparison::Lenient;
        let folded = folds.then(|| text.to_ascii_lowercase());
        let insensitive = folded.as_ref().and_then(|folded| self.insensitive.get(folded));
        let spellings = folded.filter(|_| comparison == Comparison::Lenient);
        let spellings = spellings.and_then(|folded| self.spellings.get(&folded)).into_iter().flatten();
        let others =
            spellings.filter(move |spelling| *spelling != text).filter_map(|spelling| self.literals.get(spelling));
        exact.into_iter().chain(insensitive).chain(others)
    }
}

/// Whether every server compares a literal alike.
fn is_plain(literal: &str) -> bool {
    !literal.bytes().any(|byte| byte.is_ascii_uppercase())
}

/// How literals and ends of paths are compared.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Comparison {
    /// As the contract says.
    Exact,
    /// As a server does that ignores ASCII case and one trailing slash.
    Lenient,
}

/// A search for the most specific leaves, ties included.
struct Search<'a, 'p> {
    path: &'p NormalPath,
    /// How many of its segments count.
    end: usize,
    comparison: Comparison,
    /// How the segments so far were matched.
    trail: Vec<u8>,
    best: Vec<u8>,
    found: Vec<&'a Leaf>,
}

impl<'a> Search<'a, '_> {
    fn descend(&mut self, kind: u8, node: &'a Node, next: usize) {
        self.trail.push(kind);
        node.search(next, self);
        self.trail.pop();
    }

    fn offer(&mut self, kind: u8, leaf: &'a Leaf) {
        self.trail.push(kind);
        if self.found.is_empty() || self.trail < self.best {
            self.best.clone_from(&self.trail);
            self.found.clear();
        }
        if self.trail == self.best {
            self.found.push(leaf);
        }
        self.trail.pop();
    }
}

// How a segment was matched, the most specific way first.
const LITERAL: u8 = 0;
const PARAMETER: u8 = 1;
const OPEN: u8 = 2;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{route::path::PathPolicy, test::test};

    fn table(routes: &[(&str, &str)]) -> Table {
        let mut table = Table::default();
        for (id, (methods, path)) in routes.iter().enumerate() {
            insert(&mut table, HostPattern::Any, methods, path, id).unwrap();
        }
        table
    }

    fn insert(table: &mut Table, host: HostPattern, methods: &str, path: &str, id: RouteId) -> Result<(), RouteId> {
        let template = Template::parse(path, PathPolicy::Strict).unwrap();
        let methods = match methods {
            "ANY" => Methods::Any,
            methods => Methods::These(methods.split(' ').map(str::to_owned).collect()),
        };
        table.insert(&host, &template, false, &methods, id)
    }

    fn path(text: &str) -> NormalPath {
        NormalPath::new(text.as_bytes(), PathPolicy::Strict).unwrap()
    }

    fn find(table: &Table, method: &str, text: &str) -> Option<RouteId> {
        table.find("", &path(text)).and_then(|leaf| leaf.route(method))
    }

    test!(literals_go_before_parameters_and_those_before_the_rest, {
        let table = table(&[
            ("GET", "/{.+}"),
            ("GET", "/a/{x}"),
            ("GET", "/a/b"),
            ("GET", "/{x}/b/d"),
            ("GET", "/a/{x}/c"),
            ("GET", "/p/{.+}"),
        ]);
        for (text, route) in [
            ("/a/b", 2),
            ("/a/x", 1),
            ("/a/b/c", 4),
            ("/a/b/d", 3),
            ("/a/b/e", 0),
            ("/", 0),
            ("/p", 5),
            ("/p/", 5),
            ("/p/q/r/", 5),
            ("/a/", 0),
            ("/a/b/", 0),
        ] {
            assert_eq!(find(&table, "GET", text), Some(route), "{text}");
        }
    });

    test!(the_most_specific_path_decides_alone, {
        let table = table(&[("GET", "/private"), ("ANY", "/{.+}")]);
        let leaf = table.find("", &path("/private")).unwrap();
        assert_eq!(leaf.route("POST"), None);
        assert_eq!(leaf.allow(), "GET, HEAD");
        assert_eq!(leaf.route("HEAD"), Some(0));
        assert_eq!(find(&table, "POST", "/other"), Some(1));
        assert_eq!(find(&table, "TRACE", "/other"), None);
        assert_eq!(find(&table, "CONNECT", "/other"), None);
    });

    test!(routes_that_cannot_be_told_apart_are_refused, {
        let mut table = table(&[("GET POST", "/a/{x}"), ("ANY", "/b")]);
        assert_eq!(insert(&mut table, HostPattern::Any, "POST", "/a/{y}", 2), Err(0));
        assert_eq!(insert(&mut table, HostPattern::Any, "ANY", "/b", 3), Err(1));
        assert_eq!(insert(&mut table, HostPattern::Any, "GET", "/b", 4), Ok(()));
        assert_eq!(insert(&mut table, HostPattern::Any, "PUT", "/a/{y}", 5), Ok(()));
    });

    test!(the_most_specific_host_with_a_path_decides, {
        let mut table = Table::default();
        let exact = HostPattern::Exact("a.example.com".to_owned());
        let near = HostPattern::Suffix(".example.com".to_owned());
        let far = HostPattern::Suffix(".com".to_owned());
        for (host, text, id) in
            [(exact, "/x", 0), (far, "/{.+}", 1), (near, "/{.+}", 2), (HostPattern::Any, "/{.+}", 3)]
        {
            insert(&mut table, host, "GET", text, id).unwrap();
        }
        let find = |host, text| table.find(host, &path(text)).and_then(|leaf| leaf.route("GET"));
        assert_eq!(find("a.example.com", "/x"), Some(0));
        assert_eq!(find("a.example.com", "/y"), Some(2));
        assert_eq!(find("b.a.example.com", "/x"), Some(2));
        assert_eq!(find("example.com", "/x"), Some(1));
        assert_eq!(find(".example.com", "/x"), Some(1));
        assert_eq!(find("org", "/x"), Some(3));
    });

    test!(a_case_insensitive_literal_ranks_as_a_literal, {
        let mut table = table(&[("GET", "/API/{.+}"), ("GET", "/api/{x}")]);
        let template = Template::parse("/Api/Admin", PathPolicy::Strict).unwrap();
        table.insert(&HostPattern::Any, &template, true, &Methods::Any, 2).unwrap();
        for text in ["/API/admin", "/api/ADMIN", "/Api/Admin"] {
            assert_eq!(find(&table, "GET", text), Some(2), "{text}");
        }
        assert_eq!(find(&table, "GET", "/API/x"), Some(0));
        assert_eq!(find(&table, "GET", "/api/x"), Some(1));
        assert_eq!(find(&table, "GET", "/Api/x"), None);
    });

    test!(lookalikes_ignore_case_and_a_trailing_slash, {
        let table =
            table(&[("GET", "/{.+}"), ("GET", "/private"), ("GET", "/users/{id}"), ("GET", "/Both"), ("GET", "/both")]);
        let lookalikes = |text: &str| -> Vec<_> {
            let leaves = table.find_lookalikes("", &path(text));
            leaves.iter().filter_map(|leaf| leaf.route("GET")).collect()
        };
        assert_eq!(lookalikes("/private/"), [1]);
        assert_eq!(lookalikes("/PRIVATE"), [1]);
        assert_eq!(lookalikes("/Users/7/"), [2]);
        assert_eq!(lookalikes("/other"), [0]);
        let mut both = lookalikes("/both");
        both.sort_unstable();
        assert_eq!(both, [3, 4]);
    });
}
