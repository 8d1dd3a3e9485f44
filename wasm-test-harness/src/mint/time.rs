//! Times relative to the scenario's clock: `@now`, `@now+5m`, `@now-61s`.

use serde_json::Value;

use super::MintError;

/// A copy of `value` in which every relative time is a Unix time in seconds.
pub(super) fn resolve(value: &Value, now: u64) -> Result<Value, MintError> {
    Ok(match value {
        Value::String(text) => match text.strip_prefix("@now") {
            Some(offset) => Value::from(instant(text, offset, now)?),
            None => value.clone(),
        },
        Value::Array(items) => Value::Array(items.iter().map(|item| resolve(item, now)).collect::<Result<_, _>>()?),
        Value::Object(members) => Value::Object(
            members
                .iter()
                .map(|(name, member)| Ok((name.clone(), resolve(member, now)?)))
                .collect::<Result<_, MintError>>()?,
        ),
        other => other.clone(),
    })
}

fn instant(text: &str, offset: &str, now: u64) -> Result<u64, MintError> {
    let bad = || MintError::BadTime { text: text.to_owned() };
    let Some(sign) = offset.chars().next() else {
        return Ok(now);
    };
    let seconds = humantime::parse_duration(&offset[sign.len_utf8()..]).map_err(|_| bad())?.as_secs();
    match sign {
        '+' => now.checked_add(seconds),
        '-' => now.checked_sub(seconds),
        _ => None,
    }
    .ok_or_else(bad)
}
