//! Signature version 3, `TC3-HMAC-SHA256` (contract section 4).
//!
//! What is signed is `content-type`, `host`, the query or the body, and the time; action, version, region, token
//! and language are not, in any SDK. The published rule lower-cases the values of signed headers, SDKs do not:
//! both forms are tried. The host is tried in every form a client may have signed, see [`super::host`].

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::keys::{derive, round};
use super::{ErrorCode, Fault, SigningKeys, Text, host};

/// The name of the scheme.
pub(super) const ALGORITHM: &str = "TC3-HMAC-SHA256";
/// What stands for the payload when the client chose not to sign it.
pub(super) const UNSIGNED_PAYLOAD: &[u8] = b"UNSIGNED-PAYLOAD";
/// The product's name in a scope.
pub(super) const SERVICE: &str = "trtc";
/// How every scope ends.
const SCOPE_END: &str = "/tc3_request";
/// Headers that must be signed, and what is said where one is not.
const REQUIRED_HEADERS: [(&str, Text); 2] = [
    (
        "content-type",
        Text::new("`SignedHeaders` lacks `content-type`", "`SignedHeaders` 缺少 `content-type`"),
    ),
    ("host", Text::new("`SignedHeaders` lacks `host`", "`SignedHeaders` 缺少 `host`")),
];
const MALFORMED_CREDENTIAL: Text = Text::new("`Credential` is malformed", "`Credential` 格式错误");

/// The parts of a request that go into the signature.
#[derive(Debug, Clone, Copy)]
pub(super) struct Signed<'a> {
    pub(super) method: &'a str,
    /// As received for GET, empty for POST.
    pub(super) query: &'a str,
    pub(super) headers: &'a [(&'a str, &'a [u8])],
    pub(super) host: &'a [u8],
    /// The time as it was written.
    pub(super) timestamp: &'a str,
    pub(super) payload: &'a [u8],
}

/// What `Authorization` claims.
#[derive(Debug)]
pub(super) struct Claim<'a> {
    pub(super) secret_id: &'a str,
    /// `date/service/tc3_request`.
    scope: &'a str,
    date: &'a str,
    service: &'a str,
    is_ours: bool,
    day: u64,
    signed_headers: &'a str,
    signature: [u8; 32],
    signed: Signed<'a>,
}

impl<'a> Claim<'a> {
    /// Reads the header and checks its shape, date, service and list of headers, in this order.
    pub(super) fn read(
        authorization: &'a [u8],
        timestamp_s: u64,
        signed: Signed<'a>,
        public_hosts: &[String],
    ) -> Result<Claim<'a>, Fault> {
        let parts = Parts::read(authorization)
            .ok_or_else(|| refused(Text::new("the header is malformed", "格式错误")))?;
        let (secret_id, scope) =
            parts.credential.split_once('/').ok_or_else(|| refused(MALFORMED_CREDENTIAL))?;
        let (date, service) = scope
            .strip_suffix(SCOPE_END)
            .and_then(|scope| scope.split_once('/'))
            .ok_or_else(|| refused(MALFORMED_CREDENTIAL))?;
        if secret_id.is_empty() {
            return Err(refused(Text::new(
                "`SecretId` in Credential not valid",
                "Credential 中的 `SecretId` 无效",
            )));
        }
        if utc_date(timestamp_s).is_none_or(|utc| utc != date.as_bytes()) {
            return Err(refused(Text::new(
                "`Date` in Credential is not the UTC date of the timestamp",
                "Credential 中的 `Date` 不是时间戳的 UTC 日期",
            )));
        }
        let is_ours = service == SERVICE || host::is_label(service.as_bytes(), signed.host, public_hosts);
        if !is_ours && is_product(service) {
            return Err(foreign());
        }
        for (required, lacks) in REQUIRED_HEADERS {
            if !parts.signed_headers.split(';').any(|name| name.eq_ignore_ascii_case(required)) {
                return Err(refused(lacks));
            }
        }
        let Parts { signed_headers, signature, .. } = parts;
        let day = timestamp_s / 86_400;
        Ok(Claim { secret_id, scope, date, service, is_ours, day, signed_headers, signature, signed })
    }

    /// Checks that the signature was made with this secret, over any of the forms a client may have signed. A
    /// scope that is not ours is refused even then; what it says first is that the host was changed.
    pub(super) fn verify(
        &self,
        secret: &[u8],
        slot: usize,
        public_hosts: &'a [String],
        keys: &SigningKeys,
    ) -> Result<(), Fault> {
        let kept = keys.get(slot, self.day, self.service);
        let is_kept = kept.is_some();
        let signer = kept.unwrap_or_else(|| derive(secret, self.date.as_bytes(), self.service.as_bytes()));
        let payload = hex(&Sha256::digest(self.signed.payload).into());
        let holds = host::any(self.signed.host, public_hosts, |host| {
            let is_signed = |case| {
                let Some(canonical) = self.canonical(host, case, &payload) else { return false };
                let mut signer = signer.clone();
                string_to_sign(&mut signer, self.signed.timestamp, self.scope, &hex(&canonical));
                round(signer, b"").ct_eq(&self.signature).into()
            };
            // Without capitals the second form would only repeat the first.
            is_signed(Case::Lower) || self.has_capitals(host) && is_signed(Case::AsSent)
        });
        // Of the scope that everybody uses there are two days at most: so a wrong signature need not cost a key each time.
        if !is_kept && (holds && self.is_ours || self.service == SERVICE) {
            keys.keep(slot, self.day, self.service, signer);
        }
        if !holds {
            return Err(ErrorCode::AuthSignatureFailure.into());
        }
        if self.is_ours { Ok(()) } else { Err(foreign()) }
    }

    /// The value of a signed header; the host is the one that is tried.
    fn value(&self, name: &str, host: &'a [u8]) -> Option<&'a [u8]> {
        if name.eq_ignore_ascii_case("host") {
            return Some(host);
        }
        let (_, value) = self.signed.headers.iter().find(|(other, _)| other.eq_ignore_ascii_case(name))?;
        Some(value.trim_ascii())
    }

    fn has_capitals(&self, host: &'a [u8]) -> bool {
        let values = self.signed_headers.split(';').filter_map(|name| self.value(name, host));
        values.flatten().any(u8::is_ascii_uppercase)
    }

    /// The hash of the canonical request; `None` when a listed header is absent.
    fn canonical(&self, host: &'a [u8], case: Case, payload: &[u8; 64]) -> Option<[u8; 32]> {
        let mut hash = Sha256::new();
        hash.update(self.signed.method);
        hash.update(b"\n/\n");
        hash.update(self.signed.query);
        hash.update(b"\n");
        for name in self.signed_headers.split(';') {
            let value = self.value(name, host)?;
            update_lower(&mut hash, name.as_bytes());
            hash.update(b":");
            match case {
                Case::Lower => update_lower(&mut hash, value),
                Case::AsSent => hash.update(value),
            }
            hash.update(b"\n");
        }
        hash.update(b"\n");
        hash.update(self.signed_headers);
        hash.update(b"\n");
        hash.update(payload);
        Some(hash.finalize().into())
    }
}

