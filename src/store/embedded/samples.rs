//! The stream of measurements: chunks of one flow and some minutes, in the file of the day of their times.
//!
//! A chunk is at the time of its first measurement and holds what lies before the next chunk of its flow. What comes is
//! merged into the chunk it falls into; one that grows beyond its bounds is cut. A sealed day is the same table,
//! written anew in key order with larger chunks.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::path::Path;

use redb::WriteTransaction;

use super::batch::Files;
use super::chunk::{self, Column};
use super::disk::Fault;
use super::file::{Changes, DayFile, View, failed};
use super::keys::{self, Content, Key, Table};
use super::stream::Streamed;
use super::writer::Writer;
use crate::records::quality::{self, Measure, Points, Series};
use crate::records::{AppId, Millis};
use crate::store::{ExportQuery, Exported, Person, SampleQuery, StoreError, Swept, sink_samples};

/// How large chunks may grow.
#[derive(Debug, Clone, Copy)]
struct Bounds {
    /// Different times.
    rows: usize,
    /// Bytes, key and all.
    bytes: usize,
}

/// While a day is open: a third of a page of 4 KiB, so that a new measurement rewrites little.
const OPEN: Bounds = Bounds { rows: 1_024, bytes: 1_290 };
/// When it is sealed: a page.
const SEALED: Bounds = Bounds { rows: chunk::ROWS_MAX, bytes: 3_960 };

/// Values of one flow that sealing holds in memory before it writes them.
const SEALING_VALUES_MAX: usize = 500_000;

/// Columns of one flow: in the order of measures, none twice and none without points.
type Columns = Vec<(Measure, Points)>;

/// What is to be kept, by flow (as the keys of its chunks begin) and measure.
type Flows = BTreeMap<Vec<u8>, BTreeMap<Measure, Points>>;

/// The stream of measurements.
#[derive(Debug)]
pub(super) struct Samples;

impl Streamed for Samples {
    type Index = ();
    type Item = Series;
    type Kept = ();

    const CONTENT: Content = Content::Samples;
    const FOLDER: &'static str = "samples";
    const COMMIT_SIZE_MAX: usize = 100_000;

    /// Values.
    fn size(batch: &[Series]) -> usize {
        batch.iter().map(Series::len).sum()
    }

    fn index(_: &Files) -> Result<(), StoreError> {
        Ok(())
    }

    /// Nothing is counted; every chunk is read as it was written, or not at all.
    fn verify(_: &Files, (): &()) -> Result<(), StoreError> {
        Ok(())
    }

    /// One commit a day. A batch over several days may be kept in part when it fails; giving it again is harmless.
    fn commit(writer: &Writer<Samples>, batches: Vec<Vec<Series>>) -> Result<(Vec<()>, u64), StoreError> {
        let kept = vec![(); batches.len()];
        for (day, flows) in by_day(batches.into_iter().flatten()) {
            let file = writer.file(day)?;
            let bounds = if file.sealed { SEALED } else { OPEN };
            let view = file.view()?;
            let mut changes = Changes::new();
            for (flow, columns) in flows {
                change(&view, &flow, columns, bounds, &mut changes)?;
            }
            if !changes.is_empty() {
                file.commit(&changes, None)?;
            }
        }
        Ok((kept, 0))
    }

    /// By days alone: a measurement is evidence of nothing but itself.
    fn sweep(writer: &Writer<Samples>, horizon: Millis) -> Result<Swept, StoreError> {
        for file in writer.files_before(horizon.day()) {
            writer.drop_file(&file, |()| {})?;
        }
        Ok(Swept::default())
    }

    fn write_sealed(file: &DayFile, path: &Path, fault: &Fault) -> Result<(), StoreError> {
        file.write_sealed(path, fault, write_dense)
    }
}

