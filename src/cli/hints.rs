//! Lines to paste, for whoever has just started a server.

use std::fmt::Write as _;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use super::call::REGION;
use super::keys::KeyPair;
use super::settings::First;
use crate::clock::Clock;
use crate::records::Millis;
use crate::wire::VERSION;
use crate::wire::sign::{self, Post};

/// A question, in every way in which it can be asked.
pub(super) struct Question<'a> {
    /// Host and port of the server.
    pub(super) host: &'a str,
    pub(super) key: &'a KeyPair,
    pub(super) action: &'a str,
    /// Names and values; a value is a text or a number.
    pub(super) parameters: &'a [(&'a str, serde_json::Value)],
    /// The server's time, and whether it stands still there.
    pub(super) now: Millis,
    pub(super) stands: bool,
}

/// A signature holds from five minutes before its time to five minutes after it. Signed for this much later, a line
/// holds that much longer.
const SIGNED_AHEAD_S: i64 = 240;
/// How long a printed line with a signature holds.
const HOLDS_MINUTES: i64 = (SIGNED_AHEAD_S + 300) / 60;

impl Question<'_> {
    fn json(&self) -> String {
        let pair = |(name, value): &(&str, serde_json::Value)| ((*name).to_owned(), value.clone());
        serde_json::Value::Object(self.parameters.iter().map(pair).collect()).to_string()
    }

    /// A line for curl, with its signature.
    fn curl(&self) -> String {
        let body = self.json();
        let ahead_s = if self.stands { 0 } else { SIGNED_AHEAD_S };
        let signed = sign::post(&Post {
            host: self.host,
            secret_id: &self.key.secret_id,
            secret_key: &self.key.secret_key,
            token: "",
            action: self.action,
            region: REGION,
            timestamp_s: u64::try_from(self.now.secs() + ahead_s).unwrap_or_default(),
            body: body.as_bytes(),
        });
        let mut line = format!("curl -sS http://{}/", self.host);
        for (name, value) in signed.iter().filter(|(name, _)| *name != "Host") {
            let _ = write!(line, " -H '{name}: {value}'");
        }
        let _ = write!(line, " -d '{body}'");
        line
    }

    /// A line for the official command line.
    fn tccli(&self) -> String {
        let Question { host, key, action, .. } = self;
        let mut line = format!(
            "TENCENTCLOUD_SECRET_ID={} TENCENTCLOUD_SECRET_KEY={} tccli trtc {action} --version {VERSION} \
             --endpoint http://{host} --region {REGION} --cli-unfold-argument",
            key.secret_id, key.secret_key
        );
        for (name, value) in self.parameters {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            let _ = write!(line, " --{name} {text}");
        }
        line
    }

    /// A line for our own command line.
    pub(super) fn call(&self) -> String {
        let Question { host, key, action, .. } = self;
        let mut line = format!(
            "{} call {action} '{}' --endpoint http://{host} --secret-id {} --secret-key {}",
            super::program(),
            self.json(),
            key.secret_id,
            key.secret_key
        );
        if self.stands {
            let _ = write!(line, " --clock {}", self.now.secs());
        }
        line
    }

    /// All of them, with what to know about each.
    pub(super) fn lines(&self) -> String {
        let (holds, command_line, official) = if self.stands {
            // It signs with the time of its machine, which would be refused.
            let official = format!("faketime '@{}' env {}", self.now.secs(), self.tccli());
            (
                "as long as the clock stands".to_owned(),
                " at the server's time, which faketime tells it",
                official,
            )
        } else {
            (format!("{HOLDS_MINUTES} minutes"), "", self.tccli())
        };
        format!(
            "With curl (the signature in it holds for {holds}):\n\n{}\n\n\
             With the official command line{command_line}:\n\n{official}\n\n\
             With rollbook itself, which signs anew each time:\n\n{}\n\n\
             To look at it in a browser on this machine:\n\nhttp://{}/ui/\n",
            self.curl(),
            self.call(),
            self.host
        )
    }
}

