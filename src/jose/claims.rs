//! What a verified token claims, and whether that is enough (RFC 7519 §4.1, RFC 8725 §3).

use std::{slice, time::Duration};

use super::TokenError;
use crate::{json::Json, time::UnixTime};

/// What a configuration asks of a token's claims.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expectations {
    /// `iss`.
    pub issuers: Accepted,
    /// `aud`; one that matches is enough.
    pub audiences: Accepted,
    /// By how much clocks may differ.
    pub clock_skew: Duration,
    /// Claims that have to be there.
    pub required: Vec<ClaimPath>,
    /// The longest time between `iat` and `exp`.
    pub max_lifetime: Option<Duration>,
    /// `typ`.
    pub types: AcceptedTypes,
    /// Claims that have to have a value.
    pub tests: Vec<ClaimTest>,
}

/// Which strings are accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Accepted {
    /// All of them; the claim may be missing.
    Any,
    /// These.
    These(Vec<String>),
}

/// Which media types are accepted: compared without case and without `application/` (RFC 7515 §4.1.9).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AcceptedTypes {
    /// All of them.
    Any,
    /// These, folded; the empty one stands for an absent `typ`.
    These(Vec<String>),
}

/// Where in the claims a value stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimPath(pub Vec<ClaimStep>);

/// One step down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClaimStep {
    /// A member of exactly this name, or else one step for each part between dots.
    Dotted(String),
    /// A member of exactly this name.
    Exact(String),
}

/// A claim that has to equal, or contain, one of some values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimTest {
    /// The claim.
    pub claim: ClaimPath,
    /// The values, any of which will do.
    pub values: Vec<Json>,
}

/// The times of a token, in seconds of Unix time: they are checked again whenever a cached token is used.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Times {
    /// `exp`
    pub expires: Option<f64>,
    /// `nbf`
    pub not_before: Option<f64>,
    /// `iat`
    pub issued: Option<f64>,
}

impl Expectations {
    /// Checks everything that does not depend on the time of day, in the order in which it is reported.
    ///
    /// # Errors
    ///
    /// The first [`TokenError`] met.
    pub fn check(&self, claims: &Json, media_type: Option<&str>, times: &Times) -> Result<(), TokenError> {
        self.check_issuer(claims)?;
        check_audience(&self.audiences, claims)?;
        if !self.types.accept(media_type) {
            return Err(TokenError::WrongType);
        }
        if self.required.iter().any(|claim| claim.find(claims).is_none()) {
            return Err(TokenError::MissingRequiredClaim);
        }
        if !self.tests.iter().all(|test| test.passes(claims)) {
            return Err(TokenError::ClaimMismatch);
        }
        self.check_lifetime(times)
    }

    fn check_issuer(&self, claims: &Json) -> Result<(), TokenError> {
        let issuer = match claims.get("iss") {
            None => None,
            Some(Json::String(issuer)) => Some(issuer),
            Some(_) => return Err(TokenError::MalformedClaim),
        };
        match (&self.issuers, issuer) {
            (Accepted::Any, _) => Ok(()),
            (Accepted::These(issuers), Some(issuer)) if issuers.contains(issuer) => Ok(()),
            _ => Err(TokenError::WrongIssuer),
        }
    }

    fn check_lifetime(&self, times: &Times) -> Result<(), TokenError> {
        let Some(longest) = self.max_lifetime else {
            return Ok(());
        };
        match (times.issued, times.expires) {
            (Some(issued), Some(expires)) if expires - issued <= longest.as_secs_f64() => Ok(()),
            _ => Err(TokenError::LifetimeTooLong),
        }
    }
}

