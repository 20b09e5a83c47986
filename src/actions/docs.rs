//! `docs/api.md`, written from the table.

use std::fmt::Write;

use super::{ACTIONS, Action};

const INTRODUCTION: &str = "# The API

Generated from the table in `src/actions/table.rs`; `UPDATE=1 cargo test docs` writes it anew.

Version `2019-07-22` of Tencent RTC's call-quality monitoring. A call is a signed GET or POST to `/`; the action, the \
version and the region are in the headers `X-TC-Action`, `X-TC-Version` and `X-TC-Region` (signature version 3), or \
among the parameters (version 1). Every answer has HTTP status 200 and the form

```json
{\"Response\": {…, \"RequestId\": \"…\"}}
{\"Response\": {\"Error\": {\"Code\": \"…\", \"Message\": \"…\"}, \"RequestId\": \"…\"}}
```

`errors.md` lists the codes, `deviations.md` says where a rule is ours. In a JSON body types are strict and `null` \
counts as absent; a query, a form or a multipart body holds text, and lists as `Name.0`, `Name.1` …. Keys that an action \
does not define are refused. Each action may be called `limits.requests_per_second` (20) times a second by an account.
";

/// The page.
pub fn docs() -> String {
    let mut page = String::from(INTRODUCTION);
    page.push_str("\n| action | what it answers |\n| --- | --- |\n");
    for action in ACTIONS {
        let name = action.name;
        let summary = match action.replaced_by {
            Some(newer) => format!("The old name of [{newer}](#{}).", newer.to_lowercase()),
            None => action.summary.to_owned(),
        };
        line(&mut page, format_args!("| [{name}](#{}) | {summary} |", name.to_lowercase()));
    }
    for action in ACTIONS {
        describe(&mut page, action);
    }
    page
}

fn describe(page: &mut String, action: &Action) {
    line(page, format_args!("\n## {}\n\n{}\n", action.name, action.summary));
    if let Some(newer) = action.replaced_by {
        line(page, format_args!("The old name of {newer}: same reply, other types of parameters.\n"));
    }
    line(page, format_args!("Regions: `{}`.\n", action.regions.join("`, `")));
    page.push_str("| parameter | type | required | meaning |\n| --- | --- | --- | --- |\n");
    for param in action.params {
        let required = if param.required { "yes" } else { "no" };
        line(
            page,
            format_args!("| `{}` | {} | {required} | {} |", param.name, param.kind.name(), param.meaning),
        );
    }
    line(page, format_args!("\n```json\n{}\n```\n", action.example));
    if let Some(newer) = action.replaced_by {
        line(page, format_args!("The reply is that of [{newer}](#{}).\n", newer.to_lowercase()));
    } else {
        page.push_str("| reply | type | meaning |\n| --- | --- | --- |\n");
        for field in action.reply {
            line(page, format_args!("| `{}` | {} | {} |", field.name, field.kind, field.meaning));
        }
        line(page, format_args!("\n```json\n{}\n```\n", action.example_reply));
    }
    let codes: Vec<String> = action.errors.iter().map(|code| format!("`{}`", code.wire())).collect();
    line(page, format_args!("Codes of its own, in the order of checks: {}.", codes.join(", ")));
}

fn line(page: &mut String, line: std::fmt::Arguments<'_>) {
    // Writing to a string cannot fail.
    let _ = writeln!(page, "{line}");
}
