//! Who may see pages. On a loopback address everybody on the machine; elsewhere who knows the password of an account, and
//! then that account's applications only.
//!
//! A session is a signed cookie, so nothing is kept: it ends by its time, by signing out, or with the process, whose key
//! signs it. Passwords are kept as argon2id hashes in a file that `rollbook keys ui-password` writes.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use maud::{Markup, html};
use sha2::Sha256;
use tokio::sync::Semaphore;

use super::prefs::{self, Prefs};
use super::query::Query;
use super::{Asked, Method, Shown, shell};
use crate::actions::{Account, Policy};
use crate::limits::Secret;
use crate::records::Millis;

/// The session's cookie.
const COOKIE: &str = "rollbook_session";
/// How long a session lasts, in seconds.
const SESSION_S: i64 = 12 * 3_600;
/// Attempts to sign in from one address in one minute.
const ATTEMPTS_MAX: u32 = 5;
/// Attempts from all addresses in one minute. Somebody with many addresses gets no more guesses than these, and the
/// calls that are recorded meanwhile keep their processor; who is signed in notices nothing.
const ALL_ATTEMPTS_MAX: u32 = 100;
/// Passwords that are verified at one time: each takes 19 MiB and tens of milliseconds.
const VERIFYING_MAX: usize = 2;

/// Who may see pages, and how they prove it.
#[derive(Debug)]
pub struct Access {
    door: Door,
    key: Secret<[u8; 32]>,
    attempts: Arc<Mutex<Attempts>>,
    verifying: Semaphore,
}

#[derive(Debug)]
enum Door {
    /// Whoever reaches the loopback address.
    Open,
    /// Whoever knows the password of an account: name, hash.
    Passwords(Vec<(String, Secret)>),
    /// Nobody, since there is no password.
    Closed,
}

#[derive(Debug, Default)]
struct Attempts {
    minute: i64,
    by_address: HashMap<IpAddr, u32>,
    all: u32,
}

/// What is wrong with a file of passwords.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PasswordError {
    /// A line that is no account and hash.
    #[error("line {line}: expected `account:$argon2id$…`, as `rollbook keys ui-password` writes it")]
    Line {
        /// Its number, from 1.
        line: usize,
    },
    /// An account has two passwords, of which only one can be meant.
    #[error("line {line}: account `{account}` has a password already")]
    Twice {
        /// Its number, from 1.
        line: usize,
        /// The account.
        account: String,
    },
    /// A password cannot be hashed.
    #[error("the password cannot be hashed: {0}")]
    Hash(String),
}

/// The line of a file of passwords for an account; `salt` is random.
///
/// # Errors
/// Where the password is too long to be hashed.
pub fn hash_password(account: &str, password: &[u8], salt: &[u8; 16]) -> Result<String, PasswordError> {
    let hash: Result<PasswordHash, _> = Argon2::default().hash_password_with_salt(password, salt);
    hash.map(|hash| format!("{account}:{hash}")).map_err(|error| PasswordError::Hash(error.to_string()))
}

impl Access {
    fn new(door: Door, key: Secret<[u8; 32]>) -> Access {
        Access { door, key, attempts: Arc::default(), verifying: Semaphore::new(VERIFYING_MAX) }
    }

    /// In the place of another, whose attempts count on.
    pub(super) fn instead_of(mut self, before: &Access) -> Access {
        self.attempts = Arc::clone(&before.attempts);
        self
    }

    /// For a server that only this machine can reach.
    pub fn open() -> Access {
        Access::new(Door::Open, Secret::key([0; 32]))
    }

    /// Where there is no password.
    pub fn closed() -> Access {
        Access::new(Door::Closed, Secret::key([0; 32]))
    }

    /// By the passwords of a file: a line an account. `key` is random; it signs the sessions.
    ///
    /// # Errors
    /// The first line that is none.
    pub fn with_passwords(file: &str, key: Secret<[u8; 32]>) -> Result<Access, PasswordError> {
        let mut passwords = Vec::new();
        for (number, line) in (1..).zip(file.lines().map(str::trim)) {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let entry = line.rsplit_once(":$argon2id$");
            let (account, hash) = entry.ok_or(PasswordError::Line { line: number })?;
            let hash = format!("$argon2id${hash}");
            PasswordHash::new(&hash).map_err(|_| PasswordError::Line { line: number })?;
            if passwords.iter().any(|(other, _)| other == account) {
                return Err(PasswordError::Twice { line: number, account: account.to_owned() });
            }
            passwords.push((account.to_owned(), Secret::new(hash)));
        }
        Ok(Access::new(if passwords.is_empty() { Door::Closed } else { Door::Passwords(passwords) }, key))
    }

