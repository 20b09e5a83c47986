//! `rollbook keys`, and the making of secrets.

use std::io::Write as _;
use std::process::ExitCode;

use anyhow::{Context as _, anyhow};

use super::settings::{self, Where};
use super::{Surroundings, password, random};
use crate::clock::Clock;
use crate::ingest;
use crate::records::AppId;

/// Make keys.
#[derive(Debug, clap::Args)]
#[command(arg_required_else_help = true)]
pub(super) struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Print a fresh SecretId and SecretKey as lines for the settings file.
    New,
    /// Print a token with which the client of one user may send statistics and attributes.
    ClientToken(ClientToken),
    /// Set the password with which an account signs in to the pages.
    UiPassword(password::Arguments),
}

#[derive(Debug, clap::Args)]
struct ClientToken {
    #[command(flatten)]
    place: Where,
    /// The application, whose ingest_token signs.
    #[arg(long, value_name = "SDK_APP_ID")]
    app: u64,
    /// The room that the token is good for.
    #[arg(long, value_name = "ROOM")]
    room: String,
    /// The user that the token is good for.
    #[arg(long, value_name = "USER")]
    user: String,
    /// How long it is good.
    #[arg(long, value_name = "SECONDS", default_value_t = 21_600,
          value_parser = clap::value_parser!(u32).range(1..=i64::from(ingest::CLIENT_TOKEN_S_MAX)))]
    ttl: u32,
}

pub(super) fn run(arguments: &Arguments, surroundings: &Surroundings) -> anyhow::Result<ExitCode> {
    let mut out = std::io::stdout().lock();
    match &arguments.what {
        What::New => {
            let KeyPair { secret_id, secret_key } = KeyPair::fresh()?;
            writeln!(out, "[[account.key]]\nsecret_id  = \"{secret_id}\"\nsecret_key = \"{secret_key}\"")?;
        }
        What::ClientToken(wanted) => writeln!(out, "{}", client_token(wanted, surroundings)?)?,
        What::UiPassword(wanted) => password::write(wanted, surroundings)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn client_token(wanted: &ClientToken, surroundings: &Surroundings) -> anyhow::Result<String> {
    let config = wanted.place.find(surroundings, Vec::new())?.config;
    let apps = settings::apps(&config);
    let id = AppId(wanted.app);
    let app = apps.by_id(id).with_context(|| format!("application {id} is not in the settings"))?;
    let secret = app.ingest_token.as_ref().filter(|token| !token.is_empty());
    let secret = secret
        .with_context(|| format!("application {id} has no ingest_token, which signs the tokens: set one"))?;
    let told = (wanted.room.as_str(), wanted.user.as_str());
    ingest::client_token(id, secret, told, Clock::system().now(), wanted.ttl).map_err(|why| anyhow!(why))
}

/// A SecretId and its SecretKey.
#[derive(Clone)]
pub(super) struct KeyPair {
    pub(super) secret_id: String,
    pub(super) secret_key: String,
}

impl KeyPair {
    /// A pair that nobody has seen, in the form of the imitated service's.
    pub(super) fn fresh() -> anyhow::Result<KeyPair> {
        Ok(KeyPair { secret_id: format!("AKID{}", secret()?), secret_key: secret()? })
    }
}

/// Letters and digits of a secret; 32 of 62 kinds are 190 bits. TRTC takes callback keys of up to 32.
const SECRET_CHARS: usize = 32;
const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// A text that nobody has seen.
pub(super) fn secret() -> anyhow::Result<String> {
    let mut text = String::with_capacity(SECRET_CHARS);
    while text.len() < SECRET_CHARS {
        // Of 256 values the last 8 are left out, so that every letter is as likely as any other.
        let letters = random::<64>()?.into_iter().filter(|byte| *byte < 248);
        text.extend(
            letters.take(SECRET_CHARS - text.len()).map(|byte| char::from(ALPHABET[usize::from(byte % 62)])),
        );
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_letters_and_digits_and_never_the_same() {
        let many: std::collections::BTreeSet<_> =
            (0..100).map(|_| secret().expect("random numbers")).collect();
        assert_eq!(many.len(), 100);
        assert!(many.iter().all(|s| s.len() == SECRET_CHARS && s.bytes().all(|b| b.is_ascii_alphanumeric())));
    }
}
