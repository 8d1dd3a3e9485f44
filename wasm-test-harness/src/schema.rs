//! The JSON Schema (2020-12) of configurations, from what the types that read them say of themselves.
//!
//! Editors show the description that stands where a value is used, and prefer one of the definition to that: so
//! definitions have none. Objects that `type` tells apart are chosen by `if` and `then`, so that errors are about the one
//! that is meant.

use gatepost::{
    config::describe::{self, Condition, Definition, Kind, Member, Rule, Shape, Text},
    json::Json,
};
use serde::{Serialize, Serializer, ser::SerializeMap as _};

/// The schema as text.
pub fn text() -> String {
    let text = serde_json::to_string_pretty(&InOrder(&document())).expect("names are strings");
    text + "\n"
}

/// The schema, its members in the order in which people read them.
fn document() -> Json {
    let definitions = describe::configuration();
    let schema = Schema(&definitions);
    let (root, others) = definitions.split_first().expect("a configuration is described");
    let mut document = vec![
        member("$schema", string("https://json-schema.org/draft/2020-12/schema")),
        member("$id", string("urn:gatepost:configuration")),
        member("title", string("gatepost configuration")),
        member("description", string(&root.doc)),
    ];
    document.extend(schema.definition(root));
    let mut named: Vec<_> =
        others.iter().map(|other| (other.name.to_owned(), Json::Object(schema.definition(other)))).collect();
    named.push((ANYTHING.to_owned(), anything()));
    document.push(member("$defs", Json::Object(named)));
    Json::Object(document)
}

type Members = Vec<(String, Json)>;

/// The definitions, to be written as a schema.
struct Schema<'a>(&'a [Definition]);

impl Schema<'_> {
    fn definition(&self, definition: &Definition) -> Members {
        match &definition.kind {
            Kind::Object { members, rules } => {
                let mut schema = self.object(members, Json::Bool(false));
                schema.extend(rules_of(rules));
                schema
            }
            Kind::Tagged { tag, variants } => self.tagged(tag, variants),
            Kind::Choice(texts) => {
                let texts: Vec<_> = texts.iter().map(|(text, _)| *text).collect();
                vec![member("enum", strings(&texts))]
            }
            Kind::Form(shape) => self.shape(shape),
        }
    }

    fn object(&self, members: &[Member], additional: Json) -> Members {
        let required: Vec<_> = members.iter().filter(|member| member.required).map(|member| member.name).collect();
        let properties = members.iter().map(|one| member(one.name, Json::Object(self.member(one)))).collect();
        let mut schema = vec![member("type", string("object")), member("properties", Json::Object(properties))];
        if !required.is_empty() {
            schema.push(member("required", strings(&required)));
        }
        schema.push(member("additionalProperties", additional));
        schema
    }

    fn member(&self, one: &Member) -> Members {
        let mut schema = vec![member("description", string(&self.description(one)))];
        schema.extend(self.shape(&one.shape));
        schema.extend(one.default().map(|default| member("default", default)));
        schema
    }

    /// What a member means, what its texts mean, and what form it has.
    fn description(&self, one: &Member) -> String {
        let mut text = one.doc.clone();
        let definition = match &one.shape {
            Shape::Reference(name) => self.find(name),
            _ => return text,
        };
        match &definition.kind {
            Kind::Choice(texts) => {
                text.push('\n');
                texts.iter().for_each(|(choice, doc)| text.push_str(&format!("\n- `{choice}`: {doc}")));
            }
            Kind::Form(Shape::Text(_)) => text.push_str(&format!("\n\n{}", definition.doc)),
            _ => {}
        }
        text
    }

    fn tagged(&self, tag: &str, variants: &[(&str, &str)]) -> Members {
        let texts: Vec<_> = variants.iter().map(|(text, _)| *text).collect();
        let mut doc = "Says what kind it is.\n".to_owned();
        for (text, name) in variants {
            doc.push_str(&format!("\n- `{text}`: {}", self.find(name).doc));
        }
        let kinds = object([("description", string(&doc)), ("enum", strings(&texts))]);
        let branches = variants.iter().map(|(text, name)| {
            let same = Json::Object(vec![(tag.to_owned(), object([("const", string(text))]))]);
            let condition = object([("properties", same), ("required", strings(&[tag]))]);
            object([("if", condition), ("then", object([("$ref", reference(name))]))])
        });
        vec![
            member("type", string("object")),
            member("properties", Json::Object(vec![(tag.to_owned(), kinds)])),
            member("required", strings(&[tag])),
            member("allOf", Json::Array(branches.collect())),
        ]
    }

    fn shape(&self, shape: &Shape) -> Members {
        match shape {
            Shape::Reference(name) => vec![member("$ref", reference(name))],
            Shape::Text(form) => text_members(form),
            Shape::Integer(most) => {
                let mut schema = vec![member("type", string("integer")), member("minimum", number(1))];
                schema.extend(most.map(|most| member("maximum", number(most))));
                schema
            }
            Shape::Number => vec![member("type", string("number"))],
            Shape::Boolean => vec![member("type", string("boolean"))],
            Shape::Constant(text) => vec![member("const", string(text))],
            Shape::List { items, least, most } => {
                let mut schema = vec![member("type", string("array")), member("items", self.described(items))];
                schema.extend((*least > 0).then(|| member("minItems", number(*least))));
                schema.extend(most.map(|most| member("maxItems", number(most))));
                schema
            }
            Shape::Map { names, values } => {
                let mut schema = vec![member("type", string("object"))];
                let names = self.shape(names);
                if names != self.shape(&Shape::TEXT) {
                    schema.push(member("propertyNames", Json::Object(names)));
                }
                schema.push(member("additionalProperties", self.described(values)));
                schema
            }
            Shape::Open(members) => self.object(members, object([("$ref", reference(ANYTHING))])),
            Shape::AnyOf(shapes) => {
                vec![member("anyOf", Json::Array(shapes.iter().map(|shape| self.described(shape)).collect()))]
            }
            Shape::Anything => vec![member("$ref", reference(ANYTHING))],
        }
    }

    /// A shape, with what is said of it where it has a name.
    fn described(&self, shape: &Shape) -> Json {
        let mut schema = Vec::new();
        if let Shape::Reference(name) = shape {
            schema.push(member("description", string(&self.find(name).doc)));
        }
        schema.extend(self.shape(shape));
        Json::Object(schema)
    }

    fn find(&self, name: &str) -> &Definition {
        self.0.iter().find(|definition| definition.name == name).expect("what is referred to is defined")
    }
}

