//! Reading typed values out of JSON, with the place of every error.

use std::{num::NonZeroUsize, time::Duration};

use super::error::{ConfigError, ConfigErrorKind};
use crate::{
    json::Json,
    time::{UnixTime, parse_duration},
};

/// The errors met so far.
#[derive(Debug, Default)]
pub struct Errors(Vec<ConfigError>);

/// A JSON value and its place.
pub struct Node<'a> {
    pub json: &'a Json,
    pub path: String,
}

/// A type that configurations hold. `None` means that an error was reported.
pub trait Decode: Sized {
    fn decode(node: &Node<'_>, errors: &mut Errors) -> Option<Self>;
}

/// The members of an object, in order; those that could not be read keep their names.
#[derive(Clone, Debug)]
pub struct Named<T>(pub Vec<(String, Option<T>)>);

/// A member of an object. Whether it is there and whether it is good are two questions: one that is there and bad has
/// been reported, and must not be reported as missing as well.
#[derive(Clone, Debug)]
pub enum Member<T> {
    Absent,
    Bad,
    Good(T),
}

/// The items of an array; those that could not be read keep their places.
#[derive(Clone, Debug)]
pub struct Items<T>(pub Vec<Option<T>>);

/// A list that must not be empty; items that could not be read keep their places.
#[derive(Clone, Debug)]
pub struct NonEmpty<T>(pub Vec<Option<T>>);

/// One value, or a list of them that is not empty; items that could not be read keep their places.
#[derive(Clone, Debug)]
pub struct OneOrMore<T>(pub Vec<Option<T>>);

impl Errors {
    pub fn push(&mut self, path: String, kind: ConfigErrorKind) {
        self.0.push(ConfigError { path, kind });
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn into_vec(self) -> Vec<ConfigError> {
        self.0
    }
}

impl<'a> Node<'a> {
    pub fn root(json: &'a Json) -> Self {
        Self { json, path: String::new() }
    }

    pub fn member(&self, name: &str, json: &'a Json) -> Self {
        Self { json, path: member_path(&self.path, name) }
    }

    pub fn items(&self, items: &'a [Json]) -> impl Iterator<Item = Self> {
        let item = |(index, json)| Self { json, path: index_path(&self.path, index) };
        items.iter().enumerate().map(item)
    }

    /// Reports that the value is of another type. A `null` has been reported already.
    pub fn wrong_type<T>(&self, expected: &'static str, errors: &mut Errors) -> Option<T> {
        if *self.json != Json::Null {
            self.error(ConfigErrorKind::WrongType { expected }, errors);
        }
        None
    }

    pub fn error(&self, kind: ConfigErrorKind, errors: &mut Errors) {
        errors.push(self.path.clone(), kind);
    }

    pub fn object(&self, errors: &mut Errors) -> Option<&'a [(String, Json)]> {
        match self.json {
            Json::Object(members) => Some(members),
            _ => self.wrong_type("an object", errors),
        }
    }

    pub fn array(&self, errors: &mut Errors) -> Option<&'a [Json]> {
        match self.json {
            Json::Array(items) => Some(items),
            _ => self.wrong_type("a list", errors),
        }
    }

    /// Reports the members that are not among the known ones.
    pub fn check_keys(&self, known: &'static [&'static str], errors: &mut Errors) -> Option<()> {
        for (name, _) in self.object(errors)? {
            if !known.contains(&name.as_str()) {
                errors.push(member_path(&self.path, name), ConfigErrorKind::UnknownKey { known });
            }
        }
        Some(())
    }

    pub fn optional<T: Decode>(&self, name: &str, errors: &mut Errors) -> Member<T> {
        match self.json.get(name) {
            None => Member::Absent,
            Some(value) => T::decode(&self.member(name, value), errors).map_or(Member::Bad, Member::Good),
        }
    }

    pub fn required<T: Decode>(&self, name: &str, errors: &mut Errors) -> Member<T> {
        if self.json.get(name).is_none() {
            errors.push(member_path(&self.path, name), ConfigErrorKind::Required);
            return Member::Bad;
        }
        self.optional(name, errors)
    }
}

impl<T> Member<T> {
    pub fn get(&self) -> Option<&T> {
        match self {
            Self::Good(value) => Some(value),
            Self::Absent | Self::Bad => None,
        }
    }

    pub fn is_absent(&self) -> bool {
        matches!(self, Self::Absent)
    }

    /// The value, if it is good, or one for a member that is absent.
    pub fn or_default(&self, default: T) -> Option<T>
    where
        T: Clone,
    {
        match self {
            Self::Good(value) => Some(value.clone()),
            Self::Absent => Some(default),
            Self::Bad => None,
        }
    }
}

