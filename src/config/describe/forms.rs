//! The forms of texts and numbers: what a string has to look like, where its type alone does not say.
//!
//! A pattern refuses nothing that the filter accepts. It need not refuse all else: the filter does.

use std::{marker::PhantomData, num::NonZeroUsize, rc::Rc, time::Duration};

use super::{Definitions, Describe, Kind, Member, Shape, Text};
use crate::{
    auth::api_key::ApiKeys,
    config::{
        decode::{Items, Named, NonEmpty, OneOrMore},
        schema::ApiKeySchema,
    },
    json::Json,
    time::UnixTime,
};

/// A positive integer that is no larger.
#[derive(Debug)]
pub enum AtMost<const MOST: u64> {}

/// A list of 1 to so many items.
#[derive(Debug)]
pub struct UpTo<const MOST: u64, T>(PhantomData<T>);

/// An object whose members' names have a form.
#[derive(Debug)]
pub struct NamedBy<N, T>(PhantomData<(N, T)>);

/// A string that is not empty, without a name of its own.
#[derive(Debug)]
pub enum Filled {}

/// Declares forms: their names, what they mean, and what they are.
macro_rules! forms {
    ($($(#[doc = $doc:literal])* $name:ident = $shape:expr;)*) => {$(
        $(#[doc = $doc])*
        #[derive(Debug)]
        pub enum $name {}

        impl Describe for $name {
            fn describe(definitions: &mut Definitions) -> Shape {
                definitions.define(stringify!($name), &[$($doc),*], |_| Kind::Form($shape))
            }
        }
    )*};
}

forms! {
    /// A name of 1 to 64 letters, digits, `-` and `_`.
    AuthenticatorName = Shape::Text(Text::matching("^[A-Za-z0-9_-]{1,64}$").such_as(&["users"]));
    /// An `http` or `https` URL, without user and fragment.
    Url = Shape::Text(Text { format: Some("uri"), ..Text::matching(r"^https?://[^/?#@\s]+([/?][^#\s]*)?$") });
    /// An `http` or `https` URL, without user, query and fragment.
    BaseUrl = Shape::Text(Text { format: Some("uri"), ..Text::matching(r"^https?://[^/?#@\s]+(/[^?#\s]*)?$") });
    /// A scheme and an authority, and nothing after them: `https://api.example.com`.
    HttpOrigin = Shape::Text(
        Text::matching(r"^[Hh][Tt][Tt][Pp][Ss]?://[^/?#@\s]+$").such_as(&["https://api.example.com"])
    );
    /// An origin as browsers write it (RFC 6454): `scheme://host` or `scheme://host:port`, in lower case.
    Origin = Shape::Text(Text::matching(r"^[a-z0-9+.-]+://[a-z0-9._:\[\]-]+$").such_as(&["https://app.example.com"]));
    /// The name of a header (RFC 9110 §5.1).
    HeaderName = Shape::Text(Text::matching("^[!#$%&'*+.^_`|~0-9A-Za-z-]+$").such_as(&["x-user-id"]));
    /// The name of a header, or the beginning of one and a `*`.
    HeaderNames = Shape::Text(Text::matching(r"^[!#$%&'+.^_`|~0-9A-Za-z-]+\*?$").such_as(&["x-user-*"]));
    /// The name of a query parameter, or the beginning of one and a `*`.
    ParameterNames = Shape::Text(Text::matching(r"^[^*]+\*?$").such_as(&["actor"]));
    /// A header by which clients can make a service see another method or path. Upper and lower case are alike.
    OverrideHeader = Shape::Text(Text::ANY.such_as(&crate::config::compile::OVERRIDE_HEADERS));
    /// An algorithm of JWS (RFC 7518 §3.1, RFC 8037, RFC 9864). `EdDSA` and `Ed25519` are the same.
    Algorithm = Shape::Text(Text { values: &crate::config::jwt::ALGORITHM_NAMES, ..Text::ANY });
    /// Where a claim stands: the name of a member, or names parted by dots that lead into objects, or
    /// `['an exact name']`. A member that has the whole dotted text as its name goes first.
    ClaimPath = Shape::Text(Text { filled: true, ..Text::ANY }.such_as(&["sub", "realm_access.roles"]));
    /// A method in upper case, or `ANY`: every method but CONNECT and TRACE. `GET` serves `HEAD` as well.
    HttpMethod = Shape::Text(
        Text::matching("^[A-Z][A-Z0-9_-]*$").such_as(&["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "ANY"])
    );
    /// A path template: literal segments, `{name}` for one segment that is not empty, and `{.+}` as the last segment
    /// for all the rest. `/proxy/{.+}` also has `/proxy` and `/proxy/`.
    PathTemplate = Shape::Text(Text::matching(r"^/[^?]*$").such_as(&["/orders/{id}", "/proxy/{.+}"]));
    /// A host name without port, or `*.` and a suffix; compared without case.
    Host = Shape::Text(
        Text::matching(r"^(\*\.)?(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)$").such_as(&["api.example.com", "*.internal"])
    );
    /// A role: any string that is not empty.
    Role = Shape::Text(Text { filled: true, ..Text::ANY });
    /// A scope (RFC 6749 §3.3): printable ASCII without space, `"` and `\`.
    Scope = Shape::Text(Text::matching(r"^[!#-\[\]-~]+$").such_as(&["orders:read"]));
    /// A SHA-256 in 64 hexadecimal digits.
    Sha256 = Shape::Text(Text::matching("^[0-9A-Fa-f]{64}$"));
    /// The SHA-256 of a certificate (its DER form): 64 hexadecimal digits, with or without colons between the bytes.
    Fingerprint = Shape::Text(Text::matching("^([0-9A-Fa-f]{64}|([0-9A-Fa-f]{2}:){31}[0-9A-Fa-f]{2})$"));
    /// Printable ASCII without blanks; a `*` at the end stands for any end.
    NamePattern = Shape::Text(Text::matching(r"^([!-)+-~]+\*?|\*)$"));
    /// A name as RFC 2253 writes it, what is not printable ASCII escaped; a `*` at the end stands for any end.
    SubjectPattern = Shape::Text(Text::matching(r"^([ -)+-~]+\*?|\*)$").such_as(&["CN=legacy,O=Acme"]));
    /// At most 128 letters, digits and `-._~:@/+`.
    KeyId = Shape::Text(Text::matching("^[A-Za-z0-9._~:@/+-]{1,128}$"));
    /// Printable ASCII, without blanks at its ends.
    Printable = Shape::Text(Text::matching("^[!-~]([ -~]*[!-~])?$"));
    /// A JWK set (RFC 7517 §5).
    JwkSet = Shape::Open(vec![Member::required(
        "keys",
        &["The keys, each of which has to be good: public keys, or secrets of type `oct`."],
        Shape::list(
            Shape::Open(vec![Member::required(
                "kty",
                &["The type of the key (RFC 7518 §6.1): `RSA`, `EC`, `OKP` or `oct`."],
                Shape::TEXT,
            )]),
            1,
        ),
    )]);
    /// A value for a header or query parameter. `$request.jwt.sub` is a reference, `user-${request.jwt.sub}` a template,
    /// anything else the text itself; `$$` is a dollar. Sources are `request.jwt.CLAIM`, `request.auth.NAME.CLAIM`
    /// (of one authenticator of an `all`), `request.header.NAME`, `request.query.NAME`, `request.path.NAME`,
    /// `request.method`, `config.NAME`, `identity.subject`, `identity.issuer`, `identity.method`,
    /// `identity.authenticator`, `identity.scopes`, `identity.roles` and `identity.owner`. `request.jwt` is the whole
    /// payload, and `request.jwt['https://example.com/roles']` quotes a name. Where a source has no value, the
    /// target is left out.
    Expression = Shape::Text(Text::ANY.such_as(&["$request.jwt.sub", "$identity.subject", "$config.region"]));
}

impl Describe for Filled {
    fn describe(_: &mut Definitions) -> Shape {
        Shape::Text(Text { filled: true, ..Text::ANY })
    }
}

impl<const MOST: u64> Describe for AtMost<MOST> {
    fn describe(_: &mut Definitions) -> Shape {
        Shape::Integer(Some(MOST))
    }
}

impl<const MOST: u64, T: Describe> Describe for UpTo<MOST, T> {
    fn describe(definitions: &mut Definitions) -> Shape {
        Shape::List { items: Box::new(T::describe(definitions)), least: 1, most: Some(MOST) }
    }
}

impl<N: Describe, T: Describe> Describe for NamedBy<N, T> {
    fn describe(definitions: &mut Definitions) -> Shape {
        let names = Box::new(N::describe(definitions));
        Shape::Map { names, values: Box::new(T::describe(definitions)) }
    }
}

impl Describe for String {
    fn describe(_: &mut Definitions) -> Shape {
        Shape::TEXT
    }
}

impl Describe for bool {
    fn describe(_: &mut Definitions) -> Shape {
        Shape::Boolean
    }
}

impl Describe for NonZeroUsize {
    fn describe(_: &mut Definitions) -> Shape {
        Shape::Integer(None)
    }
}

impl Describe for Duration {
    fn describe(definitions: &mut Definitions) -> Shape {
        let text = Text::matching("^[0-9]+(ms|s|m|h)$").such_as(&["500ms", "30s", "10m", "1h"]);
        let doc = "A duration: a whole number and one unit of `ms`, `s`, `m` and `h`.";
        definitions.define("Duration", &[doc], |_| Kind::Form(Shape::Text(text)))
    }
}

impl Describe for UnixTime {
    fn describe(definitions: &mut Definitions) -> Shape {
        let pattern =
            "^[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(\\.[0-9]+)?([Zz]|[+-][0-9]{2}:[0-9]{2})$";
        let text = Text { format: Some("date-time"), ..Text::matching(pattern) }.such_as(&["2027-01-01T00:00:00Z"]);
        let doc = "A date and time (RFC 3339), since 1970.";
        definitions.define("Time", &[doc], |_| Kind::Form(Shape::Text(text)))
    }
}

impl Describe for Json {
    fn describe(_: &mut Definitions) -> Shape {
        Shape::Anything
    }
}

impl Describe for Rc<ApiKeys> {
    fn describe(definitions: &mut Definitions) -> Shape {
        NonEmpty::<ApiKeySchema>::describe(definitions)
    }
}

impl<T: Describe> Describe for Items<T> {
    fn describe(definitions: &mut Definitions) -> Shape {
        Shape::list(T::describe(definitions), 0)
    }
}

impl<T: Describe> Describe for NonEmpty<T> {
    fn describe(definitions: &mut Definitions) -> Shape {
        Shape::list(T::describe(definitions), 1)
    }
}

impl<T: Describe> Describe for OneOrMore<T> {
    fn describe(definitions: &mut Definitions) -> Shape {
        let one = T::describe(definitions);
        Shape::AnyOf(vec![one.clone(), Shape::list(one, 1)])
    }
}

impl<T: Describe> Describe for Named<T> {
    fn describe(definitions: &mut Definitions) -> Shape {
        Shape::Map { names: Box::new(Shape::TEXT), values: Box::new(T::describe(definitions)) }
    }
}
