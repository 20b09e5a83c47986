//! What whoever asks has filled in: from an address, a form or JSON to a [`Request`] and the key that signs it.

use std::fmt;

use super::super::prefs::Zone;
use super::super::query::Query;
use super::request::{Endpoint, Request, Scheme, Value, Verb};
use crate::actions::{Account, Action, Key};
use crate::limits::Secret;
use crate::records::Millis;
use crate::wire::{Kind, Param};

/// What the names of parameters begin with, in addresses and forms.
pub(super) const PREFIX: &str = "p.";
/// Stands for a key that is typed in, where a stored one is named by its SecretId.
pub(super) const TYPED: &str = "typed";
/// Entries of a list that are taken; more than an action takes, so that its rule can be seen.
const ENTRIES_MAX: usize = 500;

/// Who signs.
pub(super) struct Signer {
    pub(super) secret_id: String,
    pub(super) secret_key: Secret,
    pub(super) token: Secret,
    /// It is of the settings: nothing of it may be shown but what it signs.
    pub(super) is_stored: bool,
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signer({})", self.secret_id)
    }
}

/// The fields of a post, whether it was a form or JSON.
pub(super) fn fields(body: &[u8], content_type: &str) -> Option<Query> {
    if !content_type.starts_with("application/json") {
        return Some(Query::parse(&String::from_utf8_lossy(body)));
    }
    let plain = |value: &serde_json::Value| match value {
        serde_json::Value::String(text) => text.clone(),
        serde_json::Value::Null
        | serde_json::Value::Bool(_)
        | serde_json::Value::Number(_)
        | serde_json::Value::Array(_)
        | serde_json::Value::Object(_) => value.to_string(),
    };
    let object: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(body).ok()?;
    let mut pairs = Vec::new();
    for (name, value) in &object {
        if let (serde_json::Value::Object(params), "params") = (value, name.as_str()) {
            pairs.extend(params.iter().map(|(name, value)| (format!("{PREFIX}{name}"), plain(value))));
        } else {
            pairs.push((name.clone(), plain(value)));
        }
    }
    Some(Query::of(pairs))
}

/// Whether a parameter is a moment.
pub(super) fn is_moment(param: &Param) -> bool {
    param.kind == Kind::Number && param.meaning.en.contains("UNIX second")
}

/// The UNIX second that a text means: digits, `now-1h`, or a date with or without a time and a zone.
pub(super) fn moment(text: &str, now: Millis, zone: Zone) -> Option<u64> {
    let text = text.trim();
    if let Ok(second) = text.parse::<u64>() {
        return Some(second);
    }
    let second = match text.strip_prefix("now") {
        Some(rest) => now.secs().checked_add(distance(rest)?)?,
        None => {
            let joined = text.replace(" +", "+").replace(" -", "-").replace(" Z", "Z");
            match joined.parse::<jiff::Timestamp>() {
                Ok(at) => at.as_second(),
                Err(_) => local(text)?.checked_sub(i64::from(zone.minutes()) * 60)?,
            }
        }
    };
    u64::try_from(second).ok()
}

/// `-1h`, `+30m`, or nothing.
fn distance(text: &str) -> Option<i64> {
    let text: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    if text.is_empty() {
        return Some(0);
    }
    let unit = match text.chars().last()? {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        _ => return None,
    };
    let count: i64 = text[..text.len() - 1].parse().ok()?;
    text.starts_with(['+', '-']).then(|| count.checked_mul(unit)).flatten()
}

/// A date, or date and time, as if it were of UTC.
fn local(text: &str) -> Option<i64> {
    let at = text.parse::<jiff::civil::DateTime>().ok()?;
    jiff::tz::Offset::UTC.to_timestamp(at).ok().map(jiff::Timestamp::as_second)
}

/// The entries of a list: one a line, a JSON list, or on one line with commas.
pub(super) fn entries<'a>(texts: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for text in texts {
        let trimmed = text.trim();
        if let Some(list) =
            trimmed.starts_with('[').then(|| serde_json::from_str::<Vec<String>>(trimmed).ok()).flatten()
        {
            found.extend(list);
        } else if trimmed.contains('\n') {
            found.extend(trimmed.lines().map(|line| line.trim_end_matches('\r').to_owned()));
        } else {
            found.extend(trimmed.split([',', ';', '\t']).map(|part| part.trim().to_owned()));
        }
    }
    found.retain(|entry| !entry.is_empty());
    found.truncate(ENTRIES_MAX);
    found
}

/// The value of a parameter, if one is given.
fn value(param: &Param, fields: &Query, now: Millis, zone: Zone) -> Option<Value> {
    let name = format!("{PREFIX}{}", param.name);
    let text = fields.text(&name);
    match param.kind {
        Kind::Texts => {
            let given = entries(fields.all(&name));
            (!given.is_empty()).then_some(Value::Texts(given))
        }
        Kind::Text | Kind::NumberOrText => text.map(|text| Value::Text(text.to_owned())),
        Kind::Number => text.map(|text| {
            let number =
                if is_moment(param) { moment(text, now, zone) } else { text.trim().parse::<u64>().ok() };
            number.map_or_else(|| Value::Text(text.to_owned()), Value::Number)
        }),
    }
}

