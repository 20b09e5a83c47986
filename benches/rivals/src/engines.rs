//! The same sessions in SQLite, PostgreSQL and ClickHouse, and the same questions to them: bare statements, without a server
//! of ours before them.

use std::fmt::Write as _;
use std::pin::pin;
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use bytes::Bytes;
use rusqlite::Connection;
use tokio::net::TcpStream;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, CopyInSink, NoTls, Statement};

use crate::ask::{exchange, spread};
use crate::questions::{self, Question};
use crate::story::{Call, DAYS, START_S, Story};

/// How long before a window a call may have been created that reaches into it.
const LONGEST_CALL_S: i64 = 86_400;
/// Rows are handed over in pieces of so many bytes.
const PIECE_BYTES: usize = 8 << 20;

/// Loads a story; prints the seconds that it took.
pub async fn load(engine: &str, place: &str, story: Story) -> Result<()> {
    let begun = Instant::now();
    match engine {
        "sqlite" => load_sqlite(place, story)?,
        "postgres" => load_postgres(place, story).await?,
        "clickhouse" => load_clickhouse(place, story).await?,
        _ => bail!("no engine {engine}"),
    }
    println!("{:.1}", begun.elapsed().as_secs_f64());
    Ok(())
}

/// Asks one question after the other; prints `P50_US P99_US MAX_US ROWS`. A tenth as many go before, to warm it.
pub async fn ask(engine: &str, place: &str, file: &str, requests: usize) -> Result<()> {
    let text = std::fs::read_to_string(file)?;
    let mut asked = Vec::new();
    for line in questions::lines(&text) {
        let (_, json, expected) = line?;
        let mut question = Question::of(json.as_bytes())?;
        question.expected = expected;
        asked.push(question);
    }
    let mut engine = match engine {
        "sqlite" => Engine::Sqlite(Connection::open(place)?),
        "postgres" => Engine::Postgres(Box::new(Postgres::connect(place).await?)),
        "clickhouse" => Engine::ClickHouse(TcpStream::connect(place).await?, Vec::new()),
        _ => bail!("no engine {engine}"),
    };
    if let Engine::Sqlite(database) = &engine {
        database.execute_batch("PRAGMA cache_size = -262144; PRAGMA query_only = 1;")?;
    }
    let (mut times_us, mut rows) = (Vec::new(), 0);
    for question in asked.iter().cycle().take(requests / 10) {
        engine.ask(question).await?;
    }
    for question in asked.iter().cycle().take(requests) {
        let begun = Instant::now();
        let found = engine.ask(question).await?;
        times_us.push(u64::try_from(begun.elapsed().as_micros())?);
        ensure!(
            question.expected.is_none_or(|expected| expected == found),
            "{found} rows of {:?} in {}, created in second {}",
            question.expected,
            question.room,
            question.create_s
        );
        rows += found;
    }
    println!("{} {rows}", spread(&mut times_us));
    Ok(())
}

enum Engine {
    Sqlite(Connection),
    Postgres(Box<Postgres>),
    ClickHouse(TcpStream, Vec<u8>),
}

impl Engine {
    /// How many rows a question has.
    async fn ask(&mut self, question: &Question) -> Result<u64> {
        match self {
            Engine::Sqlite(database) => ask_sqlite(database, question),
            Engine::Postgres(database) => database.ask(question).await,
            Engine::ClickHouse(stream, buffer) => {
                let sql = clickhouse_sql(question);
                let reply = exchange(stream, &clickhouse_request("", sql.as_bytes()), buffer).await?;
                let mark = b"\"rows\": ";
                let at = reply.windows(mark.len()).position(|window| window == mark).context("no rows")?;
                let digits = reply[at + mark.len()..].iter().take_while(|byte| byte.is_ascii_digit());
                Ok(digits.fold(0, |number, digit| number * 10 + u64::from(digit - b'0')))
            }
        }
    }
}

const SQLITE_TABLES: &str = "
    PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA page_size = 4096;
    CREATE TABLE calls (app INTEGER, room TEXT, create_s INTEGER, end_s INTEGER, id INTEGER, PRIMARY KEY (app, room, create_s)) WITHOUT ROWID;
    CREATE TABLE sessions (call INTEGER, join_s INTEGER, user_id TEXT, leave_s INTEGER, device TEXT, version TEXT, ip TEXT,
                           PRIMARY KEY (call, join_s DESC, user_id)) WITHOUT ROWID;";