/// Checks `aud`, a string or an array of strings (RFC 7519 §4.1.3).
///
/// # Errors
///
/// [`TokenError::WrongAudience`] where none is accepted, [`TokenError::MalformedClaim`] for another type.
pub fn check_audience(accepted: &Accepted, claims: &Json) -> Result<(), TokenError> {
    let audiences = match claims.get("aud") {
        None => &[],
        Some(Json::Array(items)) => items.as_slice(),
        Some(audience) => slice::from_ref(audience),
    };
    if audiences.iter().any(|audience| audience.as_str().is_none()) {
        return Err(TokenError::MalformedClaim);
    }
    let is_accepted = |accepted: &String| audiences.iter().any(|audience| audience.as_str() == Some(accepted));
    match accepted {
        Accepted::Any => Ok(()),
        Accepted::These(accepted) if accepted.iter().any(is_accepted) => Ok(()),
        Accepted::These(_) => Err(TokenError::WrongAudience),
    }
}

impl AcceptedTypes {
    /// These types, folded.
    #[must_use]
    pub fn these<'a>(types: impl IntoIterator<Item = &'a str>) -> Self {
        Self::These(types.into_iter().map(folded_type).collect())
    }

    fn accept(&self, media_type: Option<&str>) -> bool {
        match self {
            Self::Any => true,
            // A `typ` that is there and empty is not an absent one.
            Self::These(types) => match media_type.map(folded_type) {
                None => types.iter().any(String::is_empty),
                Some(media_type) => !media_type.is_empty() && types.contains(&media_type),
            },
        }
    }
}

impl ClaimPath {
    /// Reads a path as configurations write it: `name`, `name.name`, `['exact name']`, or several of them. None if it is
    /// anything else, or a name is empty.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text.starts_with("['") { Self::parse_steps(text) } else { Self::parse_steps(&format!(".{text}")) }
    }

    /// Reads `.dotted.name` and `['exact name']` steps.
    #[must_use]
    pub fn parse_steps(text: &str) -> Option<Self> {
        let mut steps = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            if let Some(quoted) = rest.strip_prefix("['") {
                let (name, after) = quoted.split_once("']")?;
                steps.push(ClaimStep::Exact(name.to_owned()));
                rest = after;
            } else {
                let dotted = rest.strip_prefix('.')?;
                let (name, after) = dotted.split_at_checked(dotted.find("['").unwrap_or(dotted.len()))?;
                if name.is_empty() {
                    return None;
                }
                steps.push(ClaimStep::Dotted(name.to_owned()));
                rest = after;
            }
        }
        Some(Self(steps))
    }

    /// The name of a path of one step.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        match self.0.as_slice() {
            [ClaimStep::Dotted(name) | ClaimStep::Exact(name)] => Some(name),
            _ => None,
        }
    }

    /// The path of one dotted name.
    #[must_use]
    pub fn dotted(name: &str) -> Self {
        Self(vec![ClaimStep::Dotted(name.to_owned())])
    }

    /// The value at the path; none if it is missing or null.
    #[must_use]
    pub fn find<'a>(&self, claims: &'a Json) -> Option<&'a Json> {
        let mut value = claims;
        for step in &self.0 {
            value = match step {
                ClaimStep::Exact(name) => value.get(name)?,
                ClaimStep::Dotted(name) => find_dotted(value, name)?,
            };
        }
        (*value != Json::Null).then_some(value)
    }

    /// The strings at the path: a string is one of them, or several parted by `separator`; other items are left out.
    #[must_use]
    pub fn find_strings(&self, claims: &Json, separator: Option<char>) -> Vec<String> {
        match (self.find(claims), separator) {
            (Some(Json::String(text)), None) => vec![text.clone()],
            (Some(Json::String(text)), Some(separator)) => {
                text.split(separator).filter(|part| !part.is_empty()).map(str::to_owned).collect()
            }
            (Some(Json::Array(items)), _) => items.iter().filter_map(Json::as_str).map(str::to_owned).collect(),
            _ => Vec::new(),
        }
    }
}

