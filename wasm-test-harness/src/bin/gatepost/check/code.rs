//! What `gatepost check` warns of: a closed set of codes, with their meaning and what to do.

/// Declares the codes; docs/warnings.md has the same table.
macro_rules! codes {
    ($($variant:ident, $name:literal, $meaning:literal, $remedy:literal;)*) => {
        /// A stable code.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Code {
            $(#[doc = $meaning] $variant,)*
        }

        impl Code {
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// As `--allow` takes it.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// What it means.
            pub fn meaning(self) -> &'static str {
                match self { $(Self::$variant => $meaning,)* }
            }

            /// What to do.
            pub fn remedy(self) -> &'static str {
                match self { $(Self::$variant => $remedy,)* }
            }
        }
    };
}

codes! {
    PublicUnderProtected, "public-under-protected",
        "A route that needs no credential below a prefix (`/admin/{.+}`, not `/{.+}`) for which one is needed.",
        "Is it on purpose? Then accept it at this place; else give the route an `auth`.";
    UnreachableRoute, "unreachable-route",
        "No request is decided by the route: every one that has its path is refused or taken by another route.",
        "Remove it, or change its path.";
    NeverAuthorized, "never-authorized",
        "Nobody can satisfy the route's `auth`: its authenticators can never give what it asks for.",
        "Ask for roles, scopes, audiences and claims that a credential can hold.";
    ShadowMode, "shadow-mode",
        "Decides and counts, and denies nothing: whoever calls gets through, without identity.",
        "Look at `gatepost.denied.*`, then remove `mode`.";
    UnmatchedForward, "unmatched-forward",
        "Whatever no route has is forwarded, as if it were public.",
        "List what is public, and set `unmatched` to `reject` or `authenticate`.";
    PathPolicyNormalize, "path-policy-normalize",
        "Paths with dot segments, empty segments and `;` are mended instead of refused: a service that reads them otherwise \
         serves another path than was checked.",
        "Leave `path_policy` out, unless clients send such paths and you know how your services read them.";
    OverrideHeaderAllowed, "override-header-allowed",
        "Clients can set a header by which some services take another path or method than the one that was checked.",
        "Remove it from `allow_override_headers`, or check that no service behind the gateway reads it.";
    CsrfOff, "csrf-off",
        "Cookies are read, and other sites may make browsers send unsafe requests with them.",
        "Leave `csrf` out; list the origins of your own sites in `csrf_origins`.";
    InsecureOrigin, "insecure-origin",
        "An origin without TLS is trusted: whoever is on the network of a user can speak for it.",
        "Use `https`.";
    PreflightAuthenticated, "preflight-authenticated",
        "Browsers send no credential with a CORS preflight, so scripts of `responses.cors_origins` reach no route that needs one.",
        "Leave `cors_preflight` out, or remove `responses.cors_origins`.";
    AnyIssuer, "any-issuer",
        "Tokens are accepted whatever their `iss`: those of every issuer that signs with a key of the set.",
        "Name the issuers.";
    AnyAudience, "any-audience",
        "Tokens are accepted whatever their `aud`, also those that were issued for another API, and no claim such as \
         `client_id` or `azp` is tested instead.",
        "Name the audiences, or test the claim that says for whom a token is.";
    AnyType, "any-type",
        "Tokens are accepted whatever their `typ`: ID tokens and logout tokens as well.",
        "Name the `types` of your access tokens.";
    NoExpiry, "no-expiry",
        "Tokens without `exp` are accepted, and are good for ever.",
        "Leave `require` out, or let it name `exp`; or set `max_lifetime`.";
    LongClockSkew, "long-clock-skew",
        "Tokens are good for more than five minutes longer than they say.",
        "Clocks that are kept in step need `60s` at most.";
    FirstSource, "first-source",
        "Of several differing credentials the first is taken: what another component reads may be another one.",
        "Leave `on_multiple` out.";
    ForwardCredential, "forward-credential",
        "The credential itself goes on to the service, which can use it elsewhere and may log it.",
        "Leave `forward_credential` out, and map what the service needs.";
    CredentialInQuery, "credential-in-query",
        "A credential is read from the query, where access logs, histories and `Referer` headers keep it (RFC 9700 §2.4, RFC 6750 §5.3).",
        "Read it from a header.";
    InlineSecret, "inline-secret",
        "A secret stands in the file: whoever may read the configuration has it.",
        "Write `{\"env\": \"NAME\"}`, and pass the variable to the VM.";
    ShortSecret, "short-secret",
        "A secret for signed requests is shorter than 24 bytes: whoever sees one signed request can try to guess it (RFC 2104 §3).",
        "Use 32 random bytes.";
    RevocationUnavailableAllow, "revocation-unavailable-allow",
        "While there is no revocation list, tokens that were taken back are accepted.",
        "Leave `unavailable` out, unless you would rather let them in than refuse everybody.";
    LongMaxStale, "long-max-stale",
        "While a provider is out of reach, keys or revocations more than a day old are relied on: a key that was withdrawn stays good.",
        "Set `max_stale` to the longest outage that you want to bridge.";
    LongIntrospectionCache, "long-introspection-cache",
        "A token that was taken back is accepted for more than five minutes.",
        "Set `cache.ttl` to what you would wait after a logout.";
    LongTolerance, "long-tolerance",
        "A signed request that was overheard is good for more than five minutes.",
        "Leave `tolerance` out: `5m` is what the senders recommend.";
    WeakLimit, "weak-limit",
        "One caller may send more than 1,000 requests a second: the limit holds up no flood, and nobody who guesses at \
         credentials.",
        "Set it to a few times what your busiest honest caller needs; `\"by\": \"route\"` is for all callers together.";
    LimitWithoutEffect, "limit-without-effect",
        "The route's limit is never reached: the top-level one counts the same requests and more, and lets no more pass.",
        "Make it narrower than the top-level one, or remove it.";
    LongIdentityToken, "long-identity-token",
        "A service can use the identity token that it got for more than five minutes.",
        "Leave `ttl` out: the token is made anew all the time.";
    OpenCertificatePattern, "open-certificate-pattern",
        "The pattern does not fix whose certificates match: its `*` stands inside or before the trust domain or the host name.",
        "End a URI pattern after the trust domain's `/`, and name DNS names in full.";
    ApiKeyExpired, "api-key-expired",
        "Keys have expired, and let nobody in.",
        "Remove them.";
    ApiKeyExpiresSoon, "api-key-expires-soon",
        "Keys end within 30 days.",
        "Hand out new ones, and remove these when they are not used any more.";
    UnusedAuthenticator, "unused-authenticator",
        "No route asks the authenticator.",
        "Remove it, or name it in an `auth`.";
    TrustedHeaderMapped, "trusted-header-mapped",
        "A value that callers or their issuers choose becomes a header by which services learn the client's address, the host, the scheme or the path.",
        "Map it to a name of your own, such as `x-user-id`.";
    SharedHeaderMapped, "shared-header-mapped",
        "Names that begin with `x-forwarded-` are removed on their own route alone: on the others clients can set them.",
        "List the name in `identity_headers`, or map another.";
    MissingSource, "missing-source",
        "What the value is made of is never there: it was removed before, or nobody is verified who could have it.",
        "Map what the route's authenticators give.";
}

