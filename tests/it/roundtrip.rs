//! What is exported and imported into an empty store is exported again as the same bytes.

use std::path::Path;

use parquet::file::reader::{FileReader as _, SerializedFileReader};
use parquet::record::Field;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use rollbook::records::Event;
use rollbook::records::quality::Series;
use rollbook::store::embedded::{Embedded, EmbeddedOptions};
use rollbook::store::{AnyStore, Memory, Store as _};

use crate::happenings::{
    Format, Told, event, events_of, events_of_records, exported, lines_of, series, series_of,
};
use crate::server::{check, temporary};

/// A midnight in UTC less five minutes, so that calls begin on both sides of it.
const FROM_S: i64 = 1_795_391_700;
const TO_S: i64 = FROM_S + 60_000;

/// An empty store, and where it is while it is there.
fn empty(on_disk: bool) -> (AnyStore, Option<tempfile::TempDir>) {
    if !on_disk {
        return (AnyStore::Memory(Memory::default()), None);
    }
    let dir = temporary();
    let store = Embedded::open(dir.path(), EmbeddedOptions::default()).expect("opened");
    (AnyStore::Embedded(store), Some(dir))
}

fn wait<T>(answer: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().expect("a runtime").block_on(answer)
}

fn append(store: &AnyStore, events: Vec<Event>) {
    wait(store.append(events)).expect("appended");
}

#[track_caller]
fn equal(first: &[u8], again: &[u8], what: &str) {
    let (first, again) = (String::from_utf8_lossy(first), String::from_utf8_lossy(again));
    assert!(first == again, "{what}:\n{first}\nand again:\n{again}");
}

/// Each format, out and in and out again.
fn check_round_trips(events: &[Event], on_disk: bool) {
    let (store, _dir) = empty(on_disk);
    for batch in events.chunks(15) {
        append(&store, batch.to_vec());
    }
    let told = exported(&store, Format::Events);
    let (again, _dir) = empty(on_disk);
    append(&again, events_of(&told));
    for format in [Format::Events, Format::Calls, Format::Users] {
        equal(&exported(&store, format), &exported(&again, format), "of events");
    }
    for formats in [[Format::Calls, Format::Users], [Format::UserTable, Format::CallTable]] {
        let (again, _dir) = empty(on_disk);
        for format in formats {
            append(&again, events_of_records(&exported(&store, format), format));
        }
        for format in formats {
            equal(&exported(&store, format), &exported(&again, format), "of records");
        }
    }
}

/// Measurements, out and in and out again.
fn check_samples(given: &[Series], on_disk: bool) {
    let (store, _dir) = empty(on_disk);
    for batch in given.chunks(3) {
        wait(store.append_samples(batch.to_vec())).expect("appended");
    }
    let told = exported(&store, Format::Samples);
    assert!(!told.is_empty());
    let (again, _dir) = empty(on_disk);
    wait(again.append_samples(series_of(&told))).expect("appended");
    equal(&told, &exported(&again, Format::Samples), "of measurements");
}

fn many_series() -> impl Strategy<Value = Vec<Series>> {
    prop::collection::vec(series(FROM_S, TO_S), 1..12)
}

fn events() -> impl Strategy<Value = Told> {
    prop::collection::vec(event(FROM_S, TO_S), 1..40).prop_map(Told)
}

proptest! {
    #[test]
    fn an_export_of_memory_survives_an_import(events in events()) {
        check_round_trips(&events.0, false);
    }

    #[test]
    fn exported_measurements_of_memory_survive_an_import(series in many_series()) {
        check_samples(&series, false);
    }
}

proptest! {
    // Each case makes stores on disk.
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases / 16, ..ProptestConfig::default() })]

    #[test]
    fn an_export_of_the_disk_survives_an_import(events in events()) {
        check_round_trips(&events.0, true);
    }

    #[test]
    fn exported_measurements_of_the_disk_survive_an_import(series in many_series()) {
        check_samples(&series, true);
    }
}