/// The flows of a person, by day.
pub(super) fn find_person(
    files: &Files,
    person: &Person,
) -> Result<BTreeMap<i64, BTreeSet<Vec<u8>>>, StoreError> {
    let mut days: BTreeMap<i64, BTreeSet<Vec<u8>>> = BTreeMap::new();
    let app = Key::app(person.app);
    let (from, to) = (app.clone().bytes(), app.end());
    for (&day, file) in files {
        file.view()?.scan(Table::Chunks, &from, Some(&to), false, &mut |key, _| {
            if let Some((flow, _)) = keys::of_chunk(key)
                && keys::flow_of(flow).is_some_and(|flow| person.is_of(&flow))
            {
                days.entry(day).or_default().insert(flow.to_vec());
            }
            ControlFlow::Continue(())
        })?;
    }
    Ok(days)
}

/// What a file is without what some flows have up to a moment: the changes, and how many values those are.
pub(super) fn without(
    file: &DayFile,
    flows: &BTreeSet<Vec<u8>>,
    until: Millis,
) -> Result<(Changes, u64), StoreError> {
    let (view, bounds) = (file.view()?, if file.sealed { SEALED } else { OPEN });
    let (mut changes, mut values) = (Changes::new(), 0);
    for flow in flows {
        let mut all: BTreeMap<Measure, Points> = BTreeMap::new();
        let mut old: Vec<Vec<u8>> = Vec::new();
        for (start, columns) in read_chunks(&view, flow, Millis(i64::MIN), Millis(i64::MAX))? {
            old.push(chunk_key(flow, start));
            columns.into_iter().for_each(|(measure, points)| all.entry(measure).or_default().extend(points));
        }
        let mut columns: Columns = all.into_iter().collect();
        let gone = split_before(&mut columns, Some(until.plus(1)));
        columns.retain(|(_, points)| !points.is_empty());
        if gone.is_empty() {
            continue;
        }
        values += gone.iter().map(|(_, points)| points.len() as u64).sum::<u64>();
        changes.extend(old.into_iter().map(|key| ((Table::Chunks, key), None)));
        cut(flow, &columns, bounds, true, &mut |key, value| {
            changes.insert((Table::Chunks, key), Some(value))
        });
    }
    Ok((changes, values))
}

/// Series by the day of their times.
fn by_day(series: impl Iterator<Item = Series>) -> BTreeMap<i64, Flows> {
    let mut days: BTreeMap<i64, Flows> = BTreeMap::new();
    for Series { flow, columns } in series {
        let flow = keys::flow(&flow).bytes();
        for (measure, points) in columns {
            for of_day in points.chunk_by(|(a, _), (b, _)| a.day() == b.day()) {
                let flows = days.entry(of_day[0].0.day()).or_default();
                if !flows.contains_key(&flow) {
                    flows.insert(flow.clone(), BTreeMap::new());
                }
                if let Some(columns) = flows.get_mut(&flow) {
                    columns.entry(measure).or_default().extend_from_slice(of_day);
                }
            }
        }
    }
    let columns = days.values_mut().flat_map(BTreeMap::values_mut);
    columns.flat_map(BTreeMap::values_mut).for_each(quality::normalise);
    days
}

/// What keeping these columns of a flow changes.
fn change(
    view: &View,
    flow: &[u8],
    columns: BTreeMap<Measure, Points>,
    bounds: Bounds,
    changes: &mut Changes,
) -> Result<(), StoreError> {
    let mut fresh: Columns = columns.into_iter().collect();
    let Some((first, last)) = ends(&fresh) else { return Ok(()) };
    let chunks = chunks_around(view, flow, first, last)?;
    if chunks.is_empty() {
        cut(flow, &fresh, bounds, true, &mut |key, value| changes.insert((Table::Chunks, key), Some(value)));
        return Ok(());
    }
    for (place, (start, known)) in chunks.iter().enumerate() {
        let end = chunks.get(place + 1).map(|(start, _)| *start);
        let mut part = split_before(&mut fresh, end);
        let in_order =
            matches!((ends(known), ends(&part)), (Some((_, before)), Some((behind, _))) if before < behind);
        part.iter_mut().for_each(|(measure, points)| leave_out_known(known, *measure, points));
        part.retain(|(_, points)| !points.is_empty());
        if part.is_empty() {
            continue;
        }
        changes.insert((Table::Chunks, chunk_key(flow, *start)), None);
        cut(flow, &merged(known, part), bounds, in_order, &mut |key, value| {
            changes.insert((Table::Chunks, key), Some(value))
        });
    }
    Ok(())
}

