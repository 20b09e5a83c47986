//! Signing, for `rollbook call`, the explorer's command lines and the tests.

use sha2::{Digest, Sha256};

use super::keys::{derive, round};
use super::pairs::Pair;
use super::tc3::{self, SERVICE, hex, string_to_sign, utc_date};
use super::v1;

/// A request to be signed with version 3.
#[derive(Debug, Clone, Copy)]
pub struct Tc3<'a> {
    /// The key's public half.
    pub secret_id: &'a str,
    /// The key's secret half.
    pub secret_key: &'a str,
    /// The product's name in the scope; `trtc`, unless an SDK's habit is imitated.
    pub service: &'a str,
    /// `POST` or `GET`.
    pub method: &'a str,
    /// The header `Host`, as it will be sent.
    pub host: &'a str,
    /// The header `Content-Type`, as it will be sent.
    pub content_type: &'a str,
    /// What follows `?` for GET; empty for POST.
    pub query: &'a str,
    /// The body for POST; empty for GET.
    pub body: &'a [u8],
    /// Sign `UNSIGNED-PAYLOAD` in the body's place.
    pub unsigned_payload: bool,
    /// The header `X-TC-Timestamp`, in UNIX seconds.
    pub timestamp_s: u64,
}

/// The header `Authorization`. Values are signed in lower case, as the documentation says.
pub fn tc3(request: &Tc3<'_>) -> String {
    let date = utc_date(request.timestamp_s).unwrap_or(*b"9999-12-31");
    let payload = if request.unsigned_payload { tc3::UNSIGNED_PAYLOAD } else { request.body };
    let date_text = String::from_utf8_lossy(&date);
    let scope = format!("{date_text}/{}/tc3_request", request.service);
    let names = "content-type;host";
    let payload = hex(&Sha256::digest(payload).into());
    let canonical = format!(
        "{}\n/\n{}\ncontent-type:{}\nhost:{}\n\n{names}\n{}",
        request.method,
        request.query,
        request.content_type.to_ascii_lowercase(),
        request.host.to_ascii_lowercase(),
        String::from_utf8_lossy(&payload),
    );
    let canonical = hex(&Sha256::digest(canonical.as_bytes()).into());
    let mut signer = derive(request.secret_key.as_bytes(), &date, request.service.as_bytes());
    string_to_sign(&mut signer, &request.timestamp_s.to_string(), &scope, &canonical);
    let signature = hex(&round(signer, b""));
    format!(
        "{} Credential={}/{scope}, SignedHeaders={names}, Signature={}",
        tc3::ALGORITHM,
        request.secret_id,
        String::from_utf8_lossy(&signature),
    )
}

/// A JSON call of an action.
#[derive(Debug, Clone, Copy)]
pub struct Post<'a> {
    /// The key's public half.
    pub secret_id: &'a str,
    /// The key's secret half.
    pub secret_key: &'a str,
    /// The token of a temporary key, or `""`.
    pub token: &'a str,
    /// The header `Host`, as it will be sent.
    pub host: &'a str,
    /// The action.
    pub action: &'a str,
    /// The region.
    pub region: &'a str,
    /// The server's time, in UNIX seconds.
    pub timestamp_s: u64,
    /// The parameters, as a JSON object.
    pub body: &'a [u8],
}

/// The headers of a JSON call, `Host` and `Authorization` included.
pub fn post(call: &Post<'_>) -> Vec<(&'static str, String)> {
    let content_type = "application/json";
    let authorization = tc3(&Tc3 {
        secret_id: call.secret_id,
        secret_key: call.secret_key,
        service: SERVICE,
        method: "POST",
        host: call.host,
        content_type,
        query: "",
        body: call.body,
        unsigned_payload: false,
        timestamp_s: call.timestamp_s,
    });
    let mut headers = vec![
        ("Host", call.host.to_owned()),
        ("Content-Type", content_type.to_owned()),
        ("X-TC-Action", call.action.to_owned()),
        ("X-TC-Version", super::VERSION.to_owned()),
        ("X-TC-Region", call.region.to_owned()),
        ("X-TC-Timestamp", call.timestamp_s.to_string()),
        ("Authorization", authorization),
    ];
    if !call.token.is_empty() {
        headers.push(("X-TC-Token", call.token.to_owned()));
    }
    headers
}

/// The parameter `Signature` of version 1, over decoded parameters.
pub fn v1(
    is_sha256: bool,
    secret_key: &str,
    method: &str,
    host: &str,
    parameters: &[(&str, &str)],
) -> String {
    let pairs: Vec<Pair<'_>> = parameters.iter().map(|&(name, value)| (name.into(), value.into())).collect();
    let sorted = v1::sorted(&pairs);
    let parts = [method.as_bytes(), host.as_bytes(), b"/?", sorted.as_bytes()];
    v1::signature(is_sha256, secret_key.as_bytes(), &parts)
}
