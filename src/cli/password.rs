//! The file of the pages' passwords: `rollbook keys ui-password` writes it, `serve` and `check` read it.

use std::fs::OpenOptions;
use std::io::{BufRead as _, IsTerminal as _, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
use zeroize::Zeroizing;

use super::settings::{Found, Where};
use super::{Surroundings, random, say};
use crate::config::{Config, private};
use crate::limits::Secret;
use crate::web::{Access, hash_password};

/// The fewest characters of a password. Attempts are limited, and what guards is length.
const CHARS_MIN: usize = 12;
/// The fewest different characters.
const DIFFERENT_MIN: usize = 5;
/// The most bytes of a password.
const BYTES_MAX: u64 = 1_024;
/// The file that is written where the settings name none.
const FILE_NAME: &str = "ui-passwords";

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    place: Where,
    /// The account that signs in with it; it sees its applications.
    #[arg(long, value_name = "NAME")]
    account: String,
    /// The file to write [default: the one of `ui.password_file`, else ui-passwords beside the settings].
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
}

/// Asks for a password and writes or replaces the account's line.
pub(super) fn write(wanted: &Arguments, surroundings: &Surroundings) -> anyhow::Result<()> {
    let Found { file: settings, config } = wanted.place.find(surroundings, Vec::new())?;
    refuse_unknown(&config, &wanted.account)?;
    let beside = || settings.as_deref().and_then(Path::parent).unwrap_or(&config.data_dir).join(FILE_NAME);
    let path = wanted.file.clone().or_else(|| config.ui.password_file.clone()).unwrap_or_else(beside);
    let known = match private::read(&path) {
        Err(error) if error.is_missing() => Zeroizing::default(),
        known => known.context("cannot read the passwords")?,
    };
    let password = ask(&wanted.account)?;
    refuse_weak(&password, &wanted.account)?;
    let line = hash_password(&wanted.account, password.as_bytes(), &random()?)?;
    let text = with_line(&known, &wanted.account, &line);
    let written = Access::with_passwords(&text, Secret::key([0; 32]))
        .with_context(|| format!("{} would not be right", path.display()))?;
    ensure!(
        written.accounts().any(|account| account == wanted.account),
        "the account {:?} cannot stand in a file of passwords: choose another `account.name`",
        wanted.account
    );
    replace(&path, &text)?;
    say(&format!("rollbook: {} has the password of account {}", path.display(), wanted.account));
    let is_set = config.ui.password_file.as_ref().is_some_and(|set| same(set, &path));
    if is_set {
        say("rollbook: reload the server (SIGHUP) to use it; sessions of the account end");
    } else {
        let whole = std::path::absolute(&path).unwrap_or(path);
        say(&format!(
            "rollbook: to use it, set this and reload the server (SIGHUP):\n\n[ui]\npassword_file = {whole:?}\n"
        ));
    }
    Ok(())
}

/// Who may see the pages by the passwords of a file.
pub(super) fn access(config: &Config, path: &Path, key: Secret<[u8; 32]>) -> anyhow::Result<Access> {
    let text = private::read(path).context("`ui.password_file`: cannot read the passwords")?;
    let access = Access::with_passwords(&text, key).with_context(|| format!("{}", path.display()))?;
    if access.accounts().next().is_none() {
        say(&format!("rollbook: note: {} has no password, so nobody can sign in", path.display()));
    }
    for account in access.accounts() {
        if let Err(error) = refuse_unknown(config, account) {
            say(&format!("rollbook: note: {}: {error}", path.display()));
        }
    }
    Ok(access)
}

fn refuse_unknown(config: &Config, account: &str) -> anyhow::Result<()> {
    let names: Vec<&str> = config.accounts.iter().map(|account| account.name.as_str()).collect();
    if names.contains(&account) {
        return Ok(());
    }
    let distance = |name: &&str| strsim::damerau_levenshtein(account, name);
    let near =
        names.iter().copied().min_by_key(distance).filter(|name| distance(name) <= (name.len() / 3).max(2));
    match near {
        Some(near) => bail!("there is no account `{account}` in the settings; did you mean `{near}`?"),
        None if names.is_empty() => bail!("there is no account in the settings"),
        None => bail!("there is no account `{account}` in the settings; there are: {}", names.join(", ")),
    }
}

fn refuse_weak(password: &str, account: &str) -> anyhow::Result<()> {
    let chars = password.chars().count();
    ensure!(chars >= CHARS_MIN, "the password has {chars} characters; {CHARS_MIN} are the fewest");
    let different: std::collections::BTreeSet<char> = password.chars().collect();
    ensure!(
        different.len() >= DIFFERENT_MIN,
        "the password has {} different characters; {DIFFERENT_MIN} are the fewest",
        different.len()
    );
    ensure!(!password.chars().any(char::is_control), "the password has a character that no keyboard types");
    ensure!(password != account, "the password is the account's name");
    Ok(())
}