fn text_members(form: &Text) -> Members {
    if !form.values.is_empty() {
        return vec![member("enum", strings(form.values))];
    }
    let mut schema = vec![member("type", string("string"))];
    schema.extend(form.filled.then(|| member("minLength", number(1))));
    schema.extend(form.pattern.map(|pattern| member("pattern", string(pattern))));
    schema.extend(form.format.map(|format| member("format", string(format))));
    schema.extend((!form.examples.is_empty()).then(|| member("examples", strings(form.examples))));
    schema
}

fn rules_of(rules: &[Rule]) -> Members {
    let mut schema = Vec::new();
    let needs = rules.iter().filter_map(|rule| match rule {
        Rule::Needs(one, other) => Some(member(one, strings(&[other]))),
        _ => None,
    });
    let needs: Members = needs.collect();
    if !needs.is_empty() {
        schema.push(member("dependentRequired", Json::Object(needs)));
    }
    let others: Vec<_> = rules.iter().filter_map(rule_of).collect();
    if !others.is_empty() {
        schema.push(member("allOf", Json::Array(others)));
    }
    schema
}

fn rule_of(rule: &Rule) -> Option<Json> {
    match rule {
        Rule::Needs(..) => None,
        Rule::ExactlyOne(names) => {
            let each = names.iter().map(|name| object([("required", strings(&[name]))]));
            Some(object([("oneOf", Json::Array(each.collect()))]))
        }
        Rule::AnItemIn(names) => {
            let each = names.iter().map(|name| {
                let filled = Json::Object(vec![member(name, object([("minItems", number(1))]))]);
                object([("required", strings(&[name])), ("properties", filled)])
            });
            Some(object([("anyOf", Json::Array(each.collect()))]))
        }
        Rule::When(Condition { member: name, values, required, forbidden, else_required, else_forbidden }) => {
            let values = values.iter().map(|value| Json::parse(value.as_bytes(), 1).expect("values are JSON"));
            let same = Json::Object(vec![member(name, object([("enum", Json::Array(values.collect()))]))]);
            let condition = object([("properties", same), ("required", strings(&[name]))]);
            let mut schema = vec![member("if", condition)];
            schema.extend(others_of(required, forbidden).map(|then| member("then", then)));
            schema.extend(others_of(else_required, else_forbidden).map(|otherwise| member("else", otherwise)));
            Some(Json::Object(schema))
        }
    }
}

fn others_of(required: &[&str], forbidden: &[&str]) -> Option<Json> {
    let mut schema = Vec::new();
    if !required.is_empty() {
        schema.push(member("required", strings(required)));
    }
    if !forbidden.is_empty() {
        let none = forbidden.iter().map(|name| member(name, Json::Bool(false))).collect();
        schema.push(member("properties", Json::Object(none)));
    }
    (!schema.is_empty()).then_some(Json::Object(schema))
}

/// What is not null, and has no null in it.
fn anything() -> Json {
    let types = ["boolean", "number", "string", "array", "object"];
    let same = || object([("$ref", reference(ANYTHING))]);
    object([("type", strings(&types)), ("items", same()), ("additionalProperties", same())])
}

fn member(name: &str, value: Json) -> (String, Json) {
    (name.to_owned(), value)
}

fn object<const N: usize>(members: [(&str, Json); N]) -> Json {
    Json::Object(members.map(|(name, value)| member(name, value)).into())
}

fn string(text: &str) -> Json {
    Json::String(text.to_owned())
}

fn strings(texts: &[&str]) -> Json {
    Json::Array(texts.iter().map(|text| string(text)).collect())
}

fn number(value: u64) -> Json {
    Json::Number(value.to_string())
}

fn reference(name: &str) -> Json {
    string(&format!("#/$defs/{name}"))
}

/// JSON that keeps the order of members.
struct InOrder<'a>(&'a Json);

impl Serialize for InOrder<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Json::Null => serializer.serialize_unit(),
            Json::Bool(value) => serializer.serialize_bool(*value),
            Json::Number(digits) => match digits.parse() {
                Ok(integer) => serializer.serialize_u64(integer),
                Err(_) => Err(serde::ser::Error::custom("a schema has positive integers")),
            },
            Json::String(text) => serializer.serialize_str(text),
            Json::Array(items) => serializer.collect_seq(items.iter().map(InOrder)),
            Json::Object(members) => {
                let mut map = serializer.serialize_map(Some(members.len()))?;
                members.iter().try_for_each(|(name, value)| map.serialize_entry(name, &InOrder(value)))?;
                map.end()
            }
        }
    }
}

/// The name of the definition of whatever is not null.
const ANYTHING: &str = "Anything";
