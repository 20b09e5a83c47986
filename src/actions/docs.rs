//! `docs/api.md`, written from the table.

use std::fmt::Write;

use super::event_ids::{Row, Shown, UNUSED, WEB_CLIENTS, WEB_SOURCES};
use super::unusual::{Bound, Medium, NEAR_S, NEVER, Place, ROW_GAP_S, RULES, SPELL_GAP_S};
use super::{ACTIONS, Action};
use crate::limits;

const INTRODUCTION: &str = "# The API

Generated from the table in `src/actions/table.rs`; `UPDATE=1 cargo test docs` writes it anew.

Version `2019-07-22` of Tencent RTC's call-quality monitoring. A call is a signed GET or POST to `/`; the action, the \
version and the region are in the headers `X-TC-Action`, `X-TC-Version` and `X-TC-Region` (signature version 3), or \
among the parameters (version 1). Every answer has HTTP status 200 and the form

```json
{\"Response\": {…, \"RequestId\": \"…\"}}
{\"Response\": {\"Error\": {\"Code\": \"…\", \"Message\": \"…\"}, \"RequestId\": \"…\"}}
```

[errors.md](errors.md) lists the codes, [deviations.md](deviations.md) says where a rule is ours. In a JSON body types are strict and `null` \
counts as absent; a query, a form or a multipart body holds text, and lists as `Name.0`, `Name.1` …. Keys that an action \
does not define are refused. Each action may be called `limits.requests_per_second` (20) times a second by an account.

The examples show what may stand in a reply. That of DescribeUserInfo is what `rollbook demo` answers; the others are made up.
";

/// The page.
pub fn docs() -> String {
    let mut page = String::from(INTRODUCTION);
    page.push_str("\n| action | what it answers |\n| --- | --- |\n");
    for action in ACTIONS {
        let name = action.name;
        let summary = match action.replaced_by {
            Some(newer) => format!("The old name of [{newer}](#{}).", newer.to_lowercase()),
            None => action.summary.en.to_owned(),
        };
        line(&mut page, format_args!("| [{name}](#{}) | {summary} |", name.to_lowercase()));
    }
    for action in ACTIONS {
        describe(&mut page, action);
    }
    page
}

fn describe(page: &mut String, action: &Action) {
    line(page, format_args!("\n## {}\n\n{}\n", action.name, action.summary.en));
    if let Some(newer) = action.replaced_by {
        line(page, format_args!("The old name of {newer}: same reply, other types of parameters.\n"));
    }
    line(page, format_args!("Regions: `{}`.\n", action.regions.join("`, `")));
    page.push_str("| parameter | type | required | meaning |\n| --- | --- | --- | --- |\n");
    for param in action.params {
        let required = if param.required { "yes" } else { "no" };
        line(
            page,
            format_args!(
                "| `{}` | {} | {required} | {} |",
                param.name,
                param.kind.name().en,
                param.meaning.en
            ),
        );
    }
    line(page, format_args!("\n```json\n{}\n```\n", action.example));
    if let Some(newer) = action.replaced_by {
        line(page, format_args!("The reply is that of [{newer}](#{}).\n", newer.to_lowercase()));
    } else {
        page.push_str("| reply | type | meaning |\n| --- | --- | --- |\n");
        for field in action.reply {
            line(page, format_args!("| `{}` | {} | {} |", field.name, field.kind, field.meaning.en));
        }
        line(page, format_args!("\n```json\n{}\n```\n", action.example_reply));
    }
    let codes: Vec<String> = action.errors.iter().map(|code| format!("`{}`", code.wire())).collect();
    line(page, format_args!("Codes of its own, in the order of checks: {}.", codes.join(", ")));
}

const EVENTS: &str = "# Ids of events

Generated from the tables in `src/actions/event_ids.rs` and `src/actions/unusual.rs`; `UPDATE=1 cargo test docs` writes it anew.

The ids are those of the imitated service's page *Event ID mapping*. Which of our events is which of them is our choice.

## DescribeUserEvent

Every event of the user in the call that is in this table, with the words of `events.md`. `PeerId` is the user's own id, since no \
source tells what a client did to remote streams. `ParamOne` is in parentheses; -1 is unused, and `ParamTwo` always is. `Type` is the \
kind of picture: 0 none, 2 main, 7 auxiliary.
";

