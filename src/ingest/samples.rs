//! Lines of measurements: the values of one flow at one moment, or at many, by column. [`super::lines`] reads the
//! line, [`super::export::samples`] writes it.

use super::bounds::{self, Unit, VALUES_MAX, nearest, shown};
use super::lines::{Key, Line};
use super::row::Loose;
use super::words;
use crate::records::quality::{Flow, Measure, Points, Series, normalise};
use crate::records::{AppId, Millis};

/// The measurements of a line, whose application and kind are known already.
pub(super) fn series(row: &mut Line<'_>, app: AppId) -> Result<Series, String> {
    let missing = |key: &str| format!("{key}: missing; a line of kind {} needs it", words::SAMPLES);
    let (room, _) = row.room(Key::Room)?.ok_or_else(|| missing("room"))?;
    let user = row.id(Key::User)?.ok_or_else(|| missing("user"))?;
    let mut id = |key| row.id(key).map(|id| id.unwrap_or_default().into_owned());
    let (peer, connection) = (id(Key::Peer)?, id(Key::Connection)?);
    let times = times(row)?.ok_or("at_ms: missing; measurements need at_ms or at_s")?;
    let Loose::Object(fields) = row.take(Key::Values) else {
        return Err("values: expected an object of measures and their values, like {\"rtt\":39}".to_owned());
    };
    let values = fields.len() * times.len();
    if values > VALUES_MAX {
        return Err(format!("values: {values} in one line, expected at most {VALUES_MAX}"));
    }
    let mut columns: Vec<(Measure, Points)> = Vec::with_capacity(fields.len());
    for (name, value) in fields {
        let measure = measure(&name)?;
        if columns.iter().any(|(other, _)| *other == measure) {
            return Err(format!("values.{name}: given twice"));
        }
        let points = points(&times, value).map_err(|what| format!("values.{name}{what}"))?;
        columns.push((measure, points));
    }
    columns.retain(|(_, points)| !points.is_empty());
    if columns.is_empty() {
        return Err("values: there is no value".to_owned());
    }
    if let Some(key) = row.rest() {
        return Err(format!("{key}: a line of kind {} has no such key", words::SAMPLES));
    }
    columns.sort_by_key(|(measure, _)| *measure);
    let flow = Flow { app, room: room.into_owned(), user: user.into_owned(), peer, connection };
    Ok(Series { flow, columns })
}

fn measure(name: &str) -> Result<Measure, String> {
    Measure::of_name(name).ok_or_else(|| {
        let near = nearest(name, Measure::all().map(Measure::name));
        format!("values: {} is no measure{near}", shown(name))
    })
}

/// When it was measured: at one moment, or at many.
enum Times {
    One(Millis),
    Many(Vec<Millis>),
}

impl Times {
    fn len(&self) -> usize {
        match self {
            Times::One(_) => 1,
            Times::Many(times) => times.len(),
        }
    }
}

fn times(row: &mut Line<'_>) -> Result<Option<Times>, String> {
    let (key, unit) = match (row.has(Key::AtMs), row.has(Key::AtS)) {
        (true, true) => return Err("at_ms and at_s: give one of them".to_owned()),
        (true, false) => (Key::AtMs, Unit::Milliseconds),
        (false, true) => (Key::AtS, Unit::Seconds),
        (false, false) => return Ok(None),
    };
    let value = row.take(key);
    let times = if let Loose::List(times) = &value {
        many_times(times, unit).map(Times::Many)
    } else {
        moment(&value, unit).map(Times::One)
    };
    times.map(Some).map_err(|what| row.blame(key, what))
}

