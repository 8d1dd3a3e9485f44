//! Compiling authenticators of client certificates.

use super::{
    decode::{Errors, Items, Member, good_items, index_path, member_path},
    error::ConfigErrorKind,
    schema::MtlsSchema,
};
use crate::{
    auth::mtls::{MtlsMethod, Pattern},
    hex,
};

/// Compiles the patterns, of which there has to be one at least.
pub fn compile_mtls(schema: &MtlsSchema, path: &str, errors: &mut Errors) -> Option<MtlsMethod> {
    let MtlsSchema { _type: _, uri_sans, dns_sans, subjects, fingerprints, listener_validates } = schema;
    let names = "printable ASCII without blanks, and `*` at the end alone";
    let uri_sans = compile(uri_sans, "uri_sans", path, errors, |text| pattern(text, is_name), names);
    let dns_sans = compile(
        dns_sans,
        "dns_sans",
        path,
        errors,
        // RFC 5280 §7.2: compared without case.
        |text| pattern(&text.to_ascii_lowercase(), is_name),
        names,
    );
    let form = "printable ASCII, the rest escaped as RFC 2253 has it (`CN=J\\C3\\BCrgen`), and `*` at the end alone";
    let subjects = compile(subjects, "subjects", path, errors, |text| pattern(text, is_subject), form);
    let form = "a SHA-256: 64 hexadecimal digits, with or without colons between the bytes";
    let fingerprints = compile(fingerprints, "fingerprints", path, errors, fingerprint, form);
    let method = MtlsMethod {
        uri_sans: uri_sans?,
        dns_sans: dns_sans?,
        subjects: subjects?,
        fingerprints: fingerprints?,
        listener_validates: listener_validates.get().copied().unwrap_or(false),
    };
    if !method.has_patterns() {
        let rule = "needs a pattern in `uri_sans`, `dns_sans`, `subjects` or `fingerprints`";
        errors.push(path.to_owned(), ConfigErrorKind::Contradiction(rule));
        return None;
    }
    Some(method)
}

fn compile<T>(
    list: &Member<Items<String>>,
    name: &str,
    path: &str,
    errors: &mut Errors,
    read: impl Fn(&str) -> Option<T>,
    form: &'static str,
) -> Option<Vec<T>> {
    let items = match list {
        Member::Absent => return Some(Vec::new()),
        Member::Bad => return None,
        Member::Good(items) => &items.0,
    };
    let mut compiled = Vec::new();
    for (index, text) in good_items(items) {
        match read(text) {
            Some(item) => compiled.push(item),
            None => {
                let kind = if text.is_empty() { ConfigErrorKind::Empty } else { ConfigErrorKind::Invalid(form) };
                errors.push(index_path(&member_path(path, name), index), kind);
            }
        }
    }
    (compiled.len() == items.len()).then_some(compiled)
}

fn pattern(text: &str, good: fn(u8) -> bool) -> Option<Pattern> {
    let fixed = text.strip_suffix('*').unwrap_or(text);
    let is_good = !text.is_empty() && !fixed.contains('*') && fixed.bytes().all(good);
    let kind = if fixed.len() < text.len() { Pattern::Prefix } else { Pattern::Exact };
    is_good.then(|| kind(fixed.to_owned()))
}

/// A fingerprint as tools print it: `1A:2B:...`.
fn fingerprint(text: &str) -> Option<[u8; 32]> {
    let has_colons = text.contains(':');
    let bytes: Vec<&str> = text.split(':').collect();
    let is_whole = !has_colons || bytes.iter().all(|byte| byte.len() == 2);
    hex::read(bytes.concat().as_bytes()).filter(|_| is_whole)
}

fn is_name(byte: u8) -> bool {
    byte.is_ascii_graphic()
}

fn is_subject(byte: u8) -> bool {
    byte.is_ascii_graphic() || byte == b' '
}
