//! The tables: what `docs/clickhouse.md` shows, what is created, and in which order rows are written.

use super::sql::{Row, Rows};
use crate::store::StoreError;

/// The type of a column, in the words of the engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Type {
    Flag,
    Count,
    Number,
    MaybeNumber,
    Float,
    Day,
    Text,
}

use Type::{Count, Day, Flag, Float, MaybeNumber, Number, Text};

impl Type {
    const fn name(self) -> &'static str {
        match self {
            Flag => "UInt8",
            Count => "UInt64",
            Number => "Int64",
            MaybeNumber => "Nullable(Int64)",
            Float => "Float64",
            Day => "Date",
            Text => "String",
        }
    }

    /// Passes over one value.
    fn skip(self, rows: &mut Rows<'_>) -> Result<(), StoreError> {
        match self {
            Flag => rows.u8().map(drop),
            Count | Number | Float => rows.take(8).map(drop),
            MaybeNumber => rows.maybe_i64().map(drop),
            Day => rows.take(2).map(drop),
            Text => rows.bytes().map(drop),
        }
    }

    fn empty(self, row: &mut Row) {
        match self {
            Flag => row.u8(0),
            Count => row.u64(0),
            Number => row.i64(0),
            MaybeNumber => row.maybe_i64(None),
            Float => row.f64(0.0),
            Day => row.day(0),
            Text => row.text(""),
        };
    }
}

/// A column: its name, its type, what it means.
#[derive(Debug, Clone, Copy)]
pub(super) struct Column(pub(super) &'static str, pub(super) Type, pub(super) &'static str);

/// A column that is computed when it is asked for: its name, its formula, what it means.
#[derive(Debug, Clone, Copy)]
pub(super) struct Alias(&'static str, &'static str, &'static str);

/// A table.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) name: &'static str,
    /// What one row is.
    #[cfg_attr(not(test), expect(dead_code, reason = "it is for the documentation, which a test writes"))]
    meaning: &'static str,
    /// What makes two rows the same, after `day`, in the order of the primary key.
    pub(super) key: &'static [Column],
    /// What else a row says.
    pub(super) values: &'static [Column],
    /// Of two rows of one key, the one with the greater value of this column counts.
    prevails: &'static str,
    aliases: &'static [Alias],
}

const DAY: Column = Column("day", Day, "UTC day; the partition");
const APP: Column = Column("app", Count, "application (SdkAppId)");
const ROOM: Column = Column("room", Text, "room name");
const BODY: Column = Column("body", Text, "everything, in rollbook's own encoding");
const EVENT: Column = Column("event", Count, "digest of what makes it the same event as another");
const WORDING: Column = Column("wording", Count, "digest of everything it says");
const RECEIVED: Column = Column("received_ms", Number, "when it reached rollbook first");
const EARLINESS: Column =
    Column("earliness", Count, "of two deliveries of one event the one received first counts");
const AT: Column = Column("at_ms", Number, "when it happened, milliseconds since 1970");
const VERSION: Column = Column(
    "version",
    Count,
    "2^24 times the number of events folded, and a digest of them; the greatest counts",
);
const DELETED: Column =
    Column("deleted", Flag, "1: the record is gone again, since later events told otherwise");
const CONTENT: Column = Column("content", Count, "digest of what the row says");

/// Raw events: all else is computed from them.
pub(super) const EVENTS: Table = Table {
    name: "events",
    meaning: "What sources told, apart from restarts of media servers. One row an event and wording.",
    key: &[APP, ROOM, AT, EVENT, WORDING],
    values: &[
        Column("source", Text, "who told it: trtc, livekit, janus, record, or the sender's own name"),
        Column("instance", Text, "media server, or empty"),
        Column("user", Text, "user, or empty"),
        Column("kind", Text, "what happened: room_created, user_joined, …"),
        RECEIVED,
        EARLINESS,
        BODY,
    ],
    prevails: "earliness",
    aliases: &[Alias("at", "toDateTime(intDiv(at_ms, 1000))", "when it happened")],
};

/// Restarts of media servers, on every shard.
pub(super) const RESETS: Table = Table {
    name: "resets",
    meaning: "Restarts of media servers, on every shard, since they concern rooms of all shards.",
    key: &[
        APP,
        Column("source", Text, "who told it"),
        Column("instance", Text, "media server"),
        AT,
        EVENT,
        WORDING,
    ],
    values: &[RECEIVED, EARLINESS, BODY],
    prevails: "earliness",
    aliases: &[Alias("at", "toDateTime(intDiv(at_ms, 1000))", "when it happened")],
};