/// What is asked.
pub(super) fn request(
    action: &'static Action,
    fields: &Query,
    endpoint: Endpoint,
    now: Millis,
    zone: Zone,
) -> Request {
    let is_region =
        |text: &&str| text.len() <= 40 && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    let given = |param: &'static Param| value(param, fields, now, zone).map(|value| (param, value));
    Request {
        action,
        values: action.params.iter().filter_map(given).collect(),
        region: fields.text("region").filter(is_region).unwrap_or_else(|| usual_region(action)).to_owned(),
        scheme: Scheme::from_name(fields.text("sign").unwrap_or_default()),
        verb: if fields.text("method") == Some("GET") { Verb::Get } else { Verb::Post },
        endpoint,
    }
}

/// The region of the examples, where the action is offered in it.
fn usual_region(action: &Action) -> &'static str {
    let usual = action.regions.iter().find(|region| **region == "ap-guangzhou");
    usual.or(action.regions.first()).copied().unwrap_or_default()
}

/// The stored keys that may sign: those without a token, since the browser would have to be given it.
pub(super) fn stored<'a>(accounts: &[&'a Account], now: Millis) -> Vec<(&'a Account, &'a Key)> {
    let keys = accounts.iter().flat_map(|account| account.keys.iter().map(move |key| (*account, key)));
    let is_good = |key: &Key| key.token.is_none() && key.expires_at_s.is_none_or(|end_s| end_s >= now.secs());
    keys.filter(|(_, key)| is_good(key)).collect()
}

/// Who signs: the stored key that is chosen, or what is typed in.
pub(super) fn signer(fields: &Query, accounts: &[&Account], now: Millis) -> Signer {
    let stored = stored(accounts, now);
    let chosen = match fields.text("key") {
        Some(TYPED) => None,
        Some(secret_id) => stored.iter().find(|(_, key)| key.secret_id == secret_id).or(stored.first()),
        None => stored.first(),
    };
    match chosen {
        Some((_, key)) => Signer {
            secret_id: key.secret_id.clone(),
            secret_key: key.secret_key.clone(),
            token: Secret::new(""),
            is_stored: true,
        },
        None => {
            let typed = |name: &str| fields.text(name).unwrap_or_default();
            Signer {
                secret_id: typed("secret_id").chars().filter(char::is_ascii_graphic).collect(),
                secret_key: Secret::new(typed("secret_key")),
                token: Secret::new(typed("token").replace(['\r', '\n'], "")),
                is_stored: false,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_read_in_every_form() {
        let now = Millis(1_763_800_207_000);
        let check =
            |text: &str, expected: Option<u64>| assert_eq!(moment(text, now, Zone::Cst), expected, "{text}");
        check("1763800200", Some(1_763_800_200));
        check("now", Some(1_763_800_207));
        check("now-1h", Some(1_763_796_607));
        check(" now + 30m ", Some(1_763_802_007));
        check("now-2d", Some(1_763_627_407));
        check("2025-11-22T08:30:07Z", Some(1_763_800_207));
        check("2025-11-22 16:30:07 +08:00", Some(1_763_800_207));
        check("2025-11-22 16:30:07", Some(1_763_800_207));
        check("2025-11-22T16:30", Some(1_763_800_200));
        check("2025-11-22", Some(1_763_740_800));
        for wrong in
            ["", "yesterday", "now-1", "now1h", "now-h", "1e9", "-5", "now-99999999999999999d", "1960-01-01"]
        {
            check(wrong, None);
        }
    }

    #[test]
    fn lists_are_read_in_every_form() {
        let check = |texts: &[&str], expected: &[&str]| {
            assert_eq!(entries(texts.iter().copied()), expected, "{texts:?}")
        };
        check(&["a\r\nb, c\n\n"], &["a", "b, c"]);
        check(&["a, b;c"], &["a", "b", "c"]);
        check(&["[\"a,b\",\"c\"]"], &["a,b", "c"]);
        check(&["a", "", "b"], &["a", "b"]);
        check(&["[a"], &["[a"]);
    }

    #[test]
    fn what_is_posted_as_json_is_read_like_a_form() {
        let json = br#"{"sign":"HmacSHA1","params":{"UserIds":["a","b"],"PageSize":6,"CommId":"1_2_3"},"timestamp":7}"#;
        let fields = fields(json, "application/json").unwrap();
        assert_eq!((fields.text("sign"), fields.number("timestamp")), (Some("HmacSHA1"), Some(7)));
        let action = Action::find("DescribeUserInfo").unwrap();
        let endpoint = Endpoint { is_tls: false, host: "h:1".into() };
        let request = request(action, &fields, endpoint, Millis(0), Zone::Utc);
        assert_eq!(request.json(), r#"{"CommId":"1_2_3","UserIds":["a","b"],"PageSize":6}"#);
        let pairs = request.pairs();
        assert_eq!(pairs[1], ("UserIds.0".to_owned(), "a".to_owned()));
        assert_eq!(request.scheme, Scheme::Sha1);
        assert!(super::fields(b"[1]", "application/json").is_none());
    }
}