fn chunk_key(flow: &[u8], start: Millis) -> Vec<u8> {
    Key::from_bytes(flow).time(start.0).bytes()
}

/// The first and the last time.
fn ends(columns: &[(Measure, Points)]) -> Option<(Millis, Millis)> {
    let first = columns.iter().filter_map(|(_, points)| points.first()).map(|(at, _)| *at).min()?;
    let last = columns.iter().filter_map(|(_, points)| points.last()).map(|(at, _)| *at).max()?;
    Some((first, last))
}

/// The chunks of a flow that what lies from `first` to `last` falls into; before all of them it falls into the
/// first.
fn chunks_around(
    view: &View,
    flow: &[u8],
    first: Millis,
    last: Millis,
) -> Result<Vec<(Millis, Columns)>, StoreError> {
    let from = covering(view, flow, first)?;
    let mut chunks = read_chunks(view, flow, from, last)?;
    if chunks.is_empty() {
        let mut next = None;
        let end = Key::from_bytes(flow).end();
        view.scan(Table::Chunks, &chunk_key(flow, last), Some(&end), false, &mut |key, value| {
            next = keys::of_chunk(key).map(|(_, start)| (start, value.to_vec()));
            ControlFlow::Break(())
        })?;
        if let Some((start, value)) = next {
            chunks.push((start, chunk::decode(&value)?));
        }
    }
    Ok(chunks)
}

/// The time of the chunk of a flow that covers a moment; the moment itself where none does.
fn covering(view: &View, flow: &[u8], at: Millis) -> Result<Millis, StoreError> {
    let mut start = at;
    let behind = chunk_key(flow, at.plus(1));
    view.scan(Table::Chunks, flow, Some(&behind), true, &mut |key, _| {
        start = keys::of_chunk(key).map_or(at, |(_, start)| start);
        ControlFlow::Break(())
    })?;
    Ok(start)
}

/// The chunks of a flow that begin from `from` to `last`.
fn read_chunks(
    view: &View,
    flow: &[u8],
    from: Millis,
    last: Millis,
) -> Result<Vec<(Millis, Columns)>, StoreError> {
    let mut chunks: Vec<(Millis, Columns)> = Vec::new();
    let (from, behind) = (chunk_key(flow, from), chunk_key(flow, last.plus(1)));
    view.each(Table::Chunks, &from, Some(&behind), &mut |key, value| {
        if let Some((_, start)) = keys::of_chunk(key) {
            chunks.push((start, chunk::decode(value)?));
        }
        Ok(())
    })?;
    Ok(chunks)
}

/// Takes out what lies before `end`, or all of it.
fn split_before(columns: &mut Columns, end: Option<Millis>) -> Columns {
    let split = |(measure, points): &mut (Measure, Points)| {
        let behind = points.partition_point(|(at, _)| end.is_none_or(|end| *at < end));
        let rest = points.split_off(behind);
        (*measure, std::mem::replace(points, rest))
    };
    let part: Columns = columns.iter_mut().map(split).collect();
    part.into_iter().filter(|(_, points)| !points.is_empty()).collect()
}

/// Keeps of `points` only what changes something: times without a value, and values that are greater
/// ([`quality::normalise`]).
fn leave_out_known(known: &Columns, measure: Measure, points: &mut Points) {
    let Some((_, known)) = known.iter().find(|(other, _)| *other == measure) else { return };
    points.retain(|(at, value)| match known.binary_search_by_key(at, |(at, _)| *at) {
        Ok(place) => value.total_cmp(&known[place].1).is_gt(),
        Err(_) => true,
    });
}

fn merged(known: &Columns, more: Columns) -> Columns {
    let mut all: BTreeMap<Measure, Points> = known.iter().cloned().collect();
    for (measure, points) in more {
        quality::merge(all.entry(measure).or_default(), &points);
    }
    all.into_iter().collect()
}

