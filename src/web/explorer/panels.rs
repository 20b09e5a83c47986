//! The parts of the page: the list of actions, the form, and what comes of it.

use maud::{Markup, html};

use super::super::prefs::{Prefs, Zone};
use super::super::query::Query;
use super::super::words::Lang;
use super::check::Problem;
use super::code::{LANGUAGES, colour};
use super::compare::{Difference, Verdict};
use super::form::{PREFIX, TYPED, is_moment, stored};
use super::reference::{breakable, marked};
use super::request::{Scheme, Value, Verb};
use super::sign::{Signed, Step};
use super::{Prepared, fill, matches};
use crate::actions::{ACTIONS, Account, Action, Policy};
use crate::records::{Call, Millis};
use crate::wire::{Kind, Param, VERSION};

/// The year 10000, which no date is written for.
const SECONDS_END: i64 = 253_402_300_800;

/// The actions that have the words of `q`, and the box to look for them.
pub(super) fn actions(lang: Lang, current: Option<&Action>, q: &str) -> Markup {
    let group = |is_old: bool| {
        html! { ul {
            @for action in ACTIONS.iter().filter(|action| action.is_old() == is_old && matches(action, q)) {
                li data-words=(words(action)) {
                    a href={ "/ui/explorer/" (action.name) }
                        aria-current=[current.is_some_and(|current| current.name == action.name).then_some("page")] { (action.name) }
                    @if !q.is_empty() { span.dim { (found(action, q)) } }
                }
            }
        } }
    };
    html! {
        nav.panel.actions aria-label=(lang.actions()) {
            form role="search" action="/ui/explorer" aria-label=(lang.quick_search()) {
                label { span.sr { (lang.quick_search()) }
                    input #quick type="search" name="q" value=(q) placeholder=(lang.quick_search()) autocomplete="off"; }
            }
            p.group { (lang.call_quality()) }
            (group(false))
            p.group { (lang.old_names()) }
            (group(true))
        }
    }
}

/// What the quick search looks in.
pub(super) fn words(action: &Action) -> String {
    let names = action.params.iter().map(|param| param.name);
    let fields = action.reply.iter().map(|field| field.name);
    let all: Vec<&str> = std::iter::once(action.name).chain(names).chain(fields).collect();
    all.join(" ").to_lowercase()
}

/// Which parameters and fields have the words.
fn found(action: &Action, q: &str) -> String {
    let names =
        action.params.iter().map(|param| param.name).chain(action.reply.iter().map(|field| field.name));
    let has = |name: &&str| name.to_lowercase().contains(&q.to_lowercase());
    names.filter(has).take(4).collect::<Vec<_>>().join(", ")
}

/// What the form needs to know.
pub(super) struct Form<'a> {
    pub(super) prefs: Prefs,
    /// Language and zone, where the address has them: as a query.
    pub(super) shown_as: String,
    pub(super) policy: &'a Policy,
    pub(super) accounts: &'a [&'a Account],
    pub(super) fields: &'a Query,
    pub(super) recent: &'a [Call],
    pub(super) now: Millis,
    pub(super) prepared: &'a Prepared,
}

