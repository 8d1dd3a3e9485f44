//! A header map as Envoy keeps it, and its form on the ABI.

/// Header fields in order; names in lower case, pseudo-headers first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Headers(Vec<(String, Vec<u8>)>);

impl Headers {
    /// A map of these pairs as Envoy's codec makes it: it joins the repeats of the names that Envoy knows.
    pub fn new(pairs: Vec<(String, Vec<u8>)>) -> Self {
        let mut headers = Self::default();
        for (name, value) in Self::unjoined(pairs).0 {
            headers.add(&name, &value);
        }
        headers
    }

    /// A map of these pairs in which every repeat stands by itself, as other proxies have it.
    pub fn unjoined(pairs: Vec<(String, Vec<u8>)>) -> Self {
        let mut pairs: Vec<_> = pairs.into_iter().map(|(name, value)| (canonical(&name), value)).collect();
        pairs.sort_by_key(|(name, _)| !name.starts_with(':'));
        Self(pairs)
    }

    /// The pairs in order.
    pub fn pairs(&self) -> &[(String, Vec<u8>)] {
        &self.0
    }

    /// The first value of a name: with repeated headers that is all Envoy's `get value` tells.
    pub fn first(&self, name: &str) -> Option<&[u8]> {
        let name = canonical(name);
        self.0.iter().find(|(n, _)| *n == name).map(|(_, value)| value.as_slice())
    }

    /// Every value of a name, in order.
    pub fn all(&self, name: &str) -> Vec<&[u8]> {
        let name = canonical(name);
        self.0.iter().filter(|(n, _)| *n == name).map(|(_, value)| value.as_slice()).collect()
    }

    /// Adds one more field, or one more value to a field that Envoy joins.
    pub fn add(&mut self, name: &str, value: &[u8]) {
        let name = canonical(name);
        match self.0.iter_mut().find(|(n, _)| *n == name && is_joined(n)) {
            Some((_, present)) => *present = [present, value].join(b",".as_slice()),
            None => self.0.push((name, value.to_vec())),
        }
    }

    /// Replaces every value of a name by one; it stays where the first one was.
    pub fn replace(&mut self, name: &str, value: &[u8]) {
        let name = canonical(name);
        let at = self.0.iter().position(|(n, _)| *n == name).unwrap_or(self.0.len());
        self.0.retain(|(n, _)| *n != name);
        self.0.insert(at.min(self.0.len()), (name, value.to_vec()));
    }

    /// Removes every value of a name.
    pub fn remove(&mut self, name: &str) {
        let name = canonical(name);
        self.0.retain(|(n, _)| *n != name);
    }

    /// The ABI's form: count, sizes, then each name and value with a NUL behind it.
    pub(crate) fn serialize(&self) -> Vec<u8> {
        let mut out = u32::try_from(self.0.len()).expect("few headers").to_le_bytes().to_vec();
        for (name, value) in &self.0 {
            out.extend(u32::try_from(name.len()).expect("short name").to_le_bytes());
            out.extend(u32::try_from(value.len()).expect("short value").to_le_bytes());
        }
        for (name, value) in &self.0 {
            out.extend(name.as_bytes());
            out.push(0);
            out.extend(value);
            out.push(0);
        }
        out
    }
}

/// Reads the ABI's form; `None` where it is malformed.
pub(crate) fn deserialize(bytes: &[u8]) -> Option<Vec<(String, Vec<u8>)>> {
    let number = |at: usize| -> Option<usize> {
        let bytes: [u8; 4] = bytes.get(at..at + 4)?.try_into().ok()?;
        usize::try_from(u32::from_le_bytes(bytes)).ok()
    };
    if bytes.is_empty() {
        return Some(Vec::new());
    }
    let count = number(0)?;
    let mut at = 4 + count.checked_mul(8)?;
    let mut pairs = Vec::new();
    for index in 0..count {
        let (name_size, value_size) = (number(4 + index * 8)?, number(8 + index * 8)?);
        let name = bytes.get(at..at + name_size)?;
        at += name_size + 1;
        let value = bytes.get(at..at + value_size)?;
        at += value_size + 1;
        pairs.push((String::from_utf8_lossy(name).into_owned(), value.to_vec()));
    }
    Some(pairs)
}

/// Why Envoy would not put this field on the wire, if it would not (RFC 9110 §5.1, §5.5).
pub(crate) fn unsendable(name: &str, value: &[u8]) -> Option<String> {
    let token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    let plain = name.strip_prefix(':').unwrap_or(name);
    if plain.is_empty() || !plain.bytes().all(token) {
        return Some(format!("the header name {name:?} is no token"));
    }
    let control = |b: &u8| (*b < 0x20 && *b != b'\t') || *b == 0x7f;
    value.iter().any(control).then(|| format!("the value of {name:?} holds a control character"))
}

/// Whether Envoy keeps this header in a field of its own, and so joins its repeats with a comma (seen in Envoy 1.40).
pub fn is_joined(name: &str) -> bool {
    JOINED.contains(&name)
}

/// Lower case, and Envoy's one alias: `host` is `:authority`.
fn canonical(name: &str) -> String {
    if name.eq_ignore_ascii_case("host") { ":authority".to_owned() } else { name.to_ascii_lowercase() }
}

const JOINED: [&str; 23] = [
    ":authority",
    "accept",
    "accept-encoding",
    "access-control-request-headers",
    "access-control-request-method",
    "authorization",
    "cache-control",
    "content-encoding",
    "content-type",
    "expect",
    "grpc-timeout",
    "if-none-match",
    "origin",
    "pragma",
    "referer",
    "te",
    "user-agent",
    "via",
    "x-client-trace-id",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-request-id",
];
