//! The members of routes.

#[cfg(not(target_arch = "wasm32"))]
use crate::config::describe::forms::{Expression, Filled, HeaderName, Host, HttpMethod, NamedBy, PathTemplate};
use crate::config::{
    decode::{Member, Named, NonEmpty, OneOrMore, choice, object},
    limit::RateLimitSchema,
    schema::{ClaimValuesSchema, ModeSchema},
};

object! {
    /// A route: which requests it is for, who may call, and what is forwarded.
    pub struct PathSchema {
        /// A method, or several. A method that the most specific path does not serve is answered with 405.
        required "method" method: OneOrMore<String> as OneOrMore<HttpMethod>,
        /// The path. Literal segments go before `{name}`, and that before `{.+}`.
        required "path" path: String as PathTemplate,
        /// Who may call.
        required "auth" auth: AuthSchema,
        /// Hosts that the route is for; all by default. The most specific host that has the path decides.
        optional "hosts" hosts: NonEmpty<String> as NonEmpty<Host>,
        /// Where requests go. By default the host's own routes decide, and the path stays as it came.
        optional "integration" integration: IntegrationSchema,
        /// What is set on forwarded requests.
        optional "mapping" mapping: MappingSchema,
        /// Values for `$config.NAME` on this route, before the global ones.
        optional "variables" variables: Named<String>,
        /// Whether denials are carried out. By default as the whole configuration says.
        optional "mode" mode: ModeSchema,
        /// What happens to `%2F` inside `{name}` and `{.+}`.
        optional "encoded_slash" encoded_slash: EncodedSlashSchema = "reject",
        /// Whether literal segments match whatever their case.
        optional "case_insensitive" case_insensitive: bool = false,
        /// How many requests to this route pass, besides the limits elsewhere. No limit by default.
        optional "rate_limit" rate_limit: RateLimitSchema,
    }
}

/// Who may call a route.
pub enum AuthSchema {
    /// `false`: everyone.
    Public,
    /// `true`: whoever the default authenticator verifies.
    Default,
    /// A name, or an object.
    Rule(RuleSchema),
}

/// A rule: a name, or an object with exactly one of `use`, `any` and `all`.
pub struct RuleSchema {
    /// None where it has an error.
    pub combination: Option<CombinationSchema>,
    /// What is asked of the identity besides.
    pub restrictions: RestrictionsSchema,
    /// Whether it is written as an object.
    pub is_object: bool,
}

/// How authenticators combine.
pub enum CombinationSchema {
    /// One authenticator.
    Use(String),
    /// The first that verifies.
    Any(NonEmpty<RuleSchema>),
    /// All of them.
    All(NonEmpty<RuleSchema>),
}

/// What a rule asks of the identity.
pub struct RestrictionsSchema {
    /// Any one of these.
    pub roles: Member<NonEmpty<String>>,
    /// All of these.
    pub scopes: Member<NonEmpty<String>>,
    /// Any one of these.
    pub audiences: Member<NonEmpty<String>>,
    /// What claims have to be.
    pub claims: Member<Named<ClaimValuesSchema>>,
    /// Whether a request without a credential passes.
    pub optional: bool,
}

object! {
    /// Where requests go. What stands before `{.+}` in the route's path is removed, and `x-gatepost-cluster` tells the host
    /// the cluster.
    pub struct IntegrationSchema {
        /// The kind of service.
        required "type" _type: IntegrationKindSchema,
        /// The `alias` of one of `servers`, or a cluster where there are none.
        required "server" server: String as Filled,
    }
}

object! {
    /// What is set on forwarded requests. Every mapped name is removed first from what the client sent.
    pub struct MappingSchema {
        /// Headers, by name. None that frames or routes a message can be mapped.
        optional "headers" headers: Named<MappedSchema> as NamedBy<HeaderName, MappedSchema>,
        /// Query parameters, by name.
        optional "query" query: Named<MappedSchema> as NamedBy<Filled, MappedSchema>,
    }
}

object! {
    /// A value in its long form.
    pub struct ValueSchema {
        /// The value.
        required "value" value: String as Expression,
        /// How a value that is no string is written. By default arrays of scalars are joined with commas, and objects are
        /// compact JSON.
        optional "as" form: FormOfValueSchema,
        /// What is set where a source has no value. By default nothing is set.
        optional "default" default: String,
        /// Whether a request for which a source has no value is answered with 403 `missing_claim`.
        optional "required" required: bool = false,
    }
    rules [Rule::When(Condition { forbidden: &["default"], ..Condition::of("required", &["true"]) })]
}

/// A value in its short or long form.
pub struct MappedSchema {
    /// The value.
    pub value: ValueSchema,
    /// Whether it is written as an object.
    pub is_long: bool,
}

choice! {
    /// What happens to an encoded slash (`%2F`).
    pub enum EncodedSlashSchema {
        /// It is answered with 400.
        "reject" => Reject,
        /// It is part of its segment, never a separator, and forwarded as it came.
        "keep" => Keep,
    }
}

choice! {
    /// The kind of service that requests go to.
    pub enum IntegrationKindSchema {
        /// A service that the host forwards HTTP requests to.
        "http_proxy" => HttpProxy,
    }
}

choice! {
    /// How a value is written.
    pub enum FormOfValueSchema {
        /// An array as its items joined with commas, whatever they are; a comma or `%` in one is percent-encoded.
        "csv" => Csv,
        /// As compact JSON, strings quoted.
        "json" => Json,
        /// What would be written by default, in base64url without padding (RFC 4648 §5).
        "base64url" => Base64Url,
    }
}