/// The chunks of these columns. Where measurements come in order each is filled before the next is begun; else each
/// has room for more.
fn cut(
    flow: &[u8],
    columns: &Columns,
    bounds: Bounds,
    in_order: bool,
    write: &mut dyn FnMut(Vec<u8>, Vec<u8>) -> Option<Option<Vec<u8>>>,
) {
    let times = times(columns);
    let bytes_max = bounds.bytes.saturating_sub(flow.len() + size_of::<i64>()).max(bounds.bytes / 4);
    let mut rest: &[Millis] = &times;
    let mut guess = bounds.rows;
    while let Some(&start) = rest.first() {
        let mut rows = guess.min(rest.len());
        let mut bytes = encode(columns, start, rest[rows - 1]);
        while rows > 1 && bytes.len() > bytes_max {
            let fitting = rows * bytes_max / bytes.len();
            rows = if in_order { fitting.clamp(1, rows - 1) } else { rows.div_ceil(2) };
            bytes = encode(columns, start, rest[rows - 1]);
        }
        write(chunk_key(flow, start), bytes);
        rest = &rest[rows..];
        guess = if in_order { (rows + rows / 8 + 1).min(bounds.rows) } else { rows };
    }
}

/// The different times of columns, which mostly have the same.
fn times(columns: &Columns) -> Vec<Millis> {
    let at = |points: &Points| points.iter().map(|(at, _)| *at).collect::<Vec<Millis>>();
    let mut times = columns.first().map_or_else(Vec::new, |(_, points)| at(points));
    for (_, points) in columns.iter().skip(1) {
        let are_same = times.len() == points.len() && times.iter().zip(points).all(|(a, (b, _))| a == b);
        if !are_same {
            times.extend(points.iter().map(|(at, _)| *at));
            times.sort();
            times.dedup();
        }
    }
    times
}

/// The chunk of what lies from `first` to `last`.
fn encode(columns: &Columns, first: Millis, last: Millis) -> Vec<u8> {
    let inside = |(measure, points): &'_ (Measure, Points)| {
        let from = points.partition_point(|(at, _)| *at < first);
        let behind = points.partition_point(|(at, _)| *at <= last);
        (*measure, from..behind)
    };
    let part: Vec<Column<'_>> = columns
        .iter()
        .map(|column| (column.0, &column.1[inside(column).1]))
        .filter(|(_, points)| !points.is_empty())
        .collect();
    chunk::encode(&part)
}

/// Writes all chunks anew, in order and filled.
fn write_dense(view: &View, tx: &WriteTransaction) -> Result<(), StoreError> {
    let mut out = tx.open_table(Table::Chunks.rows()).map_err(failed)?;
    let mut write = |flow: &[u8], columns: &Columns| -> Result<(), StoreError> {
        let mut outcome = Ok(());
        cut(flow, columns, SEALED, true, &mut |key, value| {
            let written = out.insert(key.as_slice(), value.as_slice()).map(|_| ());
            if let Err(error) = written {
                outcome = Err(failed(error));
            }
            None
        });
        outcome
    };
    each_flow(view, &[], None, SEALING_VALUES_MAX, &mut |flow, columns| write(flow, &columns))
}

/// What is done with columns of a flow.
type Take<'t> = &'t mut dyn FnMut(&[u8], Columns) -> Result<(), StoreError>;

/// Chunks while they are put together again.
#[derive(Default)]
struct Gathered {
    flow: Vec<u8>,
    columns: BTreeMap<Measure, Points>,
    values: usize,
}

impl Gathered {
    fn add(&mut self, key: &[u8], value: &[u8], values_max: usize, take: Take<'_>) -> Result<(), StoreError> {
        let (flow, _) = keys::of_chunk(key).ok_or_else(no_key)?;
        if flow != self.flow {
            self.give(take)?;
            self.flow = flow.to_vec();
        } else if self.values >= values_max {
            self.give(take)?;
        }
        for (measure, points) in chunk::decode(value)? {
            self.values += points.len();
            self.columns.entry(measure).or_default().extend(points);
        }
        Ok(())
    }

    fn give(&mut self, take: Take<'_>) -> Result<(), StoreError> {
        let columns: Columns = std::mem::take(&mut self.columns).into_iter().collect();
        self.values = 0;
        if columns.is_empty() { Ok(()) } else { take(&self.flow, columns) }
    }
}

fn no_key() -> StoreError {
    StoreError::Corrupt("a chunk of measurements has a key that is none".to_owned())
}

