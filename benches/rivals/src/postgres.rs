//! The other server: axum before PostgreSQL, as one would write it in a day. It checks the signature, asks one
//! prepared, indexed statement, and writes the same JSON. What rollbook checks beyond that, it leaves out.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context, Result};
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::post;
use serde::Serialize;
use subtle::ConstantTimeEq;
use tokio_postgres::{Client, Statement};

use crate::questions::Question;
use crate::{APP, SECRET_KEY, engines, sign};

/// Connections to the database. Requests take turns, and share a connection while it waits: faster than a pool.
const CONNECTIONS: usize = 8;

struct Database {
    connections: Vec<(Client, Statement)>,
    turn: AtomicUsize,
    /// The date and the key of the requests of that day.
    key: (String, Vec<u8>),
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Envelope {
    response: Answer,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    total: usize,
    user_list: Vec<User>,
    request_id: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct User {
    room_str: String,
    user_id: String,
    join_ts: i64,
    leave_ts: i64,
    finished: bool,
    device_type: String,
    sdk_version: String,
    client_ip: String,
}

/// Serves until it is killed.
pub async fn serve(address: &str, database: &str) -> Result<()> {
    let mut connections = Vec::new();
    for _ in 0..CONNECTIONS {
        let client = engines::postgres_client(database).await?;
        let statement = client.prepare(engines::POSTGRES_USERS).await?;
        connections.push((client, statement));
    }
    let database = Database { connections, turn: AtomicUsize::new(0), key: (String::new(), Vec::new()) };
    let clock: i64 = std::env::var("CLOCK").context("CLOCK")?.parse()?;
    let date = sign::date(clock);
    let database = Database { key: (date.clone(), sign::signing_key(SECRET_KEY, &date)), ..database };
    let router = Router::new().route("/", post(answer)).with_state(Arc::new(database));
    let listener = tokio::net::TcpListener::bind(address).await?;
    axum::serve(
        axum::serve::ListenerExt::tap_io(listener, |stream| {
            let _ = stream.set_nodelay(true);
        }),
        router,
    )
    .await?;
    Ok(())
}

async fn answer(
    State(database): State<Arc<Database>>,
    headers: HeaderMap,
    body: Bytes,
) -> axum::response::Response {
    match users(&database, &headers, &body).await {
        Ok(json) => ([(header::CONTENT_TYPE, "application/json")], json).into_response(),
        Err(error) => (StatusCode::BAD_REQUEST, error.to_string()).into_response(),
    }
}

async fn users(database: &Database, headers: &HeaderMap, body: &[u8]) -> Result<Vec<u8>> {
    let text =
        |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).with_context(|| name.to_owned());
    let given = text("authorization")?.rsplit_once("Signature=").context("authorization")?.1;
    let (date, key) = &database.key;
    let expected = sign::signature(key, text("host")?, text("x-tc-timestamp")?, date, body);
    anyhow::ensure!(bool::from(expected.as_bytes().ct_eq(given.as_bytes())), "signature");
    let question = Question::of(body)?;
    anyhow::ensure!((APP..APP + 50).contains(&question.sdk_app_id), "app");

    let turn = database.turn.fetch_add(1, Ordering::Relaxed) % database.connections.len();
    let (client, statement) = &database.connections[turn];
    let app = i64::try_from(question.sdk_app_id)?;
    let Question { room, create_s, start_time: from, end_time: to, page_size: size, .. } = &question;
    let skip = question.page_number * size;
    let rows = client.query(statement, &[&app, room, create_s, to, from, size, &skip]).await?;
    let user_list: Vec<User> = rows
        .iter()
        .map(|row| User {
            room_str: room.clone(),
            user_id: row.get(0),
            join_ts: row.get(1),
            leave_ts: row.get(2),
            finished: row.get(3),
            device_type: row.get(4),
            sdk_version: row.get(5),
            client_ip: row.get(6),
        })
        .collect();
    let request_id = "00000000-0000-4000-8000-000000000000".to_owned();
    let response = Answer { total: user_list.len(), user_list, request_id };
    Ok(serde_json::to_vec(&Envelope { response })?)
}
