//! What the server tells about itself: log lines, and the table of metrics. `docs/logging.md` has the conventions.
//!
//! The metrics are atomics in fixed places, so counting costs a few nanoseconds and never allocates.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For eyes, with or without colours.
    Text {
        /// Whether terminal colours are used.
        colour: bool,
    },
    /// One JSON object a line.
    Json,
}

/// Sends log lines to stderr from now on. `filter` is a level, or directives such as `info,rollbook::http=debug`.
/// A second call in one process changes nothing.
///
/// # Errors
/// When the filter cannot be read.
pub fn init(format: LogFormat, filter: &str) -> Result<(), ParseError> {
    let builder = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::builder().parse(filter)?)
        .with_writer(std::io::stderr)
        .with_target(false);
    // An error here means that somebody else has set a subscriber, which is as good.
    let _ = match format {
        LogFormat::Text { colour } => builder.with_ansi(colour).try_init(),
        LogFormat::Json => builder.json().flatten_event(true).with_ansi(false).try_init(),
    };
    Ok(())
}

/// One family of metrics.
#[derive(Debug, Clone, Copy)]
enum Family {
    Requests,
    RequestDuration,
    Accepted,
    Duplicate,
    SampleValues,
    Refused,
    LeftOut,
    Lateness,
    AppendDuration,
    CommitDuration,
    OpenCalls,
    OpenSessions,
    Orphans,
    Connections,
    MadeRoom,
}

/// Every family: name, Prometheus type, labels, meaning. `docs/operations.md` prints it.
#[rustfmt::skip]
const METRICS: &[(Family, &str, &str, &str, &str)] = &[
    (Family::Requests, "rollbook_requests_total", "counter", "action, code",
        "API requests by action and error code; `OK` where there was no error."),
    (Family::RequestDuration, "rollbook_request_duration_seconds", "histogram", "",
        "Time from a whole API request to its reply."),
    (Family::Accepted, "rollbook_events_accepted_total", "counter", "",
        "Events that were new."),
    (Family::Duplicate, "rollbook_events_duplicate_total", "counter", "",
        "Events that were known already."),
    (Family::SampleValues, "rollbook_sample_values_total", "counter", "",
        "Values of measurements that were taken, known ones included."),
    (Family::Refused, "rollbook_events_refused_total", "counter", "reason",
        "Deliveries and lines that were refused."),
    (Family::LeftOut, "rollbook_events_left_out_total", "counter", "",
        "Events that were taken and not kept, because a setting says so."),
    (Family::Lateness, "rollbook_event_lateness_seconds", "histogram", "",
        "Time from an event to its arrival here."),
    (Family::AppendDuration, "rollbook_append_duration_seconds", "histogram", "",
        "Time from giving events to the store until they were durable."),
    (Family::CommitDuration, "rollbook_commit_duration_seconds", "histogram", "",
        "Time of the store's durable commits; the fsync is in it."),
    (Family::OpenCalls, "rollbook_calls_open", "gauge", "",
        "Calls without an end."),
    (Family::OpenSessions, "rollbook_sessions_open", "gauge", "",
        "Sessions without an end."),
    (Family::Orphans, "rollbook_orphans", "gauge", "",
        "Events that wait for a call that contains them."),
    (Family::Connections, "rollbook_connections", "gauge", "",
        "Connections that are open."),
    (Family::MadeRoom, "rollbook_connections_closed_for_others_total", "counter", "",
        "Silent connections that were closed for others, since `limits.connections` were open."),
];

/// The table of metrics, as `docs/operations.md` has it.
pub fn documentation() -> String {
    let mut page = "| metric | type | labels | meaning |\n| --- | --- | --- | --- |\n".to_owned();
    for (_, name, kind, labels, meaning) in METRICS {
        let labels = if labels.is_empty() { "–" } else { labels };
        let _ = writeln!(page, "| `{name}` | {kind} | {labels} | {meaning} |");
    }
    page
}

/// The label for what is not in the list of labels.
const OTHER: &str = "other";
/// The label of a request without an error.
const NO_ERROR: &str = "OK";

