//! Unpacks a body, within a bound.

use std::io::Read;

use flate2::read::MultiGzDecoder;

use super::Rejected;

/// The content of a gzip body.
///
/// # Errors
/// [`Rejected::TooLarge`] as soon as more than `limit_bytes` come out, however little went in;
/// [`Rejected::Malformed`] where it is not gzip or ends early.
pub fn gunzip(body: &[u8], limit_bytes: usize) -> Result<Vec<u8>, Rejected> {
    let mut content = Vec::new();
    let bound = u64::try_from(limit_bytes).unwrap_or(u64::MAX).saturating_add(1);
    MultiGzDecoder::new(body)
        .take(bound)
        .read_to_end(&mut content)
        .map_err(|error| Rejected::malformed("body", format!("not readable as gzip: {error}")))?;
    if content.len() > limit_bytes {
        return Err(Rejected::TooLarge { limit_bytes });
    }
    Ok(content)
}
