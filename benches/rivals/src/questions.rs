//! The questions: files of lines of an action, its parameters as JSON, and the number of rows of the answer where the
//! story knows it. The same lines are asked of every engine.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use crate::APP;
use crate::story::{Call, DAYS, Dice, START_S, Story, user_name};

/// How many calls are asked for at random.
const ANY: u64 = 20_000;
/// How many calls of six are asked for again and again.
const SIX: usize = 2_000;
/// How many windows are asked for.
const WINDOWS: usize = 2_000;
/// From how many sessions on a call is large, and which of its pages is asked for.
const LARGE_MIN: usize = 1_000;
const LARGE_PAGE: usize = 2;
const LARGE: usize = 2_000;
/// The largest page.
const PAGE: usize = 100;
/// The longest window of a question for users.
const WINDOW_S: i64 = 4 * 3_600;

/// Gathers questions while a story goes by.
pub struct Gather {
    dice: Dice,
    apart: u64,
    apart_six: u64,
    any: Vec<String>,
    ten: Vec<String>,
    six: Vec<String>,
    large: Vec<String>,
    assembly: Vec<String>,
    /// Sessions and events of the calls of each day.
    counts: BTreeMap<i64, (usize, usize)>,
}

impl Gather {
    /// For a story of so many calls.
    pub fn new(calls: u64) -> Gather {
        let none = Vec::new;
        Gather {
            dice: Dice(20_260_604),
            apart: (calls / ANY).max(1),
            apart_six: (calls / (25 * SIX as u64)).max(1),
            any: none(),
            ten: none(),
            six: none(),
            large: none(),
            assembly: none(),
            counts: BTreeMap::new(),
        }
    }

    /// Looks at a call.
    pub fn see(&mut self, call: &Call) {
        let (sessions, events) = self.counts.entry(call.create_s() / 86_400).or_default();
        *sessions += call.sessions.len();
        *events += 2 * call.sessions.len() + 2;
        let is_assembly = call.room == "assembly";
        if is_assembly {
            self.assembly.push(users(call, 0, None, 6));
        } else if call.number % self.apart == 0 {
            self.any.push(users(call, 0, Some(PAGE), PAGE));
            let mut asked: Vec<String> =
                call.sessions.iter().take(10).map(|session| session.name()).collect();
            while asked.len() < 10 {
                asked.push(user_name(80_000_000 + self.dice.below(1_000_000)));
            }
            self.ten.push(of_users(call, &asked));
        }
        // Of 25 calls one has six sessions; they are spread over the story.
        if call.sessions.len() == 6 && self.six.len() < SIX && call.number % self.apart_six == 0 {
            self.six.push(users(call, 0, None, 6));
        }
        if call.sessions.len() >= LARGE_MIN && !is_assembly && self.large.len() < LARGE {
            self.large.push(users(call, LARGE_PAGE, Some(PAGE), PAGE));
        }
    }

    /// Writes the files, each in an order that has nothing to do with time.
    pub fn write(mut self, story: &Story, folder: &Path) -> Result<()> {
        ensure!(self.six.len() >= 20, "too few calls of six sessions: ask for more calls");
        let counts: Vec<String> = self
            .counts
            .iter()
            .map(|(day, (sessions, events))| format!("{day}\t{sessions}\t{events}\n"))
            .collect();
        std::fs::write(folder.join("counts.tsv"), counts.concat())?;
        let mut files = [
            ("hour", windows(story, &mut self.dice, 3_600)),
            ("day", windows(story, &mut self.dice, 86_400)),
            ("any", self.any),
            ("ten", self.ten),
            ("six", self.six),
            ("large", self.large),
            ("assembly", self.assembly),
        ];
        for (name, lines) in &mut files {
            for at in (1..lines.len()).rev() {
                lines.swap(at, usize::try_from(self.dice.below(at as u64 + 1))?);
            }
            std::fs::write(folder.join(format!("{name}.tsv")), lines.concat())?;
        }
        Ok(())
    }
}

