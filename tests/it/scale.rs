//! The model behind `docs/scale.md`: what a day of so many sessions needs, from what was measured on one machine.
//! `UPDATE=1 cargo test scale` writes the page's tables anew.

use std::fmt::Write as _;
use std::path::Path;

/// One figure that the model starts from.
struct Given {
    what: &'static str,
    value: f64,
    unit: &'static str,
    from: &'static str,
}

macro_rules! given {
    ($($name:ident = $value:expr, $unit:expr, $what:expr, $from:expr;)*) => {
        $(const $name: Given = Given { what: $what, value: $value, unit: $unit, from: $from };)*
        const GIVEN: &[&Given] = &[$(&$name),*];
    };
}

const BENCH: &str = "`make bench`";
const ASSUMED: &str = "assumed";

given! {
    EVENTS = 2.34, "", "events a session", "the load of `make bench`";
    STAY = 15.0, "min", "mean stay", ASSUMED;
    PEAK = 4.0, "×", "the busiest minute over the mean of the day", ASSUMED;
    BUSY = 0.5, "", "how busy cores may be at the peak", ASSUMED;
    EVENT_WIRE = 400.0, "B", "an event on the wire, its part of the request included", "a TRTC callback has 700, a neutral line in a batch 180";
    EMBEDDED_EVENT = 15.0, "µs", "CPU of an event that is posted, embedded store", BENCH;
    EMBEDDED_SESSION_B = 14.0, "B", "a session at rest, embedded, sealed", BENCH;
    EMBEDDED_EVENT_B = 16.0, "B", "a raw event at rest, embedded, sealed", BENCH;
    NODE_EVENT = 11.0, "µs", "CPU of an event in a rollbook over ClickHouse", BENCH;
    CLICKHOUSE_EVENT = 37.0, "µs", "CPU of an event in each replica of ClickHouse, merges included", BENCH;
    CLICKHOUSE_SESSION_B = 75.0, "B", "a session at rest in ClickHouse 18.16, one replica", BENCH;
    CLICKHOUSE_EVENT_B = 46.0, "B", "a raw event at rest in ClickHouse 18.16, one replica", BENCH;
    REPLICAS = 2.0, "", "replicas of each shard", ASSUMED;
    FLOWS = 3.0, "", "flows that are measured a session: its own and two peers'", ASSUMED;
    INTERVAL = 5.0, "s", "between two measurements of a flow", ASSUMED;
    VALUES = 8.0, "", "values a measurement", ASSUMED;
    VALUE_B = 0.66, "B", "a value at rest", BENCH;
    VALUE_WIRE = 12.0, "B", "a value on the wire, in columns", ASSUMED;
    VALUE_CPU = 1.0, "µs", "CPU of a value that is posted", BENCH;
    QUESTIONS = 0.02, "", "questions a session", ASSUMED;
    WIDE = 0.1, "", "of them, those that ask every shard: lists of calls, daily figures", ASSUMED;
    EMBEDDED_QUESTION = 120.0, "µs", "CPU of DescribeUserInfo for a call that was not asked for lately, embedded", BENCH;
    CLICKHOUSE_QUESTION = 2_700.0, "µs", "CPU of a question in a server of ClickHouse", BENCH;
    PACE = 1.0, "s", "between two batches of a rollbook", "src/store/clickhouse";
    DAYS = 14.0, "d", "retention", "the default";
    CORE_HOUR = 0.045, "$", "a core for an hour, on demand", "the usual price of public clouds; put in your own";
}

const DAY_S: f64 = 86_400.0;
/// Sessions a day.
const SIZES: [f64; 3] = [2e6, 2e8, 2e10];

/// Two machines at least, so that one may be away.
const CORES_MIN: f64 = 2.0;
/// Cores of one node of rollbook, and of one server of ClickHouse.
const NODE_CORES: f64 = 8.0;
const SHARD_CORES: f64 = 16.0;

/// What one size needs.
struct Needs {
    sessions: f64,
    events_s: f64,
    peak_s: f64,
    values_s: f64,
    wire_bits_s: f64,
    embedded_cores: f64,
    sample_cores: f64,
    embedded_bytes: f64,
    node_cores: f64,
    clickhouse_cores: f64,
    wide_cores: f64,
    clickhouse_bytes: f64,
    sample_bytes: f64,
}