/// Calls.
pub(super) const CALLS: Table = Table {
    name: "calls",
    meaning: "Calls: lives of rooms. The day is that of the creation.",
    key: &[
        APP,
        ROOM,
        Column("comm_id", Text, "id of the call, as the API shows it"),
        Column("twin", Count, "0; counted up for imported calls of one id"),
    ],
    values: &[
        Column("source", Text, "who reports it"),
        Column("instance", Text, "media server, or empty"),
        Column("creator", Text, "who created the room, or empty"),
        Column("created_ms", Number, "creation, milliseconds since 1970"),
        Column("ended_ms", MaybeNumber, "end; NULL while it runs"),
        Column("end_source", Text, "how the end is known"),
        Column("last_evidence_ms", Number, "latest event"),
        Column("sessions", Count, "how many sessions it has"),
        Column("order_s", Number, "second by which exports are ordered"),
        Column("begin_ms", Number, "place on the room's timeline: begin"),
        Column("closed_ms", MaybeNumber, "place on the room's timeline: end"),
        Column("room_is_number", Flag, "1: the room's name is a number"),
        Column("room_number", Count, "that number"),
        BODY,
        VERSION,
        DELETED,
        CONTENT,
    ],
    prevails: "version",
    aliases: &[
        Alias("created", "toDateTime(intDiv(created_ms, 1000))", "creation"),
        Alias("ended", "toDateTime(intDiv(ended_ms, 1000))", "end; NULL while it runs"),
    ],
};

/// Sessions.
pub(super) const SESSIONS: Table = Table {
    name: "sessions",
    meaning: "Sessions: one stay of one user in one call. The day is that of the call's creation.",
    key: &[
        APP,
        ROOM,
        Column("comm_id", Text, "id of the call"),
        Column("twin", Count, "as in calls"),
        Column("user", Text, "user"),
        Column("joined_ms", Number, "join, milliseconds since 1970"),
        Column("visit", Text, "vendor's id of the stay, or empty"),
        Column("nth", Count, "0; counted up for stays that are otherwise the same"),
    ],
    values: &[
        Column("left_ms", MaybeNumber, "leave; NULL while inside"),
        Column("join_source", Text, "how the join is known"),
        Column("leave_source", Text, "how the leave is known"),
        Column("device", Text, "kind of terminal as DeviceType shows it, or empty"),
        Column("sdk_version", Text, "version of SDK or browser, or empty"),
        Column("client_ip", Text, "address of the client, or empty"),
        BODY,
        VERSION,
        DELETED,
        CONTENT,
    ],
    prevails: "version",
    aliases: &[
        Alias("joined", "toDateTime(intDiv(joined_ms, 1000))", "join"),
        Alias("left", "toDateTime(intDiv(left_ms, 1000))", "leave; NULL while inside"),
    ],
};

/// Events outside of every call.
pub(super) const ORPHANS: Table = Table {
    name: "orphans",
    meaning: "Which events wait for a call that contains them. They are in events, too.",
    key: &[
        APP,
        ROOM,
        Column("at_ms", Number, "as in events"),
        Column("event", Count, "as in events"),
        Column("wording", Count, "as in events"),
    ],
    values: &[Column("user", Text, "user, or empty"), VERSION, DELETED, CONTENT],
    prevails: "version",
    aliases: &[],
};

/// Measurements.
pub(super) const SAMPLES: Table = Table {
    name: "samples",
    meaning: "Measurements: one value of one measure at one moment.",
    key: &[
        APP,
        ROOM,
        Column("user", Text, "who measured"),
        Column("peer", Text, "whom it came from; empty: what the user sent"),
        Column("connection", Text, "the connection, or empty"),
        Column("measure", Text, "what was measured, as `/ingest/events` names it"),
        Column("at_ms", Number, "when, milliseconds since 1970"),
    ],
    values: &[
        Column("value", Float, "the value"),
        Column("rank", Count, "its bits in the order of values; of two of one moment the greater counts"),
    ],
    prevails: "rank",
    aliases: &[Alias("at", "toDateTime(intDiv(at_ms, 1000))", "when")],
};

