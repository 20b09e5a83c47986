//! One ClickHouse server, asked over HTTP.
//!
//! Plain HTTP/1.1 through hyper, which serves our own API too. The `clickhouse` crate was weighed first: it would add
//! 56 packages to 168, its own format (`RowBinaryWithNamesAndTypes`) is unknown to 18.16, and what matters here (the
//! code of a refusal, several replicas, one timeout a request) would still have to be written around it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{AUTHORIZATION, HOST, HeaderValue};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use tokio::net::TcpStream;
use tokio::runtime::Handle;

use super::Credentials;
use crate::store::StoreError;

/// How long a connection may take to come about.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// Connections that are kept open while nothing is asked.
const IDLE_MAX: usize = 16;
/// Of what a server says of a refusal, so much is passed on.
const REASON_CHARS_MAX: usize = 300;

/// Where a server is, and who we are to it.
pub(super) struct Server {
    /// `host:port`.
    address: String,
    authorization: Option<HeaderValue>,
    idle: Mutex<Vec<Connection>>,
    /// Where connections live, whatever runtime asks.
    runtime: Handle,
}

type Connection = SendRequest<Full<Bytes>>;

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server").field("address", &self.address).finish_non_exhaustive()
    }
}

/// A statement, and how to run it.
#[derive(Debug, Clone)]
pub(super) struct Statement {
    /// The database that names without one are in; `""`: none.
    pub(super) database: String,
    pub(super) sql: String,
    /// The rows of an insertion.
    pub(super) rows: Option<Bytes>,
    pub(super) settings: Vec<(&'static str, String)>,
    pub(super) timeout: Duration,
}

/// Why there is no answer.
#[derive(Debug, Clone)]
pub(super) enum Failure {
    /// The server cannot be reached, or did not answer in time: whether it did what it was told is not known.
    Away(String),
    /// It answered that it cannot, with the number of the reason.
    Refused(u32, String),
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Failure::Away(why) | Failure::Refused(_, why) => f.write_str(why),
        }
    }
}