impl ClaimTest {
    /// Whether the claim equals one of the values, or is an array that has one as a member; never a part of a string.
    #[must_use]
    pub fn passes(&self, claims: &Json) -> bool {
        let wanted = |value: &Json| self.values.iter().any(|wanted| wanted.equals(value));
        match self.claim.find(claims) {
            Some(Json::Array(items)) => items.iter().any(wanted),
            Some(value) => wanted(value),
            None => false,
        }
    }
}

impl Times {
    /// Reads `exp`, `nbf` and `iat`.
    ///
    /// # Errors
    ///
    /// [`TokenError::MalformedClaim`] for what is not a number, or beyond the year 9999.
    pub fn parse(claims: &Json) -> Result<Self, TokenError> {
        let read = |name| match claims.get(name) {
            None => Ok(None),
            Some(Json::Number(digits)) => match digits.parse::<f64>() {
                Ok(seconds) if seconds.is_finite() && seconds < YEAR_10000 => Ok(Some(seconds)),
                _ => Err(TokenError::MalformedClaim),
            },
            Some(_) => Err(TokenError::MalformedClaim),
        };
        Ok(Self { expires: read("exp")?, not_before: read("nbf")?, issued: read("iat")? })
    }

    /// Checks the times, which a cached token has to pass again on every use.
    ///
    /// # Errors
    ///
    /// [`TokenError::Expired`], [`TokenError::NotYetValid`] or [`TokenError::IssuedInTheFuture`].
    pub fn check(&self, now: UnixTime, clock_skew: Duration) -> Result<(), TokenError> {
        let now = now.as_secs_f64();
        let skew = clock_skew.as_secs_f64();
        if self.expires.is_some_and(|expires| now >= expires + skew) {
            return Err(TokenError::Expired);
        }
        if self.not_before.is_some_and(|not_before| now + skew < not_before) {
            return Err(TokenError::NotYetValid);
        }
        if self.issued.is_some_and(|issued| now + skew < issued) {
            return Err(TokenError::IssuedInTheFuture);
        }
        Ok(())
    }
}

fn find_dotted<'a>(value: &'a Json, name: &str) -> Option<&'a Json> {
    if let Some(value) = value.get(name) {
        return Some(value);
    }
    let (first, rest) = name.split_once('.')?;
    find_dotted(value.get(first)?, rest)
}

fn folded_type(media_type: &str) -> String {
    let folded = media_type.to_ascii_lowercase();
    folded.strip_prefix("application/").map(str::to_owned).unwrap_or(folded)
}

