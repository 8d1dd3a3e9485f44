//! A request's header fields, read in place: two buffers, however many fields there are.

use std::fmt;

/// Header fields in order, repeated ones included.
#[derive(Clone, Default)]
pub struct Headers {
    /// All names, one after another.
    names: String,
    /// All values, with whatever the host put between them.
    values: Vec<u8>,
    fields: Vec<Field>,
}

/// Where a field stands.
#[derive(Clone, Copy)]
struct Field {
    name: (usize, usize),
    value: (usize, usize),
}

impl Headers {
    /// Reads a header map as hosts serialize it (proxy-wasm ABI 0.2.1): the count, then the two lengths of each field, then
    /// each name and value with a zero byte after it; nothing at all where there is no field. Integers are little-endian,
    /// of 32 bits. The values stay where they are. None for anything else, and for names that are not UTF-8.
    #[must_use]
    pub fn deserialize(bytes: Vec<u8>) -> Option<Self> {
        if bytes.is_empty() {
            return Some(Self::default());
        }
        let (count, rest) = split_u32(&bytes)?;
        let lengths = rest.get(..count.checked_mul(8)?)?;
        let mut start = lengths.len().checked_add(4)?;
        let mut fields = Vec::with_capacity(count);
        // Names are a small part of a head: the values are long.
        let mut names = String::with_capacity(count.saturating_mul(TYPICAL_NAME));
        for pair in lengths.chunks_exact(8) {
            let (name, pair) = split_u32(pair)?;
            let (value, _) = split_u32(pair)?;
            let end = start.checked_add(name)?;
            let text = std::str::from_utf8(bytes.get(start..end)?).ok()?;
            let name = (names.len(), names.len().checked_add(name)?);
            names.push_str(text);
            let start_of_value = end.checked_add(1)?;
            let end = start_of_value.checked_add(value)?;
            start = end.checked_add(1)?;
            if start > bytes.len() {
                return None;
            }
            fields.push(Field { name, value: (start_of_value, end) });
        }
        Some(Self { names, values: bytes, fields })
    }

    /// How many fields there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.fields.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// Bytes of all names and values.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let values = self.fields.iter().map(|field| field.value.1.saturating_sub(field.value.0));
        values.fold(self.names.len(), usize::saturating_add)
    }

    /// How much memory they take, roughly, in bytes. The names that came take room twice.
    #[must_use]
    pub fn footprint(&self) -> usize {
        let fields = self.fields.capacity().saturating_mul(size_of::<Field>());
        self.names.capacity().saturating_add(self.values.capacity()).saturating_add(fields)
    }

    /// The fields in order, names in lower case if the host has them so.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> + Clone {
        self.fields.iter().map(|field| (self.name(field), self.value(field)))
    }

    /// The values of one header.
    pub fn values<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a [u8]> + Clone {
        // Most names differ in length from the one that is sought.
        let is_it = move |field: &&Field| {
            let (start, end) = field.name;
            end.wrapping_sub(start) == name.len() && self.name(field) == name
        };
        self.fields.iter().filter(is_it).map(|field| self.value(field))
    }

    /// Each field for itself.
    #[must_use]
    pub fn to_vec(&self) -> Vec<(String, Vec<u8>)> {
        self.iter().map(|(name, value)| (name.to_owned(), value.to_vec())).collect()
    }

    fn name(&self, field: &Field) -> &str {
        self.names.get(field.name.0..field.name.1).unwrap_or_default()
    }

    fn value(&self, field: &Field) -> &[u8] {
        self.values.get(field.value.0..field.value.1).unwrap_or_default()
    }
}

impl<N: AsRef<str>, V: AsRef<[u8]>> FromIterator<(N, V)> for Headers {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(fields: I) -> Self {
        let mut headers = Self::default();
        for (name, value) in fields {
            let (names, values) = (headers.names.len(), headers.values.len());
            headers.names.push_str(name.as_ref());
            headers.values.extend_from_slice(value.as_ref());
            let (name, value) = ((names, headers.names.len()), (values, headers.values.len()));
            headers.fields.push(Field { name, value });
        }
        headers
    }
}

impl<N: AsRef<str>, V: AsRef<[u8]>> From<Vec<(N, V)>> for Headers {
    fn from(fields: Vec<(N, V)>) -> Self {
        fields.into_iter().collect()
    }
}

// What the host put between the values does not count.
impl PartialEq for Headers {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for Headers {}

// Values hold credentials.
impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter().map(|(name, _)| name)).finish()
    }
}

fn split_u32(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let (number, rest) = bytes.split_first_chunk::<4>()?;
    Some((usize::try_from(u32::from_le_bytes(*number)).ok()?, rest))
}

/// Bytes of a name, roughly.
const TYPICAL_NAME: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test::test;

    fn serialize(fields: &[(&[u8], &[u8])]) -> Vec<u8> {
        let number = |number: usize| u32::try_from(number).unwrap().to_le_bytes();
        let mut bytes = number(fields.len()).to_vec();
        for (name, value) in fields {
            bytes.extend(number(name.len()).into_iter().chain(number(value.len())));
        }
        for text in fields.iter().flat_map(|(name, value)| [name, value]) {
            bytes.extend_from_slice(text);
            bytes.push(0);
        }
        bytes
    }

    test!(what_a_host_serializes_is_read_in_place, {
        let headers =
            Headers::deserialize(serialize(&[(b":path", b"/"), (b"a", b"\xff"), (b"", b""), (b"a", b"2")])).unwrap();
        let expected: Headers = [(":path", &b"/"[..]), ("a", b"\xff"), ("", b""), ("a", b"2")].into_iter().collect();
        assert_eq!(headers, expected);
        assert_eq!(headers.to_vec(), expected.to_vec());
        assert_ne!(headers, [(":path", "/")].into_iter().collect());
        assert_eq!((headers.len(), headers.bytes()), (4, 10));
        assert_eq!(headers.values("a").collect::<Vec<_>>(), [&b"\xff"[..], b"2"]);
        assert_eq!(headers.values("b").next(), None);
        assert!(Headers::deserialize(Vec::new()).unwrap().is_empty());
        assert!(Headers::deserialize(vec![0; 4]).unwrap().is_empty());
        assert_eq!(format!("{headers:?}"), r#"[":path", "a", "", "a"]"#);
    });

    test!(what_is_cut_or_announces_too_much_is_refused, {
        let whole = serialize(&[(b"name", b"value"), (b"b", b"")]);
        for length in 1..whole.len() {
            assert!(Headers::deserialize(whole[..length].to_vec()).is_none(), "{length}");
        }
        for place in 0..20 {
            let mut changed = whole.clone();
            changed[place] = 0xff;
            assert!(Headers::deserialize(changed).is_none(), "{place}");
        }
        assert!(Headers::deserialize(serialize(&[(b"\xff", b"")])).is_none());
        assert!(Headers::deserialize(vec![0xff; 64]).is_none());
    });
}