impl Server {
    /// A server by its URL: `http://[user[:password]@]host[:port]`.
    ///
    /// # Errors
    /// [`StoreError::Refused`] for any other text. What it says holds no credentials.
    pub(super) fn new(
        url: &str,
        credentials: Option<&Credentials>,
        runtime: &Handle,
    ) -> Result<Server, StoreError> {
        let shown = url.rsplit_once('@').map_or(url, |(_, behind)| behind);
        let wrong = |why: &str| {
            StoreError::Refused(format!(
                "the URL of ClickHouse {shown:?} {why}; it must be like \"http://127.0.0.1:8123\""
            ))
        };
        let rest = match url.split_once("://") {
            Some(("http", rest)) => rest,
            Some(("https", _)) => return Err(wrong("asks for TLS, which this store does not speak")),
            Some(_) | None => return Err(wrong("does not begin with http://")),
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let (userinfo, place) =
            rest.rsplit_once('@').map_or((None, rest), |(user, place)| (Some(user), place));
        if place.is_empty() || place.contains(['/', '?', '#', ' ', '"']) {
            return Err(wrong("names no host"));
        }
        let has_port = place.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
        let address = if has_port { place.to_owned() } else { format!("{place}:8123") };
        let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
        let who = match userinfo {
            Some(info) => {
                let (user, password) = info.split_once(':').unwrap_or((info, ""));
                Some((decoded(user), decoded(password)))
            }
            None => credentials.map(|who| (who.user.clone(), who.password.expose().to_owned())),
        };
        let authorization = who.filter(|who| *who != ("default".to_owned(), String::new())).map(|who| {
            let mut value =
                HeaderValue::from_str(&format!("Basic {}", STANDARD.encode(format!("{}:{}", who.0, who.1))))
                    .map_err(|_| wrong("has unusable credentials"))?;
            value.set_sensitive(true);
            Ok::<_, StoreError>(value)
        });
        let authorization = authorization.transpose()?;
        Ok(Server { address, authorization, idle: Mutex::default(), runtime: runtime.clone() })
    }

    /// `host:port`.
    pub(super) fn address(&self) -> &str {
        &self.address
    }

    /// The runtime that connections live in.
    pub(super) fn runtime(&self) -> &Handle {
        &self.runtime
    }

    /// Runs one statement; its whole answer.
    ///
    /// # Errors
    /// See [`Failure`].
    pub(super) async fn run(self: &Arc<Server>, statement: Statement) -> Result<Bytes, Failure> {
        let server = Arc::clone(self);
        let timeout = statement.timeout;
        // Sockets and timers belong to the store's own runtime; who asks may have another.
        let task = self.runtime.spawn(async move {
            let late = |_| server.away(&format!("no answer within {} s", timeout.as_secs()));
            tokio::time::timeout(timeout, server.exchange(&statement)).await.map_err(late)?
        });
        task.await.map_err(|_| self.away("the store is being closed"))?
    }

    fn away(&self, why: &str) -> Failure {
        Failure::Away(format!("ClickHouse at {}: {why}", self.address))
    }

    async fn exchange(&self, statement: &Statement) -> Result<Bytes, Failure> {
        loop {
            let idle = self.idle().pop();
            let is_used = idle.is_some();
            let mut connection = match idle {
                Some(connection) => connection,
                None => self.connect().await?,
            };
            let failed = |error: hyper::Error| self.away(&error.to_string());
            let outcome = match connection.ready().await {
                Ok(()) => connection.send_request(self.request(statement)?).await,
                Err(error) => Err(error),
            };
            let response = match outcome {
                Ok(response) => response,
                // The server closes what is idle for some seconds. To tell it anything twice is harmless.
                Err(_) if is_used => continue,
                Err(error) => return Err(failed(error)),
            };
            let status = response.status();
            let body = response.into_body().collect().await.map_err(failed)?.to_bytes();
            let mut idle = self.idle();
            if idle.len() < IDLE_MAX && !connection.is_closed() {
                idle.push(connection);
            }
            drop(idle);
            return if status == StatusCode::OK { Ok(body) } else { Err(self.refusal(status, &body)) };
        }
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn connect(&self) -> Result<Connection, Failure> {
        let connecting = tokio::time::timeout(CONNECT_TIMEOUT, TcpStream::connect(self.address.as_str()));
        let stream = match connecting.await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => return Err(self.away(&error.to_string())),
            Err(_) => return Err(self.away("no connection within 2 s")),
        };
        // Without it small requests wait for acknowledgements of the network.
        stream.set_nodelay(true).map_err(|error| self.away(&error.to_string()))?;
        let (sender, connection) =
            handshake(TokioIo::new(stream)).await.map_err(|error| self.away(&error.to_string()))?;
        tokio::spawn(connection);
        Ok(sender)
    }

    fn request(&self, statement: &Statement) -> Result<Request<Full<Bytes>>, Failure> {
        // The answer is held back until the statement is done, so that a failure in its middle has a status.
        let mut target = "/?wait_end_of_query=1".to_owned();
        let mut add = |name: &str, value: &str| {
            target.push('&');
            target.push_str(name);
            target.push('=');
            target.extend(utf8_percent_encode(value, NON_ALPHANUMERIC));
        };
        if !statement.database.is_empty() {
            add("database", &statement.database);
        }
        for (name, value) in &statement.settings {
            add(name, value);
        }
        let body = match &statement.rows {
            Some(rows) => {
                add("query", &statement.sql);
                rows.clone()
            }
            None => Bytes::from(statement.sql.clone()),
        };
        let mut request = Request::post(target).header(HOST, self.address.as_str());
        if let Some(authorization) = &self.authorization {
            request = request.header(AUTHORIZATION, authorization.clone());
        }
        request.body(Full::new(body)).map_err(|error| self.away(&error.to_string()))
    }

    /// `Code: 285, e.displayText() = DB::Exception: …` of old servers, `Code: 285. DB::Exception: …` of new ones.
    fn refusal(&self, status: StatusCode, body: &[u8]) -> Failure {
        let text = String::from_utf8_lossy(body);
        let digits =
            |rest: &str| rest.chars().take_while(char::is_ascii_digit).collect::<String>().parse().ok();
        let code = text.strip_prefix("Code: ").and_then(digits);
        let line = text.lines().next().unwrap_or_default();
        let shown = line.rsplit_once(", e.what()").map_or(line, |(before, _)| before);
        let shown = shown.replace(", e.displayText() = DB::Exception", "");
        let shown: String = shown.chars().take(REASON_CHARS_MAX).collect();
        match code {
            Some(code) => Failure::Refused(code, format!("ClickHouse at {}: {shown}", self.address)),
            None => self.away(&format!("{status}, {shown}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(url: &str) -> Result<Server, StoreError> {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        Server::new(url, None, runtime.handle())
    }

    #[test]
    fn urls_name_host_port_and_user() {
        let check = |url: &str, address: &str, authorization: Option<&str>| {
            let server = server(url).unwrap();
            assert_eq!(server.address(), address, "{url}");
            let said = server.authorization.as_ref().map(|value| value.to_str().unwrap());
            assert_eq!(said, authorization, "{url}");
            assert!(!format!("{server:?}").contains("Basic"));
        };
        check("http://127.0.0.1:8123", "127.0.0.1:8123", None);
        check("http://ch-1/", "ch-1:8123", None);
        check("http://[::1]:9", "[::1]:9", None);
        check("http://[::1]", "[::1]:8123", None);
        check("http://default@h:1", "h:1", None);
        check("http://u:p%40x@h:1", "h:1", Some("Basic dTpwQHg="));
    }

    #[test]
    fn other_urls_are_refused_without_their_password() {
        for url in [
            "",
            "h:1",
            "ftp://u:secret@h",
            "http://",
            "http://u:secret@",
            "http://u:secret@h/db",
            "https://u:secret@h",
        ] {
            let said = server(url).unwrap_err().to_string();
            assert!(said.contains("http://127.0.0.1:8123") && !said.contains("secret"), "{url}: {said}");
        }
    }

    #[test]
    fn refusals_of_old_and_new_servers_are_read() {
        let server = server("http://h").unwrap();
        let check = |body: &str, code: u32, text: &str| {
            let Failure::Refused(found, said) =
                server.refusal(StatusCode::INTERNAL_SERVER_ERROR, body.as_bytes())
            else {
                panic!("{body}");
            };
            assert_eq!((found, said.as_str()), (code, text));
        };
        check(
            "Code: 285, e.displayText() = DB::Exception: Too few replicas, e.what() = DB::Exception\n",
            285,
            "ClickHouse at h:8123: Code: 285: Too few replicas",
        );
        check(
            "Code: 60. DB::Exception: No table. (UNKNOWN_TABLE) (version 25.1)\n",
            60,
            "ClickHouse at h:8123: Code: 60. DB::Exception: No table. (UNKNOWN_TABLE) (version 25.1)",
        );
        let other = server.refusal(StatusCode::BAD_GATEWAY, b"<html>");
        assert!(matches!(other, Failure::Away(_)) && other.to_string().contains("502"), "{other}");
    }
}