/// 10000-01-01T00:00:00Z
const YEAR_10000: f64 = 253_402_300_800.0;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test::test;

    fn json(text: &str) -> Json {
        Json::parse(text.as_bytes(), 32).unwrap()
    }

    fn expectations() -> Expectations {
        Expectations {
            issuers: Accepted::These(vec!["https://idp".to_owned()]),
            audiences: Accepted::These(vec!["api".to_owned()]),
            clock_skew: Duration::from_secs(60),
            required: vec![ClaimPath::dotted("sub")],
            max_lifetime: Some(Duration::from_secs(3600)),
            types: AcceptedTypes::these(["", "JWT", "at+jwt"]),
            tests: vec![ClaimTest { claim: ClaimPath::dotted("tier"), values: vec![json("\"gold\"")] }],
        }
    }

    fn check(claims: &str, media_type: Option<&str>) -> Result<(), TokenError> {
        let claims = json(claims);
        expectations().check(&claims, media_type, &Times::parse(&claims)?)
    }

    const GOOD: &str =
        r#"{"iss":"https://idp","aud":["x","api"],"sub":"1","tier":["silver","gold"],"iat":100,"exp":200}"#;

    test!(good_claims_pass, {
        assert_eq!(check(GOOD, None), Ok(()));
        for media_type in ["jwt", "AT+JWT", "application/at+jwt"] {
            assert_eq!(check(GOOD, Some(media_type)), Ok(()));
        }
    });

    test!(each_claim_is_checked, {
        for (from, to, error) in [
            ("https://idp", "https://idp/", TokenError::WrongIssuer),
            ("\"https://idp\"", "[\"https://idp\"]", TokenError::MalformedClaim),
            ("[\"x\",\"api\"]", "\"api2\"", TokenError::WrongAudience),
            ("[\"x\",\"api\"]", "[]", TokenError::WrongAudience),
            ("[\"x\",\"api\"]", "[1,\"api\"]", TokenError::MalformedClaim),
            ("[\"x\",\"api\"]", "{\"api\":1}", TokenError::MalformedClaim),
            ("\"sub\":\"1\"", "\"sub\":null", TokenError::MissingRequiredClaim),
            ("gold", "golden", TokenError::ClaimMismatch),
            ("200", "3701", TokenError::LifetimeTooLong),
            ("\"iat\":100,", "", TokenError::LifetimeTooLong),
            ("200", "\"200\"", TokenError::MalformedClaim),
            ("200", "253402300800", TokenError::MalformedClaim),
            ("200", "1e999", TokenError::MalformedClaim),
            ("200", "true", TokenError::MalformedClaim),
        ] {
            assert!(GOOD.contains(from));
            assert_eq!(check(&GOOD.replace(from, to), None), Err(error), "{to}");
        }
        assert_eq!(check(GOOD, Some("dpop+jwt")), Err(TokenError::WrongType));
        assert_eq!(check(GOOD, Some("")), Err(TokenError::WrongType));
    });

    test!(times_are_checked_to_the_instant, {
        let skew = Duration::from_secs(60);
        let check = |claims: &str, now: u64| {
            Times::parse(&json(claims)).unwrap().check(UnixTime::from_nanos(now * 500_000_000), skew)
        };
        assert_eq!(check("{\"exp\":1000}", 2119), Ok(()));
        assert_eq!(check("{\"exp\":1000}", 2120), Err(TokenError::Expired));
        assert_eq!(check("{\"exp\":1000.5}", 2120), Ok(()));
        assert_eq!(check("{\"exp\":-1}", 0), Ok(()));
        assert_eq!(check("{\"nbf\":1000}", 1880), Ok(()));
        assert_eq!(check("{\"nbf\":1000}", 1879), Err(TokenError::NotYetValid));
        assert_eq!(check("{\"iat\":1000}", 1880), Ok(()));
        assert_eq!(check("{\"iat\":1000}", 1879), Err(TokenError::IssuedInTheFuture));
    });

    test!(a_path_is_an_exact_name_or_else_descends, {
        let claims = json(r#"{"a.b":1,"a":{"b":2,"c":{"d":3},"n":null},"https://x.y/roles":["r"]}"#);
        let find = |path: &str| ClaimPath::dotted(path).find(&claims).map(ToString::to_string);
        assert_eq!(find("a.b").as_deref(), Some("1"));
        assert_eq!(find("a.c.d").as_deref(), Some("3"));
        assert_eq!(find("https://x.y/roles").as_deref(), Some("[\"r\"]"));
        for missing in ["a.n", "b", "a.b.c", "a..b", "", "a.c.d.e"] {
            assert_eq!(find(missing), None, "{missing}");
        }
        let exact = ClaimPath(vec![ClaimStep::Exact("a".to_owned()), ClaimStep::Exact("c.d".to_owned())]);
        assert_eq!(exact.find(&claims), None);
    });

    test!(roles_and_scopes_are_lists_of_strings, {
        let claims = json(r#"{"role":"a b","scope":"a  b","list":["a b",1,null,"c"],"other":{}}"#);
        let strings = |name, separator| ClaimPath::dotted(name).find_strings(&claims, separator);
        assert_eq!(strings("role", None), ["a b"]);
        assert_eq!(strings("scope", Some(' ')), ["a", "b"]);
        assert_eq!(strings("list", Some(' ')), ["a b", "c"]);
        assert!(strings("other", None).is_empty() && strings("missing", None).is_empty());
    });
}
