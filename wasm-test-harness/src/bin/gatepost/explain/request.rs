//! The request of the command line, as the filter would see it, and what edits make of it.

use gatepost::engine::{Head, HeaderEdit};

/// The request, as it is given on the command line.
#[derive(clap::Args)]
pub struct RequestArguments {
    /// The method.
    #[arg(long, default_value = "GET")]
    method: String,

    /// The path and query, as the client would send them.
    #[arg(long)]
    path: String,

    /// A header; may be repeated, also with the same name.
    #[arg(long = "header", short = 'H', value_name = "NAME: VALUE", value_parser = parse_header)]
    headers: Vec<(String, String)>,

    /// The host that the client asks for.
    #[arg(long, default_value = "localhost")]
    authority: String,

    /// The scheme by which the client came.
    #[arg(long, default_value = "https")]
    scheme: String,

    /// The body.
    #[arg(long)]
    pub body: Option<String>,
}

/// A request's head.
pub struct Request {
    fields: Vec<(String, Vec<u8>)>,
    has_body: bool,
}

impl Request {
    pub fn new(arguments: &RequestArguments) -> Self {
        // The order in which Envoy gives them.
        let pseudo = [
            (":authority", &arguments.authority),
            (":path", &arguments.path),
            (":method", &arguments.method),
            (":scheme", &arguments.scheme),
        ];
        let mut fields: Vec<_> =
            pseudo.into_iter().map(|(name, value)| (name.to_owned(), value.clone().into_bytes())).collect();
        fields.extend(arguments.headers.iter().map(|(name, value)| (name.clone(), value.clone().into_bytes())));
        let body = arguments.body.as_deref().unwrap_or_default();
        if !body.is_empty() && !fields.iter().any(|(name, _)| name == "content-length") {
            fields.push(("content-length".to_owned(), body.len().to_string().into_bytes()));
        }
        Self { fields, has_body: !body.is_empty() }
    }

    pub fn head(&self) -> Head {
        Head { headers: self.fields.iter().cloned().collect(), end_of_stream: !self.has_body }
    }

    /// The first value of a field, for display.
    pub fn value(&self, name: &str) -> String {
        self.fields
            .iter()
            .find(|(field, _)| field == name)
            .map(|(_, value)| String::from_utf8_lossy(value).into_owned())
            .unwrap_or_default()
    }

    /// Every field before or after the edits, and what happened to it.
    pub fn edited(&self, edits: &[HeaderEdit]) -> Vec<Field> {
        let mut fields: Vec<Field> = self
            .fields
            .iter()
            .map(|(name, value)| Field { name: name.clone(), value: value.clone(), change: Change::Kept })
            .collect();
        for edit in edits {
            match edit {
                HeaderEdit::Remove(name) => {
                    // What an earlier edit added was never the client's: it goes without a trace.
                    fields.retain(|field| !(*field.name == **name && field.change == Change::Added));
                    for field in fields.iter_mut().filter(|field| *field.name == **name) {
                        field.change = Change::Removed;
                    }
                }
                HeaderEdit::Set(name, value) => {
                    let unchanged = fields.iter().filter(|field| *field.name == **name && field.is_present()).count()
                        == 1
                        && fields.iter().any(|field| {
                            *field.name == **name && field.change == Change::Kept && *field.value == **value
                        });
                    if unchanged {
                        continue;
                    }
                    fields.retain(|field| !(*field.name == **name && field.change == Change::Added));
                    for field in fields.iter_mut().filter(|field| *field.name == **name) {
                        field.change = Change::Removed;
                    }
                    fields.push(Field { name: name.to_string(), value: value.to_vec(), change: Change::Added });
                }
            }
        }
        fields
    }
}

/// One header field in the account of what would be forwarded.
pub struct Field {
    pub name: String,
    pub value: Vec<u8>,
    pub change: Change,
}

impl Field {
    /// Whether the service would see it.
    pub fn is_present(&self) -> bool {
        self.change != Change::Removed
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Change {
    Kept,
    Removed,
    Added,
}

/// `name: value` of `--header`.
fn parse_header(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once(':').ok_or("write 'name: value'")?;
    if name.is_empty() {
        return Err("pseudo-headers have options of their own: --method, --path, --authority, --scheme".to_owned());
    }
    // RFC 9110 §5.6.2: a name is a token. A proxy answers 400 to anything else before a filter sees it.
    if !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)) {
        return Err("a header's name is letters, digits and !#$%&'*+-.^_`|~".to_owned());
    }
    Ok((name.to_ascii_lowercase(), value.trim_matches([' ', '\t']).to_owned()))
}