fn load_sqlite(path: &str, story: Story) -> Result<()> {
    let mut database = Connection::open(path)?;
    database.execute_batch(SQLITE_TABLES)?;
    let transaction = database.transaction()?;
    {
        let mut call_in = transaction.prepare("INSERT INTO calls VALUES (?, ?, ?, ?, ?)")?;
        let mut session_in = transaction.prepare("INSERT INTO sessions VALUES (?, ?, ?, ?, ?, ?, ?)")?;
        for call in story {
            let app = i64::try_from(call.app)?;
            let number = i64::try_from(call.number)?;
            call_in.execute((app, &call.room, call.create_s(), call.end_ms / 1_000, number))?;
            for session in &call.sessions {
                session_in.execute((
                    number,
                    session.join_ms / 1_000,
                    session.name(),
                    session.leave_ms / 1_000,
                    session.device(),
                    session.version(),
                    session.ip(),
                ))?;
            }
        }
    }
    transaction.commit()?;
    database.execute_batch("CREATE INDEX calls_by_time ON calls (app, create_s DESC); ANALYZE;")?;
    Ok(())
}

fn ask_sqlite(database: &Connection, question: &Question) -> Result<u64> {
    let app = i64::try_from(question.sdk_app_id)?;
    let (size, skip) = (question.page_size, question.page_number * question.page_size);
    if !question.is_for_users() {
        let mut statement = database.prepare_cached(
            "SELECT room, create_s, end_s FROM calls WHERE app = ?1 AND create_s <= ?2 AND create_s >= ?3 AND end_s >= ?4 \
             ORDER BY create_s DESC LIMIT ?5 OFFSET ?6",
        )?;
        let from = question.start_time;
        let rows = statement.query((app, question.end_time, from - LONGEST_CALL_S, from, size, skip))?;
        return count_rows(rows, 3);
    }
    let ids: String = question.user_ids.iter().map(|_| "?,").collect();
    let only = if ids.is_empty() {
        String::new()
    } else {
        format!("AND user_id IN ({})", ids.trim_end_matches(','))
    };
    let mut statement = database.prepare_cached(&format!(
        "SELECT user_id, join_s, leave_s, device, version, ip FROM sessions \
         WHERE call = (SELECT id FROM calls WHERE app = ? AND room = ? AND create_s = ?) \
         AND join_s <= ? AND leave_s >= ? {only} ORDER BY join_s DESC, user_id LIMIT ? OFFSET ?"
    ))?;
    let mut given: Vec<&dyn rusqlite::ToSql> =
        vec![&app, &question.room, &question.create_s, &question.end_time, &question.start_time];
    given.extend(question.user_ids.iter().map(|user| user as &dyn rusqlite::ToSql));
    given.extend([&size as &dyn rusqlite::ToSql, &skip]);
    count_rows(statement.query(given.as_slice())?, 6)
}

/// Reads every column of every row, as a server would that answers with them.
fn count_rows(mut rows: rusqlite::Rows<'_>, columns: usize) -> Result<u64> {
    let mut count = 0;
    while let Some(row) = rows.next()? {
        for column in 0..columns {
            std::hint::black_box(row.get_ref(column)?);
        }
        count += 1;
    }
    Ok(count)
}

/// The tables of PostgreSQL: partitioned by day of creation, indexed for the questions.
fn postgres_tables() -> String {
    let mut sql = "
        CREATE TABLE calls (id bigint NOT NULL, app bigint NOT NULL, room text NOT NULL, create_s bigint NOT NULL, end_s bigint NOT NULL)
            PARTITION BY RANGE (create_s);
        CREATE TABLE sessions (create_s bigint NOT NULL, call bigint NOT NULL, user_id text NOT NULL, join_s bigint NOT NULL,
            leave_s bigint NOT NULL, finished boolean NOT NULL, device text NOT NULL, version text NOT NULL, ip text NOT NULL) PARTITION BY RANGE (create_s);"
        .to_owned();
    for day in 0..=DAYS {
        let (from, to) = (START_S + day * 86_400, START_S + (day + 1) * 86_400);
        for table in ["calls", "sessions"] {
            let _ = write!(
                sql,
                "CREATE TABLE {table}_{day} PARTITION OF {table} FOR VALUES FROM ({from}) TO ({to});"
            );
        }
    }
    sql
}

const POSTGRES_INDEXES: &str = "
    ALTER TABLE calls ADD PRIMARY KEY (app, room, create_s);
    CREATE INDEX ON calls (app, create_s DESC);
    CREATE INDEX ON sessions (call, join_s DESC, user_id);
    ANALYZE calls; ANALYZE sessions;";

