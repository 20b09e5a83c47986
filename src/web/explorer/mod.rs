//! The API Explorer: every action with its form, the request it makes, its signature step by step, the code that makes it,
//! and its reference.
//!
//! All of it is made from the table of actions and from the one signing of `wire`: there is no second list and no second
//! signing. [`prepare`] is the heart: fields in, the exact bytes out. The browser then sends them itself, so that its own
//! tools show the truth. A stored secret is used here and goes nowhere else.

mod check;
mod code;
mod compare;
mod fill;
mod form;
mod panels;
mod reference;
mod request;
mod sign;

use maud::{Markup, html};
use serde_json::json;

use super::prefs::Zone;
use super::query::Query;
use super::shell::{self, Nav};
use super::words::Lang;
use super::{Asked, Context, Shown, Trouble, assets};
use crate::actions::{ACTIONS, Action};
use crate::limits;
use crate::records::{Call, Millis};
use crate::store::Store;
use check::Problem;
use code::{LANGUAGES, Sample};
use compare::{Ours, Verdict};
use request::{Endpoint, Request};
use sign::{Moment, Signed};

/// Fields that an address may fill: never a secret.
const OF_ADDRESSES: [&str; 3] = ["region", "sign", "method"];

/// What comes of the fields.
struct Prepared {
    request: Request,
    signed: Signed,
    steps: Vec<sign::Step>,
    problems: Vec<Problem>,
    /// Names of moments and how they were read.
    read: Vec<(&'static str, String)>,
    /// Ids of languages and the code in them.
    samples: Vec<(&'static str, String)>,
    verdict: Option<Verdict>,
}

/// Whether an action, one of its parameters or fields has the words.
fn matches(action: &Action, q: &str) -> bool {
    let words = panels::words(action);
    q.to_lowercase().split_whitespace().all(|word| words.contains(word))
}

/// `/ui/explorer?q=`: the list of actions.
pub(super) fn index<S>(context: &Context<'_, S>) -> Shown {
    let lang = context.view.prefs.lang;
    let q = context.query.text("q").unwrap_or_default();
    let found: Vec<&Action> = ACTIONS.iter().filter(|action| matches(action, q)).collect();
    let content = html! {
        div.explorer {
            (panels::actions(lang, None, q))
            section.panel.hits {
                header { h1 { (lang.explorer()) } span.dim { (found.len()) " " (lang.actions_found()) } }
                @if found.is_empty() { div.state { p { (lang.nothing_found()) } } }
                @for action in found {
                    div.entry {
                        h2 { a href={ "/ui/explorer/" (action.name) } { (action.name) } }
                        p { (action.summary.of(lang.spoken())) }
                        p.dim { @for (at, param) in action.params.iter().enumerate() { @if at > 0 { ", " } (param.name) } }
                    }
                }
            }
        }
        (script())
    };
    Shown::page(200, shell::frame(&context.view, Nav::Explorer, lang.explorer(), content))
}

fn script() -> Markup {
    html! { script type="module" src=(assets::href("explorer.js")) {} }
}

/// `/ui/explorer/{Action}?p.CommId=…`
pub(super) async fn page<S: Store>(
    context: &Context<'_, S>,
    asked: &Asked<'_>,
    name: &str,
) -> Result<Shown, Trouble> {
    let action = Action::find(name).ok_or(Trouble::NotFound)?;
    let given = context
        .query
        .pairs()
        .filter(|(name, _)| name.starts_with(form::PREFIX) || OF_ADDRESSES.contains(name));
    let given: Vec<(String, String)> =
        given.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let recent = fill::recent(context).await?;
    let is_filled = given.iter().any(|(name, _)| name.starts_with(form::PREFIX));
    let mut fields = Query::of(given);
    if !is_filled {
        let defaults = fill::defaults(context, action, &recent).await?;
        fields = Query::of(
            fields.pairs().chain(defaults.pairs()).map(|(n, v)| (n.to_owned(), v.to_owned())).collect(),
        );
    }
    let prepared = make(context, asked, action, &fields).await;
    Ok(show(context, &fields, &prepared, &recent))
}

/// `POST /ui/explorer/prepare`: the request that the fields make, as data for a script, or as the page.
pub(super) async fn prepare<S: Store>(context: &Context<'_, S>, asked: &Asked<'_>) -> Result<Shown, Trouble> {
    let content_type = (asked.header)("content-type").unwrap_or_default();
    let fields = form::fields(asked.body, content_type).ok_or(Trouble::NotFound)?;
    let action = fields.text("action").and_then(Action::find).ok_or(Trouble::NotFound)?;
    let prepared = make(context, asked, action, &fields).await;
    let is_script = (asked.header)("accept").is_some_and(|accept| accept.contains("application/json"));
    if is_script {
        return Ok(Shown::json(data(context.view.prefs.lang, &prepared)));
    }
    let recent = fill::recent(context).await?;
    Ok(show(context, &fields, &prepared, &recent))
}

/// Where whoever asks reaches this server.
fn endpoint(asked: &Asked<'_>) -> Endpoint {
    let host = (asked.header)("host").unwrap_or_default();
    let is_plain = |host: &str| {
        !host.is_empty() && host.bytes().all(|b| b.is_ascii_alphanumeric() || b".-:[]".contains(&b))
    };
    // A proxy may end TLS; the browser knows.
    let is_outside_tls = (asked.header)("origin").is_some_and(|origin| origin.starts_with("https://"))
        || (asked.header)("x-forwarded-proto") == Some("https");
    Endpoint {
        is_tls: asked.is_tls || is_outside_tls,
        host: if is_plain(host) { host.to_owned() } else { "localhost".to_owned() },
    }
}

/// The request, its signature, what is wrong with it, its code, and what a comparison shows.
async fn make<S>(
    context: &Context<'_, S>,
    asked: &Asked<'_>,
    action: &'static Action,
    fields: &Query,
) -> Prepared {
    let (prefs, now) = (context.view.prefs, context.now);
    let at = moment(fields, now);
    // What is compared was asked at its time: then was `now`.
    let then = i64::try_from(at.timestamp_s).ok().filter(|_| fields.text("compare").is_some());
    let then = then.map_or(now, |second| Millis(second.saturating_mul(1_000)));
    let request = form::request(action, fields, endpoint(asked), then, prefs.zone);
    let signer = form::signer(fields, &context.accounts, now);
    let language = (prefs.lang == Lang::Zh).then_some("zh-CN");
    let signed = sign::sign(&request, &signer, at, language);
    let problems = check::problems(context.rehearsal, &request, &signed, prefs.lang.spoken(), now).await;
    let verdict = fields.text("mine").filter(|_| fields.text("compare").is_some()).map(|mine| {
        let keys = context.accounts.iter().flat_map(|account| &account.keys).collect();
        compare::compare(&Ours { request: &request, signer: &signer, keys, at, language }, mine)
    });
    let steps = signed.shown(signer.is_stored);
    let samples = samples(prefs.lang, &request, &signed);
    let read = request.values.iter();
    let read =
        read.filter_map(|(param, value)| Some((param.name, panels::read(param, value, fields, prefs.zone)?)));
    Prepared { read: read.collect(), request, signed, steps, problems, samples, verdict }
}

/// When it is signed: now, at the time that is typed in, or for a comparison at the time of what is compared with.
fn moment(fields: &Query, now: Millis) -> Moment {
    let number = |name: &str| fields.text(name).and_then(|text| text.trim().parse::<u64>().ok());
    let kept = |name: &str| fields.text("compare").and_then(|_| number(name));
    let now_s = u64::try_from(now.secs()).unwrap_or(0);
    Moment {
        timestamp_s: number("timestamp").or_else(|| kept("at")).unwrap_or(now_s),
        // It need not be random here: the server looks only whether it is a number.
        nonce: kept("nonce").unwrap_or_else(|| now.0.unsigned_abs() % 1_000_000_007),
    }
}

/// The request as a program, in every language.
fn samples(lang: Lang, request: &Request, signed: &Signed) -> Vec<(&'static str, String)> {
    let modern = request.modern();
    let last_s = signed.timestamp_s.saturating_add(limits::CLOCK_SKEW_S);
    let holds_until =
        i64::try_from(last_s).map(|second| format!("{} UTC", Zone::Utc.full(Millis::from_secs(second))));
    let sample = Sample {
        lang,
        request: &modern,
        old_name: request.action.is_old().then_some(request.action.name),
        signed,
        holds_until: &holds_until.unwrap_or_default(),
    };
    LANGUAGES.iter().map(|language| (language.id, language.render(&sample))).collect()
}

/// What a script needs.
fn data(lang: Lang, prepared: &Prepared) -> String {
    let Prepared { request: _, signed, steps, problems, read, samples, verdict } = prepared;
    let object = |pairs: &[(&'static str, String)]| -> serde_json::Map<String, serde_json::Value> {
        pairs.iter().map(|(name, text)| ((*name).to_owned(), text.as_str().into())).collect()
    };
    let steps_data: Vec<_> = steps
        .iter()
        .map(|step| json!({ "name": step.name, "text": step.text, "hidden": step.is_hidden }))
        .collect();
    let problems_data: Vec<_> = problems
        .iter()
        .map(|problem| json!({ "fields": problem.fields, "code": problem.code, "message": problem.message }))
        .collect();
    let verdict_data = verdict.as_ref().map(|verdict| {
        json!({
            "cause": verdict.cause.name(),
            "words": verdict.cause.words(lang),
            "clock_off_s": verdict.clock_off_s,
            "line": verdict.difference.as_ref().map(|difference| difference.line),
            "html": panels::show_verdict(lang, verdict).into_string(),
        })
    });
    json!({
        "method": signed.method,
        "target": signed.target,
        "headers": signed.headers,
        "body": signed.body,
        "timestamp": signed.timestamp_s,
        "signature": signed.signature(),
        "steps": steps_data,
        "problems": problems_data,
        "read": object(read),
        "code": object(samples),
        "verdict": verdict_data,
        "panels": {
            "request": panels::request(signed, problems).into_string(),
            "signature": panels::signature(lang, signed, steps).into_string(),
            "code": panels::code(lang, samples).into_string(),
        },
    })
    .to_string()
}

/// The whole page.
fn show<S>(context: &Context<'_, S>, fields: &Query, prepared: &Prepared, recent: &[Call]) -> Shown {
    let prefs = context.view.prefs;
    let (lang, action) = (prefs.lang, prepared.request.action);
    let times: Vec<&str> = action
        .reply
        .iter()
        .filter(|field| {
            ["UNIX second", "UNIX millisecond"].iter().any(|unit| field.meaning.en.contains(unit))
        })
        .filter_map(|field| field.name.rsplit('.').next())
        .collect();
    let form = panels::Form {
        prefs,
        shown_as: context.query.only(&["lang", "tz"]),
        policy: context.policy,
        accounts: &context.accounts,
        fields,
        recent,
        now: context.now,
        prepared,
    };
    let panel = |id: &str, title: &str, content: Markup| {
        html! { section.result id=(id) aria-label=(title) { h2 { (title) } div.content { (content) } } }
    };
    let content = html! {
        div.explorer data-action=(action.name) data-times=(times.join(" ")) {
            (panels::actions(lang, Some(action), ""))
            (form.show())
            div.panel.results {
                nav.tabs aria-label=(lang.results()) {
                    @for (id, title) in tabs(lang) { a href={ "#" (id) } hidden[is_scripted(id)] data-js=[is_scripted(id).then_some("")] { (title) } }
                }
                section.result #response aria-label=(lang.response()) data-js="" hidden {
                    h2 { (lang.response()) }
                    div.content aria-live="polite" { p.dim { (lang.not_sent()) } }
                }
                (panel("request", lang.request(), panels::request(&prepared.signed, &prepared.problems)))
                section.result #signature aria-label=(lang.signature()) {
                    h2 { (lang.signature()) }
                    div.content { (panels::signature(lang, &prepared.signed, &prepared.steps)) }
                    (panels::compare(lang, prepared.verdict.as_ref()))
                }
                (panel("code", lang.code_tab(), panels::code(lang, &prepared.samples)))
                (panel("reference", lang.reference(), reference::show(lang, action)))
                section.result #history aria-label=(lang.history()) data-js="" hidden {
                    h2 { (lang.history()) }
                    div.content { p.dim { (lang.no_history()) } }
                }
            }
        }
        (strings(lang))
        (script())
    };
    Shown::page(200, shell::frame(&context.view, Nav::Explorer, action.name, content))
}

/// The results, in the order of their tabs.
fn tabs(lang: Lang) -> [(&'static str, &'static str); 6] {
    [
        ("response", lang.response()),
        ("request", lang.request()),
        ("signature", lang.signature()),
        ("code", lang.code_tab()),
        ("reference", lang.reference()),
        ("history", lang.history()),
    ]
}

/// What only a script can fill.
fn is_scripted(id: &str) -> bool {
    matches!(id, "response" | "history")
}

/// Words that the script shows.
fn strings(lang: Lang) -> Markup {
    html! {
        template #words data-tree=(lang.tree()) data-raw=(lang.raw()) data-copy=(lang.copy()) data-copied=(lang.copied())
            data-failed=(lang.not_reached()) data-sending=(lang.sending()) data-records=(lang.records()) data-rule=(lang.reference()) {}
    }
}

#[cfg(test)]
mod tests;