/// Declares a struct that is read from an object: its members, what they are called and whether they may be missing.
///
/// For the description alone (see `describe`): the doc comments; a form (`as`) where the type does not say what is
/// accepted; what an absent member stands for (`=`), as JSON; and `rules` about several members.
macro_rules! object {
    (
        $(#[doc = $doc:literal])*
        pub struct $name:ident {
            $(
                $(#[doc = $field_doc:literal])*
                $mode:ident $key:literal $field:ident: $type:ty $(as $form:ty)? $(= $default:tt)?,
            )*
        }
        $(rules [$($rule:expr),* $(,)?])?
    ) => {
        $(#[doc = $doc])*
        pub struct $name {
            $($(#[doc = $field_doc])* pub $field: crate::config::decode::Member<$type>,)*
        }

        impl crate::config::decode::Decode for $name {
            fn decode(
                node: &crate::config::decode::Node<'_>,
                errors: &mut crate::config::decode::Errors,
            ) -> Option<Self> {
                node.check_keys(&[$($key),*], errors)?;
                Some(Self { $($field: node.$mode::<$type>($key, errors),)* })
            }
        }

        #[cfg(not(target_arch = "wasm32"))]
        impl crate::config::describe::Describe for $name {
            fn describe(
                definitions: &mut crate::config::describe::Definitions,
            ) -> crate::config::describe::Shape {
                use crate::config::describe::{Describe, Kind, Member, form_of};

                definitions.define(stringify!($name), &[$($doc),*], |definitions| Kind::Object {
                    members: vec![$({
                        let shape = <form_of!($type $(, $form)?) as Describe>::describe(definitions);
                        let member = Member::$mode($key, &[$($field_doc),*], shape);
                        $(let member = Member { default: Some(stringify!($default)), ..member };)?
                        member
                    },)*],
                    rules: vec![$($({
                        use crate::config::describe::*;
                        $rule
                    }),*)?],
                })
            }
        }
    };
}

/// Declares an enum that is read from a text. What the texts mean is told in doc comments.
macro_rules! choice {
    (
        $(#[doc = $doc:literal])*
        pub enum $name:ident { $($(#[doc = $text_doc:literal])* $text:literal => $variant:ident,)* }
    ) => {
        $(#[doc = $doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name { $($(#[doc = $text_doc])* $variant,)* }

        impl crate::config::decode::Decode for $name {
            fn decode(
                node: &crate::config::decode::Node<'_>,
                errors: &mut crate::config::decode::Errors,
            ) -> Option<Self> {
                match <String as crate::config::decode::Decode>::decode(node, errors)?.as_str() {
                    $($text => Some(Self::$variant),)*
                    _ => {
                        let known = &[$($text),*];
                        node.error(crate::config::error::ConfigErrorKind::NotOneOf { known }, errors);
                        None
                    }
                }
            }
        }

        #[cfg(not(target_arch = "wasm32"))]
        impl crate::config::describe::Describe for $name {
            fn describe(
                definitions: &mut crate::config::describe::Definitions,
            ) -> crate::config::describe::Shape {
                use crate::config::describe::{Kind, joined};

                let texts = vec![$(($text, joined(&[$($text_doc),*]))),*];
                definitions.define(stringify!($name), &[$($doc),*], |_| Kind::Choice(texts))
            }
        }
    };
}

pub(super) use {choice, object};

impl Decode for String {
    fn decode(node: &Node<'_>, errors: &mut Errors) -> Option<Self> {
        match node.json {
            Json::String(text) => Some(text.clone()),
            _ => node.wrong_type("a string", errors),
        }
    }
}

impl Decode for bool {
    fn decode(node: &Node<'_>, errors: &mut Errors) -> Option<Self> {
        match node.json {
            Json::Bool(value) => Some(*value),
            _ => node.wrong_type("true or false", errors),
        }
    }
}

impl Decode for NonZeroUsize {
    fn decode(node: &Node<'_>, errors: &mut Errors) -> Option<Self> {
        let number = match node.json {
            Json::Number(digits) => digits.parse().ok(),
            _ => None,
        };
        number.or_else(|| node.wrong_type("a positive integer", errors))
    }
}

impl Decode for Duration {
    fn decode(node: &Node<'_>, errors: &mut Errors) -> Option<Self> {
        let duration = node.json.as_str().and_then(parse_duration);
        duration.or_else(|| node.wrong_type("a duration such as \"500ms\", \"30s\", \"10m\" or \"1h\"", errors))
    }
}

impl Decode for UnixTime {
    fn decode(node: &Node<'_>, errors: &mut Errors) -> Option<Self> {
        let time = node.json.as_str().and_then(Self::parse_rfc3339);
        time.or_else(|| node.wrong_type("a time such as \"2027-01-01T00:00:00Z\" (RFC 3339), since 1970", errors))
    }
}

impl Decode for Json {
    fn decode(node: &Node<'_>, _: &mut Errors) -> Option<Self> {
        Some(node.json.clone())
    }
}

impl<T: Decode> Decode for NonEmpty<T> {
    fn decode(node: &Node<'_>, errors: &mut Errors) -> Option<Self> {
        let items = Items::decode(node, errors)?.0;
        if items.is_empty() {
            node.error(ConfigErrorKind::Empty, errors);
            return None;
        }
        Some(Self(items))
    }
}

impl<T: Decode> Decode for OneOrMore<T> {
    fn decode(node: &Node<'_>, errors: &mut Errors) -> Option<Self> {
        match node.json {
            Json::Array(_) => NonEmpty::decode(node, errors).map(|items| Self(items.0)),
            _ => T::decode(node, errors).map(|item| Self(vec![Some(item)])),
        }
    }
}

impl<T: Decode> Decode for Items<T> {
    fn decode(node: &Node<'_>, errors: &mut Errors) -> Option<Self> {
        let items = node.array(errors)?;
        Some(Self(node.items(items).map(|item| T::decode(&item, errors)).collect()))
    }
}

impl<T: Decode> Decode for Named<T> {
    fn decode(node: &Node<'_>, errors: &mut Errors) -> Option<Self> {
        let members = node.object(errors)?.iter();
        let read = |(name, json): &(String, Json)| (name.clone(), T::decode(&node.member(name, json), errors));
        Some(Self(members.map(read).collect()))
    }
}

/// The items that could be read, with their indices.
pub fn good_items<T>(items: &[Option<T>]) -> impl Iterator<Item = (usize, &T)> {
    items.iter().enumerate().filter_map(|(index, item)| Some((index, item.as_ref()?)))
}

/// The place of a member.
pub fn member_path(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

/// The place of an item.
pub fn index_path(path: &str, index: usize) -> String {
    format!("{path}[{index}]")
}