    /// The accounts that have a password.
    pub fn accounts(&self) -> impl Iterator<Item = &str> {
        self.passwords().iter().map(|(account, _)| account.as_str())
    }

    fn passwords(&self) -> &[(String, Secret)] {
        match &self.door {
            Door::Passwords(passwords) => passwords,
            Door::Open | Door::Closed => &[],
        }
    }

    /// Whether anybody has to sign in.
    pub(super) fn asks(&self) -> bool {
        matches!(self.door, Door::Passwords(_))
    }

    /// The accounts that whoever asks may see; `None`: nobody is signed in.
    pub(super) fn viewer<'p>(&self, asked: &Asked<'_>, policy: &'p Policy) -> Option<Vec<&'p Account>> {
        match &self.door {
            Door::Open => is_of_this_machine(asked).then(|| policy.accounts.iter().collect()),
            Door::Closed => None,
            Door::Passwords(_) => {
                let name = self.signed_in(prefs::cookie(asked, COOKIE)?, asked.now)?;
                Some(policy.accounts.iter().filter(|account| account.name == name).collect())
            }
        }
    }

    /// What seals the session of an account. The hash of its password goes in, so that a session ends with the
    /// password that it was begun with.
    fn seal(&self, payload: &str, hash: &Secret) -> Option<Hmac<Sha256>> {
        let mut mac = Hmac::<Sha256>::new_from_slice(self.key.bytes()).ok()?;
        mac.update(payload.as_bytes());
        mac.update(b".");
        mac.update(hash.expose().as_bytes());
        Some(mac)
    }

    /// The account of a session's cookie, if it is one of ours and has not ended.
    fn signed_in(&self, cookie: &str, now: Millis) -> Option<&str> {
        let (encoded, seal) = cookie.split_once('.')?;
        let seal = URL_SAFE_NO_PAD.decode(seal).ok()?;
        let payload = String::from_utf8(URL_SAFE_NO_PAD.decode(encoded).ok()?).ok()?;
        let (ends_s, named) = payload.split_once(' ')?;
        let (account, hash) = self.passwords().iter().find(|(account, _)| account == named)?;
        self.seal(encoded, hash)?.verify_slice(&seal).ok()?;
        let ends_s: i64 = ends_s.parse().ok()?;
        (now.secs() < ends_s).then_some(account)
    }

    /// `/ui/login`: the form, or what it sends.
    pub(super) async fn login(&self, asked: &Asked<'_>, prefs: &Prefs, policy: &Policy) -> Shown {
        let words = prefs.lang;
        let Door::Passwords(passwords) = &self.door else {
            return if self.viewer(asked, policy).is_some() {
                Shown::see_other("/ui/")
            } else {
                ask_to_sign_in(asked, prefs)
            };
        };
        if asked.method == Method::Get {
            return form(prefs, 200, None, asked.query);
        }
        if !is_same_origin(asked, policy) {
            return form(prefs, 403, Some(words.foreign_origin()), asked.query);
        }
        if !self.may_try(asked.peer, asked.now) {
            return form(prefs, 429, Some(words.sign_in_slow()), asked.query);
        }
        let fields = Query::parse(&String::from_utf8_lossy(asked.body));
        let account = fields.text("account").unwrap_or_default();
        // Somebody without a password costs as much as a wrong one, so that the time tells no names.
        let known = passwords.iter().find(|(name, _)| name == account);
        let (_, hash) = known.unwrap_or(&passwords[0]);
        let is_right = self.verify(hash, fields.text("password").unwrap_or_default()).await;
        if !is_right || known.is_none() {
            tracing::info!(account = known.map(|(name, _)| name.as_str()), "somebody could not sign in");
            return form(prefs, 401, Some(words.sign_in_wrong()), asked.query);
        }
        tracing::info!(account, "somebody signed in");
        let ends_s = asked.now.secs() + SESSION_S;
        let payload = URL_SAFE_NO_PAD.encode(format!("{ends_s} {account}"));
        let Some(seal) = self.seal(&payload, hash) else { return form(prefs, 500, None, asked.query) };
        let seal = URL_SAFE_NO_PAD.encode(seal.finalize().into_bytes());
        let secure = if is_encrypted(asked) { "; Secure" } else { "" };
        let cookie = format!(
            "{COOKIE}={payload}.{seal}; Path=/ui; Max-Age={SESSION_S}; HttpOnly; SameSite=Strict{secure}"
        );
        Shown::see_other(Query::parse(asked.query).back()).with("set-cookie", cookie)
    }