/// Gives all measurements of each flow, at most about `values_max` at a time.
fn each_flow(
    view: &View,
    from: &[u8],
    to: Option<&[u8]>,
    values_max: usize,
    take: Take<'_>,
) -> Result<(), StoreError> {
    let mut gathered = Gathered::default();
    let mut outcome = Ok(());
    view.scan(Table::Chunks, from, to, false, &mut |key, value| {
        outcome = gathered.add(key, value, values_max, take);
        if outcome.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })?;
    outcome?;
    gathered.give(take)
}

/// The measurements of users in a window.
pub(super) fn find(files: &Files, query: &SampleQuery<'_>) -> Result<Vec<Series>, StoreError> {
    let users: BTreeSet<&String> = query.users.iter().collect();
    let mut found = Flows::new();
    if query.from > query.to {
        return Ok(Vec::new());
    }
    for file in files.range(query.from.day()..=query.to.day()).map(|(_, file)| file) {
        let view = file.view()?;
        for user in &users {
            let user = keys::chunks_of_user(query.app, query.room, user);
            chunks_of_user(&view, user, query.from, query.to, &mut |flow, columns| {
                for (measure, points) in columns {
                    let inside = points.iter().filter(|(at, _)| query.from <= *at && *at <= query.to);
                    let mut inside = inside.copied().peekable();
                    if inside.peek().is_some() {
                        let columns = found.entry(flow.to_vec()).or_default();
                        columns.entry(measure).or_default().extend(inside);
                    }
                }
            })?;
        }
    }
    found.into_iter().map(|(flow, columns)| series(&flow, columns.into_iter().collect())).collect()
}

fn series(flow: &[u8], columns: Columns) -> Result<Series, StoreError> {
    Ok(Series { flow: keys::flow_of(flow).ok_or_else(no_key)?, columns })
}

/// Gives each chunk of a user that may hold something of a window: of each flow the one that covers its begin, and
/// those that begin in it. No other is read.
fn chunks_of_user(
    view: &View,
    user: Key,
    from: Millis,
    to: Millis,
    visit: &mut dyn FnMut(&[u8], Columns),
) -> Result<(), StoreError> {
    let (mut cursor, end) = (user.clone().bytes(), user.end());
    loop {
        let mut flow: Option<Vec<u8>> = None;
        view.scan(Table::Chunks, &cursor, Some(&end), false, &mut |key, _| {
            flow = keys::of_chunk(key).map(|(flow, _)| flow.to_vec());
            ControlFlow::Break(())
        })?;
        let Some(flow) = flow else { return Ok(()) };
        for (_, columns) in read_chunks(view, &flow, covering(view, &flow, from)?, to)? {
            visit(&flow, columns);
        }
        cursor = Key::from_bytes(&flow).end();
    }
}

/// Gives all measurements of an application to an export.
/// The applications of each file, which is a day.
pub(super) fn days(files: &Files) -> Result<BTreeSet<(AppId, i64)>, StoreError> {
    let mut days = BTreeSet::new();
    for (&day, file) in files {
        days.extend(file.view()?.apps(Table::Chunks)?.into_iter().map(|app| (app, day)));
    }
    Ok(days)
}

