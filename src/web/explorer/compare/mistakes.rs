//! What clients do wrong, each as a recipe that differs from the right one in one thing.

use super::super::request::Request;
use super::super::sign::encode;
use super::{
    Attempt, BodyChange, Cause, Claims, Ours, Recipe, Scheme, Tc3Recipe, V1Recipe, Verb, v1_parameters,
};
use crate::wire::sign::{self, sha256};

/// The product's name in a scope.
const SERVICE: &str = "trtc";
/// The host of the imitated service, which SDKs sign unless they are told another.
const THEIR_HOST: &str = "trtc.tencentcloudapi.com";

/// As it should be.
pub(super) fn right(ours: &Ours<'_>) -> Recipe {
    let (request, signer) = (ours.request, ours.signer);
    let host = request.endpoint.host.to_ascii_lowercase();
    let secret = signer.secret_key.expose().as_bytes().to_vec();
    match request.scheme {
        Scheme::Tc3 => {
            let (content_type, query, body) = match request.verb {
                Verb::Post => ("application/json", String::new(), request.json()),
                Verb::Get => {
                    ("application/x-www-form-urlencoded", encode(request.pairs().iter()), String::new())
                }
            };
            Recipe::Tc3(Tc3Recipe {
                method: request.verb.name().to_owned(),
                query,
                headers: vec![
                    ("content-type".to_owned(), content_type.to_owned()),
                    ("host".to_owned(), host),
                ],
                listed: None,
                payload_hash: sha256(body.as_bytes()),
                has_blank_line: true,
                date: None,
                service: SERVICE.to_owned(),
                secret,
            })
        }
        Scheme::Sha1 | Scheme::Sha256 => Recipe::V1(V1Recipe {
            is_sha256: request.scheme == Scheme::Sha256,
            method: request.verb.name().to_owned(),
            host: request.endpoint.host.clone(),
            parameters: v1_parameters(request, signer, ours.at, ours.language),
            is_sorted: true,
            is_encoded: false,
            secret,
        }),
    }
}

/// Every mistake, the likeliest first. `second` is the time of the signature.
pub(super) fn all(ours: &Ours<'_>, second: u64, claims: Option<Claims<'_>>) -> Vec<Attempt> {
    match right(ours) {
        Recipe::Tc3(right) => {
            let mut found = Found { right, attempts: Vec::new() };
            found.dates(second, claims);
            found.hosts(ours);
            found.headers(ours, second, claims);
            found.bodies(ours);
            found.keys(ours);
            found.others(claims);
            found.attempts
        }
        Recipe::V1(right) => of_v1(ours, &right),
    }
}

struct Found {
    right: Tc3Recipe,
    attempts: Vec<Attempt>,
}

impl Found {
    fn add(&mut self, cause: Cause, change: impl FnOnce(&mut Tc3Recipe)) {
        let mut recipe = self.right.clone();
        change(&mut recipe);
        self.attempts.push(Attempt { cause, recipe: Recipe::Tc3(recipe) });
    }

    /// The date of another zone, the day before, the day after, and the one that is claimed.
    fn dates(&mut self, second: u64, claims: Option<Claims<'_>>) {
        let utc = sign::date(second);
        let mut dates = vec![sign::date(second + 86_400), sign::date(second.saturating_sub(86_400))];
        dates.extend(claims.map(|claims| claims.date.to_owned()));
        dates.push(utc.replace('-', ""));
        dates.retain(|date| *date != utc);
        for date in dates {
            self.add(Cause::Date(date.clone(), utc.clone()), |recipe| recipe.date = Some(date));
        }
    }

    fn hosts(&mut self, ours: &Ours<'_>) {
        for (cause, host) in hosts(&ours.request.endpoint.host, ours.request.endpoint.scheme()) {
            self.add(cause, |recipe| recipe.set("host", &host));
        }
    }

