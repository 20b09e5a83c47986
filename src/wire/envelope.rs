//! The answer: one object `Response` with the fields or the error, and the RequestId (contract section 7).

use uuid::Uuid;

use super::{Fault, Language};

/// Most characters of a caller's own text that a message repeats.
const ECHO_CHARS: usize = 128;

/// Builds an answer. `Ok` holds the reply's fields as JSON members without braces (`"Total":0,"UserList":[]`).
/// On success there is no key `Error`; on failure there is nothing but it and the RequestId.
pub fn envelope(answer: Result<&[u8], &Fault>, language: Language, request_id: Uuid) -> Vec<u8> {
    let mut id = [0; 36];
    let id = request_id.hyphenated().encode_lower(&mut id);
    let mut out = Json::with_capacity(96 + answer.map_or(256, <[u8]>::len));
    out.raw(b"{\"Response\":{");
    match answer {
        Ok([]) => {}
        Ok(fields) => {
            out.raw(fields);
            out.raw(b",");
        }
        Err(fault) => {
            out.raw(b"\"Error\":{\"Code\":");
            out.text(fault.code.wire());
            out.raw(b",\"Message\":");
            out.text(&fault.message(language, ECHO_CHARS));
            out.raw(b"},");
        }
    }
    out.raw(b"\"RequestId\":\"");
    out.raw(id.as_bytes());
    out.raw(b"\"}}");
    out.into_bytes()
}

/// Writes JSON by hand: the replies are few and fixed, and this is the hot path.
#[derive(Debug, Default)]
pub struct Json(Vec<u8>);

impl Json {
    /// Nothing yet, with room for `bytes`.
    pub fn with_capacity(bytes: usize) -> Json {
        Json(Vec::with_capacity(bytes))
    }

    /// Adds punctuation and names, as they are.
    pub fn raw(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    /// Adds a string, quoted and escaped.
    pub fn text(&mut self, text: &str) {
        // Writing a string to memory cannot fail.
        let _ = serde_json::to_writer(&mut self.0, text);
    }

    /// Adds a whole number.
    pub fn number(&mut self, number: u64) {
        let _ = serde_json::to_writer(&mut self.0, &number);
    }

    /// Adds `true` or `false`.
    pub fn truth(&mut self, truth: bool) {
        self.raw(if truth { b"true" } else { b"false" });
    }

    /// What was written.
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::envelope;
    use crate::wire::{ErrorCode, Fault, Language};

    fn check(answer: Result<&[u8], &Fault>, language: Language, expected: &str) {
        let id = Uuid::from_u128(0x0a0b_0c0d_0000_4000_8000_0000_0000_00ff);
        assert_eq!(String::from_utf8_lossy(&envelope(answer, language, id)), expected);
    }

    #[test]
    fn has_the_published_shape() {
        check(
            Ok(b"\"Total\":0,\"UserList\":[]"),
            Language::English,
            r#"{"Response":{"Total":0,"UserList":[],"RequestId":"0a0b0c0d-0000-4000-8000-0000000000ff"}}"#,
        );
        check(
            Err(&ErrorCode::AuthSecretIdNotFound.into()),
            Language::Chinese,
            r#"{"Response":{"Error":{"Code":"AuthFailure.SecretIdNotFound","Message":"SecretId不存在，请输入正确的密钥。"},"RequestId":"0a0b0c0d-0000-4000-8000-0000000000ff"}}"#,
        );
        check(
            Err(&Fault::about(ErrorCode::UnknownParameter, &[&"a\"\n<"])),
            Language::English,
            r#"{"Response":{"Error":{"Code":"UnknownParameter","Message":"The parameter `a\"\n<` is not recognized."},"RequestId":"0a0b0c0d-0000-4000-8000-0000000000ff"}}"#,
        );
    }
}