impl Code {
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|code| code.name() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_about_warnings_is_what_the_codes_say() {
        let row = |code: &Code| {
            let cell = |text: &str| text.replace('|', "\\|");
            format!("| `{}` | {} | {} |\n", code.name(), cell(code.meaning()), cell(code.remedy()))
        };
        let rows: String = Code::ALL.iter().map(row).collect();
        let page = format!("{INTRODUCTION}| code | what it means | what to do |\n|---|---|---|\n{rows}{END}");
        wasm_test_harness::generated::keep(None, &[("docs/warnings.md".to_owned(), page)]);
    }

    #[test]
    fn names_are_told_apart() {
        for (index, code) in Code::ALL.iter().enumerate() {
            assert_eq!(Code::from_name(code.name()), Some(*code));
            assert!(Code::ALL[..index].iter().all(|other| other.name() != code.name()), "{}", code.name());
        }
    }

    const INTRODUCTION: &str = "\
# Warnings

`gatepost check` warns of what the module accepts, and a reviewer should know. A warning has a stable code and the place in the
configuration:

```text
$ gatepost check gateway.json
gateway.json: paths[1].mode: warning[shadow-mode]: nothing is denied on GET /new/{.+}
gateway.json: ok, 2 routes, 1 authenticator
1 warning
```

With `--deny-warnings` the command ends with 1 where there is one. What is on purpose is accepted with `--allow CODE`, or at one
place alone with `--allow CODE@PLACE` (`--allow shadow-mode@paths[1].mode`), which keeps the next one from slipping through.
`gatepost check --explain CODE` prints a row of this table.

A warning that is not deserved costs more than one that is missing: where it cannot be told, there is none.

";
    const END: &str = "
What is no warning: an error. Secrets shorter than the hash of a JWT's algorithm, `host` and `x-envoy-*` as names of mapped
headers, routes that cannot be told apart and paths that the path policy refuses do not load at all.
";
}