/// How the values of signed headers were written into what was signed.
#[derive(Clone, Copy)]
enum Case {
    /// As the documentation says.
    Lower,
    /// As SDKs do.
    AsSent,
}

/// The parts of the header's text.
struct Parts<'a> {
    credential: &'a str,
    signed_headers: &'a str,
    signature: [u8; 32],
}

impl<'a> Parts<'a> {
    fn read(authorization: &'a [u8]) -> Option<Parts<'a>> {
        let text = std::str::from_utf8(authorization).ok()?;
        let list = text.strip_prefix(ALGORITHM)?.strip_prefix(' ')?;
        let (mut credential, mut signed_headers, mut signature) = (None, None, None);
        for part in list.split(',') {
            let (name, value) = part.trim_ascii().split_once('=')?;
            let slot = match name {
                "Credential" => &mut credential,
                "SignedHeaders" => &mut signed_headers,
                "Signature" => &mut signature,
                _ => return None,
            };
            if slot.replace(value).is_some() {
                return None;
            }
        }
        Some(Parts {
            credential: credential?,
            signed_headers: signed_headers.filter(|names| !names.is_empty())?,
            signature: unhex(signature?.as_bytes())?,
        })
    }
}

fn foreign() -> Fault {
    refused(Text::new("`Service` in Credential not valid", "Credential 中的 `Service` 无效"))
}

/// Whether a service could be the name of a product. `127` and `localhost:9180` could not: they are labels of an
/// endpoint, and if the request's host is another one, then it was changed on the way.
fn is_product(service: &str) -> bool {
    service.starts_with(|c: char| c.is_ascii_alphabetic())
        && service.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

fn refused(why: Text) -> Fault {
    Fault::from(ErrorCode::AuthInvalidAuthorization).and(why)
}

/// Feeds a signer what is signed in the end.
pub(super) fn string_to_sign(
    signer: &mut impl hmac::Mac,
    timestamp: &str,
    scope: &str,
    canonical: &[u8; 64],
) {
    for part in [ALGORITHM, "\n", timestamp, "\n", scope, "\n"] {
        signer.update(part.as_bytes());
    }
    signer.update(canonical);
}

fn update_lower(hash: &mut Sha256, text: &[u8]) {
    if text.iter().any(u8::is_ascii_uppercase) {
        hash.update(text.to_ascii_lowercase());
    } else {
        hash.update(text);
    }
}

const DIGITS: &[u8; 16] = b"0123456789abcdef";

/// Lower-case hexadecimal text.
pub(super) fn hex(bytes: &[u8; 32]) -> [u8; 64] {
    let mut text = [0; 64];
    for (pair, byte) in text.chunks_exact_mut(2).zip(bytes) {
        pair[0] = DIGITS[usize::from(byte >> 4)];
        pair[1] = DIGITS[usize::from(byte & 15)];
    }
    text
}

/// What each byte is worth as a lower-case hexadecimal digit; [`NO_DIGIT`] for what is none.
const WORTHS: [u8; 256] = {
    let mut worths = [NO_DIGIT; 256];
    let mut worth = 0;
    while worth < 16 {
        worths[DIGITS[worth as usize] as usize] = worth;
        worth += 1;
    }
    worths
};

/// A bit that no digit's worth has.
const NO_DIGIT: u8 = 0x80;

/// The bytes of exactly 64 lower-case hexadecimal digits. Without branches: which digits come cannot be foreseen, and 64
/// wrong guesses cost as much as hashing what is signed.
fn unhex(text: &[u8]) -> Option<[u8; 32]> {
    let text: &[u8; 64] = text.try_into().ok()?;
    let (mut bytes, mut seen) = ([0; 32], 0);
    for (byte, pair) in bytes.iter_mut().zip(text.chunks_exact(2)) {
        let (high, low) = (WORTHS[usize::from(pair[0])], WORTHS[usize::from(pair[1])]);
        seen |= high | low;
        *byte = high << 4 | low;
    }
    (seen & NO_DIGIT == 0).then_some(bytes)
}

/// The UTC date of a UNIX second as `YYYY-MM-DD`; `None` beyond the year 9999.
pub(super) fn utc_date(second: u64) -> Option<[u8; 10]> {
    // Days since 0000-03-01, so that the leap day is a year's last.
    let days = second / 86_400 + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    if year > 9_999 {
        return None;
    }
    let mut text = *b"0000-00-00";
    for (at, number) in [(0, year / 100), (2, year % 100), (5, month), (8, day)] {
        for (place, digit) in [(at, number / 10), (at + 1, number % 10)] {
            text[place] = DIGITS[usize::try_from(digit).ok()?];
        }
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use sha2::{Digest, Sha256};

    use super::{Case, Claim, Signed, hex, unhex, utc_date};

    #[test]
    fn dates_follow_the_calendar() {
        let check = |second, expected: &str| assert_eq!(utc_date(second).unwrap(), expected.as_bytes());
        check(0, "1970-01-01");
        check(951_782_399, "2000-02-28");
        check(951_782_400, "2000-02-29");
        check(951_868_800, "2000-03-01");
        check(1_795_380_419, "2026-11-22");
        check(4_107_542_399, "2100-02-28");
        check(4_107_542_400, "2100-03-01");
        check(253_402_300_799, "9999-12-31");
        assert_eq!(utc_date(253_402_300_800), None);
        assert_eq!(utc_date(u64::MAX), None);
        for second in (0..4_102_444_800).step_by(86_400 * 13) {
            let time = jiff::Timestamp::from_second(second).unwrap().to_zoned(jiff::tz::TimeZone::UTC);
            check(second.cast_unsigned(), &time.date().to_string());
        }
    }

    #[test]
    fn hex_is_lower_case_and_exact() {
        let bytes: [u8; 32] = std::array::from_fn(|i| u8::try_from(i * 8).unwrap());
        assert_eq!(unhex(&hex(&bytes)), Some(bytes));
        assert_eq!(unhex(hex(&bytes).to_ascii_uppercase().as_slice()), None);
        assert_eq!(unhex(&hex(&bytes)[..63]), None);
    }

    /// The check value of contract section 4.2, which needs no key.
    #[test]
    fn the_published_canonical_request_has_the_published_hash() {
        let headers: &[(&str, &[u8])] = &[
            ("Content-Type", b"application/json; charset=utf-8"),
            ("Host", b"cvm.tencentcloudapi.com"),
            ("X-TC-Action", b"DescribeInstances"),
        ];
        let claim = Claim {
            secret_id: "",
            scope: "",
            date: "",
            service: "",
            is_ours: true,
            day: 0,
            signed_headers: "content-type;host;x-tc-action",
            signature: [0; 32],
            signed: Signed {
                method: "POST",
                query: "",
                headers,
                host: headers[1].1,
                timestamp: "",
                payload: b"",
            },
        };
        let payload: [u8; 64] = *b"35e9c5b0e3ae67532d3c9f17ead6c90222632e5b1ff7f6e89887f1398934f064";
        let canonical = claim.canonical(headers[1].1, Case::Lower, &payload).unwrap();
        assert_eq!(
            hex(&canonical).as_slice(),
            b"7019a55be8395899b900fb5564e4200d984910f34794a27cb3fb7d10ff6a1e84"
        );
        assert_ne!(claim.canonical(headers[1].1, Case::AsSent, &payload).unwrap(), canonical);
        let empty: [u8; 32] = Sha256::digest(b"").into();
        assert!(hex(&empty).starts_with(b"e3b0c44298fc1c149afbf4c8996fb924"));
    }
}
