//! Signature version 1, `HmacSHA1` and `HmacSHA256` (contract section 5): all decoded parameters, sorted.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::Sha256;
use subtle::ConstantTimeEq;

use super::pairs::Pair;
use super::{ErrorCode, Fault, host};

/// Whether a parameter belongs to the request and not to the action.
pub(super) fn is_common(name: &str) -> bool {
    matches!(
        name,
        "Action"
            | "Version"
            | "Region"
            | "Timestamp"
            | "Nonce"
            | "SecretId"
            | "Signature"
            | "SignatureMethod"
            | "Token"
            | "Language"
            | "RequestClient"
    )
}

/// The common parameters; an absent one is empty.
#[derive(Debug, Default)]
pub(super) struct Common<'a> {
    pub(super) action: &'a str,
    pub(super) version: &'a str,
    pub(super) region: &'a str,
    pub(super) timestamp: &'a str,
    pub(super) nonce: &'a str,
    pub(super) secret_id: &'a str,
    pub(super) signature: &'a str,
    pub(super) signature_method: &'a str,
    pub(super) token: &'a str,
    pub(super) language: &'a str,
}

impl<'a> Common<'a> {
    pub(super) fn read(pairs: &'a [Pair<'_>]) -> Common<'a> {
        let mut common = Common::default();
        for (name, value) in pairs {
            let slot = match &**name {
                "Action" => &mut common.action,
                "Version" => &mut common.version,
                "Region" => &mut common.region,
                "Timestamp" => &mut common.timestamp,
                "Nonce" => &mut common.nonce,
                "SecretId" => &mut common.secret_id,
                "Signature" => &mut common.signature,
                "SignatureMethod" => &mut common.signature_method,
                "Token" => &mut common.token,
                "Language" => &mut common.language,
                _ => continue,
            };
            *slot = value;
        }
        common
    }
}

/// What the parameters claim.
#[derive(Debug)]
pub(super) struct Claim<'a> {
    method: &'a str,
    host: &'a [u8],
    signature: String,
    is_sha256: bool,
}

impl<'a> Claim<'a> {
    pub(super) fn new(method: &'a str, host: &'a [u8], common: &Common<'_>) -> Claim<'a> {
        let is_sha256 = common.signature_method == "HmacSHA256";
        Claim { method, host, signature: common.signature.to_owned(), is_sha256 }
    }

    /// Checks that the signature was made with this secret, over any host a client may have signed, with the names
    /// of parameters as they are or, as Python does, with `.` for `_`.
    pub(super) fn verify(
        &self,
        pairs: &[Pair<'_>],
        secret: &[u8],
        public_hosts: &[String],
    ) -> Result<(), Fault> {
        let rest = sorted(pairs);
        let dotted = rest.contains('_').then(|| sorted_dotted(pairs)).filter(|dotted| *dotted != rest);
        let holds = host::any(self.host, public_hosts, |host| {
            let lower = host.to_ascii_lowercase();
            let hosts = [Some(host), Some(&*lower).filter(|lower| *lower != host)];
            hosts.into_iter().flatten().any(|host| {
                [Some(&rest), dotted.as_ref()].into_iter().flatten().any(|rest| {
                    let parts = [self.method.as_bytes(), host, b"/?", rest.as_bytes()];
                    let right = signature(self.is_sha256, secret, &parts);
                    right.as_bytes().ct_eq(self.signature.as_bytes()).into()
                })
            })
        });
        if holds { Ok(()) } else { Err(ErrorCode::AuthSignatureFailure.into()) }
    }
}

/// The signature of these bytes, in base64.
pub(super) fn signature(is_sha256: bool, secret: &[u8], parts: &[&[u8]]) -> String {
    fn mac<M: Mac + KeyInit>(secret: &[u8], parts: &[&[u8]]) -> String {
        let Ok(mut mac) = <M as KeyInit>::new_from_slice(secret) else { return String::new() };
        parts.iter().for_each(|part| mac.update(part));
        STANDARD.encode(mac.finalize().into_bytes())
    }
    if is_sha256 { mac::<Hmac<Sha256>>(secret, parts) } else { mac::<Hmac<Sha1>>(secret, parts) }
}

/// `name=value&…`, decoded, by the bytes of the names, without the signature itself.
pub(super) fn sorted(pairs: &[Pair<'_>]) -> String {
    join(pairs, |name, text| text.push_str(name))
}

fn sorted_dotted(pairs: &[Pair<'_>]) -> String {
    join(pairs, |name, text| text.push_str(&name.replace('_', ".")))
}

fn join(pairs: &[Pair<'_>], mut write_name: impl FnMut(&str, &mut String)) -> String {
    let mut order: Vec<&Pair<'_>> = pairs.iter().filter(|(name, _)| name != "Signature").collect();
    order.sort_by(|a, b| a.0.cmp(&b.0));
    let mut text = String::with_capacity(256);
    for (at, (name, value)) in order.into_iter().enumerate() {
        if at > 0 {
            text.push('&');
        }
        write_name(name, &mut text);
        text.push('=');
        text.push_str(value);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{Claim, Common, signature, sorted, sorted_dotted};
    use crate::wire::pairs::decode;

    #[test]
    fn parameters_are_sorted_by_bytes_and_decoded() {
        let pairs = decode(b"UserIds.2=b+c&Region=&UserIds.10=%E4%BD%A0&Signature=x&a_b=1", 9).unwrap();
        assert_eq!(sorted(&pairs), "Region=&UserIds.10=你&UserIds.2=b c&a_b=1");
        assert_eq!(sorted_dotted(&pairs), "Region=&UserIds.10=你&UserIds.2=b c&a.b=1");
    }

    /// Python signs names with `.` for `_`, in the order of the names as they are.
    #[test]
    fn names_may_be_signed_with_dots() {
        let pairs = decode(b"A_b=1&A.a=2", 9).unwrap();
        let check = |signed: &str, expected: bool| {
            let signature = signature(false, b"secret", &[b"GET", b"host", b"/?", signed.as_bytes()]);
            let common = Common { signature: &signature, ..Common::default() };
            let claim = Claim::new("GET", b"host", &common);
            assert_eq!(claim.verify(&pairs, b"secret", &[]).is_ok(), expected, "{signed}");
            assert!(claim.verify(&pairs, b"other", &[]).is_err());
        };
        check("A.a=2&A_b=1", true);
        check("A.a=2&A.b=1", true);
        check("A_b=1&A.a=2", false);
    }
}
