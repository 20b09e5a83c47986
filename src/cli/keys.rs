//! `rollbook keys new`, and the making of secrets.

use std::io::Write as _;
use std::process::ExitCode;

use super::random;

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
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let What::New = arguments.what;
    let KeyPair { secret_id, secret_key } = KeyPair::fresh()?;
    let mut out = std::io::stdout().lock();
    writeln!(out, "[[account.key]]\nsecret_id  = \"{secret_id}\"\nsecret_key = \"{secret_key}\"")?;
    Ok(ExitCode::SUCCESS)
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