    /// What somebody sees who has failed too often.
    pub(super) fn too_many(prefs: &Prefs, query: &str) -> Shown {
        form(prefs, 429, Some(prefs.lang.sign_in_slow()), query)
    }

    async fn verify(&self, hash: &Secret, password: &str) -> bool {
        let Ok(_turn) = self.verifying.acquire().await else { return false };
        let (hash, password) = (hash.clone(), Secret::new(password));
        let verifying = tokio::task::spawn_blocking(move || {
            let hash = PasswordHash::new(hash.expose()).ok()?;
            Argon2::default().verify_password(password.expose().as_bytes(), &hash).ok()
        });
        verifying.await.ok().flatten().is_some()
    }

    /// Counts an attempt; whether it may be made.
    fn may_try(&self, peer: IpAddr, now: Millis) -> bool {
        let mut attempts = self.attempts.lock().unwrap_or_else(PoisonError::into_inner);
        let minute = now.secs().div_euclid(60);
        if attempts.minute != minute {
            *attempts = Attempts { minute, ..Attempts::default() };
        }
        let own = attempts.by_address.get(&neighbourhood(peer)).copied().unwrap_or_default();
        if own >= ATTEMPTS_MAX || attempts.all >= ALL_ATTEMPTS_MAX {
            return false;
        }
        attempts.by_address.insert(neighbourhood(peer), own + 1);
        attempts.all += 1;
        true
    }

    /// `/ui/logout`.
    pub(super) fn logout(&self, asked: &Asked<'_>, policy: &Policy) -> Shown {
        if !is_same_origin(asked, policy) {
            return Shown::see_other("/ui/");
        }
        let secure = if is_encrypted(asked) { "; Secure" } else { "" };
        let cookie = format!("{COOKIE}=; Path=/ui; Max-Age=0; HttpOnly; SameSite=Strict{secure}");
        Shown::see_other("/ui/").with("set-cookie", cookie)
    }
}

/// What counts as one address: of IPv6 the first half, since the other half is anybody's to choose.
fn neighbourhood(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V4(peer) => IpAddr::V4(peer),
        IpAddr::V6(peer) => IpAddr::V6(Ipv6Addr::from_bits(peer.to_bits() & !u128::from(u64::MAX))),
    }
}

/// Headers that a proxy adds: what comes with one of them comes from somewhere else.
const FORWARDED: [&str; 5] = ["forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via"];

/// Whether the page was asked for by the name of this machine. A foreign name that leads here belongs to a page that
/// wants to read what only this machine may see; a proxy on this machine speaks for others.
fn is_of_this_machine(asked: &Asked<'_>) -> bool {
    let host = (asked.header)("host").unwrap_or_default();
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    let is_loopback = name.parse::<IpAddr>().is_ok_and(|ip| ip.to_canonical().is_loopback());
    asked.peer.to_canonical().is_loopback()
        && (is_loopback || name.eq_ignore_ascii_case("localhost"))
        && !FORWARDED.iter().any(|name| (asked.header)(name).is_some())
}

/// Whether a post comes from a page of ours, as the browser says. Where it says nothing, it is none.
pub(super) fn is_same_origin(asked: &Asked<'_>, policy: &Policy) -> bool {
    if let Some(site) = (asked.header)("sec-fetch-site") {
        return site == "same-origin";
    }
    // Behind a proxy that ends TLS the scheme is another; the name is what counts.
    let Some((_, origin)) = (asked.header)("origin").and_then(|origin| origin.split_once("://")) else {
        return false;
    };
    let name = origin.rsplit_once(':').map_or(origin, |(name, _)| name);
    let is_public = |host: &String| host.eq_ignore_ascii_case(name) || host.eq_ignore_ascii_case(origin);
    (asked.header)("host") == Some(origin) || policy.public_hosts.iter().any(is_public)
}

/// Whether the browser that sends a form speaks TLS, to us or to a proxy that ends it. Only the browser knows, and says
/// so in a header that no page can set; what a proxy says of its own connection, anybody could say.
fn is_encrypted(asked: &Asked<'_>) -> bool {
    asked.is_tls || (asked.header)("origin").is_some_and(|origin| origin.starts_with("https://"))
}

