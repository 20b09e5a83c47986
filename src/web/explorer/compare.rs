//! Compare with mine: somebody pastes a signature that was refused, or a text on the way to it. It is made again with
//! each likely mistake; the one that gives what was pasted is the cause.
//!
//! [`compare`] reads what was pasted, `mistakes` lists what may have gone wrong, each as a change of one [`Recipe`].

mod mistakes;

use std::ops::RangeInclusive;

use super::super::words::Lang;
use super::form::Signer;
use super::request::{Request, Scheme, Verb};
use super::sign::{Moment, v1_parameters};
use crate::actions::Key;
use crate::wire::sign::{self, Canonical, DayKey};

/// How far off a clock is looked for, in seconds, where nothing else is wrong.
const CLOCK_OFF_MAX_S: i64 = 3_600;
/// The same, where something else is wrong too.
const CLOCK_OFF_TOO_MAX_S: i64 = 300;

/// Why what was pasted differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Cause {
    Same,
    /// The date of the scope: what it is, what it should be.
    Date(String, String),
    /// The host without its port; the server takes that too.
    HostWithoutPort,
    /// A port that the request's host does not have.
    HostWithPort(String),
    /// Another host, or with a scheme in front.
    Host(String),
    HeaderOrder,
    SignedHeaders(String),
    /// The blank line behind the headers.
    NoBlankLine,
    /// Lines that end in two bytes, or one too many.
    LineEnds,
    Body(BodyChange),
    ContentType(String),
    /// Capitals where there should be none.
    Capitals,
    /// Seconds that the pasted signature's time is ahead.
    Clock(i64),
    /// A key of another SecretId.
    OtherKey(String),
    SecretWithBlanks,
    SecretIsId,
    Service(String),
    Method(String),
    /// The query is written in another way, or missing.
    Query,
    /// Values were signed in the form in which they are sent.
    Encoded,
    /// Parameters were not sorted.
    NotSorted,
    /// Another scheme than the one that is chosen.
    Scheme(&'static str),
    /// The hash of a canonical request that is another one.
    Canonical,
    Unknown,
    Unreadable,
}

/// How a body differs from the one that is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BodyChange {
    /// Blanks or line breaks.
    Blanks,
    /// The order of keys.
    Order,
    /// Letters written as `\u…`.
    Escapes,
    Empty,
    Unsigned,
    Other,
}

