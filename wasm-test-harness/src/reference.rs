//! The configuration reference, `docs/configuration.md`, from what the types that read configurations say of themselves.
//!
//! What stands here as text is what no single type can say: the introduction, titles, and links to other pages.

use std::fmt::Write as _;

use gatepost::config::describe::{self, Condition, Definition, Kind, Member, Rule, Shape, Text};

/// The page.
pub fn markdown() -> String {
    let definitions = describe::configuration();
    let reference = Reference(&definitions);
    let mut page = INTRODUCTION.to_owned();
    reference.contents(&mut page);
    for definition in &definitions {
        match &definition.kind {
            Kind::Object { members, rules } => reference.object(definition, members, rules, &mut page),
            Kind::Tagged { tag, variants } => reference.tagged(definition, tag, variants, &mut page),
            Kind::Choice(_) | Kind::Form(_) => {}
        }
    }
    page.push_str("\n## Forms\n\nWhat the types above are.\n\n");
    for definition in &definitions {
        if let Kind::Form(shape) = &definition.kind {
            reference.form(definition, shape, &mut page);
        }
    }
    page
}

/// The names of what has a title here, and nothing describes.
pub fn stale_titles() -> Vec<&'static str> {
    let definitions = describe::configuration();
    let described = |name: &str| definitions.iter().any(|definition| definition.name == name);
    SECTIONS.iter().map(|section| section.0).filter(|name| !described(name)).collect()
}

struct Reference<'a>(&'a [Definition]);

impl Reference<'_> {
    fn contents(&self, page: &mut String) {
        let has_section = |kind: &Kind| matches!(kind, Kind::Object { .. } | Kind::Tagged { .. });
        for definition in self.0.iter().filter(|definition| has_section(&definition.kind)) {
            line(page, &format!("- [{}](#{})", title(definition), anchor(definition.name)));
        }
        line(page, "- [Forms](#forms)");
    }

    fn heading(&self, definition: &Definition, page: &mut String) {
        let (title, anchor) = (title(definition), anchor(definition.name));
        let _ = write!(page, "\n<a id=\"{anchor}\"></a>\n\n## {title}\n\n{}", definition.doc);
        if let Some((_, _, also)) = section(definition.name).filter(|(_, _, also)| !also.is_empty()) {
            let _ = write!(page, " More: {also}.");
        }
        page.push('\n');
        let users = self.users(definition.name);
        if !users.is_empty() {
            let _ = write!(page, "\nStands in {}.\n", users.join(", "));
        }
    }

    fn object(&self, definition: &Definition, members: &[Member], rules: &[Rule], page: &mut String) {
        self.heading(definition, page);
        for rule in rules {
            let _ = write!(page, "\n{}\n", sentence(rule));
        }
        page.push_str("\n| member | type | default | |\n|---|---|---|---|\n");
        for member in members {
            let default = match member.default {
                _ if member.required => "required".to_owned(),
                Some(default) => code(default),
                None => String::new(),
            };
            let place = format!("{}.{}", anchor(definition.name), member.name);
            let cells =
                [self.phrase(&member.shape), default, self.meaning(member)].map(|cell| cell.replace('|', "\\|"));
            let _ = writeln!(page, "| <a id=\"{place}\"></a>`{}` | {} |", member.name, cells.join(" | "));
        }
    }

    fn tagged(&self, definition: &Definition, tag: &str, variants: &[(&str, &str)], page: &mut String) {
        self.heading(definition, page);
        let _ = write!(page, "\n| `{tag}` | |\n|---|---|\n");
        for (text, name) in variants {
            let variant = self.find(name);
            let _ = writeln!(page, "| [`{text}`](#{}) | {} |", anchor(name), variant.doc);
        }
    }

    fn form(&self, definition: &Definition, shape: &Shape, page: &mut String) {
        let _ = write!(
            page,
            "- <a id=\"{}\"></a>**{}**: {}",
            anchor(definition.name),
            lower(&title(definition)),
            definition.doc
        );
        match shape {
            Shape::Text(Text { values, .. }) if !values.is_empty() => {
                let _ = write!(page, " One of {}.", listed(values));
            }
            Shape::Text(Text { examples, .. }) if !examples.is_empty() => {
                let _ = write!(page, " For instance {}.", listed(examples));
            }
            Shape::Text(_) => {}
            Shape::Open(members) => {
                let each = members.iter().map(|member| format!("`{}`: {}", member.name, member.doc));
                let _ = write!(page, " {}", each.collect::<Vec<_>>().join(" "));
            }
            shape => {
                let _ = write!(page, " Type: {}.", self.phrase(shape));
            }
        }
        page.push('\n');
    }

    /// What a member means, and what its texts do.
    fn meaning(&self, member: &Member) -> String {
        let mut text = member.doc.replace("\n\n", "<br>");
        if let Shape::Reference(name) = member.shape
            && let Kind::Choice(texts) = &self.find(name).kind
        {
            texts.iter().for_each(|(choice, doc)| text.push_str(&format!("<br>`{choice}`: {doc}")));
        }
        text
    }

    fn phrase(&self, shape: &Shape) -> String {
        match shape {
            Shape::Reference(name) => {
                let definition = self.find(name);
                match &definition.kind {
                    Kind::Choice(texts) => {
                        texts.iter().map(|(text, _)| format!("`\"{text}\"`")).collect::<Vec<_>>().join(" or ")
                    }
                    _ => format!("[{}](#{})", lower(&title(definition)), anchor(name)),
                }
            }
            Shape::Text(text) if text.filled => "string that is not empty".to_owned(),
            Shape::Text(_) => "string".to_owned(),
            Shape::Integer(None) => "positive integer".to_owned(),
            Shape::Integer(Some(most)) => format!("integer from 1 to {most}"),
            Shape::Number => "number".to_owned(),
            Shape::Boolean => "boolean".to_owned(),
            Shape::Constant(text) => format!("`\"{text}\"`"),
            Shape::List { items, least, most } => {
                let size = match (least, most) {
                    (0, _) => String::new(),
                    (_, None) => ", not empty".to_owned(),
                    (least, Some(most)) => format!(", {least} to {most} of them"),
                };
                format!("list of {}{size}", self.phrase(items))
            }
            Shape::Map { names, values } => match &**names {
                Shape::Reference(_) => format!("object: {} to {}", self.phrase(names), self.phrase(values)),
                _ => format!("object: name to {}", self.phrase(values)),
            },
            Shape::Open(_) => "object".to_owned(),
            Shape::AnyOf(shapes) => shapes.iter().map(|shape| self.phrase(shape)).collect::<Vec<_>>().join(", or "),
            Shape::Anything => "anything".to_owned(),
        }
    }

    /// The members in which something stands, linked.
    fn users(&self, name: &str) -> Vec<String> {
        let mut users = Vec::new();
        for definition in self.0 {
            match &definition.kind {
                Kind::Object { members, .. } => {
                    for member in members.iter().filter(|member| self.reaches(&member.shape, name)) {
                        let place = format!("{}.{}", anchor(definition.name), member.name);
                        users.push(format!("[`{}`](#{place}) of {}", member.name, lower(&title(definition))));
                    }
                }
                Kind::Tagged { variants, .. } if variants.iter().any(|(_, variant)| *variant == name) => {
                    users.push(format!("[{}](#{})", lower(&title(definition)), anchor(definition.name)));
                }
                _ => {}
            }
        }
        users
    }

    /// Whether a value may hold what has this name, without another section between.
    fn reaches(&self, shape: &Shape, name: &str) -> bool {
        match shape {
            Shape::Reference(other) => {
                *other == name || matches!(&self.find(other).kind, Kind::Form(shape) if self.reaches(shape, name))
            }
            Shape::List { items, .. } => self.reaches(items, name),
            Shape::Map { values, .. } => self.reaches(values, name),
            Shape::AnyOf(shapes) => shapes.iter().any(|shape| self.reaches(shape, name)),
            _ => false,
        }
    }

    fn find(&self, name: &str) -> &Definition {
        self.0.iter().find(|definition| definition.name == name).expect("what is referred to is defined")
    }
}

