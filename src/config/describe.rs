//! What a configuration may hold, told by the types that read it: for the JSON Schema and the configuration reference.
//!
//! Only the native command needs it; it is no part of the module that proxies load.

pub mod forms;

use crate::json::Json;

/// The definitions that describe a configuration, the whole one first, each before those that it refers to.
#[must_use]
pub fn configuration() -> Vec<Definition> {
    let mut definitions = Definitions::default();
    super::schema::GatewaySchema::describe(&mut definitions);
    definitions.0
}

/// A type that configurations hold, and that can say what it accepts.
pub trait Describe {
    /// What a value may be; what has a name is added to the definitions.
    fn describe(definitions: &mut Definitions) -> Shape;
}

/// Something that has a name.
#[derive(Clone, Debug)]
pub struct Definition {
    /// The name: that of the Rust type, without `Schema`.
    pub name: &'static str,
    /// What it means: the type's doc comment.
    pub doc: String,
    /// What it is.
    pub kind: Kind,
}

/// What a definition is.
#[derive(Clone, Debug)]
pub enum Kind {
    /// An object that has these members and no others.
    Object {
        /// In the order in which people are told of them.
        members: Vec<Member>,
        /// What the members mean for one another.
        rules: Vec<Rule>,
    },
    /// One of several objects, told apart by the text of one member.
    Tagged {
        /// The member.
        tag: &'static str,
        /// The member's text, and the name of the object's definition.
        variants: Vec<(&'static str, &'static str)>,
    },
    /// One of these texts, each with what it means.
    Choice(Vec<(&'static str, String)>),
    /// Anything else.
    Form(Shape),
}

/// A member of an object.
#[derive(Clone, Debug)]
pub struct Member {
    /// The name.
    pub name: &'static str,
    /// What it means: the field's doc comment.
    pub doc: String,
    /// Whether it has to be there.
    pub required: bool,
    /// What it may be.
    pub shape: Shape,
    /// What an absent member stands for, as JSON.
    pub default: Option<&'static str>,
}

/// What a value may be. A `null` is never accepted.
#[derive(Clone, Debug)]
pub enum Shape {
    /// Whatever the definition with this name says.
    Reference(&'static str),
    /// A string.
    Text(Text),
    /// A positive integer, and the largest one.
    Integer(Option<u64>),
    /// Any number.
    Number,
    /// True or false.
    Boolean,
    /// This text and no other.
    Constant(&'static str),
    /// An array.
    List {
        /// What its items may be.
        items: Box<Shape>,
        /// How many there have to be.
        least: u64,
        /// How many there may be.
        most: Option<u64>,
    },
    /// An object whose members have names of the user's.
    Map {
        /// What the names may be.
        names: Box<Shape>,
        /// What the members may be.
        values: Box<Shape>,
    },
    /// An object that is somebody else's to specify: these members, and any other that is not null.
    Open(Vec<Member>),
    /// Any of several.
    AnyOf(Vec<Shape>),
    /// Anything but null, at any depth.
    Anything,
}

/// What a string may be.
#[derive(Clone, Copy, Debug, Default)]
pub struct Text {
    /// Whether it must not be empty.
    pub filled: bool,
    /// What it has to match: a regular expression of ECMA-262, as JSON Schema asks for.
    pub pattern: Option<&'static str>,
    /// The format in the sense of JSON Schema: a hint, not a check.
    pub format: Option<&'static str>,
    /// The only ones that are understood; any where there are none.
    pub values: &'static [&'static str],
    /// Some that an editor can offer.
    pub examples: &'static [&'static str],
}

/// What the members of an object mean for one another.
#[derive(Clone, Debug)]
pub enum Rule {
    /// One of these has to be there, and no other of them.
    ExactlyOne(&'static [&'static str]),
    /// One of these lists has to have an item.
    AnItemIn(&'static [&'static str]),
    /// The first is there only together with the second.
    Needs(&'static str, &'static str),
    /// What a member's value asks of others.
    When(Condition),
}

/// What a member's value asks of others.
#[derive(Clone, Copy, Debug)]
pub struct Condition {
    /// The member.
    pub member: &'static str,
    /// Its values, as JSON.
    pub values: &'static [&'static str],
    /// What has to be there where it has one of them.
    pub required: &'static [&'static str],
    /// What must not be there then.
    pub forbidden: &'static [&'static str],
    /// What has to be there where it has another value, or is absent.
    pub else_required: &'static [&'static str],
    /// What must not be there then.
    pub else_forbidden: &'static [&'static str],
}

/// How a type describes itself.
pub type Describer = fn(&mut Definitions) -> Shape;

/// The definitions met so far.
#[derive(Debug, Default)]
pub struct Definitions(Vec<Definition>);

