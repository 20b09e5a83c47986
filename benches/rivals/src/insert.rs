//! The same events into PostgreSQL, in the same batches: the raw event once, and the session it opens or closes.

use std::collections::{BTreeMap, HashMap};
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use tokio_postgres::NoTls;

#[derive(Deserialize)]
struct Line<'a> {
    app: i64,
    at_ms: i64,
    kind: &'a str,
    room: &'a str,
    #[serde(default)]
    user: &'a str,
    #[serde(default)]
    reason: &'a str,
    #[serde(default)]
    attrs: Attrs<'a>,
}

#[derive(Deserialize, Default)]
struct Attrs<'a> {
    device: &'a str,
    sdk_version: &'a str,
    client_ip: &'a str,
}

const EVENTS: &str = "INSERT INTO events (app, room, user_id, kind, at_ms, reason, device, version, ip) \
     SELECT * FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::text[], $7::text[], $8::text[], $9::text[]) \
     ON CONFLICT DO NOTHING";
const SESSIONS: &str = "INSERT INTO stays (app, room, user_id, join_ms, leave_ms, device, version, ip) \
     SELECT * FROM unnest($1::bigint[], $2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::text[], $7::text[], $8::text[]) \
     ON CONFLICT (app, room, user_id, join_ms) DO UPDATE SET leave_ms = excluded.leave_ms";

/// Prints the seconds and the number of events.
pub async fn run(database: &str, events: &str, batch: usize) -> Result<()> {
    let text = std::fs::read_to_string(events)?;
    let (mut client, connection) = tokio_postgres::connect(database, NoTls).await?;
    tokio::spawn(connection);
    let (insert_events, upsert_sessions) = (client.prepare(EVENTS).await?, client.prepare(SESSIONS).await?);
    let lines: Vec<&str> = text.lines().collect();
    // Who is inside since when: spares the database the search that a leave would need.
    let mut inside: HashMap<Who, (i64, [String; 3])> = HashMap::new();
    let begun = Instant::now();
    for lines in lines.chunks(batch) {
        let events: Vec<Line<'_>> =
            lines.iter().map(|line| serde_json::from_str(line)).collect::<Result<_, _>>()?;
        let sessions = sessions(&events, &mut inside);
        let apps: Vec<i64> = events.iter().map(|event| event.app).collect();
        let column = |get: fn(&Line<'_>) -> String| events.iter().map(get).collect::<Vec<_>>();
        let times: Vec<i64> = events.iter().map(|event| event.at_ms).collect();
        let transaction = client.transaction().await?;
        transaction
            .execute(
                &insert_events,
                &[
                    &apps,
                    &column(|e| e.room.to_owned()),
                    &column(|e| e.user.to_owned()),
                    &column(|e| e.kind.to_owned()),
                    &times,
                    &column(|e| e.reason.to_owned()),
                    &column(|e| e.attrs.device.to_owned()),
                    &column(|e| e.attrs.sdk_version.to_owned()),
                    &column(|e| e.attrs.client_ip.to_owned()),
                ],
            )
            .await?;
        let mut columns: [Vec<String>; 5] = Default::default();
        let (mut apps, mut joins, mut leaves) = (Vec::new(), Vec::new(), Vec::new());
        for (((app, room, user), join), (leave, [device, version, ip])) in sessions {
            for (column, value) in columns.iter_mut().zip([room, user, device, version, ip]) {
                column.push(value);
            }
            apps.push(app);
            joins.push(join);
            leaves.push(leave);
        }
        let [rooms, users, devices, versions, ips] = columns;
        transaction
            .execute(&upsert_sessions, &[&apps, &rooms, &users, &joins, &leaves, &devices, &versions, &ips])
            .await?;
        transaction.commit().await?;
    }
    let seconds = begun.elapsed().as_secs_f64();
    let stored: i64 = client.query_one("SELECT count(*) FROM events", &[]).await?.get(0);
    ensure!(
        usize::try_from(stored).context("count")? == lines.len(),
        "{stored} of {} events stored",
        lines.len()
    );
    println!("{seconds:.3} {stored}");
    Ok(())
}

/// Application, room, user.
type Who = (i64, String, String);

type Sessions = BTreeMap<(Who, i64), (Option<i64>, [String; 3])>;

/// The sessions a batch opens or closes. A leave that overtook its join makes no row: cheaper than the truth.
fn sessions(events: &[Line<'_>], inside: &mut HashMap<Who, (i64, [String; 3])>) -> Sessions {
    let mut sessions = Sessions::new();
    for event in events {
        let who = (event.app, event.room.to_owned(), event.user.to_owned());
        match event.kind {
            "joined" => {
                let attrs =
                    [event.attrs.device, event.attrs.sdk_version, event.attrs.client_ip].map(str::to_owned);
                inside.insert(who.clone(), (event.at_ms, attrs.clone()));
                sessions.insert((who, event.at_ms), (None, attrs));
            }
            "left" => {
                if let Some((join, attrs)) = inside.remove(&who) {
                    sessions.insert((who, join), (Some(event.at_ms), attrs));
                }
            }
            _ => {}
        }
    }
    sessions
}