/// Bounds of durations in microseconds: 50 µs to 10 s.
const DURATION_BOUNDS_US: &[u64] = &[
    50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000,
    2_500_000, 10_000_000,
];
/// Bounds of lateness in microseconds: 0.1 s to a week.
const LATENESS_BOUNDS_US: &[u64] = &[
    100_000,
    500_000,
    1_000_000,
    5_000_000,
    10_000_000,
    30_000_000,
    60_000_000,
    600_000_000,
    3_600_000_000,
    86_400_000_000,
    604_800_000_000,
];

/// Counts into ranges.
#[derive(Debug)]
pub struct Histogram {
    bounds_us: &'static [u64],
    counts: Vec<AtomicU64>,
    sum_us: AtomicU64,
}

impl Histogram {
    fn new(bounds_us: &'static [u64]) -> Histogram {
        let counts = (0..=bounds_us.len()).map(|_| AtomicU64::new(0)).collect();
        Histogram { bounds_us, counts, sum_us: AtomicU64::new(0) }
    }

    fn observe_us(&self, us: u64) {
        let range = self.bounds_us.iter().position(|bound| us <= *bound).unwrap_or(self.bounds_us.len());
        self.counts[range].fetch_add(1, Ordering::Relaxed);
        self.sum_us.fetch_add(us, Ordering::Relaxed);
    }

    fn render(&self, name: &str, page: &mut String) {
        let mut total = 0;
        for (index, count) in self.counts.iter().enumerate() {
            total += count.load(Ordering::Relaxed);
            let bound = self.bounds_us.get(index).map_or("+Inf".to_owned(), |us| seconds(*us));
            let _ = writeln!(page, "{name}_bucket{{le=\"{bound}\"}} {total}");
        }
        let sum = seconds(self.sum_us.load(Ordering::Relaxed));
        let _ = writeln!(page, "{name}_sum {sum}\n{name}_count {total}");
    }
}