async fn load_postgres(place: &str, story: Story) -> Result<()> {
    let (first, connection) = tokio_postgres::connect(place, NoTls).await?;
    tokio::spawn(connection);
    let (second, connection) = tokio_postgres::connect(place, NoTls).await?;
    tokio::spawn(connection);
    first.batch_execute(&postgres_tables()).await?;
    let calls: CopyInSink<Bytes> = first.copy_in("COPY calls FROM STDIN").await?;
    let sessions: CopyInSink<Bytes> = second.copy_in("COPY sessions FROM STDIN").await?;
    let (mut calls, mut sessions) = (pin!(calls), pin!(sessions));
    let (mut call_rows, mut session_rows) = (String::new(), String::new());
    for call in story {
        let Call { number, app, room, end_ms, .. } = &call;
        let create_s = call.create_s();
        writeln!(call_rows, "{number}\t{app}\t{room}\t{create_s}\t{}", end_ms / 1_000)?;
        for session in &call.sessions {
            writeln!(
                session_rows,
                "{create_s}\t{number}\t{}\t{}\t{}\tt\t{}\t{}\t{}",
                session.name(),
                session.join_ms / 1_000,
                session.leave_ms / 1_000,
                session.device(),
                session.version(),
                session.ip()
            )?;
        }
        if session_rows.len() > PIECE_BYTES {
            give(&mut sessions, &mut session_rows).await?;
            give(&mut calls, &mut call_rows).await?;
        }
    }
    give(&mut sessions, &mut session_rows).await?;
    give(&mut calls, &mut call_rows).await?;
    sessions.finish().await?;
    calls.finish().await?;
    first.batch_execute(POSTGRES_INDEXES).await?;
    Ok(())
}

async fn give(sink: &mut std::pin::Pin<&mut CopyInSink<Bytes>>, rows: &mut String) -> Result<()> {
    Ok(futures_util::SinkExt::send(sink, Bytes::from(std::mem::take(rows))).await?)
}

/// The sessions of one call: application, room, second of creation, end and begin of the window, size, skip. The subquery lets
/// the planner walk the index in the order of the answer.
pub const POSTGRES_USERS: &str = "SELECT s.user_id, s.join_s, s.leave_s, s.finished, s.device, s.version, s.ip FROM sessions s \
     WHERE s.create_s = $3 AND s.call = (SELECT id FROM calls WHERE app = $1 AND room = $2 AND create_s = $3) \
     AND s.join_s <= $4 AND s.leave_s >= $5 ORDER BY s.join_s DESC, s.user_id LIMIT $6 OFFSET $7";

/// Plans once, not each time: with partitions planning costs more than the work.
pub async fn postgres_client(place: &str) -> Result<Client> {
    let (client, connection) = tokio_postgres::connect(place, NoTls).await?;
    tokio::spawn(connection);
    client.batch_execute("SET plan_cache_mode = force_generic_plan").await?;
    Ok(client)
}

struct Postgres {
    client: Client,
    users: Statement,
    users_named: Statement,
    calls: Statement,
}

impl Postgres {
    async fn connect(place: &str) -> Result<Postgres> {
        let client = postgres_client(place).await?;
        let named = POSTGRES_USERS.replace("ORDER BY", "AND s.user_id = ANY($8) ORDER BY");
        Ok(Postgres {
            users: client.prepare(POSTGRES_USERS).await?,
            users_named: client.prepare(&named).await?,
            calls: client
                .prepare(
                    "SELECT room, create_s, end_s FROM calls WHERE app = $1 AND create_s <= $2 AND create_s >= $3 AND end_s >= $4 \
                     ORDER BY create_s DESC LIMIT $5 OFFSET $6",
                )
                .await?,
            client,
        })
    }

    async fn ask(&self, question: &Question) -> Result<u64> {
        let app = i64::try_from(question.sdk_app_id)?;
        let Question { start_time: from, end_time: to, page_size: size, .. } = question;
        let skip = question.page_number * size;
        let before = from - LONGEST_CALL_S;
        if !question.is_for_users() {
            let given: [&(dyn ToSql + Sync); 6] = [&app, to, &before, from, size, &skip];
            return Ok(self.client.query(&self.calls, &given).await?.len() as u64);
        }
        let mut given: Vec<&(dyn ToSql + Sync)> =
            vec![&app, &question.room, &question.create_s, to, from, size, &skip];
        if question.user_ids.is_empty() {
            return Ok(self.client.query(&self.users, &given).await?.len() as u64);
        }
        given.push(&question.user_ids);
        Ok(self.client.query(&self.users_named, &given).await?.len() as u64)
    }
}