impl Form<'_> {
    /// The form of an action.
    pub(super) fn show(&self) -> Markup {
        let (lang, request) = (self.prefs.lang, &self.prepared.request);
        let action = request.action;
        html! {
            section.panel.ask {
                header {
                    h1 { (action.name) }
                    span.badge { (VERSION) }
                    label.inline data-js="" hidden { input #required-only type="checkbox"; (lang.required_only()) }
                }
                form #ask method="post" action={ "/ui/explorer/prepare" (self.shown_as) } autocomplete="off" {
                    input type="hidden" name="action" value=(action.name);
                    p { (action.summary.of(lang.spoken())) @if let Some(newer) = action.replaced_by {
                        " " (lang.old_name_of()) " " a href={ "/ui/explorer/" (newer) } { (newer) } (lang.stop())
                    } }
                    (self.sign_as())
                    h2 { (lang.parameters()) }
                    div.params { @for param in action.params { (self.param(param)) } }
                    datalist #calls { @for call in self.recent {
                        option value=(call.comm_id) { (self.prefs.zone.full(call.created)) " · " (call.room) }
                    } }
                    div.do {
                        button.primary type="submit" data-send="" {
                            span data-js="" hidden { (lang.send()) " " kbd { "Ctrl ⏎" } }
                            span data-plain="" { (lang.prepare()) }
                        }
                        button type="button" data-link="" data-js="" hidden data-done=(lang.copied()) { (lang.copy_link()) }
                        a.reset href={ "/ui/explorer/" (action.name) (fill::example(action)) } { (lang.reset()) }
                    }
                }
            }
        }
    }

    fn problem(&self, field: &str) -> Markup {
        let problems = &self.prepared.problems;
        html! { p.trouble id={ "problem-" (field) } data-problem=(field) {
            @for problem in problems.iter().filter(|problem| problem.fields.last().is_some_and(|last| last == field)) {
                (said(problem))
            }
        } }
    }

    fn sign_as(&self) -> Markup {
        let (lang, request) = (self.prefs.lang, &self.prepared.request);
        let keys = stored(self.accounts, self.now);
        let is_typed = self.fields.text("key") == Some(TYPED) || keys.is_empty();
        let regions = request.action.regions.iter().copied();
        let regions = regions.chain(self.policy.extra_regions.iter().map(String::as_str));
        let is_other = !regions.clone().any(|region| region == request.region);
        html! {
            fieldset {
                legend { (lang.sign_as()) }
                div.two {
                    label { (lang.key()) select name="key" aria-describedby="problem-key" {
                        @for (account, key) in &keys {
                            option value=(key.secret_id) selected[self.fields.text("key") == Some(&*key.secret_id)] {
                                (key.secret_id) @if self.accounts.len() > 1 { " (" (account.name) ")" }
                            }
                        }
                        option value=(TYPED) selected[is_typed] { (lang.typed_key()) }
                    } }
                    label { (lang.region()) select name="region" aria-describedby="problem-region" {
                        @for region in regions { option selected[region == request.region] { (region) } }
                        @if is_other { option selected { (request.region) } }
                    } }
                    label { (lang.method()) select name="sign" {
                        @for scheme in Scheme::ALL { option selected[scheme == request.scheme] { (scheme.name()) } }
                    } }
                    label { (lang.transport()) select name="method" {
                        option value="POST" selected[request.verb == Verb::Post] { "POST" }
                        option value="GET" selected[request.verb == Verb::Get] { "GET" }
                    } }
                }
                (self.problem("key")) (self.problem("region"))
                details open[is_typed] {
                    summary { (lang.another_key()) }
                    p.dim { (lang.typed_hint()) }
                    div.two {
                        label { "SecretId" input name="secret_id" value=[self.fields.text("secret_id")] spellcheck="false"; }
                        label { "SecretKey" input.masked name="secret_key" spellcheck="false"; }
                        label { "Token" input name="token" spellcheck="false"; }
                        label { (lang.timestamp()) input name="timestamp" inputmode="numeric" value=[self.fields.text("timestamp")]
                            aria-describedby="problem-timestamp"; }
                    }
                }
                (self.problem("timestamp"))
            }
        }
    }

    fn param(&self, param: &Param) -> Markup {
        let lang = self.prefs.lang;
        let name = format!("{PREFIX}{}", param.name);
        let hints = format!("read-{0} problem-{0} about-{0}", param.name);
        let is_wrong = self
            .prepared
            .problems
            .iter()
            .any(|problem| problem.fields.iter().any(|field| field == param.name));
        let class = if is_moment(param) || matches!(param.kind, Kind::Number | Kind::NumberOrText) {
            "param half"
        } else {
            "param"
        };
        // Beginning and end of a window are side by side.
        let class =
            if is_moment(param) && param.name.starts_with("Start") { "param half start" } else { class };
        let class = if param.required { class.to_owned() } else { format!("{class} optional") };
        html! {
            div class=(class) {
                label for=(name) { b { (param.name) } " "
                    @if param.required { span.required { (lang.required()) } " " }
                    small { (param.kind.name().of(lang.spoken())) } }
                @match param.kind {
                    Kind::Texts => textarea id=(name) name=(name) rows="2" aria-describedby=(hints) aria-invalid=[is_wrong.then_some("true")] spellcheck="false" {
                        (super::form::entries(self.fields.all(&name)).join("\n"))
                    },
                    Kind::Number | Kind::NumberOrText | Kind::Text => input id=(name) name=(name) value=[self.fields.text(&name)]
                        list=[(param.name == "CommId").then_some("calls")] aria-describedby=(hints) aria-invalid=[is_wrong.then_some("true")] spellcheck="false";,
                }
                p.read id={ "read-" (param.name) } data-read=(param.name) { (self.prepared.read.iter().find(|(name, _)| *name == param.name).map_or("", |(_, read)| read)) }
                (self.problem(param.name))
                p.about id={ "about-" (param.name) } { (marked(param.meaning.of(lang.spoken()))) @if param.kind == Kind::Texts { " " (lang.list_hint()) } }
            }
        }
    }
}

/// How a moment was read: as people read it, and what is sent where that is not what was written.
pub(super) fn read(param: &Param, value: &Value, fields: &Query, zone: Zone) -> Option<String> {
    let Value::Number(second) = value else { return None };
    let at = i64::try_from(*second).ok().filter(|second| *second < SECONDS_END && is_moment(param))?;
    let shown = format!("{} {}", zone.full(Millis::from_secs(at)), zone.offset());
    let is_as_written =
        fields.text(&format!("{PREFIX}{}", param.name)).is_some_and(|text| text.trim() == second.to_string());
    Some(if is_as_written { shown } else { format!("{second} · {shown}") })
}