fn seconds(us: u64) -> String {
    let text = format!("{}.{:06}", us / 1_000_000, us % 1_000_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// A counter for each of a fixed list of labels, and one for all others.
#[derive(Debug)]
struct Counters {
    labels: Vec<&'static str>,
    counts: Vec<AtomicU64>,
}

impl Counters {
    fn new(labels: impl IntoIterator<Item = &'static str>) -> Counters {
        let mut labels: Vec<_> = labels.into_iter().filter(|label| !label.is_empty()).collect();
        labels.push(OTHER);
        let counts = labels.iter().map(|_| AtomicU64::new(0)).collect();
        Counters { labels, counts }
    }

    fn at(&self, label: &str) -> usize {
        self.labels.iter().position(|known| *known == label).unwrap_or(self.labels.len() - 1)
    }

    fn add(&self, label: &str, count: u64) {
        self.counts[self.at(label)].fetch_add(count, Ordering::Relaxed);
    }

    fn each(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        self.labels.iter().zip(&self.counts).map(|(label, count)| (*label, count.load(Ordering::Relaxed)))
    }
}

/// What is asked of the store when the metrics are read.
#[derive(Debug, Clone, Copy, Default)]
pub struct Gauges {
    /// Calls without an end.
    pub open_calls: u64,
    /// Sessions in them without an end.
    pub open_sessions: u64,
    /// Events that wait for a call.
    pub orphans: u64,
}

/// Everything that is counted.
#[derive(Debug)]
pub struct Metrics {
    /// By action; in each by error code.
    requests: Vec<Counters>,
    actions: Counters,
    request_us: Histogram,
    accepted: AtomicU64,
    duplicate: AtomicU64,
    sample_values: AtomicU64,
    refused: Counters,
    left_out: AtomicU64,
    lateness_us: Histogram,
    append_us: Histogram,
    commit_us: Histogram,
    connections: AtomicI64,
    made_room: AtomicU64,
}

impl Metrics {
    /// Nothing counted yet. Labels that are in none of the lists are counted as `other`.
    pub fn new(
        actions: impl IntoIterator<Item = &'static str>,
        codes: impl IntoIterator<Item = &'static str> + Clone,
        reasons: impl IntoIterator<Item = &'static str>,
    ) -> Metrics {
        let actions = Counters::new(actions);
        let by_code = || Counters::new(std::iter::once(NO_ERROR).chain(codes.clone()));
        Metrics {
            requests: actions.labels.iter().map(|_| by_code()).collect(),
            actions,
            request_us: Histogram::new(DURATION_BOUNDS_US),
            accepted: AtomicU64::new(0),
            duplicate: AtomicU64::new(0),
            sample_values: AtomicU64::new(0),
            refused: Counters::new(reasons),
            left_out: AtomicU64::new(0),
            lateness_us: Histogram::new(LATENESS_BOUNDS_US),
            append_us: Histogram::new(DURATION_BOUNDS_US),
            commit_us: Histogram::new(DURATION_BOUNDS_US),
            connections: AtomicI64::new(0),
            made_room: AtomicU64::new(0),
        }
    }

    /// An API request was answered.
    pub fn answered(&self, action: &str, code: Option<&str>, took_us: u64) {
        self.requests[self.actions.at(action)].add(code.unwrap_or(NO_ERROR), 1);
        self.request_us.observe_us(took_us);
    }

    /// Events became durable.
    pub fn appended(&self, new: u64, duplicate: u64, took_us: u64) {
        self.accepted.fetch_add(new, Ordering::Relaxed);
        self.duplicate.fetch_add(duplicate, Ordering::Relaxed);
        self.append_us.observe_us(took_us);
    }

    /// Values of measurements became durable.
    pub fn sampled(&self, values: u64) {
        self.sample_values.fetch_add(values, Ordering::Relaxed);
    }

    /// The store made a commit durable.
    pub fn committed(&self, took: Duration) {
        self.commit_us.observe_us(u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
    }

    /// An event arrived this long after it happened; one from the future counts as prompt.
    pub fn arrived(&self, lateness_ms: i64) {
        self.lateness_us.observe_us(u64::try_from(lateness_ms).unwrap_or(0).saturating_mul(1_000));
    }

    /// Deliveries or lines were refused.
    pub fn refused(&self, reason: &str, count: u64) {
        self.refused.add(reason, count);
    }

    /// Events were not kept, because a setting says so.
    pub fn left_out(&self, count: u64) {
        self.left_out.fetch_add(count, Ordering::Relaxed);
    }

    /// A connection was opened.
    pub fn connected(&self) {
        self.connections.fetch_add(1, Ordering::Relaxed);
    }

    /// A connection was closed.
    pub fn disconnected(&self) {
        self.connections.fetch_sub(1, Ordering::Relaxed);
    }

    /// A silent connection was closed for another.
    pub fn made_room(&self) {
        self.made_room.fetch_add(1, Ordering::Relaxed);
    }

    /// All of it as Prometheus text, without the gauges where the store does not tell them.
    pub fn render(&self, gauges: Option<Gauges>) -> String {
        let mut page = String::with_capacity(8 * 1_024);
        for (family, name, kind, _, meaning) in METRICS {
            let _ = writeln!(page, "# HELP {name} {meaning}\n# TYPE {name} {kind}");
            self.render_family(*family, name, gauges, &mut page);
        }
        page
    }

    fn render_family(&self, family: Family, name: &str, gauges: Option<Gauges>, page: &mut String) {
        let plain = |page: &mut String, value: u64| {
            let _ = writeln!(page, "{name} {value}");
        };
        let gauge = |page: &mut String, value: Option<u64>| value.into_iter().for_each(|v| plain(page, v));
        match family {
            Family::Requests => {
                for (action, codes) in self.actions.labels.iter().zip(&self.requests) {
                    // A row for every pair would be hundreds of zeroes.
                    for (code, count) in codes.each().filter(|(code, count)| *count > 0 || *code == NO_ERROR)
                    {
                        let _ = writeln!(page, "{name}{{action=\"{action}\",code=\"{code}\"}} {count}");
                    }
                }
            }
            Family::Refused => {
                for (reason, count) in self.refused.each() {
                    let _ = writeln!(page, "{name}{{reason=\"{reason}\"}} {count}");
                }
            }
            Family::RequestDuration => self.request_us.render(name, page),
            Family::Lateness => self.lateness_us.render(name, page),
            Family::AppendDuration => self.append_us.render(name, page),
            Family::CommitDuration => self.commit_us.render(name, page),
            Family::Accepted => plain(page, self.accepted.load(Ordering::Relaxed)),
            Family::LeftOut => plain(page, self.left_out.load(Ordering::Relaxed)),
            Family::MadeRoom => plain(page, self.made_room.load(Ordering::Relaxed)),
            Family::Duplicate => plain(page, self.duplicate.load(Ordering::Relaxed)),
            Family::SampleValues => plain(page, self.sample_values.load(Ordering::Relaxed)),
            Family::OpenCalls => gauge(page, gauges.map(|gauges| gauges.open_calls)),
            Family::OpenSessions => gauge(page, gauges.map(|gauges| gauges.open_sessions)),
            Family::Orphans => gauge(page, gauges.map(|gauges| gauges.orphans)),
            Family::Connections => {
                let _ = writeln!(page, "{name} {}", self.connections.load(Ordering::Relaxed));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(count: impl FnOnce(&Metrics), lines: &[&str]) {
        let metrics = Metrics::new(["Ask", "Tell"], ["Bad", "Worse"], ["late"]);
        count(&metrics);
        let page = metrics.render(Some(Gauges { open_calls: 7, open_sessions: 9, orphans: 8 }));
        for line in lines {
            assert!(page.lines().any(|l| l == *line), "{line} is not in\n{page}");
        }
    }

    #[test]
    fn requests_are_counted_by_action_and_code() {
        check(
            |m| {
                m.answered("Ask", None, 120);
                m.answered("Ask", Some("Worse"), 60);
                m.answered("Shout", Some("Bad"), 20_000_000);
                m.answered("Tell", Some("Unheard"), 0);
            },
            &[
                "rollbook_requests_total{action=\"Ask\",code=\"OK\"} 1",
                "rollbook_requests_total{action=\"Ask\",code=\"Worse\"} 1",
                "rollbook_requests_total{action=\"other\",code=\"Bad\"} 1",
                "rollbook_requests_total{action=\"Tell\",code=\"other\"} 1",
                "rollbook_request_duration_seconds_bucket{le=\"0.00005\"} 1",
                "rollbook_request_duration_seconds_bucket{le=\"0.0001\"} 2",
                "rollbook_request_duration_seconds_bucket{le=\"10\"} 3",
                "rollbook_request_duration_seconds_bucket{le=\"+Inf\"} 4",
                "rollbook_request_duration_seconds_sum 20.00018",
                "rollbook_request_duration_seconds_count 4",
            ],
        );
    }

    #[test]
    fn events_are_counted_by_what_became_of_them() {
        check(
            |m| {
                m.appended(3, 2, 4_000);
                m.sampled(17);
                m.refused("late", 5);
                m.refused("never heard of", 1);
                m.left_out(4);
                m.arrived(-5);
                m.arrived(30_000);
                m.connected();
                m.committed(Duration::from_millis(3));
            },
            &[
                "rollbook_events_accepted_total 3",
                "rollbook_events_duplicate_total 2",
                "rollbook_sample_values_total 17",
                "rollbook_events_refused_total{reason=\"late\"} 5",
                "rollbook_events_refused_total{reason=\"other\"} 1",
                "rollbook_events_left_out_total 4",
                "rollbook_event_lateness_seconds_bucket{le=\"0.1\"} 1",
                "rollbook_event_lateness_seconds_bucket{le=\"30\"} 2",
                "rollbook_append_duration_seconds_count 1",
                "rollbook_commit_duration_seconds_bucket{le=\"0.005\"} 1",
                "rollbook_calls_open 7",
                "rollbook_orphans 8",
                "rollbook_connections 1",
                "# TYPE rollbook_calls_open gauge",
            ],
        );
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "UPDATE=1 asks for the page to be rewritten")]
    fn the_operators_page_holds_the_table() {
        let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/operations.md");
        let page = std::fs::read_to_string(&file).expect("docs/operations.md");
        let (before, rest) = page.split_once("<!-- metrics -->\n").expect("the beginning of the table");
        let (_, after) = rest.split_once("<!-- /metrics -->").expect("the end of the table");
        let fresh = format!("{before}<!-- metrics -->\n{}<!-- /metrics -->{after}", documentation());
        if std::env::var("UPDATE").is_ok() {
            std::fs::write(&file, &fresh).expect("written");
        } else {
            assert!(page == fresh, "docs/operations.md is not up to date; run the tests with UPDATE=1");
        }
    }
}