fn many_times(times: &[Loose<'_>], unit: Unit) -> Result<Vec<Millis>, String> {
    if times.len() > VALUES_MAX {
        return Err(format!("more than {VALUES_MAX} times in one line"));
    }
    let read =
        |(place, at)| moment(at, unit).map_err(|what| format!("{}: {what}", place_of(place, times.len())));
    times.iter().enumerate().map(read).collect()
}

fn moment(value: &Loose<'_>, unit: Unit) -> Result<Millis, String> {
    let Loose::Unsigned(value) = value else {
        return Err(value.instead_of("a whole number, or a list of them"));
    };
    bounds::moment(*value, unit)
}

/// The values of one measure; `null` is none.
fn points(times: &Times, value: Loose<'_>) -> Result<Points, String> {
    match (times, value) {
        (Times::One(_), Loose::Null) => Ok(Points::new()),
        (Times::One(at), value) => match value.number() {
            Some(number) => Ok(vec![(*at, number)]),
            None => Err(format!(": {}", value.instead_of("a number, as at_ms is one"))),
        },
        (Times::Many(times), Loose::List(values)) => {
            if values.len() != times.len() {
                let (found, expected) = (values.len(), times.len());
                return Err(format!(": {found} values, expected {expected}, one for each time"));
            }
            let mut points = Points::with_capacity(values.len());
            for (place, (at, value)) in times.iter().zip(&values).enumerate() {
                match value.number() {
                    Some(number) => points.push((*at, number)),
                    None if *value == Loose::Null => {}
                    None => {
                        let what = value.instead_of("a number or null");
                        return Err(format!("[{}]: {what}", place_of(place, values.len())));
                    }
                }
            }
            normalise(&mut points);
            Ok(points)
        }
        (Times::Many(_), value) => Err(format!(": {}", value.instead_of("a list, as at_ms is one"))),
    }
}

/// The place in a list, counted from 1, as a refusal tells it.
fn place_of(place: usize, of: usize) -> String {
    format!("{} of {of}", place + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingest::{ClientIpPolicy, Parsed, Terms, export, lines};

    const TERMS: Terms = Terms { app: Some(AppId(7)), client_ip: ClientIpPolicy::Keep };

    fn parse(line: &str) -> Parsed {
        lines::parse(TERMS, line.as_bytes(), Millis(0))
    }

    #[test]
    fn a_moment_and_columns_say_the_same() {
        let one = parse(concat!(
            r#"{"kind":"samples","room":5,"user":"alice","peer":"bob","connection":"PC_0","at_ms":1795380521000,"#,
            r#""values":{"rtt":39,"aBit":24775.8,"audio_lost":null}}"#
        ));
        let many = parse(concat!(
            r#"{"kind":"samples","room":"5","user":"alice","peer":"bob","connection":"PC_0","#,
            r#""at_s":[1795380523,1795380521],"values":{"aBit":[null,24775.8],"rtt":[null,39]}}"#
        ));
        assert_eq!((&one.refused, &many.refused), (&Vec::new(), &Vec::new()));
        assert_eq!(one, many);
        let [series] = one.samples.as_slice() else { panic!("{one:?}") };
        let flow = ["5", "alice", "bob", "PC_0"].map(str::to_owned);
        let [room, user, peer, connection] = flow;
        assert_eq!(series.flow, Flow { app: AppId(7), room, user, peer, connection });
        let columns: Vec<_> =
            series.columns.iter().map(|(measure, points)| (measure.name(), points)).collect();
        let at = Millis(1_795_380_521_000);
        assert_eq!(columns, [("aBit", &vec![(at, 24775.8)]), ("rtt", &vec![(at, 39.0)])]);
    }

    #[test]
    fn what_is_wrong_is_told() {
        let check = |rest: &str, expected: &str| {
            let parsed = parse(&format!(r#"{{"kind":"samples","room":"r","user":"u",{rest}}}"#));
            let why = parsed.refused.first().map_or("nothing", |refused| &refused.why);
            assert!(why.contains(expected), "{rest}: {why}");
        };
        let at = r#""at_ms":1795380521000"#;
        check(r#""values":{"rtt":1}"#, "at_ms: missing");
        check(&format!(r#"{at},"at_s":1795380521,"values":{{"rtt":1}}"#), "at_ms and at_s");
        check(r#""at_ms":1795380521,"values":{"rtt":1}"#, "looks like seconds");
        check(r#""at_ms":[1795380521000,17],"values":{"rtt":[1,2]}"#, "at_ms: 2 of 2: 17 is no plausible");
        check(r#""at_ms":"now","values":{"rtt":1}"#, "at_ms: expected a whole number");
        check(at, "values: expected an object");
        check(&format!(r#"{at},"values":{{}}"#), "values: there is no value");
        check(&format!(r#"{at},"values":{{"rtt":null}}"#), "values: there is no value");
        check(&format!(r#"{at},"values":{{"rtt":[1]}}"#), "values.rtt: expected a number, as at_ms is one");
        check(&format!(r#"{at},"values":{{"abit":1}}"#), "\"abit\" is no measure; did you mean \"aBit\"?");
        check(&format!(r#"{at},"values":{{"rtt":1,"rtt":2}}"#), "values.rtt: given twice");
        check(&format!(r#"{at},"values":{{"rtt":1e999}}"#), "not valid JSON");
        check(&format!(r#"{at},"values":{{"rtt":NaN}}"#), "not valid JSON");
        check(r#""at_ms":[1795380521000],"values":{"rtt":[1,2]}"#, "values.rtt: 2 values, expected 1");
        check(r#""at_ms":[1795380521000],"values":{"rtt":1}"#, "values.rtt: expected a list");
        check(
            r#""at_ms":[1795380521000],"values":{"rtt":["1"]}"#,
            "values.rtt[1 of 1]: expected a number or null",
        );
        check(
            &format!(r#"{at},"values":{{"rtt":1}},"visit":"v""#),
            "visit: a line of kind samples has no such key",
        );
        check(
            &format!(r#"{at},"values":{{"rtt":1}},"peer":"a\u0000b""#),
            "peer: contains the character U+0000",
        );
        let long = "x".repeat(513);
        check(&format!(r#"{at},"values":{{"rtt":1}},"connection":"{long}""#), "connection: 513 bytes long");
        let refused =
            parse(r#"{"kind":"joined","room":"r","user":"u","at_s":1795380521,"values":{"rtt":1}}"#).refused;
        assert_eq!(refused[0].why, "values: only a line of kind samples has it");
        let near = parse(r#"{"kind":"sample","room":"r"}"#).refused;
        assert!(near[0].why.contains("did you mean \"samples\"?"), "{near:?}");
    }

    #[test]
    fn a_line_has_so_many_values() {
        let line = |times: usize, measures: &[&str]| {
            let list = |value: &str| vec![value; times].join(",");
            let values: Vec<_> = measures.iter().map(|name| format!("\"{name}\":[{}]", list("1"))).collect();
            let at = list("946684800");
            format!(
                r#"{{"kind":"samples","room":"r","user":"u","at_s":[{at}],"values":{{{}}}}}"#,
                values.join(",")
            )
        };
        let refused = parse(&line(25_000, &["rtt", "aBit", "aLoss", "bigvBit", "bigvLoss"])).refused;
        assert_eq!(refused[0].why, "values: 125000 in one line, expected at most 100000");
        let taken = parse(&line(25_000, &["rtt", "aBit", "aLoss", "bigvBit"]));
        assert_eq!((taken.refused.len(), taken.values()), (0, 4), "equal times are one");
    }

    #[test]
    fn what_is_written_reads_as_the_same() {
        let at = |ms: i64| Millis(1_795_380_521_000 + ms);
        let flow = Flow {
            app: AppId(7),
            room: "a \"b\"".to_owned(),
            user: "名前".to_owned(),
            peer: String::new(),
            connection: String::new(),
        };
        let rtt = Measure::of_name("rtt").unwrap();
        let bytes = Measure::of_name("audio_bytes").unwrap();
        let all: Points =
            (0..2_500).map(|n| (at(2_000 * n), 0.1 * f64::from(i32::try_from(n).unwrap()))).collect();
        let some = vec![
            (at(-5), -0.0),
            (at(4_000), 9_007_199_254_740_993.0),
            (at(4_001), 5e-324),
            (at(9_000), 1e300),
        ];
        let series = Series { flow, columns: vec![(rtt, all), (bytes, some)] };
        let mut out = Vec::new();
        export::samples(&mut out, &series);
        assert!(out.split(|byte| *byte == b'\n').count() > 2, "in several lines");
        let read = lines::parse(Terms { app: None, ..TERMS }, &out, Millis(0));
        assert_eq!(read.refused, []);
        let mut columns: Vec<(Measure, Points)> = Vec::new();
        for part in read.samples {
            assert_eq!(part.flow, series.flow);
            for (measure, points) in part.columns {
                match columns.iter_mut().find(|(other, _)| *other == measure) {
                    Some((_, before)) => before.extend(points),
                    None => columns.push((measure, points)),
                }
            }
        }
        columns.sort_by_key(|(measure, _)| *measure);
        let bits = |columns: &[(Measure, Points)]| {
            let bits =
                |points: &Points| points.iter().map(|(at, value)| (*at, value.to_bits())).collect::<Vec<_>>();
            columns.iter().map(|(measure, points)| (*measure, bits(points))).collect::<Vec<_>>()
        };
        assert_eq!(bits(&columns), bits(&series.columns));
    }
}
