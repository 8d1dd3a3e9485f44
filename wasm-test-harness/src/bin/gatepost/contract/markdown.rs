//! The contract as Markdown.

use std::fmt::Write as _;

use super::model::{Authenticator, Caller, Contract, IdentityToken, Route, Value};
use super::value::Origin;

/// The whole page.
pub fn render(contract: &Contract, source: &str) -> String {
    let mut page = String::new();
    let _ = writeln!(page, "# What services may rely on\n");
    let _ = writeln!(
        page,
        "What the gateway does with requests before a service sees them, as `{source}` has it. It holds for requests that \
         came through the gateway: whoever reaches a service past it can write any header.\n"
    );
    for route in &contract.routes {
        render_route(route, contract, &mut page);
    }
    let _ = writeln!(page, "## Paths that no route has\n\n{}\n", unmatched(contract.unmatched));
    render_forms(contract, &mut page);
    render_removed(contract, &mut page);
    render_authenticators(&contract.authenticators, &mut page);
    if let Some(token) = &contract.identity_token {
        render_identity_token(token, &mut page);
    }
    page.truncate(page.trim_end().len());
    page.push('\n');
    page
}

fn render_route(route: &Route, contract: &Contract, page: &mut String) {
    let _ = writeln!(page, "## `{} {}`\n", route.methods.join(" "), route.path);
    if !route.hosts.is_empty() {
        let _ = writeln!(page, "On {}.\n", list(&route.hosts));
    }
    if let Some(cluster) = &route.cluster {
        let _ = writeln!(page, "Goes to the cluster `{cluster}`.\n");
    }
    match (route.callers.as_slice(), route.open) {
        ([], _) => {
            let _ = writeln!(
                page,
                "**Everyone may call it.** Nobody is verified, so no header tells who calls, and credentials that clients \
                 send arrive as they came.\n"
            );
        }
        (callers, open) => {
            let _ = writeln!(page, "May be called by:\n");
            for caller in callers {
                let _ = writeln!(page, "- {}", caller_text(caller, contract));
            }
            if open {
                let _ = writeln!(
                    page,
                    "- anybody without a credential: the values below that an authenticator vouches for are absent then"
                );
            }
            page.push('\n');
        }
    }
    if route.shadow {
        let _ = writeln!(
            page,
            "**Shadow mode: nothing is denied.** Who would have been refused arrives without any of the values below.\n"
        );
    }
    let lists = [("header", &route.headers), ("query parameter", &route.query)];
    if lists.iter().any(|(_, values)| !values.is_empty()) {
        let _ = writeln!(page, "| set by the gateway | holds | is there | form | who vouches for it |");
        let _ = writeln!(page, "|---|---|---|---|---|");
        for (kind, values) in lists {
            values.iter().for_each(|value| render_value(kind, value, page));
        }
        page.push('\n');
    }
    if let (Some(audience), Some(token)) = (&route.identity_token_audience, &contract.identity_token) {
        let when = if route.open || route.shadow { ", where the caller was verified" } else { "" };
        let _ = writeln!(
            page,
            "`{}` holds an [identity token](#the-identity-token) for `{audience}`{when}.\n",
            token.header
        );
    }
    for limit in &route.rate_limits {
        let _ = writeln!(page, "At most {limit}.\n");
    }
}

fn render_value(kind: &str, value: &Value, page: &mut String) {
    let Value { name, holds, presence, form, origin } = value;
    let origin = match origin {
        Origin::Configured => "the configuration",
        Origin::Verified => "the authenticator",
        Origin::Caller => "**nobody: the caller chooses it**",
    };
    let cell = |text: &str| text.replace('|', "\\|");
    let _ = writeln!(page, "| {kind} `{}` | {} | {} | {form} | {origin} |", cell(name), cell(holds), cell(presence));
}