const EVENTS_BEHIND: &str = "
Not shown: attributes, kinds that no rule knows, roles other than these two, and what only the record shows and no event tells: a stay \
that ended with its room, with a restart of the media server or with the next join, a join that only a later event's hint \
tells.

";

const UNUSUAL: &str = "
## DescribeUnusualEvent

An experience is raised where a metric that a user can see or hear was bad; its `AbnormalEventList` names that, and what else was \
bad near it. `EventTime` is the first bad point; it lies in the window and in a stay of the user.
";

/// `docs/user-events.md`.
pub fn event_docs() -> String {
    let mut page = String::from(EVENTS);
    page.push_str("\n| event | native SDK | WebRTC | `Type` | why |\n| --- | --- | --- | --- | --- |\n");
    for shown in Shown::ALL {
        let Row { what, native, web, picture, why } = shown.row();
        let id = |(id, first): (u64, i64)| match first {
            UNUSED => id.to_string(),
            first => format!("{id} ({first})"),
        };
        line(&mut page, format_args!("| {what} | {} | {} | {picture} | {why} |", id(native), id(web)));
    }
    page.push_str(EVENTS_BEHIND);
    line(
        &mut page,
        format_args!(
            "A client counts as WebRTC if its source is `{}`, if its `user_type` is 1, or if its `client_type` has one of these in \
             it: `{}`. What was told of the stay that had begun last counts, also beside the source. A finished record without a reason \
             is an exit by its `leave_source`: `seen` and `superseded` normal, `room_closed` removed, `emitter_reset` and `idle` timeout.",
            WEB_SOURCES.join("` or `"),
            WEB_CLIENTS.join("`, `")
        ),
    );
    unusual_docs(&mut page);
    page
}

fn unusual_docs(page: &mut String) {
    page.push_str(UNUSUAL);
    page.push_str("\n| id | event | bad | points in a row | where | of | raises |\n| --- | --- | --- | --- | --- | --- | --- |\n");
    for rule in RULES {
        let bad = match rule.bound {
            Bound::AtLeast(bound) => format!("`{}` at least {bound}", rule.metric.name()),
            Bound::AtMost(bound) => format!("`{}` at most {bound}", rule.metric.name()),
        };
        let places: Vec<&str> = rule
            .places
            .iter()
            .map(|place| match place {
                Place::Own => "own",
                Place::Received => "received",
                Place::Sender => "sender",
            })
            .collect();
        let medium = match rule.medium {
            Medium::Audio => "audio",
            Medium::Video => "video",
            Medium::Both => "both",
        };
        let raises = rule.experience.map_or(String::new(), |id| format!("experience {id}"));
        line(
            page,
            format_args!(
                "| {} | {} | {bad} | {} | {} | {medium} | {raises} |",
                rule.id,
                rule.what,
                rule.points,
                places.join(", ")
            ),
        );
    }
    line(
        page,
        format_args!(
            "\n*own*: the user's own client, `PeerId` is `\"\"`; *received*: the same, of what came from the peer; *sender*: the peer's client, of \
             what it sent; for both `PeerId` is the peer. Points are in a row if they are at most {ROW_GAP_S} s apart; bad times at most {SPELL_GAP_S} s \
             apart are one experience; a cause is near if it is at most {NEAR_S} s away. A stutter of audio lists causes of audio, one of \
             video those of video, and both list what is of both.\n\n\
             The calls that were alive in the window are looked at, newest first, and in each the users in the order of \
             DescribeUserInfo, until {} experiences are found, {} calls and sessions or {} values were looked at. The answer \
             depends on the records alone.\n\n\
             Never raised:\n\n| ids | why |\n| --- | --- |",
            limits::UNUSUAL_EVENTS_MAX,
            limits::UNUSUAL_ROWS_MAX,
            limits::UNUSUAL_VALUES_MAX
        ),
    );
    for (ids, why) in NEVER {
        line(page, format_args!("| {ids} | {why} |"));
    }
}

fn line(page: &mut String, line: std::fmt::Arguments<'_>) {
    // Writing to a string cannot fail.
    let _ = writeln!(page, "{line}");
}