pub(super) fn export(
    files: &Files,
    query: &ExportQuery,
    sink: &mut dyn FnMut(Exported<'_>) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let app = Key::app(query.app);
    let (from, to) = (app.clone().bytes(), app.end());
    if query.from > query.to {
        return Ok(());
    }
    for file in files.range(query.from.day()..=query.to.day()).map(|(_, file)| file) {
        each_flow(&file.view()?, &from, Some(&to), usize::MAX, &mut |flow, columns| {
            sink_samples(series(flow, columns)?, query, sink)
        })?;
    }
    Ok(())
}

#[cfg(test)]
mod at_rest;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::quality::Flow;
    use crate::store::Store as _;
    use crate::store::embedded::{Embedded, EmbeddedOptions};

    const START: i64 = 1_795_305_600_000;

    /// An hour of a flow, a point each two seconds.
    fn hour(user: &str, peer: &str, hour: i64) -> Series {
        let text = str::to_owned;
        let flow = Flow {
            app: AppId(1),
            room: text("r"),
            user: text(user),
            peer: text(peer),
            connection: text("c"),
        };
        // Noise, since what can be foretold takes no room.
        let mut noise = 7_u64;
        let mut points = |_: usize| -> Points {
            let point = |n: i64| {
                noise = noise.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let value = u16::try_from(noise >> 48).unwrap();
                (Millis(START + hour * 3_600_000 + 2_000 * n + n * 7 % 5), f64::from(value % 1_009))
            };
            (0..1_800).map(point).collect()
        };
        let columns = ["aBit", "rtt", "audio_bytes"].iter().zip(0..);
        let columns = columns.map(|(name, nth)| (Measure::of_name(name).unwrap(), points(nth)));
        Series { flow, columns: columns.collect() }
    }

    #[test]
    fn a_question_reads_the_chunks_of_its_user_and_hour_alone() {
        let dir = tempfile::tempdir().unwrap();
        let store = Embedded::open(dir.path(), EmbeddedOptions::default()).unwrap();
        let wait = |answer| tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(answer);
        let users = ["u", "u\u{1}", "uu", "v"];
        let all = users.iter().flat_map(|user| {
            ["", "p", "q"].iter().flat_map(move |peer| (0..6).map(move |n| hour(user, peer, n)))
        });
        wait(store.append_samples(all.collect())).unwrap();
        let visited = |user: &str, from: i64, to: i64| {
            store
                .samples
                .shared
                .with_files(|files, ()| {
                    let view = files.values().next().unwrap().view()?;
                    let mut chunks = Vec::new();
                    let user = keys::chunks_of_user(AppId(1), "r", user);
                    let mut visit = |flow: &[u8], columns: Columns| {
                        let (first, last) = ends(&columns).unwrap();
                        chunks.push((keys::flow_of(flow).unwrap(), first.0 - START, last.0 - START));
                    };
                    chunks_of_user(&view, user, Millis(START + from), Millis(START + to), &mut visit)?;
                    Ok(chunks)
                })
                .unwrap()
        };
        let everything = visited("u", 0, 6 * 3_600_000).len();
        let one_hour = visited("u", 3_600_000, 7_200_000 - 1);
        assert!(everything > 100 && one_hour.len() * 5 < everything, "{} of {everything}", one_hour.len());
        for (flow, first, last) in &one_hour {
            assert_eq!(flow.user, "u");
            assert!(*first < 7_200_000 && 3_600_000 <= *last, "{first} to {last}");
        }
        assert_eq!(visited("w", 0, i64::MAX / 2), []);
    }

    #[test]
    fn chunks_are_filled_in_order_and_sealing_fills_pages() {
        let dir = tempfile::tempdir().unwrap();
        let store = Embedded::open(dir.path(), EmbeddedOptions::default()).unwrap();
        let wait = |answer| tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(answer);
        let whole = hour("u", "", 0);
        // As a client sends: a few points at a time.
        for part in 0..180 {
            let mut part_of = whole.clone();
            part_of
                .columns
                .iter_mut()
                .for_each(|(_, points)| *points = points[10 * part..10 * part + 10].to_vec());
            wait(store.append_samples(vec![part_of])).unwrap();
        }
        let sizes = || {
            store
                .samples
                .shared
                .with_files(|files, ()| {
                    let mut sizes = Vec::new();
                    files.values().next().unwrap().view()?.scan(
                        Table::Chunks,
                        &[],
                        None,
                        false,
                        &mut |key, value| {
                            sizes.push(key.len() + value.len());
                            ControlFlow::Continue(())
                        },
                    )?;
                    Ok(sizes)
                })
                .unwrap()
        };
        let check = |bounds: Bounds| {
            let sizes = sizes();
            let (_, filled) = sizes.split_last().unwrap();
            assert!(!filled.is_empty());
            assert!(
                filled.iter().all(|size| bounds.bytes * 4 / 5 < *size && *size <= bounds.bytes),
                "{sizes:?}"
            );
        };
        check(OPEN);
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let later = Millis(START + 10 * 86_400_000);
        assert_eq!(runtime.block_on(store.seal(later, std::time::Duration::ZERO)).unwrap(), 1);
        check(SEALED);
    }
}