fn sentence(rule: &Rule) -> String {
    match rule {
        Rule::ExactlyOne(names) => format!("Exactly one of {} has to be there.", listed(names)),
        Rule::AnItemIn(names) => format!("At least one of {} has an item.", listed(names)),
        Rule::Needs(one, other) => format!("`{one}` is there only together with `{other}`."),
        Rule::When(Condition { member, values, required, forbidden, else_required, else_forbidden }) => {
            let mut parts = Vec::new();
            let mut told = |when: &str, required: &[&str], forbidden: &[&str]| {
                let values = listed(values);
                let mut verbs = Vec::new();
                if !required.is_empty() {
                    verbs.push(format!("{} has to be there", listed(required)));
                }
                if !forbidden.is_empty() {
                    verbs.push(format!("{} must not be there", listed(forbidden)));
                }
                if !verbs.is_empty() {
                    parts.push(format!("{when} `{member}` is {values}, {}.", verbs.join(" and ")));
                }
            };
            told("Where", required, forbidden);
            told("Unless", else_required, else_forbidden);
            parts.join(" ")
        }
    }
}

fn listed(names: &[&str]) -> String {
    let names: Vec<_> = names.iter().map(|name| code(name)).collect();
    match names.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        _ => names.concat(),
    }
}

fn code(text: &str) -> String {
    format!("`{text}`")
}

fn line(page: &mut String, text: &str) {
    page.push_str(text);
    page.push('\n');
}