impl Needs {
    fn of(sessions: f64) -> Needs {
        let events_s = sessions * EVENTS.value / DAY_S;
        let peak_s = events_s * PEAK.value;
        let values = STAY.value * 60.0 / INTERVAL.value * VALUES.value * FLOWS.value;
        let values_s = sessions * values / DAY_S;
        let questions_s = sessions * QUESTIONS.value / DAY_S;
        // Cores at the peak, at no more than so much of each.
        let cores = |us_per_s: f64| us_per_s / 1e6 * PEAK.value / BUSY.value;
        let samples = values_s * VALUE_CPU.value;
        let (narrow_s, wide_s) = (questions_s * (1.0 - WIDE.value), questions_s * WIDE.value);
        Needs {
            sessions,
            events_s,
            peak_s,
            values_s,
            wire_bits_s: 8.0 * PEAK.value * (events_s * EVENT_WIRE.value + values_s * VALUE_WIRE.value),
            embedded_cores: cores(
                events_s * EMBEDDED_EVENT.value + questions_s * EMBEDDED_QUESTION.value + samples,
            ),
            sample_cores: cores(samples),
            embedded_bytes: sessions
                * DAYS.value
                * (EMBEDDED_SESSION_B.value + EVENTS.value * EMBEDDED_EVENT_B.value),
            node_cores: cores(events_s * NODE_EVENT.value + samples),
            clickhouse_cores: cores(
                (events_s * CLICKHOUSE_EVENT.value + samples) * REPLICAS.value
                    + narrow_s * CLICKHOUSE_QUESTION.value,
            ),
            wide_cores: cores(wide_s * CLICKHOUSE_QUESTION.value),
            clickhouse_bytes: sessions
                * DAYS.value
                * REPLICAS.value
                * (CLICKHOUSE_SESSION_B.value + EVENTS.value * CLICKHOUSE_EVENT_B.value),
            sample_bytes: sessions * DAYS.value * values * VALUE_B.value,
        }
    }
}

/// How many of something that comes in wholes: at least `least`.
fn whole(amount: f64, least: f64) -> f64 {
    amount.ceil().max(least)
}