impl Definitions {
    /// Adds a definition, once, and refers to it. It may refer to itself.
    pub fn define(&mut self, name: &'static str, doc: &[&str], kind: impl FnOnce(&mut Self) -> Kind) -> Shape {
        let name = name.strip_suffix("Schema").unwrap_or(name);
        if self.find(name).is_none() {
            // In its place before what it refers to is.
            self.0.push(Definition { name, doc: joined(doc), kind: Kind::Form(Shape::Anything) });
            let kind = kind(self);
            if let Some(definition) = self.find(name) {
                definition.kind = kind;
            }
        }
        Shape::Reference(name)
    }

    /// Adds objects that are told apart by the text of one member.
    pub fn tagged(
        &mut self,
        name: &'static str,
        doc: &[&str],
        tag: &'static str,
        variants: &[(&'static str, Describer)],
    ) -> Shape {
        self.define(name, doc, |definitions| {
            let mut described = Vec::new();
            for (text, describe) in variants {
                let Shape::Reference(name) = describe(definitions) else {
                    continue; // objects have names
                };
                if let Some(Definition { kind: Kind::Object { members, .. }, .. }) = definitions.find(name) {
                    let tag = members.iter_mut().filter(|member| member.name == tag);
                    tag.for_each(|member| member.shape = Shape::Constant(text));
                }
                described.push((*text, name));
            }
            Kind::Tagged { tag, variants: described }
        })
    }

    fn find(&mut self, name: &str) -> Option<&mut Definition> {
        self.0.iter_mut().find(|definition| definition.name == name)
    }
}

impl Member {
    /// A member that may be absent.
    pub fn optional(name: &'static str, doc: &[&str], shape: Shape) -> Self {
        Self { name, doc: joined(doc), required: false, shape, default: None }
    }

    /// A member that has to be there.
    pub fn required(name: &'static str, doc: &[&str], shape: Shape) -> Self {
        Self { required: true, ..Self::optional(name, doc, shape) }
    }

    /// The default, read.
    #[must_use]
    pub fn default(&self) -> Option<Json> {
        Json::parse(self.default?.as_bytes(), DEPTH_OF_DEFAULTS).ok()
    }
}

impl Shape {
    /// Any string.
    pub const TEXT: Self = Self::Text(Text::ANY);

    /// An array of these.
    #[must_use]
    pub fn list(items: Self, least: u64) -> Self {
        Self::List { items: Box::new(items), least, most: None }
    }
}

impl Text {
    /// Any string.
    pub const ANY: Self = Self { filled: false, pattern: None, format: None, values: &[], examples: &[] };

    /// A string that matches.
    #[must_use]
    pub const fn matching(pattern: &'static str) -> Self {
        Self { pattern: Some(pattern), ..Self::ANY }
    }

    /// The same, with examples.
    #[must_use]
    pub const fn such_as(self, examples: &'static [&'static str]) -> Self {
        Self { examples, ..self }
    }
}

impl Condition {
    /// One that asks for nothing yet.
    #[must_use]
    pub const fn of(member: &'static str, values: &'static [&'static str]) -> Self {
        Self { member, values, required: &[], forbidden: &[], else_required: &[], else_forbidden: &[] }
    }
}

/// The lines of a doc comment as one text; empty lines part paragraphs.
#[must_use]
pub fn joined(lines: &[&str]) -> String {
    let mut text = String::new();
    for line in lines.iter().map(|line| line.trim()) {
        if line.is_empty() {
            text.push_str("\n\n");
        } else {
            if !text.is_empty() && !text.ends_with('\n') {
                text.push(' ');
            }
            text.push_str(line);
        }
    }
    text
}

/// The type that describes a member: the one that reads it, unless another is named.
macro_rules! form_of {
    ($type:ty) => {
        $type
    };
    ($type:ty, $form:ty) => {
        $form
    };
}

pub(super) use form_of;

/// A default is a scalar or a list of them.
const DEPTH_OF_DEFAULTS: usize = 2;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doc_comments_become_paragraphs() {
        assert_eq!(joined(&[" One", " line.", "", " Another."]), "One line.\n\nAnother.");
        assert_eq!(joined(&[]), "");
    }

    #[test]
    fn a_definition_may_refer_to_itself_and_is_there_once() {
        let definitions = configuration();
        let count = |name| definitions.iter().filter(|definition| definition.name == name).count();
        assert_eq!((count("Gateway"), count("InnerRule"), count("Duration")), (1, 1, 1));
        assert_eq!(definitions.first().map(|definition| definition.name), Some("Gateway"));
    }

    #[test]
    fn every_default_is_json() {
        for definition in configuration() {
            let Kind::Object { members, .. } = definition.kind else { continue };
            for member in members.iter().filter(|member| member.default.is_some()) {
                assert!(member.default().is_some(), "{}.{}", definition.name, member.name);
            }
        }
    }
}