fn section(name: &str) -> Option<&'static (&'static str, &'static str, &'static str)> {
    SECTIONS.iter().find(|section| section.0 == name)
}

fn title(definition: &Definition) -> String {
    match section(definition.name) {
        Some((_, title, _)) => (*title).to_owned(),
        None => words(definition.name),
    }
}

/// `RateLimit` as `Rate limit`.
fn words(name: &str) -> String {
    let mut words = String::new();
    for character in name.chars() {
        if character.is_uppercase() && !words.is_empty() {
            words.push(' ');
            words.extend(character.to_lowercase());
        } else {
            words.push(character);
        }
    }
    words
}

/// A title inside a sentence: abbreviations stay as they are.
fn lower(title: &str) -> String {
    let mut characters = title.chars();
    let first = characters.next();
    match (first, characters.clone().next()) {
        (Some(first), Some(second)) if second.is_lowercase() => first.to_lowercase().chain(characters).collect(),
        _ => title.to_owned(),
    }
}

fn anchor(name: &str) -> String {
    words(name).replace(' ', "-").to_lowercase()
}

/// Titles where the name of the type does not do, and the pages that say more.
const SECTIONS: &[(&str, &str, &str)] = &[
    ("Gateway", "The whole configuration", ""),
    ("Jwt", "JWT authenticator", "[identity providers](identity-providers.md)"),
    ("Jwks", "JWK set", "[where keys come from](identity-providers.md#where-keys-come-from)"),
    ("RemoteJwks", "JWK set at a URL", "[when the provider fails](identity-providers.md#when-the-provider-fails)"),
    ("Discovery", "Discovered JWK set", "[where keys come from](identity-providers.md#where-keys-come-from)"),
    ("Revocation", "Revocation list", "[revocation](revocation.md)"),
    ("Introspection", "Introspection authenticator", "[introspection](identity-providers.md#introspection)"),
    ("IntrospectionCache", "Introspection cache", "[sizing](identity-providers.md#sizing)"),
    ("ApiKeys", "API key authenticator", "[API keys](api-keys.md)"),
    ("ApiKey", "API key", "[API keys](api-keys.md)"),
    ("Mtls", "Client certificate authenticator", "[client certificates](client-certificates.md)"),
    ("Hmac", "Signed request authenticator", "[signed requests](webhooks.md)"),
    ("SigningKey", "Signing key", "[signed requests](webhooks.md#generic)"),
    ("Source", "Place of a credential", ""),
    ("Server", "Server", ""),
    ("IdentityToken", "Identity token", "[the identity token](identity-token.md)"),
    ("RateLimit", "Rate limit", "[rate limits](rate-limits.md)"),
    ("KeyLimit", "Rate limit of a key", "[rate limits](rate-limits.md)"),
    ("Path", "Route", ""),
    ("InnerRule", "Rule inside a rule", ""),
    ("Value", "Mapped value", ""),
    ("EnvironmentVariable", "Secret in the environment", ""),
    ("Url", "URL", ""),
    ("BaseUrl", "Base URL", ""),
    ("HttpOrigin", "HTTP origin", ""),
    ("HttpMethod", "Method", ""),
    ("HeaderNames", "Header names", ""),
    ("ParameterNames", "Parameter names", ""),
    ("Sha256", "SHA-256", ""),
    ("JwkSet", "Keys of a JWK set", ""),
    ("Auth", "Who may call", ""),
    ("KeyId", "Key id", ""),
];

const INTRODUCTION: &str = r##"<!-- Made from the types that read configurations: `make pages` writes it anew. -->

# Configuration reference

Every member that a plugin configuration may have. Whole ones: [Recipes](recipes.md).

The configuration is one JSON object. Unknown members, wrong types, `null`, members that come twice, names that nothing has, keys
that cannot be read and members that contradict one another are errors: the filter then does not start, and names every error
with its place. `gatepost check FILE` does so before it is deployed.

## In an editor

The same members, as a JSON Schema (2020-12), are in [`gatepost.schema.json`](gatepost.schema.json), which
`gatepost schema` prints as well. Editors complete members with it, show what they mean, and underline what is wrong. The
schema sees shapes alone; `gatepost check` sees the rest. A configuration has no member `$schema`, as it has no unknown members:
the editor is told outside of it.

For JSON files in VS Code, in `.vscode/settings.json`:

```jsonc
{
  "json.schemas": [{"fileMatch": ["gatepost*.json"], "url": "./docs/gatepost.schema.json"}]
}
```

For a configuration in a YAML file of its own, in its first line, where the language server of Red Hat's extension, and of
Neovim, Helix and other editors, reads it:

```text
# yaml-language-server: $schema=./gatepost.schema.json
```

In an Envoy bootstrap the configuration is one string, which no editor looks into. Keep it in a file of its own, and put it
there when you deploy; or check the whole bootstrap with `gatepost check`.

## Contents

"##;
