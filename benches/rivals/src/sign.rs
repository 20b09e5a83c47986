//! TC3-HMAC-SHA256, as clients sign and as the other server checks.

use std::fmt::Write as _;

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

fn hmac(key: &[u8], text: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("any length is a key");
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The UTC date of a UNIX second.
pub fn date(second: i64) -> String {
    jiff::Timestamp::from_second(second)
        .map_or_else(|_| String::new(), |at| at.strftime("%Y-%m-%d").to_string())
}

/// The key of one day.
pub fn signing_key(secret_key: &str, date: &str) -> Vec<u8> {
    hmac(&hmac(&hmac(format!("TC3{secret_key}").as_bytes(), date), "trtc"), "tc3_request")
}

/// The signature of a JSON POST.
pub fn signature(signing_key: &[u8], host: &str, timestamp: &str, date: &str, body: &[u8]) -> String {
    let canonical = format!(
        "POST\n/\n\ncontent-type:application/json\nhost:{host}\n\ncontent-type;host\n{}",
        hex(&Sha256::digest(body))
    );
    let text = format!(
        "TC3-HMAC-SHA256\n{timestamp}\n{date}/trtc/tc3_request\n{}",
        hex(&Sha256::digest(canonical.as_bytes()))
    );
    hex(&hmac(signing_key, &text))
}