impl Cause {
    /// A word that names it, for scripts.
    pub(super) const fn name(&self) -> &'static str {
        match self {
            Cause::Same => "same",
            Cause::Date(..) => "date",
            Cause::HostWithoutPort | Cause::HostWithPort(_) => "host-port",
            Cause::Host(_) => "host",
            Cause::HeaderOrder => "header-order",
            Cause::SignedHeaders(_) => "signed-headers",
            Cause::NoBlankLine => "newline",
            Cause::LineEnds => "line-ends",
            Cause::Body(_) => "body",
            Cause::ContentType(_) => "content-type",
            Cause::Capitals => "capitals",
            Cause::Clock(_) => "clock",
            Cause::OtherKey(_) => "key",
            Cause::SecretWithBlanks | Cause::SecretIsId => "secret",
            Cause::Service(_) => "service",
            Cause::Method(_) => "method",
            Cause::Query | Cause::Encoded | Cause::NotSorted => "query",
            Cause::Scheme(_) => "scheme",
            Cause::Canonical => "canonical",
            Cause::Unknown => "unknown",
            Cause::Unreadable => "unreadable",
        }
    }

    /// What is said of it.
    pub(super) fn words(&self, lang: Lang) -> String {
        let fill =
            |template: &str, first: &str, second: &str| template.replace("{0}", first).replace("{1}", second);
        match self {
            Cause::Same => lang.cause_same().to_owned(),
            Cause::Date(given, right) => fill(lang.cause_date(), given, right),
            Cause::HostWithoutPort => lang.cause_host_without_port().to_owned(),
            Cause::HostWithPort(host) => fill(lang.cause_host_with_port(), host, ""),
            Cause::Host(host) => fill(lang.cause_host(), host, ""),
            Cause::HeaderOrder => lang.cause_header_order().to_owned(),
            Cause::SignedHeaders(list) => fill(lang.cause_signed_headers(), list, ""),
            Cause::NoBlankLine => lang.cause_newline().to_owned(),
            Cause::LineEnds => lang.cause_line_ends().to_owned(),
            Cause::Body(BodyChange::Blanks) => lang.cause_body_blanks().to_owned(),
            Cause::Body(BodyChange::Order) => lang.cause_body_order().to_owned(),
            Cause::Body(BodyChange::Escapes) => lang.cause_body_escapes().to_owned(),
            Cause::Body(BodyChange::Empty) => lang.cause_body_empty().to_owned(),
            Cause::Body(BodyChange::Unsigned) => lang.cause_body_unsigned().to_owned(),
            Cause::Body(BodyChange::Other) => lang.cause_body_other().to_owned(),
            Cause::ContentType(value) => fill(lang.cause_content_type(), value, ""),
            Cause::Capitals => lang.cause_capitals().to_owned(),
            Cause::Clock(off_s) => fill(lang.cause_clock(), &format!("{off_s:+}"), ""),
            Cause::OtherKey(secret_id) => fill(lang.cause_key(), secret_id, ""),
            Cause::SecretWithBlanks => lang.cause_secret_blanks().to_owned(),
            Cause::SecretIsId => lang.cause_secret_is_id().to_owned(),
            Cause::Service(service) => fill(lang.cause_service(), service, ""),
            Cause::Method(method) => fill(lang.cause_method(), method, ""),
            Cause::Query => lang.cause_query().to_owned(),
            Cause::Encoded => lang.cause_encoded().to_owned(),
            Cause::NotSorted => lang.cause_not_sorted().to_owned(),
            Cause::Scheme(scheme) => fill(lang.cause_scheme(), scheme, ""),
            Cause::Canonical => lang.cause_canonical().to_owned(),
            Cause::Unknown => lang.cause_unknown().to_owned(),
            Cause::Unreadable => lang.cause_unreadable().to_owned(),
        }
    }
}

/// Where two texts part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Difference {
    /// From 1.
    pub(super) line: usize,
    /// Characters of the line that are the same.
    pub(super) same: usize,
    pub(super) ours: String,
    pub(super) theirs: String,
}

/// What is found out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Verdict {
    pub(super) cause: Cause,
    /// Seconds that the pasted signature's time is ahead, beside the cause.
    pub(super) clock_off_s: i64,
    /// The first difference; of a signature, in the text that led to it.
    pub(super) difference: Option<Difference>,
}

impl Verdict {
    fn plain(cause: Cause) -> Verdict {
        Verdict { cause, clock_off_s: 0, difference: None }
    }
}

/// How a signature is made, right or wrong.
#[derive(Debug, Clone)]
enum Recipe {
    Tc3(Tc3Recipe),
    V1(V1Recipe),
}

#[derive(Debug, Clone)]
struct Tc3Recipe {
    method: String,
    query: String,
    headers: Vec<(String, String)>,
    /// `SignedHeaders`, where it is not the names of the headers in their order.
    listed: Option<String>,
    payload_hash: String,
    has_blank_line: bool,
    /// Where it is not that of the time.
    date: Option<String>,
    service: String,
    secret: Vec<u8>,
}

#[derive(Debug, Clone)]
struct V1Recipe {
    is_sha256: bool,
    method: String,
    host: String,
    parameters: Vec<(String, String)>,
    is_sorted: bool,
    is_encoded: bool,
    secret: Vec<u8>,
}