/// A problem in words.
fn said(problem: &Problem) -> Markup {
    html! { span { "⚠ " (marked(&problem.message)) " " a href={ "#error-" (problem.code) } { (breakable(&problem.code)) } } }
}

/// The request as it is sent.
pub(super) fn request(signed: &Signed, problems: &[Problem]) -> Markup {
    html! {
        @for problem in problems { p.trouble { (said(problem)) } }
        pre tabindex="0" { b { (signed.method) " " (signed.target) } "\n"
            @for (name, value) in &signed.headers { span.k { (name) } ": " (value) "\n" }
            @if !signed.body.is_empty() { "\n" (signed.body) }
        }
        p.dim { (signed.body.len()) " B" }
    }
}

/// The signature, step by step.
pub(super) fn signature(lang: Lang, signed: &Signed, steps: &[Step]) -> Markup {
    html! {
        input type="hidden" name="at" value=(signed.timestamp_s) form="ask";
        input type="hidden" name="nonce" value=(signed.nonce) form="ask";
        ol.steps { @for step in steps {
            li {
                h3 { (step_name(lang, step.name)) @if !step.is_hidden { (copy(lang)) } }
                p.dim { (step_about(lang, step.name)) }
                @if step.is_hidden { p { em { (lang.keys_hidden()) } } }
                @else { pre.bytes tabindex="0" data-step=(step.name) {
                    @for (at, line) in step.text.split('\n').enumerate() {
                        @if at > 0 { span.eol aria-hidden="true" { "↵" } "\n" }
                        (line)
                    }
                } }
            }
        } }
    }
}

fn copy(lang: Lang) -> Markup {
    html! { button.copy type="button" data-copy="" data-js="" hidden data-done=(lang.copied()) { (lang.copy()) } }
}

fn step_name(lang: Lang, name: &str) -> &'static str {
    match name {
        "canonical" => lang.step_canonical(),
        "hash" => lang.step_hash(),
        "string" | "source" => lang.step_string(),
        "keys" => lang.step_keys(),
        "header" => lang.step_header(),
        "sorted" => lang.step_sorted(),
        _ => lang.step_hmac(),
    }
}

fn step_about(lang: Lang, name: &str) -> &'static str {
    match name {
        "canonical" => lang.about_canonical(),
        "hash" => lang.about_hash(),
        "string" => lang.about_string(),
        "keys" => lang.about_keys(),
        "header" => lang.about_header(),
        "sorted" => lang.about_sorted(),
        "source" => lang.about_source(),
        _ => lang.about_hmac(),
    }
}

/// The box for one's own signature.
pub(super) fn compare(lang: Lang, verdict: Option<&Verdict>) -> Markup {
    html! {
        h3 { (lang.compare()) }
        label { span.dim { (lang.compare_hint()) }
            textarea name="mine" form="ask" rows="4" spellcheck="false" {} }
        p { button type="submit" name="compare" value="1" form="ask" { (lang.compare_do()) } }
        div #verdict role="status" { @if let Some(verdict) = verdict { (show_verdict(lang, verdict)) } }
    }
}

/// What is found out, and where the texts part.
pub(super) fn show_verdict(lang: Lang, verdict: &Verdict) -> Markup {
    use super::compare::Cause;
    let is_same = verdict.cause == Cause::Same;
    html! {
        p.verdict.good[is_same].poor[!is_same] data-cause=(verdict.cause.name()) { (marked(&verdict.cause.words(lang))) }
        @if verdict.clock_off_s != 0 && !matches!(verdict.cause, Cause::Clock(_)) {
            p.dim { (Cause::Clock(verdict.clock_off_s).words(lang)) }
        }
        @if let Some(difference) = &verdict.difference {
            p.dim { (lang.first_difference()) " " (difference.line) ":" (difference.same + 1) }
            pre.bytes tabindex="0" {
                "− " (mark(difference, &difference.theirs)) "\n+ " (mark(difference, &difference.ours))
            }
            p.dim { (lang.difference_legend()) }
        }
    }
}

fn mark(difference: &Difference, line: &str) -> Markup {
    let at = line.char_indices().nth(difference.same).map_or(line.len(), |(at, _)| at);
    let (same, rest) = line.split_at(at);
    html! { (same) mark { @if rest.is_empty() { "∅" } @else { (rest) } } }
}

/// The request as a program, in every language.
pub(super) fn code(lang: Lang, samples: &[(&'static str, String)]) -> Markup {
    html! {
        div.samples {
            @for (at, (language, (_, code))) in LANGUAGES.iter().zip(samples).enumerate() {
                input.sr type="radio" name="language" id={ "lang-" (language.id) } value=(language.id) checked[at == 0];
                label for={ "lang-" (language.id) } { (language.name) }
                div.sample { (copy(lang)) pre tabindex="0" data-language=(language.id) { (colour(language, code)) } }
            }
        }
    }
}