/// What somebody sees who may not see the page.
pub(super) fn ask_to_sign_in(asked: &Asked<'_>, prefs: &Prefs) -> Shown {
    let words = prefs.lang;
    if asked.path == "/ui/login" {
        return closed(prefs, words.sign_in_off());
    }
    let accepts_html = (asked.header)("accept").is_some_and(|accept| accept.contains("text/html"));
    if asked.method == Method::Post || !accepts_html {
        return closed(prefs, words.sign_in());
    }
    let here = format!("{}{}{}", asked.path, if asked.query.is_empty() { "" } else { "?" }, asked.query);
    if (asked.header)("sec-fetch-site") == Some("cross-site") {
        // A link in a ticket: the browser keeps the session to itself until the page is asked for from here.
        return Shown::page(200, shell::again(prefs, &here));
    }
    let query = Query::default().with("back", Some(&here));
    Shown::see_other(&format!("/ui/login{query}"))
}

fn closed(prefs: &Prefs, text: &str) -> Shown {
    Shown::page(401, shell::bare(prefs, prefs.lang.sign_in(), html! { p { (text) } }))
}

fn form(prefs: &Prefs, status: u16, trouble: Option<&str>, query: &str) -> Shown {
    let words = prefs.lang;
    let action = if query.is_empty() { "/ui/login".to_owned() } else { format!("/ui/login?{query}") };
    let content: Markup = html! {
        form.sign-in method="post" action=(action) {
            @if let Some(trouble) = trouble { p.trouble role="alert" { (trouble) } }
            label { (words.account()) input name="account" autocomplete="username" required; }
            label { (words.password()) input type="password" name="password" autocomplete="current-password" required; }
            button.primary type="submit" { (words.sign_in()) }
        }
    };
    Shown::page(status, shell::bare(prefs, words.sign_in(), content))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Millis = Millis(1_795_377_600_000);

    #[test]
    fn a_session_is_good_until_it_ends_and_cannot_be_made_up() {
        let door = |key, account: &str, hash: &str| {
            Access::new(
                Door::Passwords(vec![(account.to_owned(), Secret::new(hash))]),
                Secret::key([key; 32]),
            )
        };
        let access = door(7, "main account", "hash");
        let payload = URL_SAFE_NO_PAD.encode(format!("{} main account", NOW.secs() + 1));
        let seal = access.seal(&payload, &Secret::new("hash")).expect("any key").finalize().into_bytes();
        let cookie = format!("{payload}.{}", URL_SAFE_NO_PAD.encode(seal));
        assert_eq!(access.signed_in(&cookie, NOW), Some("main account"));
        assert_eq!(access.signed_in(&cookie, NOW.plus(1_000)), None);
        for other in
            [door(8, "main account", "hash"), door(7, "main account", "new"), door(7, "main", "hash")]
        {
            assert_eq!(other.signed_in(&cookie, NOW), None, "another key, another password, no such account");
        }
        assert_eq!(access.signed_in(&cookie.replace('.', "x."), NOW), None);
        assert_eq!(access.signed_in("", NOW), None);
    }

    #[test]
    fn attempts_are_counted_by_address_and_minute() {
        let access = Access::closed();
        let (one, other) = (IpAddr::from([10, 0, 0, 1]), IpAddr::from([10, 0, 0, 2]));
        let tries: Vec<bool> = (0..7).map(|_| access.may_try(one, NOW)).collect();
        assert_eq!(tries, [true, true, true, true, true, false, false]);
        assert!(access.may_try(other, NOW));
        let access = Access::closed().instead_of(&access);
        assert!(!access.may_try(one, NOW), "new settings forget no attempt");
        assert!(access.may_try(one, NOW.plus(60_000)));
    }

    #[test]
    fn many_addresses_are_no_way_around_the_limit() {
        let access = Access::closed();
        let tries = |peers: &[IpAddr]| peers.iter().filter(|peer| access.may_try(**peer, NOW)).count();
        let network: Vec<_> =
            (0..50).map(|host| IpAddr::from([0x2001, 0xdb8, 0, 7, 0, 0, host, 1])).collect();
        assert_eq!(tries(&network), 5, "a network of IPv6 is one address");
        let mapped: Vec<_> =
            (0..50).map(|host| IpAddr::from([0, 0, 0, 0, 0, 0xffff, 0x0a00, host])).collect();
        assert_eq!(tries(&mapped), 50, "IPv4 stays IPv4");
        let many: Vec<_> = (0..5_000_u32).map(|host| IpAddr::V4((0x0b00_0000 + host).into())).collect();
        assert_eq!(tries(&many), 45, "100 a minute are the most");
        assert!(access.may_try(IpAddr::from([10, 0, 0, 1]), NOW.plus(60_000)));
    }

    #[tokio::test]
    async fn a_written_password_verifies_and_another_does_not() {
        let line = hash_password("main", b"correct horse", &[3; 16]).unwrap();
        let key = || Secret::key([1; 32]);
        let access = Access::with_passwords(&format!("# comment\n\n{line}\n"), key()).unwrap();
        let Door::Passwords(passwords) = &access.door else { panic!("{access:?}") };
        assert_eq!(passwords[0].0, "main");
        assert!(access.verify(&passwords[0].1, "correct horse").await);
        assert!(!access.verify(&passwords[0].1, "correct horse ").await);
        assert_eq!(Access::with_passwords("main:secret", key()).err(), Some(PasswordError::Line { line: 1 }));
        assert_eq!(
            Access::with_passwords(&format!("{line}\n\n{line}"), key()).err(),
            Some(PasswordError::Twice { line: 3, account: "main".to_owned() })
        );
    }

    /// Asks the same of a request with these headers.
    fn with_headers<T>(headers: &[(&str, &str)], peer: [u8; 4], ask: impl Fn(&Asked<'_>) -> T) -> T {
        let header = |name: &str| headers.iter().find(|(other, _)| *other == name).map(|(_, value)| *value);
        ask(&Asked {
            method: Method::Post,
            path: "/ui/",
            query: "",
            header: &header,
            body: b"",
            peer: IpAddr::from(peer),
            is_tls: false,
            now: NOW,
        })
    }

    #[test]
    fn only_the_names_of_this_machine_open_the_door() {
        let check = |headers: &[(&str, &str)], peer: [u8; 4], expected: bool| {
            assert_eq!(with_headers(headers, peer, is_of_this_machine), expected, "{headers:?}");
        };
        check(&[("host", "localhost:9180")], [127, 0, 0, 1], true);
        check(&[("host", "127.0.0.1:9180")], [127, 0, 0, 1], true);
        check(&[("host", "[::1]:9180")], [127, 0, 0, 1], true);
        check(&[("host", "evil.example:9180")], [127, 0, 0, 1], false);
        check(&[("host", "127.0.0.1.evil.example")], [127, 0, 0, 1], false);
        check(&[("host", "localhost.evil.example")], [127, 0, 0, 1], false);
        check(&[("host", "127.0.0.1:9180")], [10, 0, 0, 1], false);
        check(&[("host", "")], [127, 0, 0, 1], false);
        check(&[], [127, 0, 0, 1], false);
        for name in FORWARDED {
            check(&[("host", "127.0.0.1:9180"), (name, "10.0.0.1")], [127, 0, 0, 1], false);
        }
    }

    #[test]
    fn a_post_says_that_it_comes_from_a_page_of_ours() {
        let policy = Policy { public_hosts: vec!["calls.example.com".to_owned()], ..Policy::default() };
        let check = |headers: &[(&str, &str)], expected: bool| {
            let all = [headers, &[("host", "10.0.0.5:9180")]].concat();
            let found = with_headers(&all, [10, 0, 0, 1], |asked| is_same_origin(asked, &policy));
            assert_eq!(found, expected, "{headers:?}");
        };
        check(&[("origin", "http://10.0.0.5:9180")], true);
        check(&[("origin", "https://10.0.0.5:9180")], true);
        check(&[("origin", "http://10.0.0.5")], false);
        check(&[("origin", "http://10.0.0.5:9181")], false);
        check(&[("origin", "https://calls.example.com")], true);
        check(&[("origin", "https://calls.example.com:8443")], true);
        check(&[("origin", "https://calls.example.com.evil.example")], false);
        check(&[("origin", "null")], false);
        check(&[("origin", "")], false);
        check(&[], false);
        check(&[("sec-fetch-site", "same-origin")], true);
        for site in ["cross-site", "same-site", "none", ""] {
            check(&[("origin", "http://10.0.0.5:9180"), ("sec-fetch-site", site)], false);
        }
    }
}