#[test]
fn what_the_commands_export_they_import() {
    let mut runner = TestRunner::deterministic();
    let many = prop::collection::vec(event(FROM_S, TO_S), 400).new_tree(&mut runner).expect("events");
    let dir = temporary();
    std::fs::write(dir.path().join("given.ndjson"), lines_of(&many.current())).expect("written");
    let app = crate::server::APP.to_string();
    let export = |data: &str, what: &str, format: &str| {
        let arguments = ["export", what, "--app", &app, "--data-dir", data, "--format", format];
        check(dir.path(), &arguments, 0, "exported: ")
    };
    let import = |data: &str, source: &str, file: &str, content: &str| {
        std::fs::write(dir.path().join(file), content).expect("written");
        check(dir.path(), &["import", source, file, "--data-dir", data], 0, " new, 0 known already");
    };
    check(dir.path(), &["import", "events", "given.ndjson", "--data-dir", "first"], 0, "events: ");
    let all = |data: &str| {
        let what = [
            ("events", "ndjson"),
            ("calls", "ndjson"),
            ("users", "ndjson"),
            ("calls", "csv"),
            ("users", "csv"),
        ];
        what.map(|(what, format)| export(data, what, format))
    };
    let first = all("first");
    assert!(first.iter().all(|lines| lines.lines().count() > 10), "{first:?}");
    import("of-events", "events", "events.ndjson", &first[0]);
    assert_eq!(all("of-events"), first);
    import("of-lines", "records", "calls.ndjson", &first[1]);
    import("of-lines", "records", "users.ndjson", &first[2]);
    import("of-tables", "records", "calls.csv", &first[3]);
    import("of-tables", "records", "users.csv", &first[4]);
    for data in ["of-lines", "of-tables"] {
        assert_eq!(all(data)[1..], first[1..], "{data}");
    }
    assert_eq!(parquet_rows(dir.path(), "calls"), csv_rows(&first[3]));
    assert_eq!(parquet_rows(dir.path(), "users"), csv_rows(&first[4]));
}

#[expect(clippy::wildcard_enum_match_arm, reason = "the format has twenty types of values; four are ours")]
fn parquet_cell(cell: &Field) -> String {
    match cell {
        Field::Null => String::new(),
        Field::Str(text) => text.clone(),
        Field::Long(number) | Field::TimestampMillis(number) => number.to_string(),
        Field::Double(value) => format!("{:016x}", value.to_bits()),
        other => panic!("nothing of ours is read as {other}"),
    }
}

/// The names of the columns, then the rows of a table.
fn csv_rows(table: &str) -> Vec<Vec<String>> {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(table.as_bytes());
    reader.records().map(|row| row.expect("a row").iter().map(str::to_owned).collect()).collect()
}

/// The same of what the store `first` exports as Parquet.
fn parquet_rows(dir: &Path, what: &str) -> Vec<Vec<String>> {
    let app = crate::server::APP.to_string();
    let arguments =
        ["export", what, "--app", &app, "--data-dir", "first", "--format", "parquet", "-o", "table"];
    check(dir, &arguments, 0, " rows");
    let file = std::fs::File::open(dir.join("table")).expect("a file");
    let reader = SerializedFileReader::new(file).expect("a Parquet file");
    let schema = reader.metadata().file_metadata().schema();
    let mut rows = vec![schema.get_fields().iter().map(|field| field.name().to_owned()).collect::<Vec<_>>()];
    for row in reader {
        let row = row.expect("a row");
        rows.push(row.get_column_iter().map(|(_, cell)| parquet_cell(cell)).collect());
    }
    rows
}

#[test]
fn what_the_commands_export_of_measurements_they_import() {
    let mut runner = TestRunner::deterministic();
    let given =
        prop::collection::vec(series(FROM_S, TO_S), 60).new_tree(&mut runner).expect("series").current();
    let mut lines = Vec::new();
    given.iter().for_each(|series| rollbook::ingest::export::samples(&mut lines, series));
    let dir = temporary();
    std::fs::write(dir.path().join("given.ndjson"), &lines).expect("written");
    let app = crate::server::APP.to_string();
    let import = |data: &str, file: &str| {
        check(dir.path(), &["import", "events", file, "--data-dir", data], 0, "samples: ")
    };
    let export = |data: &str, format: &str| {
        let arguments = ["export", "samples", "--app", &app, "--data-dir", data, "--format", format];
        check(dir.path(), &arguments, 0, "exported: ")
    };
    import("first", "given.ndjson");
    let first = export("first", "ndjson");
    std::fs::write(dir.path().join("first.ndjson"), &first).expect("written");
    import("again", "first.ndjson");
    import("again", "given.ndjson");
    assert!(export("again", "ndjson") == first, "the same bytes");
    let table = export("first", "csv");
    let values: usize = series_of(first.as_bytes()).iter().map(Series::len).sum();
    let mut reader = csv::Reader::from_reader(table.as_bytes());
    let header = reader.headers().expect("a header").iter().collect::<Vec<_>>().join(",");
    assert_eq!(header, "app,room,user,peer,connection,measure,at_ms,value");
    let rows: Vec<csv::StringRecord> = reader.records().collect::<Result<_, _>>().expect("rows");
    assert_eq!(rows.len(), values);
    assert!(rows.iter().all(|row| row[0] == *app && row[7].parse::<f64>().is_ok()));
    let mut rows = csv_rows(&table);
    for row in &mut rows[1..] {
        row[7] = format!("{:016x}", row[7].parse::<f64>().expect("a number").to_bits());
    }
    assert!(parquet_rows(dir.path(), "samples") == rows, "every value to its last bit");
}