impl Tc3Recipe {
    fn canonical(&self) -> String {
        let headers: Vec<(&str, &str)> =
            self.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let canonical = Canonical {
            method: &self.method,
            query: &self.query,
            headers: &headers,
            payload_hash: &self.payload_hash,
        };
        let (text, names) = (canonical.text(), canonical.signed_headers());
        let end = format!("\n{names}\n{}", self.payload_hash);
        let head = text.strip_suffix(&end).unwrap_or(&text);
        let listed = self.listed.as_ref().unwrap_or(&names);
        format!("{head}{}{listed}\n{}", if self.has_blank_line { "\n" } else { "" }, self.payload_hash)
    }

    fn date(&self, second: u64) -> String {
        self.date.clone().unwrap_or_else(|| sign::date(second))
    }

    fn string_to_sign(&self, second: u64) -> String {
        let scope = sign::scope(&self.date(second), &self.service);
        sign::string_to_sign(&second.to_string(), &scope, &sign::sha256(self.canonical().as_bytes()))
    }

    /// The first of the seconds that gives this signature.
    fn second(&self, seconds: impl Iterator<Item = u64>, signature: &str) -> Option<u64> {
        let hash = sign::sha256(self.canonical().as_bytes());
        let mut key: Option<(String, DayKey)> = None;
        for second in seconds {
            let date = self.date(second);
            let is_kept = key.as_ref().is_some_and(|(kept, _)| *kept == date);
            if !is_kept {
                key = Some((date.clone(), DayKey::new(&self.secret, &date, &self.service)));
            }
            let text = sign::string_to_sign(&second.to_string(), &sign::scope(&date, &self.service), &hash);
            if key.as_ref().is_some_and(|(_, key)| key.sign(&text) == signature) {
                return Some(second);
            }
        }
        None
    }
}

impl V1Recipe {
    fn source(&self, second: u64) -> String {
        let mut pairs = self.parameters.clone();
        if let Some((_, value)) = pairs.iter_mut().find(|(name, _)| name == "Timestamp") {
            *value = second.to_string();
        }
        if self.is_sorted {
            pairs.sort();
        }
        let text = if self.is_encoded {
            super::sign::encode(pairs.iter())
        } else {
            pairs.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&")
        };
        format!("{}{}/?{text}", self.method, self.host)
    }

    fn second(&self, mut seconds: impl Iterator<Item = u64>, signature: &str) -> Option<u64> {
        seconds.find(|second| sign::v1_over(self.is_sha256, &self.secret, &self.source(*second)) == signature)
    }
}

impl Recipe {
    /// The text that a client writes first: the canonical request, or the source.
    fn first_text(&self, second: u64) -> String {
        match self {
            Recipe::Tc3(recipe) => recipe.canonical(),
            Recipe::V1(recipe) => recipe.source(second),
        }
    }

    /// The text that is signed.
    fn last_text(&self, second: u64) -> String {
        match self {
            Recipe::Tc3(recipe) => recipe.string_to_sign(second),
            Recipe::V1(recipe) => recipe.source(second),
        }
    }

    fn second(&self, seconds: impl Iterator<Item = u64>, signature: &str) -> Option<u64> {
        match self {
            Recipe::Tc3(recipe) => recipe.second(seconds, signature),
            Recipe::V1(recipe) => recipe.second(seconds, signature),
        }
    }
}

/// A recipe with one mistake in it.
#[derive(Debug, Clone)]
struct Attempt {
    cause: Cause,
    recipe: Recipe,
}

/// What there is to compare with.
pub(super) struct Ours<'a> {
    pub(super) request: &'a Request,
    pub(super) signer: &'a Signer,
    /// The other keys that whoever asks may use.
    pub(super) keys: Vec<&'a Key>,
    pub(super) at: Moment,
    pub(super) language: Option<&'a str>,
}