/// Who was erased, on every shard.
pub(super) const ERASED: Table = Table {
    name: "erased",
    meaning: "Who was erased, on every shard, so that no sender brings them back. The day is that of `until_ms`.",
    key: &[Column("person", Text, "HMAC-SHA-256 of application and user, hexadecimal")],
    values: &[
        Column("until_ms", Number, "what happened up to here is not taken, milliseconds since 1970"),
        Column("key", Text, "key of the hash, hexadecimal"),
    ],
    prevails: "until_ms",
    aliases: &[],
};

/// All of them.
pub(super) const TABLES: &[&Table] = &[&EVENTS, &RESETS, &CALLS, &SESSIONS, &ORPHANS, &SAMPLES, &ERASED];

/// What the tables are created for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) database: &'a str,
    /// The cluster of replicated tables; `""`: plain ones, on each server by itself.
    pub(super) cluster: &'a str,
}

impl Place<'_> {
    fn on_cluster(&self) -> String {
        if self.cluster.is_empty() { String::new() } else { format!(" ON CLUSTER {}", name(self.cluster)) }
    }

    /// The database, if it is not there.
    pub(super) fn create_database(&self) -> String {
        format!("CREATE DATABASE IF NOT EXISTS {}{}", name(self.database), self.on_cluster())
    }

    /// Drops the database.
    #[cfg(test)]
    pub(super) fn drop_database(&self) -> String {
        format!("DROP DATABASE IF EXISTS {}{}", name(self.database), self.on_cluster())
    }

    /// The table that says what the others are, on each server by itself.
    pub(super) fn create_meta(&self) -> String {
        format!(
            "CREATE TABLE IF NOT EXISTS {}.meta{} (version UInt64 COMMENT 'version of the tables', \
             shards String COMMENT 'names of the shards they were made for, one a line') \
             ENGINE = ReplacingMergeTree() ORDER BY (version, shards)",
            name(self.database),
            self.on_cluster()
        )
    }
}

/// A name in a statement.
pub(super) fn name(name: &str) -> String {
    format!("`{}`", name.replace('\\', "\\\\").replace('`', "\\`"))
}

impl Table {
    /// All columns in the order of rows.
    pub(super) fn columns(&self) -> impl Iterator<Item = &Column> {
        std::iter::once(&DAY).chain(self.key).chain(self.values)
    }

    /// The names of what makes two rows the same.
    pub(super) fn identity(&self) -> String {
        let names: Vec<&str> = std::iter::once(&DAY).chain(self.key).map(|column| column.0).collect();
        names.join(", ")
    }