const CLICKHOUSE_TABLES: [&str; 2] = [
    "CREATE TABLE calls (app UInt64, create_s UInt32, room String, end_s UInt32) ENGINE = MergeTree \
     PARTITION BY intDiv(create_s, 86400) ORDER BY (app, create_s, room) SETTINGS index_granularity = 1024",
    "CREATE TABLE sessions (app UInt64, create_s UInt32, room String, user_id String, join_s UInt32, leave_s UInt32, device String, version String, ip String) \
     ENGINE = MergeTree PARTITION BY intDiv(create_s, 86400) ORDER BY (app, create_s, room, user_id, join_s) SETTINGS index_granularity = 1024",
];

async fn load_clickhouse(place: &str, story: Story) -> Result<()> {
    let mut stream = TcpStream::connect(place).await?;
    let mut buffer = Vec::new();
    for table in CLICKHOUSE_TABLES {
        exchange(&mut stream, &clickhouse_request("", table.as_bytes()), &mut buffer).await?;
    }
    let (mut call_rows, mut session_rows) = (String::new(), String::new());
    let (calls_in, sessions_in) =
        ("INSERT%20INTO%20calls%20FORMAT%20TSV", "INSERT%20INTO%20sessions%20FORMAT%20TSV");
    for call in story {
        let (app, create_s, room) = (call.app, call.create_s(), &call.room);
        writeln!(call_rows, "{app}\t{create_s}\t{room}\t{}", call.end_ms / 1_000)?;
        for session in &call.sessions {
            writeln!(
                session_rows,
                "{app}\t{create_s}\t{room}\t{}\t{}\t{}\t{}\t{}\t{}",
                session.name(),
                session.join_ms / 1_000,
                session.leave_ms / 1_000,
                session.device(),
                session.version(),
                session.ip()
            )?;
        }
        if session_rows.len() > PIECE_BYTES * 3 {
            for (into, rows) in [(calls_in, &mut call_rows), (sessions_in, &mut session_rows)] {
                exchange(&mut stream, &clickhouse_request(into, rows.as_bytes()), &mut buffer).await?;
                rows.clear();
            }
        }
    }
    for (into, rows) in [(calls_in, &call_rows), (sessions_in, &session_rows)] {
        exchange(&mut stream, &clickhouse_request(into, rows.as_bytes()), &mut buffer).await?;
    }
    for table in ["calls", "sessions"] {
        let merge = format!("OPTIMIZE TABLE {table} FINAL");
        exchange(&mut stream, &clickhouse_request("", merge.as_bytes()), &mut buffer).await?;
    }
    Ok(())
}

fn clickhouse_request(query: &str, body: &[u8]) -> Vec<u8> {
    let path = if query.is_empty() { "/".to_owned() } else { format!("/?query={query}") };
    let length = body.len();
    let mut request =
        format!("POST {path} HTTP/1.1\r\nHost: localhost\r\nConnection: keep-alive\r\nContent-Length: {length}\r\n\r\n")
            .into_bytes();
    request.extend_from_slice(body);
    request
}

fn clickhouse_sql(question: &Question) -> String {
    let Question { start_time: from, end_time: to, sdk_app_id: app, page_size: size, room, create_s, .. } =
        question;
    let skip = question.page_number * size;
    if !question.is_for_users() {
        return format!(
            "SELECT room, create_s, end_s FROM calls PREWHERE app = {app} AND create_s <= {to} AND create_s >= {} \
             WHERE end_s >= {from} ORDER BY create_s DESC LIMIT {skip}, {size} FORMAT JSONCompact",
            from - LONGEST_CALL_S
        );
    }
    let only = if question.user_ids.is_empty() {
        String::new()
    } else {
        format!("AND user_id IN ('{}')", question.user_ids.join("','"))
    };
    format!(
        "SELECT user_id, join_s, leave_s, device, version, ip FROM sessions PREWHERE app = {app} AND create_s = {create_s} AND room = '{room}' \
         WHERE join_s <= {to} AND leave_s >= {from} {only} ORDER BY join_s DESC, user_id LIMIT {skip}, {size} FORMAT JSONCompact"
    )
}