    fn headers(&mut self, ours: &Ours<'_>, second: u64, claims: Option<Claims<'_>>) {
        let reversed = "host;content-type".to_owned();
        self.add(Cause::HeaderOrder, |recipe| recipe.headers.reverse());
        self.add(Cause::HeaderOrder, |recipe| recipe.listed = Some(reversed));
        self.add(Cause::HeaderOrder, |recipe| {
            recipe.headers.reverse();
            recipe.listed = Some("content-type;host".to_owned());
        });
        self.add(Cause::NoBlankLine, |recipe| recipe.has_blank_line = false);
        let mut lists = vec![
            "content-type;host;x-tc-action",
            "content-type;host;x-tc-action;x-tc-timestamp;x-tc-version",
            "content-type;host;x-tc-action;x-tc-region;x-tc-timestamp;x-tc-version",
            "host",
            "content-type",
        ];
        lists.extend(claims.map(|claims| claims.signed_headers));
        for list in lists {
            let cause = if list == "host;content-type" {
                Cause::HeaderOrder
            } else {
                Cause::SignedHeaders(list.to_owned())
            };
            let values = self.right.headers.clone();
            let value = |name: &str| match name.to_ascii_lowercase().as_str() {
                "x-tc-action" => ours.request.action.name.to_ascii_lowercase(),
                "x-tc-version" => crate::wire::VERSION.to_owned(),
                "x-tc-region" => ours.request.region.clone(),
                "x-tc-timestamp" => second.to_string(),
                known => {
                    values.iter().find(|(name, _)| name == known).map_or_else(String::new, |(_, v)| v.clone())
                }
            };
            let headers: Vec<(String, String)> =
                list.split(';').map(|name| (name.to_owned(), value(name))).collect();
            if headers != values {
                self.add(cause, |recipe| recipe.headers = headers);
            }
        }
        let types = [
            "application/json; charset=utf-8",
            "application/json;charset=utf-8",
            "application/json",
            "text/plain",
        ];
        let right = self.right.get("content-type").to_owned();
        for content_type in types.into_iter().filter(|one| *one != right) {
            let cause = Cause::ContentType(content_type.to_owned());
            self.add(cause, |recipe| recipe.set("content-type", content_type));
        }
        self.add(Cause::Capitals, |recipe| {
            recipe.headers[0].0 = "Content-Type".to_owned();
            recipe.headers[1].0 = "Host".to_owned();
        });
        let action = ours.request.action.name;
        self.add(Cause::Capitals, |recipe| {
            recipe.headers.push(("x-tc-action".to_owned(), action.to_owned()));
        });
    }

    fn bodies(&mut self, ours: &Ours<'_>) {
        for (change, body) in bodies(ours.request) {
            // A GET has no body, yet some sign the parameters as if it had.
            if self.right.payload_hash != sha256(body.as_bytes()) {
                self.add(Cause::Body(change), |recipe| recipe.payload_hash = sha256(body.as_bytes()));
            }
        }
    }

    fn keys(&mut self, ours: &Ours<'_>) {
        for (cause, secret) in secrets(ours) {
            self.add(cause, |recipe| recipe.secret = secret);
        }
    }

    fn others(&mut self, claims: Option<Claims<'_>>) {
        let host = self.right.get("host").to_owned();
        let label = host.split('.').next().unwrap_or_default().to_owned();
        let services = ["cvm", "tc3", "rtc", &label].map(str::to_owned);
        for service in services.into_iter().chain(claims.map(|claims| claims.service.to_owned())) {
            if service != SERVICE {
                self.add(Cause::Service(service.clone()), |recipe| recipe.service = service);
            }
        }
        let other = if self.right.method == "POST" { "GET" } else { "POST" };
        self.add(Cause::Method(other.to_owned()), |recipe| recipe.method = other.to_owned());
        if !self.right.query.is_empty() {
            let query = self.right.query.replace('+', "%20");
            let mut pairs: Vec<&str> = self.right.query.split('&').collect();
            pairs.sort_unstable();
            let sorted = pairs.join("&");
            for query in [query, sorted, String::new(), format!("?{}", self.right.query)] {
                if query != self.right.query {
                    self.add(Cause::Query, |recipe| recipe.query = query);
                }
            }
        }
    }
}

impl Tc3Recipe {
    fn get(&self, name: &str) -> &str {
        self.headers.iter().find(|(other, _)| other == name).map_or("", |(_, value)| value)
    }

    fn set(&mut self, name: &str, value: &str) {
        for (_, old) in self.headers.iter_mut().filter(|(other, _)| other == name) {
            value.clone_into(old);
        }
    }
}

/// Other hosts that may have been signed.
fn hosts(host: &str, scheme: &str) -> Vec<(Cause, String)> {
    let lower = host.to_ascii_lowercase();
    let mut found = Vec::new();
    let with_port = lower.rsplit_once(':').filter(|(_, port)| port.bytes().all(|b| b.is_ascii_digit()));
    match with_port {
        Some((bare, _)) => found.push((Cause::HostWithoutPort, bare.to_owned())),
        None => {
            for port in ["80", "443", "9180"] {
                let host = format!("{lower}:{port}");
                found.push((Cause::HostWithPort(host.clone()), host));
            }
        }
    }
    let others = [format!("{scheme}://{lower}"), THEIR_HOST.to_owned(), format!("{lower}/")];
    found.extend(others.map(|other| (Cause::Host(other.clone()), other)));
    for (name, other) in [("localhost", "127.0.0.1"), ("127.0.0.1", "localhost")] {
        if let Some(rest) = lower.strip_prefix(name) {
            let other = format!("{other}{rest}");
            found.push((Cause::Host(other.clone()), other));
        }
    }
    found
}