    /// The bytes of a row's identity, which stand at its begin.
    pub(super) fn read_identity<'a>(&self, rows: &mut Rows<'a>) -> Result<&'a [u8], StoreError> {
        let before = rows.0;
        std::iter::once(&DAY).chain(self.key).try_for_each(|column| column.1.skip(rows))?;
        Ok(&before[..before.len() - rows.0.len()])
    }

    /// The values of a row that says that its record is gone.
    pub(super) fn write_gone(&self, row: &mut Row, version: u64) {
        for Column(name, kind, _) in self.values {
            match *name {
                "version" => drop(row.u64(version)),
                "deleted" => drop(row.u8(1)),
                _ => kind.empty(row),
            }
        }
    }

    /// A row of a day that tells nothing: of application 0, which is nobody's, and gone. `unique` makes it another row than
    /// others of its kind.
    pub(super) fn write_nothing(&self, row: &mut Row, day: i64, unique: u64) {
        for column in self.columns() {
            match column.1 {
                Day => drop(row.day(day)),
                Flag => drop(row.u8(1)),
                Count if column.0 != APP.0 => drop(row.u64(unique)),
                Count | Number | MaybeNumber | Float | Text => column.1.empty(row),
            }
        }
    }

    /// The begin of the statement that inserts rows.
    pub(super) fn insert(&self) -> String {
        let names: Vec<&str> = self.columns().map(|column| column.0).collect();
        format!("INSERT INTO {} ({}) FORMAT RowBinary", self.name, names.join(", "))
    }

    /// Everything that creates the table, if it is not there.
    pub(super) fn create(&self, place: &Place<'_>) -> Vec<String> {
        let Place { database, cluster } = place;
        let (on_cluster, full) = (place.on_cluster(), format!("{}.{}", name(database), self.name));
        let keys: Vec<&str> = self.key.iter().map(|column| column.0).collect();
        let how =
            format!("PARTITION BY day ORDER BY ({}) SETTINGS index_granularity = 1024", keys.join(", "));
        if cluster.is_empty() {
            return vec![format!(
                "CREATE TABLE IF NOT EXISTS {full} ({}) ENGINE = ReplacingMergeTree({}) {how}",
                self.described(true),
                self.prevails
            )];
        }
        let path = super::sql::text(&format!("/clickhouse/tables/{{shard}}/{database}/{}", self.name));
        vec![
            // With comments 18.16 takes the tables of two replicas for different ones.
            format!(
                "CREATE TABLE IF NOT EXISTS {full}{on_cluster} ({}) \
                 ENGINE = ReplicatedReplacingMergeTree({path}, '{{replica}}', {}) {how}",
                self.described(false),
                self.prevails
            ),
            // For people and dashboards: rollbook itself asks each shard.
            format!(
                "CREATE TABLE IF NOT EXISTS {full}_all{on_cluster} ({}) ENGINE = Distributed({}, {}, {})",
                self.described(true),
                name(cluster),
                name(database),
                self.name
            ),
        ]
    }

    /// The columns as a creation names them.
    fn described(&self, with_comments: bool) -> String {
        let comment = |meaning| {
            if with_comments { format!(" COMMENT {}", super::sql::text(meaning)) } else { String::new() }
        };
        let mut columns: Vec<String> = Vec::new();
        for Column(name, kind, meaning) in self.columns() {
            columns.push(format!("{name} {}{}", kind.name(), comment(meaning)));
        }
        for Alias(name, formula, meaning) in self.aliases {
            columns.push(format!("{name} ALIAS {formula}{}", comment(meaning)));
        }
        columns.join(", ")
    }

    /// A condition: any column of text holds a text.
    #[cfg(test)]
    pub(super) fn holds(&self, needle: &str) -> String {
        let texts = self.columns().filter(|column| column.1 == Text);
        let needle = super::sql::text(needle);
        texts.map(|column| format!("position({}, {needle}) > 0", column.0)).collect::<Vec<_>>().join(" OR ")
    }

    /// The columns for a reader.
    #[cfg(test)]
    fn documentation(&self) -> String {
        use std::fmt::Write as _;
        let mut page = format!("### `{}`\n\n{}\n\n", self.name, self.meaning);
        page.push_str("| column | type | key | meaning |\n| --- | --- | --- | --- |\n");
        for (n, Column(name, kind, meaning)) in self.columns().enumerate() {
            let key = if (1..=self.key.len()).contains(&n) { format!("{n}") } else { String::new() };
            let _ = writeln!(page, "| `{name}` | `{}` | {key} | {meaning} |", kind.name());
        }
        for Alias(name, formula, meaning) in self.aliases {
            let _ = writeln!(page, "| `{name}` | computed | | {meaning}: `{formula}` |");
        }
        page
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    const MARK: &str = "<!-- The tables below are printed from src/store/clickhouse/tables.rs. -->\n";

    #[test]
    #[expect(clippy::disallowed_methods, reason = "UPDATE=1 asks for the page to be rewritten")]
    fn docs_of_the_tables_are_printed_from_them() {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/clickhouse.md");
        let page = std::fs::read_to_string(&file).unwrap();
        let (before, _) = page.split_once(MARK).expect("the mark before the tables");
        let tables: Vec<String> = TABLES.iter().map(|table| table.documentation()).collect();
        let expected = format!("{before}{MARK}\n{}", tables.join("\n"));
        if std::env::var("UPDATE").is_ok() {
            std::fs::write(&file, &expected).unwrap();
        } else {
            assert!(page == expected, "docs/clickhouse.md is not up to date; run the tests with UPDATE=1");
        }
    }

    #[test]
    fn replicated_tables_stand_on_their_cluster() {
        let statements = SESSIONS.create(&Place { database: "a`b", cluster: "c" });
        assert_eq!(statements.len(), 2);
        assert!(
            statements[0].starts_with("CREATE TABLE IF NOT EXISTS `a\\`b`.sessions ON CLUSTER `c` (day Date")
        );
        assert!(statements[0].contains(
            "ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/a`b/sessions', '{replica}', version) \
             PARTITION BY day ORDER BY (app, room, comm_id, twin, user, joined_ms, visit, nth)"
        ));
        assert!(statements[1].contains("a\\`b`.sessions_all ON CLUSTER `c`"));
        assert!(statements[1].ends_with("ENGINE = Distributed(`c`, `a\\`b`, sessions)"));
    }
}