/// What somebody pasted.
#[derive(Debug, PartialEq, Eq)]
enum Pasted<'a> {
    Canonical(&'a str),
    StringToSign(&'a str),
    Source(&'a str),
    /// With what the header claims beside it.
    Signature(&'a str, Option<Claims<'a>>),
    Nothing,
}

/// What a header `Authorization` says beside the signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Claims<'a> {
    secret_id: &'a str,
    date: &'a str,
    service: &'a str,
    signed_headers: &'a str,
}

impl<'a> Pasted<'a> {
    fn read(text: &'a str) -> Pasted<'a> {
        let text = text.trim();
        if let Some(at) = text.find("Credential=") {
            return claims(&text[at..])
                .map_or(Pasted::Nothing, |(claims, signature)| Pasted::Signature(signature, Some(claims)));
        }
        let is_word = |text: &str| !text.is_empty() && !text.contains(char::is_whitespace);
        if text.starts_with("TC3-HMAC-SHA256\n") {
            Pasted::StringToSign(text)
        } else if (text.starts_with("POST\n") || text.starts_with("GET\n")) && text.lines().count() > 4 {
            Pasted::Canonical(text)
        } else if text.contains("Action=") && (text.starts_with("GET") || text.starts_with("POST")) {
            Pasted::Source(text)
        } else if is_word(text) && text.len() <= 128 {
            Pasted::Signature(text.strip_prefix("Signature=").unwrap_or(text), None)
        } else {
            Pasted::Nothing
        }
    }
}

fn claims(text: &str) -> Option<(Claims<'_>, &str)> {
    let part = |name: &str| {
        let at = text.find(name)? + name.len();
        text[at..].split([',', '\n', ' ', '"', '\'']).next()
    };
    let (secret_id, scope) = part("Credential=")?.split_once('/')?;
    let (date, rest) = scope.split_once('/')?;
    let (service, _) = rest.rsplit_once('/')?;
    let claims = Claims { secret_id, date, service, signed_headers: part("SignedHeaders=")? };
    Some((claims, part("Signature=")?))
}

/// Finds out why what was pasted is not what is right.
pub(super) fn compare(ours: &Ours<'_>, pasted: &str) -> Verdict {
    let pasted = pasted.replace("\r\n", "\n");
    // The time may have been pasted along.
    let claimed_s = claimed_second(&pasted);
    let second = claimed_s.unwrap_or(ours.at.timestamp_s);
    let off_s = second.cast_signed().saturating_sub(ours.at.timestamp_s.cast_signed());
    let is_tc3 = ours.request.scheme == Scheme::Tc3;
    let mut verdict = match Pasted::read(&pasted) {
        Pasted::Nothing => return Verdict::plain(Cause::Unreadable),
        Pasted::Source(_) if is_tc3 => return Verdict::plain(Cause::Scheme(Scheme::Sha256.name())),
        Pasted::Canonical(_) | Pasted::StringToSign(_) if !is_tc3 => {
            return Verdict::plain(Cause::Scheme(Scheme::Tc3.name()));
        }
        Pasted::Canonical(text) | Pasted::Source(text) => by_text(ours, text, second, Recipe::first_text),
        Pasted::StringToSign(text) => by_text(ours, text, second, Recipe::last_text),
        Pasted::Signature(signature, claims) => by_signature(ours, signature, claims, claimed_s),
    };
    if off_s != 0 {
        verdict.clock_off_s = off_s;
        if verdict.cause == Cause::Same {
            verdict.cause = Cause::Clock(off_s);
        }
    }
    verdict
}

/// The time that stands in what was pasted: a line of a string to sign, a header, a parameter.
fn claimed_second(text: &str) -> Option<u64> {
    let lower = text.to_ascii_lowercase();
    let digits = |rest: &str| {
        let rest = rest.trim_start_matches([':', ' ', '=', '"', '\'']);
        let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        rest[..end].parse().ok()
    };
    if let Some(rest) = text.trim_start().strip_prefix("TC3-HMAC-SHA256\n") {
        return digits(rest);
    }
    let at = lower
        .find("timestamp=")
        .or_else(|| lower.find("timestamp:"))
        .or_else(|| lower.find("timestamp\""))?;
    digits(&lower[at + "timestamp".len()..])
}

/// What was pasted is a text of a recipe.
fn by_text(ours: &Ours<'_>, pasted: &str, second: u64, text: fn(&Recipe, u64) -> String) -> Verdict {
    let right = mistakes::right(ours);
    let wanted = text(&right, second);
    if wanted == pasted {
        return Verdict::plain(Cause::Same);
    }
    let attempts = mistakes::all(ours, second, None);
    let found = attempts.into_iter().find(|attempt| text(&attempt.recipe, second) == pasted);
    let cause = found.map_or_else(|| mistakes::by_line(&wanted, pasted), |attempt| attempt.cause);
    Verdict { cause, clock_off_s: 0, difference: difference(&wanted, pasted) }
}

/// What was pasted is a signature: it tells only whether a recipe gives it.
fn by_signature(
    ours: &Ours<'_>,
    signature: &str,
    claims: Option<Claims<'_>>,
    claimed_s: Option<u64>,
) -> Verdict {
    let (is_hex, is_tc3) = (is_hex(signature), ours.request.scheme == Scheme::Tc3);
    if is_hex != is_tc3 {
        return Verdict::plain(Cause::Scheme(if is_hex {
            Scheme::Tc3.name()
        } else {
            Scheme::Sha256.name()
        }));
    }
    if is_hex && signature.contains(|c: char| c.is_ascii_uppercase()) {
        return Verdict::plain(Cause::Capitals);
    }
    let decoded = signature.replace("%2B", "+").replace("%2F", "/").replace("%3D", "=");
    let at = claimed_s.unwrap_or(ours.at.timestamp_s);
    let right = mistakes::right(ours);
    let attempts = mistakes::all(ours, at, claims);
    let tries = std::iter::once(Attempt { cause: Cause::Same, recipe: right.clone() }).chain(attempts);
    let tries: Vec<Attempt> = tries.collect();
    let now = tries.iter().find(|attempt| attempt.recipe.second([at].into_iter(), &decoded).is_some());
    let found = now.map(|attempt| (attempt, at)).or_else(|| {
        if claimed_s.is_some() {
            return None;
        }
        tries.iter().find_map(|attempt| {
            let reach_s = if attempt.cause == Cause::Same { CLOCK_OFF_MAX_S } else { CLOCK_OFF_TOO_MAX_S };
            let second = attempt.recipe.second(around(at, -reach_s..=reach_s), &decoded)?;
            Some((attempt, second))
        })
    });
    let Some((attempt, second)) = found else {
        return Verdict::plain(claims.map_or(Cause::Unknown, |claims| mistakes::by_claims(ours, claims, at)));
    };
    let off_s = second.cast_signed() - ours.at.timestamp_s.cast_signed();
    let is_clock = attempt.cause == Cause::Same && off_s != 0;
    let cause = if is_clock { Cause::Clock(off_s) } else { attempt.cause.clone() };
    let texts = [Recipe::first_text, Recipe::last_text]
        .map(|text| difference(&text(&right, ours.at.timestamp_s), &text(&attempt.recipe, second)));
    let difference = texts.into_iter().flatten().next();
    Verdict { cause, clock_off_s: off_s, difference }
}

/// The seconds around one, the nearest first.
fn around(at: u64, off_s: RangeInclusive<i64>) -> impl Iterator<Item = u64> {
    let reach = *off_s.end();
    (1..=reach)
        .flat_map(move |off| [at.checked_sub(off.cast_unsigned()), at.checked_add(off.cast_unsigned())])
        .flatten()
}

fn is_hex(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit())
}

/// The first line in which two texts differ.
fn difference(ours: &str, theirs: &str) -> Option<Difference> {
    let (mut left, mut right) = (ours.split('\n'), theirs.split('\n'));
    for line in 1.. {
        let (a, b) = (left.next(), right.next());
        if a.is_none() && b.is_none() {
            return None;
        }
        if a != b {
            let (a, b) = (a.unwrap_or_default(), b.unwrap_or_default());
            let same = a.chars().zip(b.chars()).take_while(|(a, b)| a == b).count();
            return Some(Difference { line, same, ours: a.to_owned(), theirs: b.to_owned() });
        }
    }
    None
}