/// Other secrets that may have signed.
fn secrets(ours: &Ours<'_>) -> Vec<(Cause, Vec<u8>)> {
    let secret = ours.signer.secret_key.expose();
    let mut found: Vec<(Cause, Vec<u8>)> = Vec::new();
    for key in ours.keys.iter().filter(|key| key.secret_id != ours.signer.secret_id) {
        let secret = key.secret_key.expose().as_bytes().to_vec();
        found.push((Cause::OtherKey(key.secret_id.clone()), secret));
    }
    let blanks = [format!("{secret} "), format!(" {secret}"), format!("{secret}\n"), format!("{secret}\r\n")];
    let trimmed = secret.trim().to_owned();
    for other in blanks.into_iter().chain(Some(trimmed).filter(|trimmed| trimmed != secret)) {
        found.push((Cause::SecretWithBlanks, other.into_bytes()));
    }
    found.push((Cause::SecretIsId, ours.signer.secret_id.as_bytes().to_vec()));
    found
}

/// The same parameters, written as other programs write them.
fn bodies(request: &Request) -> Vec<(BodyChange, String)> {
    let json = request.json();
    let values = request.values.iter();
    let given: Vec<(String, serde_json::Value)> = values
        .map(|(param, value)| {
            (param.name.to_owned(), serde_json::from_str(&value.json()).unwrap_or_default())
        })
        .collect();
    let mut by_name = given.clone();
    by_name.sort_by(|a, b| a.0.cmp(&b.0));
    let mut reversed = given.clone();
    reversed.reverse();
    let mut found = Vec::new();
    for style in Style::ALL {
        found.push((BodyChange::Blanks, style.write(&given)));
    }
    found.push((BodyChange::Blanks, format!("{json}\n")));
    for order in [&by_name, &reversed] {
        for style in [Style::Tight, Style::Spaced] {
            found.push((BodyChange::Order, style.write(order)));
        }
    }
    let escape = |text: &str| -> String {
        let mut out = String::new();
        for c in text.chars() {
            if c.is_ascii() {
                out.push(c);
            } else {
                let mut units = [0; 2];
                out.extend(c.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04x}")));
            }
        }
        out
    };
    for text in [json.clone(), Style::Spaced.write(&given)] {
        let escaped = escape(&text);
        if escaped != text {
            found.push((BodyChange::Escapes, escaped));
        }
    }
    found.push((BodyChange::Empty, String::new()));
    found.push((BodyChange::Empty, "{}".to_owned()));
    found.push((BodyChange::Unsigned, "UNSIGNED-PAYLOAD".to_owned()));
    found.retain(|(_, body)| *body != json);
    found
}

/// How JSON is laid out.
#[derive(Clone, Copy)]
enum Style {
    Tight,
    /// `{"a": 1, "b": 2}`
    Spaced,
    /// A line for each, indented by two, by four, or by a tab.
    Two,
    Four,
    Tab,
}

impl Style {
    const ALL: [Style; 5] = [Style::Tight, Style::Spaced, Style::Two, Style::Four, Style::Tab];

    fn write(self, pairs: &[(String, serde_json::Value)]) -> String {
        let (open, comma, colon, close, indent) = match self {
            Style::Tight => ("{", ",", ":", "}", ""),
            Style::Spaced => ("{", ", ", ": ", "}", ""),
            Style::Two => ("{\n  ", ",\n  ", ": ", "\n}", "  "),
            Style::Four => ("{\n    ", ",\n    ", ": ", "\n}", "    "),
            Style::Tab => ("{\n\t", ",\n\t", ": ", "\n}", "\t"),
        };
        let value = |value: &serde_json::Value| match value {
            serde_json::Value::Array(list) if !list.is_empty() => {
                let entries: Vec<String> = list.iter().map(ToString::to_string).collect();
                if indent.is_empty() {
                    format!("[{}]", entries.join(comma))
                } else {
                    let inner = format!("\n{indent}{indent}");
                    format!("[{inner}{}\n{indent}]", entries.join(&format!(",{inner}")))
                }
            }
            serde_json::Value::Null
            | serde_json::Value::Bool(_)
            | serde_json::Value::Number(_)
            | serde_json::Value::String(_)
            | serde_json::Value::Array(_)
            | serde_json::Value::Object(_) => value.to_string(),
        };
        let name = |name: &str| serde_json::Value::from(name).to_string();
        let pairs: Vec<String> =
            pairs.iter().map(|(key, one)| format!("{}{colon}{}", name(key), value(one))).collect();
        format!("{open}{}{close}", pairs.join(comma))
    }
}

