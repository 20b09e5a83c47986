//! The answer: one object `Response` with the fields or the error, and the RequestId (contract section 7).

use uuid::Uuid;

use super::{Fault, Language};

/// Most characters of a caller's own text that a message repeats.
const ECHO_CHARS: usize = 128;

/// How every answer begins.
const BEGIN: &[u8] = b"{\"Response\":{";
/// The room that RequestId and punctuation take behind the fields.
const END_BYTES: usize = 64;

/// The fields of a successful reply (`"Total":0,"UserList":[]`), written where the answer is to be, so that they
/// are not copied into it.
#[derive(Debug)]
pub struct Fields(Vec<u8>);

/// Builds an answer. On success there is no key `Error`; on failure there is nothing but it and the RequestId.
pub fn envelope(answer: Result<Fields, Fault>, language: Language, request_id: Uuid) -> Vec<u8> {
    let mut id = [0; 36];
    let id = request_id.hyphenated().encode_lower(&mut id);
    let mut out = match answer {
        Ok(Fields(written)) => Json(written),
        Err(fault) => {
            let mut out = Json::fields(256);
            out.raw(b"\"Error\":{\"Code\":");
            out.text(fault.code.wire());
            out.raw(b",\"Message\":");
            out.text(&fault.message(language, ECHO_CHARS));
            out.raw(b"}");
            out
        }
    };
    if out.0.len() > BEGIN.len() {
        out.raw(b",");
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

    /// The fields of a reply, none yet, with room for `bytes`.
    pub fn fields(bytes: usize) -> Json {
        let mut json = Json::with_capacity(BEGIN.len() + bytes + END_BYTES);
        json.raw(BEGIN);
        json
    }

    /// What was written, as the fields of a reply; only of what [`Json::fields`] began.
    pub fn into_fields(self) -> Fields {
        debug_assert!(self.0.starts_with(BEGIN), "fields are begun as such");
        Fields(self.0)
    }

    /// How many bytes were written.
    pub fn written(&self) -> usize {
        self.0.len()
    }

    /// What was written since [`Json::written`] was `begin`.
    pub fn since(&self, begin: usize) -> &[u8] {
        &self.0[begin..]
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

    /// Adds a whole number that may be negative.
    pub fn signed(&mut self, number: i64) {
        let _ = serde_json::to_writer(&mut self.0, &number);
    }

    /// Adds a finite number in the shortest text that reads back as the same, always with a fraction: older C++ SDKs
    /// take `0.0`, but not `0`.
    pub fn float(&mut self, number: f64) {
        let begin = self.0.len();
        // A zero without its sign.
        let _ = serde_json::to_writer(&mut self.0, &(number + 0.0));
        let written = &self.0[begin..];
        if number.is_finite() && !written.contains(&b'.') {
            let digits = written.iter().take_while(|byte| **byte != b'e').count();
            self.0.splice(begin + digits..begin + digits, *b".0");
        }
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

    use super::{Json, envelope};
    use crate::wire::{ErrorCode, Fault, Language};

    fn check(answer: Result<&[u8], Fault>, language: Language, expected: &str) {
        let answer = answer.map(|fields| {
            let mut json = Json::fields(0);
            json.raw(fields);
            json.into_fields()
        });
        let id = Uuid::from_u128(0x0a0b_0c0d_0000_4000_8000_0000_0000_00ff);
        assert_eq!(String::from_utf8_lossy(&envelope(answer, language, id)), expected);
    }

    #[test]
    fn floats_have_a_fraction_and_read_back_as_they_were() {
        for (number, expected) in [
            (0.0, "0.0"),
            (-0.0, "0.0"),
            (1.0, "1.0"),
            (-2.5, "-2.5"),
            (24_775.8, "24775.8"),
            (0.1 + 0.2, "0.30000000000000004"),
            (1e16, "1.0e16"),
            (1e300, "1.0e300"),
            (5e-324, "5.0e-324"),
            (f64::MAX, "1.7976931348623157e308"),
        ] {
            let mut json = Json::default();
            json.float(number);
            let text = String::from_utf8(json.into_bytes()).unwrap();
            assert_eq!(text.replace("e+", "e"), expected);
            assert_eq!(text.parse::<f64>().unwrap().total_cmp(&(number + 0.0)), std::cmp::Ordering::Equal);
        }
    }

    #[test]
    fn has_the_published_shape() {
        check(
            Ok(b"\"Total\":0,\"UserList\":[]"),
            Language::English,
            r#"{"Response":{"Total":0,"UserList":[],"RequestId":"0a0b0c0d-0000-4000-8000-0000000000ff"}}"#,
        );
        check(
            Err(ErrorCode::AuthSecretIdNotFound.into()),
            Language::Chinese,
            r#"{"Response":{"Error":{"Code":"AuthFailure.SecretIdNotFound","Message":"SecretId不存在，请输入正确的密钥。"},"RequestId":"0a0b0c0d-0000-4000-8000-0000000000ff"}}"#,
        );
        check(
            Err(Fault::about(ErrorCode::UnknownParameter, &[&"a\"\n<"])),
            Language::English,
            r#"{"Response":{"Error":{"Code":"UnknownParameter","Message":"The parameter `a\"\n<` is not recognized."},"RequestId":"0a0b0c0d-0000-4000-8000-0000000000ff"}}"#,
        );
    }
}