/// A way to be let in, in words.
pub fn caller_text(caller: &Caller, contract: &Contract) -> String {
    let kind = |name: &String| {
        let authenticator = contract.authenticators.iter().find(|authenticator| authenticator.name == *name);
        format!("{} of `{name}`", authenticator.map_or("a credential", |authenticator| credential(authenticator.kind)))
    };
    let who = caller.authenticators.iter().map(kind).collect::<Vec<_>>().join(" together with ");
    let speaks = match caller.authenticators.as_slice() {
        [first, _, ..] => format!(" (`{first}` says who calls)"),
        _ => String::new(),
    };
    let holds = if caller.holds.is_empty() { String::new() } else { format!(", with {}", caller.holds.join(", ")) };
    format!("{who}{speaks}{holds}")
}

fn credential(kind: &str) -> &'static str {
    match kind {
        "jwt" | "introspection" => "a token",
        "api_key" => "a key",
        "mtls" => "a client certificate",
        _ => "a signature",
    }
}

fn unmatched(unmatched: &str) -> &'static str {
    match unmatched {
        "authenticate" => "They arrive from verified callers alone, and no header tells who they are.",
        "forward" => "**They arrive as they came, from everyone**, but for the names below.",
        _ => "They are 404, and never arrive.",
    }
}

fn render_forms(contract: &Contract, page: &mut String) {
    if contract.routes.iter().any(|route| !route.headers.is_empty() || !route.query.is_empty()) {
        let _ = writeln!(
            page,
            "## How values are written\n\nA text is as it was verified; a list, also where the form is `text`, is joined with \
             `,`, and `%2C` in one of its items is a comma, `%25` a percent sign. A header whose value could not be one (it \
             holds a control character, or begins or ends with white space) is absent.\n"
        );
    }
}

fn render_removed(contract: &Contract, page: &mut String) {
    let _ = writeln!(page, "## What no client can set\n");
    let _ = writeln!(
        page,
        "These are removed from every request, whatever its route, in every spelling (`X_User_Id`), in trailers too: what a \
         service finds there is the gateway's own, or nothing.\n"
    );
    let _ = writeln!(page, "- headers: {}", list(&contract.removed_headers));
    if !contract.removed_query.is_empty() {
        let _ = writeln!(page, "- query parameters: {}", list(&contract.removed_query));
    }
    let mapped = |route: &&Route| !route.query.is_empty();
    if contract.routes.iter().any(|route| mapped(&route)) {
        let _ = writeln!(page, "- query parameters that a route sets, on that route");
    }
    page.push('\n');
}

fn render_authenticators(authenticators: &[Authenticator], page: &mut String) {
    if authenticators.is_empty() {
        return;
    }
    let _ = writeln!(page, "## Who verifies\n\n| authenticator | type | issuers | audiences | the credential itself |");
    let _ = writeln!(page, "|---|---|---|---|---|");
    for Authenticator { name, kind, issuers, audiences, forwards_credential } in authenticators {
        let credential = if *forwards_credential { "**arrives too**" } else { "is removed" };
        let _ = writeln!(page, "| `{name}` | `{kind}` | {} | {} | {credential} |", list(issuers), list(audiences));
    }
    page.push('\n');
}

fn render_identity_token(token: &IdentityToken, page: &mut String) {
    let IdentityToken { header, algorithm, issuer, lifetime, key_id } = token;
    let _ = writeln!(page, "## The identity token\n");
    let _ = writeln!(
        page,
        "A JWT in the header `{header}`, by which a service can tell that a request came through the gateway."
    );
    let _ = writeln!(page, "A service accepts it where all of this holds:\n");
    let _ = writeln!(page, "- the signature is good, with `{algorithm}` and no other algorithm");
    let _ = writeln!(
        page,
        "- `typ` is `gatepost+jwt`, `iss` is `{issuer}`, and `aud` is the audience that the route names above"
    );
    let _ = writeln!(page, "- `exp` is to come; it is {lifetime} after `iat` at most\n");
    match key_id {
        Some(kid) => {
            let _ = writeln!(page, "`gatepost jwks` prints the key; its `kid` is `{kid}`.");
        }
        None => {
            let _ =
                writeln!(page, "The key is a secret that the gateway and the service share: whoever has it can sign.");
        }
    }
    page.push('\n');
}

fn list(names: &[String]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}