/// A number as people read it: three digits that count, and the power of a thousand.
fn human(value: f64) -> String {
    let powers = [(1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")];
    let (size, letter) = powers.into_iter().find(|(size, _)| value >= *size).unwrap_or((1.0, ""));
    let scaled = value / size;
    let digits = usize::from(scaled < 10.0 && (!letter.is_empty() || scaled.fract() != 0.0));
    let space = if letter.is_empty() { "" } else { " " };
    format!("{scaled:.digits$}{space}{letter}")
}

fn tenths(value: f64) -> String {
    format!("{value:.1}")
}

fn bytes(value: f64) -> String {
    let text = human(value);
    if text.contains(' ') { format!("{text}B") } else { format!("{text} B") }
}

/// What the page says of the figures that the model starts from.
fn givens() -> String {
    let mut table = "| what | value | from |\n| --- | --- | --- |\n".to_owned();
    for Given { what, value, unit, from } in GIVEN {
        let space = if unit.is_empty() { "" } else { " " };
        let _ = writeln!(table, "| {what} | {value}{space}{unit} | {from} |");
    }
    table
}

/// A row of the table of sizes.
type Row = (&'static str, fn(&Needs) -> String);

const ROWS: &[Row] = &[
    ("events a second, mean / busiest", |needs| {
        format!("{} / {}", human(needs.events_s), human(needs.peak_s))
    }),
    ("measured values a second, mean", |needs| human(needs.values_s)),
    ("network into rollbook, busiest", |needs| format!("{}bit/s", pad(&human(needs.wire_bits_s)))),
    ("**embedded**: cores at the busiest", |needs| human(whole(needs.embedded_cores, 1.0))),
    ("… of them for measurements, in either store", |needs| tenths(needs.sample_cores)),
    ("records kept, sealed", |needs| bytes(needs.embedded_bytes)),
    ("measurements kept", |needs| bytes(needs.sample_bytes)),
    ("**ClickHouse**: cores of rollbook", |needs| human(whole(needs.node_cores, CORES_MIN))),
    ("nodes of rollbook, 8 cores each", |needs| human(nodes(needs))),
    ("shards of ClickHouse, 2 × 16 cores each", |needs| human(shards(needs))),
    ("cores of each shard for questions that all are asked", |needs| tenths(needs.wide_cores)),
    ("insertions a second into a table of a shard", |needs| tenths(insertions_s(needs))),
    ("records kept, all replicas", |needs| bytes(needs.clickhouse_bytes)),
    ("core-hours a day, rollbook and ClickHouse", |needs| human(core_hours(needs))),
    ("that is, a million sessions", |needs| {
        format!("${:.2}", core_hours(needs) * CORE_HOUR.value / needs.sessions * 1e6)
    }),
];

fn pad(text: &str) -> String {
    if text.contains(' ') { text.to_owned() } else { format!("{text} ") }
}

fn nodes(needs: &Needs) -> f64 {
    // One more than are needed, so that one may be away; never fewer than two.
    whole(needs.node_cores / NODE_CORES, 1.0) + 1.0
}

/// Each shard has its part of what is divided, and all of what every shard is asked; so there is a size behind which
/// further shards help nothing.
fn shards(needs: &Needs) -> f64 {
    let left = SHARD_CORES * REPLICAS.value - needs.wide_cores;
    assert!(left > 0.0, "no number of shards is enough");
    whole(needs.clickhouse_cores / left, 1.0)
}

/// Every rollbook has something for every shard, at its own pace.
fn insertions_s(needs: &Needs) -> f64 {
    nodes(needs) / PACE.value
}

fn core_hours(needs: &Needs) -> f64 {
    24.0 * (nodes(needs) * NODE_CORES + shards(needs) * SHARD_CORES * REPLICAS.value)
}

fn sizes() -> String {
    let all = SIZES.map(Needs::of);
    let mut table = "| a day |".to_owned();
    all.iter().for_each(|needs| table += &format!(" {} sessions |", human(needs.sessions)));
    table += "\n| --- | --- | --- | --- |\n";
    for (name, told) in ROWS {
        let _ = write!(table, "| {name} |");
        all.iter().for_each(|needs| table += &format!(" {} |", told(needs)));
        table.push('\n');
    }
    table
}

/// Puts a table between its marks.
fn put(page: &str, mark: &str, table: &str) -> String {
    let (begin, end) = (format!("<!-- {mark} -->\n"), format!("<!-- /{mark} -->"));
    let (before, rest) = page.split_once(&begin).expect("the mark of the begin");
    let (_, after) = rest.split_once(&end).expect("the mark of the end");
    format!("{before}{begin}{table}{end}{after}")
}

#[test]
#[expect(clippy::disallowed_methods, reason = "UPDATE=1 asks for the page to be rewritten")]
fn docs_of_the_model() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/scale.md");
    let page = std::fs::read_to_string(&path).expect("the page");
    let told = put(&put(&page, "given", &givens()), "sizes", &sizes());
    if std::env::var_os("UPDATE").is_some_and(|value| value == "1") {
        std::fs::write(&path, &told).expect("written");
    } else {
        assert!(page == told, "docs/scale.md is not what the model says; run with UPDATE=1");
    }
}

#[test]
fn a_hundred_times_the_sessions_need_a_hundred_times_of_what_is_divisible() {
    let [small, middle, _] = SIZES.map(Needs::of);
    for part in [
        |needs: &Needs| needs.events_s,
        |needs: &Needs| needs.wire_bits_s,
        |needs: &Needs| needs.node_cores,
        |needs: &Needs| needs.clickhouse_cores,
        |needs: &Needs| needs.clickhouse_bytes,
    ] {
        assert!((part(&middle) / part(&small) - 100.0).abs() < 1e-6);
    }
    // By hand: two million sessions of 2.34 events are 54 events a second.
    assert_eq!(human(small.events_s), "54");
    assert_eq!((human(999.0), human(1_234.0), human(20e9)), ("999".into(), "1.2 k".into(), "20 G".into()));
}