/// The password: typed twice on a terminal without being shown, else the first line of stdin.
fn ask(account: &str) -> anyhow::Result<Zeroizing<String>> {
    if !std::io::stdin().is_terminal() {
        return line();
    }
    let password = typed(&format!("Password of {account} for the pages: "))?;
    ensure!(password == typed("Once more: ")?, "the two are not the same; nothing was written");
    Ok(password)
}

fn typed(prompt: &str) -> anyhow::Result<Zeroizing<String>> {
    let stdin = std::io::stdin();
    let before = tcgetattr(&stdin).context("cannot hide what is typed")?;
    let mut hidden = before.clone();
    hidden.local_modes.remove(LocalModes::ECHO);
    hidden.local_modes.insert(LocalModes::ECHONL);
    tcsetattr(&stdin, OptionalActions::Flush, &hidden).context("cannot hide what is typed")?;
    let mut stderr = std::io::stderr().lock();
    let prompted = write!(stderr, "{prompt}").and_then(|()| stderr.flush());
    let line = prompted.map_err(anyhow::Error::from).and_then(|()| line());
    tcsetattr(&stdin, OptionalActions::Now, &before).context("cannot show again what is typed")?;
    line
}

fn line() -> anyhow::Result<Zeroizing<String>> {
    let mut line = Zeroizing::new(String::new());
    std::io::stdin().lock().take(BYTES_MAX + 1).read_line(&mut line).context("the password is no text")?;
    let password = line.trim_end_matches(['\r', '\n']);
    ensure!(u64::try_from(line.len())? <= BYTES_MAX, "the password is longer than {BYTES_MAX} bytes");
    ensure!(!password.is_empty(), "no password was given: type it, or give it as the first line of stdin");
    Ok(Zeroizing::new(password.to_owned()))
}

/// The file with an account's line in its place, or at the end.
fn with_line(known: &str, account: &str, new: &str) -> String {
    let is_of_account =
        |line: &&str| line.trim().rsplit_once(":$argon2id$").is_some_and(|(name, _)| name == account);
    let mut lines: Vec<&str> = known.lines().collect();
    match lines.iter().position(is_of_account) {
        Some(place) => lines[place] = new,
        None => lines.push(new),
    }
    lines.join("\n") + "\n"
}

/// Writes a file that nobody else can read, in one step: whoever reads it sees the old one or the new one.
fn replace(path: &Path, text: &str) -> anyhow::Result<()> {
    let cannot = || format!("cannot write the passwords {}", path.display());
    let mut name = path.file_name().with_context(cannot)?.to_owned();
    name.push(format!(".{}.new", std::process::id()));
    let new = path.with_file_name(name);
    let mut file =
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new).with_context(cannot)?;
    let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_all());
    let outcome = written.and_then(|()| std::fs::rename(&new, path));
    if outcome.is_err() {
        // It holds nothing that is not told again.
        let _ = std::fs::remove_file(&new);
    }
    outcome.with_context(cannot)
}

fn same(one: &Path, other: &Path) -> bool {
    let whole = |path: &Path| path.canonicalize().ok();
    one == other || whole(one).is_some_and(|one| Some(one) == whole(other))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_replaced_in_its_place_and_others_stay() {
        let known = "# who may look\nmain:$argon2id$old\nother:$argon2id$x";
        let expected = "# who may look\nmain:$argon2id$new\nother:$argon2id$x\n";
        assert_eq!(with_line(known, "main", "main:$argon2id$new"), expected);
        assert_eq!(with_line("", "a:b", "a:b:$argon2id$new"), "a:b:$argon2id$new\n");
        assert_eq!(with_line("a:b:$argon2id$old\n", "a:b", "a:b:$argon2id$new"), "a:b:$argon2id$new\n");
    }

    #[test]
    fn weak_passwords_are_refused_with_the_reason() {
        let check = |password: &str, part: &str| {
            let error = refuse_weak(password, "long-account").expect_err("weak").to_string();
            assert!(error.contains(part), "{error}");
        };
        check("short", "has 5 characters; 12 are the fewest");
        check("密码密码密码", "has 6 characters");
        check("abababababab", "2 different");
        check("long-account", "account's name");
        check("twelve\tletters", "no keyboard");
        refuse_weak("correct horse", "main").expect("long enough");
    }
}
