//! What an action takes, answers and refuses: the table that the server validates with, as a page.

use maud::{Markup, html};

use super::super::words::Lang;
use crate::actions::{ACTIONS, Action};
use crate::wire::{ErrorCode, Use, VERSION};

/// Codes that every action may say.
fn common() -> impl Iterator<Item = ErrorCode> {
    let is_own = |code: &ErrorCode| ACTIONS.iter().any(|action| action.errors.contains(code));
    ErrorCode::ALL.iter().copied().filter(move |code| code.used() != Use::Never && !is_own(code))
}

/// A sentence in which backticks mark names.
pub(super) fn marked(text: &str) -> Markup {
    html! {
        @for (at, part) in text.split('`').enumerate() {
            @if at % 2 == 1 { code { (part) } } @else { (part) }
        }
    }
}

/// JSON with its lines and indents.
fn laid_out(json: &str) -> String {
    // The order of keys is part of the example, so it is laid out as text.
    let (mut out, mut depth, mut is_text, mut is_escaped) = (String::new(), 0_usize, false, false);
    for c in json.chars() {
        if is_text {
            out.push(c);
            (is_text, is_escaped) = (is_escaped || c != '"', !is_escaped && c == '\\');
            continue;
        }
        let line = |depth: usize| format!("\n{}", "  ".repeat(depth));
        match c {
            '"' => {
                is_text = true;
                out.push(c);
            }
            '{' | '[' => {
                depth += 1;
                out.push(c);
                out.push_str(&line(depth));
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                let empty = out.trim_end().ends_with(['{', '[']);
                if empty {
                    out.truncate(out.trim_end().len())
                } else {
                    out.push_str(&line(depth))
                }
                out.push(c);
            }
            ',' => {
                out.push(c);
                out.push_str(&line(depth));
            }
            ':' => out.push_str(": "),
            c if c.is_whitespace() => {}
            c => out.push(c),
        }
    }
    out
}

/// Parameters, reply, codes, an example.
pub(super) fn show(lang: Lang, action: &Action) -> Markup {
    let spoken = lang.spoken();
    let example = format!(
        "POST / HTTP/1.1\nX-TC-Action: {}\nX-TC-Version: {VERSION}\n\n{}",
        action.name,
        laid_out(action.example)
    );
    html! {
        h3 { (lang.parameters()) }
        div.scroll tabindex="0" { table.reference {
            thead { tr { th { (lang.name()) } th { (lang.kind()) } th { (lang.meaning()) } } }
            tbody { @for param in action.params { tr {
                td { code { (param.name) } @if param.required { " " span.required { (lang.required()) } } }
                td { (param.kind.name().of(spoken)) }
                td.wrap { (marked(param.meaning.of(spoken))) }
            } } }
        } }
        h3 { (lang.reply()) }
        div.scroll tabindex="0" { table.reference {
            thead { tr { th { (lang.name()) } th { (lang.kind()) } th { (lang.meaning()) } } }
            tbody { @for field in action.reply { tr {
                td { code { (field.name) } }
                td { @if field.kind == "list" { (lang.list()) } @else { (field.kind) } }
                td.wrap { (marked(field.meaning.of(spoken))) }
            } } }
        } }
        h3 { (lang.error_codes()) }
        div.scroll tabindex="0" { table.reference {
            thead { tr { th { (lang.code()) } th { (lang.meaning()) } } }
            tbody { @for code in action.errors.iter().copied().chain(common()) { tr id={ "error-" (code.wire()) } {
                td { code { (breakable(code.wire())) } }
                td.wrap { (marked(code.meaning().of(spoken))) @if code.is_retryable() { " " span.dim { (lang.may_retry()) } } }
            } } }
        } }
        h3 { (lang.example()) }
        pre tabindex="0" { (example) }
        pre tabindex="0" { (laid_out(action.example_reply)) }
    }
}

/// A code may break behind its dots.
pub(super) fn breakable(code: &str) -> Markup {
    html! { @for part in code.split_inclusive('.') { (part) wbr; } }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn examples_are_laid_out_and_stay_the_same_json() {
        assert_eq!(
            laid_out(r#"{"a":[],"b":{"c":"x, \"{y}: ","d":[1,2]}}"#),
            "{\n  \"a\": [],\n  \"b\": {\n    \"c\": \"x, \\\"{y}: \",\n    \"d\": [\n      1,\n      2\n    ]\n  }\n}"
        );
        for action in ACTIONS {
            for json in [action.example, action.example_reply] {
                let read = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
                assert_eq!(read(&laid_out(json)), read(json));
            }
        }
    }

    #[test]
    fn every_code_that_an_action_may_say_is_listed_once() {
        for action in ACTIONS {
            let page = show(Lang::En, action).into_string();
            for code in ErrorCode::ALL.iter().filter(|code| code.used() != Use::Never) {
                let count = page.matches(&format!("id=\"error-{}\"", code.wire())).count();
                let expected = usize::from(action.errors.contains(code) || common().any(|one| one == *code));
                assert_eq!(count, expected, "{} {}", action.name, code.wire());
            }
            for param in action.params {
                assert!(page.contains(&format!("<code>{}</code>", param.name)), "{}", param.name);
            }
        }
    }
}