fn head(call: &Call) -> String {
    let from = call.create_s();
    format!(
        "DescribeUserInfo\t{{\"CommId\":\"{}\",\"StartTime\":{from},\"EndTime\":{},\"SdkAppId\":{}",
        call.comm_id(),
        from + WINDOW_S,
        call.app
    )
}

/// Whether the window of a question reaches a session.
fn rows(call: &Call, is_asked: impl Fn(&str) -> bool) -> usize {
    let (from, to) = (call.create_s(), call.create_s() + WINDOW_S);
    let inside = |session: &&crate::story::Session| {
        session.join_ms / 1_000 <= to && session.leave_ms / 1_000 >= from && is_asked(&session.name())
    };
    call.sessions.iter().filter(inside).count()
}

fn users(call: &Call, page: usize, size: Option<usize>, rows_max: usize) -> String {
    let mut line = head(call);
    if let Some(size) = size {
        let _ = write!(line, ",\"PageNumber\":{page},\"PageSize\":{size}");
    }
    let expected = rows(call, |_| true).saturating_sub(page * rows_max).min(rows_max);
    let _ = writeln!(line, "}}\t{expected}");
    line
}

fn of_users(call: &Call, asked: &[String]) -> String {
    let mut line = head(call);
    let _ = write!(line, ",\"PageNumber\":0,\"PageSize\":{PAGE},\"UserIds\":[\"{}\"]", asked.join("\",\""));
    let expected = rows(call, |name| asked.iter().any(|one| one == name));
    let _ = writeln!(line, "}}\t{expected}");
    line
}

/// The first page of the calls of an application in windows that begin anywhere.
fn windows(story: &Story, dice: &mut Dice, length_s: i64) -> Vec<String> {
    let latest = u64::try_from(DAYS * 86_400 - length_s).unwrap_or(1);
    (0..WINDOWS)
        .map(|_| {
            let app = APP + story.any_app(dice) as u64;
            let from = START_S + dice.below(latest) as i64;
            format!(
                "DescribeRoomInfo\t{{\"SdkAppId\":{app},\"StartTime\":{from},\"EndTime\":{},\"PageNumber\":0,\"PageSize\":10}}\t\n",
                from + length_s
            )
        })
        .collect()
}

/// A question, as an engine is asked it.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Question {
    #[serde(default)]
    comm_id: String,
    pub start_time: i64,
    pub end_time: i64,
    pub sdk_app_id: u64,
    #[serde(default)]
    pub page_number: i64,
    #[serde(default = "six")]
    pub page_size: i64,
    #[serde(default)]
    pub user_ids: Vec<String>,
    #[serde(skip)]
    pub room: String,
    #[serde(skip)]
    pub create_s: i64,
    /// How many rows the answer has.
    #[serde(skip)]
    pub expected: Option<u64>,
}

fn six() -> i64 {
    6
}

impl Question {
    /// Reads a line's parameters.
    pub fn of(json: &[u8]) -> Result<Question> {
        let mut question: Question = serde_json::from_slice(json)?;
        if !question.comm_id.is_empty() {
            let (app_and_room, second) = question.comm_id.rsplit_once('_').context("CommId")?;
            let (_, room) = app_and_room.split_once('_').context("CommId")?;
            (question.room, question.create_s) = (room.to_owned(), second.parse()?);
        }
        Ok(question)
    }

    /// Whether it asks for the users of a call.
    pub fn is_for_users(&self) -> bool {
        !self.comm_id.is_empty()
    }
}

/// A line of a file: the action, the parameters, and how many rows are expected.
pub fn lines(text: &str) -> impl Iterator<Item = Result<(&str, &str, Option<u64>)>> {
    text.lines().map(|line| {
        let (action, rest) = line.split_once('\t').with_context(|| format!("question {line:?}"))?;
        let (json, expected) = rest.split_once('\t').unwrap_or((rest, ""));
        Ok((action, json, expected.parse().ok()))
    })
}