fn of_v1(ours: &Ours<'_>, right: &V1Recipe) -> Vec<Attempt> {
    let mut attempts = Vec::new();
    let mut add = |cause: Cause, change: &dyn Fn(&mut V1Recipe)| {
        let mut recipe = right.clone();
        change(&mut recipe);
        attempts.push(Attempt { cause, recipe: Recipe::V1(recipe) });
    };
    for (cause, host) in hosts(&right.host, ours.request.endpoint.scheme()) {
        add(cause, &|recipe| recipe.host.clone_from(&host));
    }
    add(Cause::Encoded, &|recipe| recipe.is_encoded = true);
    add(Cause::NotSorted, &|recipe| recipe.is_sorted = false);
    let other = if right.method == "POST" { "GET" } else { "POST" };
    add(Cause::Method(other.to_owned()), &|recipe| other.clone_into(&mut recipe.method));
    let scheme = if right.is_sha256 { Scheme::Sha1 } else { Scheme::Sha256 };
    add(Cause::Scheme(scheme.name()), &|recipe| recipe.is_sha256 = !right.is_sha256);
    add(Cause::Scheme(scheme.name()), &|recipe| {
        recipe.is_sha256 = !right.is_sha256;
        if let Some((_, value)) = recipe.parameters.iter_mut().find(|(name, _)| name == "SignatureMethod") {
            scheme.name().clone_into(value);
        }
    });
    for name in ["SignatureMethod", "Language", "Region"] {
        add(Cause::Query, &|recipe| recipe.parameters.retain(|(other, _)| other != name));
    }
    for (cause, secret) in secrets(ours) {
        add(cause, &|recipe| recipe.secret.clone_from(&secret));
    }
    attempts
}

/// What a header claims that is wrong, where no recipe gives its signature.
pub(super) fn by_claims(ours: &Ours<'_>, claims: Claims<'_>, second: u64) -> Cause {
    let utc = sign::date(second);
    if claims.secret_id != ours.signer.secret_id {
        Cause::OtherKey(claims.secret_id.to_owned())
    } else if claims.date != utc {
        Cause::Date(claims.date.to_owned(), utc)
    } else if claims.service != SERVICE {
        Cause::Service(claims.service.to_owned())
    } else if claims.signed_headers != "content-type;host" {
        Cause::SignedHeaders(claims.signed_headers.to_owned())
    } else {
        Cause::Unknown
    }
}

/// What the first line that differs tells, where no recipe gives the text.
pub(super) fn by_line(ours: &str, theirs: &str) -> Cause {
    if theirs.contains('\r') {
        return Cause::LineEnds;
    }
    if theirs.eq_ignore_ascii_case(ours) {
        return Cause::Capitals;
    }
    if let (Some((ours, _)), Some((theirs, query))) = (ours.split_once("/?"), theirs.split_once("/?"))
        && query.contains("Action=")
    {
        // The source of version 1: method and host, then the parameters.
        let method = if theirs.starts_with("GET") { "GET" } else { "POST" };
        return if ours == theirs {
            Cause::Query
        } else if ours.starts_with(method) {
            Cause::Host(theirs[method.len()..].to_owned())
        } else {
            Cause::Method(method.to_owned())
        };
    }
    let pair = ours.lines().zip(theirs.lines()).enumerate().find(|(_, (a, b))| a != b);
    let Some((at, (a, b))) = pair else { return Cause::LineEnds };
    let is_string_to_sign = ours.starts_with("TC3-");
    let value = |line: &str| line.split_once(':').map_or("", |(_, value)| value).trim().to_owned();
    match at {
        1 if is_string_to_sign => Cause::Unknown,
        3 if is_string_to_sign => Cause::Canonical,
        2 if is_string_to_sign => {
            let date = |line: &str| line.split('/').next().unwrap_or_default().to_owned();
            if date(a) == date(b) {
                Cause::Service(b.split('/').nth(1).unwrap_or_default().to_owned())
            } else {
                Cause::Date(date(b), date(a))
            }
        }
        0 if !is_string_to_sign => Cause::Method(b.to_owned()),
        2 => Cause::Query,
        _ if a.starts_with("host:") && b.starts_with("host:") => {
            let known = hosts(&value(a), "https").into_iter().find(|(_, host)| *host == value(b));
            known.map_or_else(|| Cause::Host(value(b)), |(cause, _)| cause)
        }
        _ if a.starts_with("content-type:") && b.starts_with("content-type:") => Cause::ContentType(value(b)),
        _ if a.starts_with("content-type;") => Cause::SignedHeaders(b.to_owned()),
        _ if super::is_hex(a) && super::is_hex(b) => Cause::Body(BodyChange::Other),
        _ => Cause::Unknown,
    }
}