/// Host and port to reach a listener by, from this machine.
pub(super) fn host(mut listening: SocketAddr) -> String {
    if listening.ip().is_unspecified() {
        listening.set_ip(match listening {
            SocketAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            SocketAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    listening.to_string()
}

/// The key, as two lines.
pub(super) fn key(key: &KeyPair) -> String {
    format!("SecretId:  {}\nSecretKey: {}\n", key.secret_id, key.secret_key)
}

/// How far back the question of a first start asks.
const HOUR_S: i64 = 3_600;

/// What to do after a first start.
pub(super) fn first_start(first: &First, host: &str, clock: Clock) -> String {
    let (now, stands) = (clock.now(), clock.stands());
    let parameters = [
        ("SdkAppId", first.app.into()),
        ("StartTime", (now.secs() - HOUR_S).into()),
        ("EndTime", (now.secs() + HOUR_S).into()),
    ];
    let question =
        Question { host, key: &first.key, action: "DescribeRoomInfo", parameters: &parameters, now, stands };
    let First { app, callback_key, ingest_token, .. } = first;
    let event = serde_json::json!({"kind": "joined", "room": "room1", "user": "ann", "at_s": now.secs()});
    format!(
        "{}\n{}\n\
         To be told about calls by TRTC, set in its console, under callbacks, for room and media events:\n\n\
         callback URL:  http://{host}/ingest/trtc   (as it is reached from outside)\n\
         callback key:  {callback_key}\n\n\
         and put the SdkAppId of your application in the place of {app} in the settings.\n\n\
         To be told by anything else:\n\n\
         curl -sS http://{host}/ingest/events -H 'Authorization: Bearer {ingest_token}' -d '{event}'\n",
        key(&first.key),
        question.lines(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_carries_what_it_needs() {
        let key = KeyPair { secret_id: "AKIDx".to_owned(), secret_key: "sk".to_owned() };
        let question = Question {
            host: "127.0.0.1:1",
            key: &key,
            action: "DescribeUserInfo",
            parameters: &[("CommId", "1_2_3".into()), ("SdkAppId", 1_u64.into())],
            now: Millis::from_secs(1_000),
            stands: false,
        };
        let lines = question.lines();
        let json = r#"{"CommId":"1_2_3","SdkAppId":1}"#;
        for part in [
            "in a browser on this machine:\n\nhttp://127.0.0.1:1/ui/\n",
            "curl -sS http://127.0.0.1:1/ -H 'Content-Type: application/json'",
            "-H 'X-TC-Timestamp: 1240'",
            "-H 'X-TC-Action: DescribeUserInfo'",
            "-H 'Authorization: TC3-HMAC-SHA256 Credential=AKIDx/1970-01-01/trtc/tc3_request, ",
            &format!(" -d '{json}'\n"),
            "TENCENTCLOUD_SECRET_ID=AKIDx TENCENTCLOUD_SECRET_KEY=sk tccli trtc DescribeUserInfo --version 2019-07-22 \
             --endpoint http://127.0.0.1:1 --region ap-guangzhou --cli-unfold-argument --CommId 1_2_3 --SdkAppId 1\n",
            &format!(
                " call DescribeUserInfo '{json}' --endpoint http://127.0.0.1:1 --secret-id AKIDx --secret-key sk\n"
            ),
        ] {
            assert!(lines.contains(part), "{part} is not in\n{lines}");
        }
        assert!(!lines.contains("faketime") && !lines.contains("--clock"), "{lines}");
        let lines = Question { stands: true, ..question }.lines();
        for part in [
            "-H 'X-TC-Timestamp: 1000'",
            "\nfaketime '@1000' env TENCENTCLOUD_SECRET_ID=AKIDx TENCENTCLOUD_SECRET_KEY=sk tccli trtc ",
            " --secret-id AKIDx --secret-key sk --clock 1000\n",
        ] {
            assert!(lines.contains(part), "{part} is not in\n{lines}");
        }
    }
}
