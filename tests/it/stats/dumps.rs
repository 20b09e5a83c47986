//! Dumps of rtcstats, made for these tests: differences, common times, numbers for names.

use super::*;

async fn of(lines: &str) -> BTreeMap<String, BTreeMap<Metric, Points>> {
    let parsed = stats::parse_file(TERMS, TOLD, lines.as_bytes(), RECEIVED);
    assert_eq!(parsed.refused, [], "{lines}");
    shown(parsed.samples).await
}

#[tokio::test]
async fn version_3_tells_differences_in_numbers() {
    // The members are those of the published table: 11 kind, 10 ssrc, 23 and 24 size, 41 bytesReceived, 20
    // framesDecoded, 33 totalFreezesDuration, 80 bytesSent, 74 localId, 77 fractionLost, t timestamp.
    let dump = format!(
        r#"RTCStatsDump
{{"fileFormat":3,"userAgent":"Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101 Firefox/118.0"}}
["create",0,{{}},{T_MS}]
["g",0,{{"t":{t0},"0":{{"type":1,"10":5,"11":"video","41":1000,"20":10,"23":640,"24":360,"33":0}},"1":{{"type":2,"10":6,"11":"audio","80":100}},"2":{{"type":3,"10":6,"11":"audio","74":"1","77":0.5,"t":{told}}},"3":{{"type":7,"134":"x"}}}},0]
["onicecandidate",0,null,1000]
[1,0,{{"t":{t2},"0":{{"41":3000,"20":40,"33":0.5}},"1":{{"80":300}}}},1000]
["g",0,{{"t":{t4},"0":{{"41":5000}},"1":{{"80":500}}}},2000]
["g",0,{{"t":{t6},"0":null,"1":{{"80":700}}}},2000]
["g",0,{{"t":{t8},"3":{{"134":"y"}}}},2000]
"#,
        t0 = T_MS,
        told = T_MS - 1_500,
        t2 = T_MS + 2_000,
        t4 = T_MS + 4_000,
        t6 = T_MS + 6_000,
        t8 = T_MS + 8_000,
    );
    let shown = of(&dump).await;
    assert_eq!(points(&shown, PEER, Metric::VideoBitRate), [(2, 8_000.0), (4, 8_000.0)]);
    // No frame came in the second interval, and the stream is gone in the third.
    assert_eq!(points(&shown, PEER, Metric::DecodeRate), [(2, 15.0), (4, 0.0)]);
    assert_eq!(points(&shown, PEER, Metric::VideoBlock), [(2, 500.0), (4, 0.0)]);
    assert_eq!(points(&shown, PEER, Metric::Width), [(0, 640.0), (2, 640.0), (4, 640.0)]);
    // A stream that is not told of at all is as it was.
    assert_eq!(points(&shown, "", Metric::AudioBitRate), [(2, 800.0), (4, 800.0), (6, 800.0), (8, 0.0)]);
    // What the other end told keeps its own time while it is not told anew.
    assert_eq!(points(&shown, "", Metric::AudioLoss), [(-2, 50.0)]);
}

#[tokio::test]
async fn older_dumps_have_zero_for_the_common_time() {
    let dump = format!(
        r#"["connectionInfo",null,{{"userAgent":"Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101 Firefox/97.0","statsFormat":"firefox"}},{T_MS}]
["getstats","PC_0",{{"o":{{"timestamp":0,"type":"outbound-rtp","kind":"video","ssrc":9,"bytesSent":1000,"framesEncoded":0}},"r":{{"timestamp":{told},"type":"remote-inbound-rtp","kind":"video","localId":"o","fractionLost":0.1}},"p":{{"timestamp":0,"type":"candidate-pair","selected":true,"state":"succeeded"}},"timestamp":{T_MS}}},{late}]
["getstats","PC_0",{{"o":{{"timestamp":0,"bytesSent":2000,"framesEncoded":60}},"r":{{}},"p":{{"timestamp":0}},"timestamp":{t2}}},{t2}]
["getstats","PC_0",{{"o":{{"timestamp":{t4},"bytesSent":2500}},"timestamp":{t4}}},{t4}]
["getstats","PC_0",{{"p":{{"timestamp":0}},"timestamp":{t6}}},{t6}]
["onconnectionstatechange","PC_0","closed",{t6}]
"#,
        late = T_MS + 50,
        told = T_MS - 900,
        t2 = T_MS + 2_000,
        t4 = T_MS + 4_000,
        t6 = T_MS + 6_000,
    );
    let shown = of(&dump).await;
    assert_eq!(points(&shown, "", Metric::VideoBitRate), [(2, 4_000.0), (4, 2_000.0)]);
    assert_eq!(points(&shown, "", Metric::EncodeRate), [(2, 30.0), (4, 0.0)]);
    assert_eq!(points(&shown, "", Metric::VideoLoss), [(-1, 10.0)]);
    let parsed = stats::parse(TERMS, TOLD, dump.as_bytes(), RECEIVED);
    assert_eq!(parsed.events[0].attrs.get(&Attr::SdkVersion).map(String::as_str), Some("Firefox 97.0"));
}

#[tokio::test]
async fn connections_of_one_dump_are_not_mixed() {
    let line = |pc: &str, after_ms: i64, bytes: u64| {
        let ts = T_MS + after_ms;
        format!(
            r#"["getStats","{pc}",{{"o":{{"timestamp":{ts},"type":"outbound-rtp","kind":"audio","ssrc":1,"bytesSent":{bytes}}}}},{ts}]"#
        )
    };
    let lines = [
        line("PC_0", 0, 0),
        line("PC_1", 1_000, 50_000),
        line("PC_0", 2_000, 1_000),
        line("PC_1", 3_000, 50_500),
    ];
    let shown = of(&lines.join("\n")).await;
    assert_eq!(points(&shown, "", Metric::AudioBitRate), [(2, 4_000.0), (3, 2_000.0)]);
}

#[test]
fn a_dump_that_says_nothing_is_refused() {
    let check = |told: Told<'_>, dump: &str, line: u64, what: &str| {
        let parsed = stats::parse_file(TERMS, told, dump.as_bytes(), RECEIVED);
        assert_eq!((parsed.events.len(), parsed.samples.len(), parsed.status()), (0, 0, 400), "{dump}");
        let refused = &parsed.refused[0];
        assert!(refused.line == line && refused.why.contains(what), "{refused:?} does not say {what:?}");
    };
    check(TOLD, "RTCStatsDump\n{\"fileFormat\":3}\n", 1, "nothing to measure in 0 objects");
    check(
        Told { room: None, ..TOLD },
        "RTCStatsDump\n",
        1,
        "room: missing; a request can tell it as `?room=`, an import as `--room`",
    );
    check(Told { user: None, ..TOLD }, "RTCStatsDump\n", 1, "user: missing");
    check(TOLD, "[\"getStats\",\"PC_0\",{},7]", 1, "no time: expected milliseconds since 1970");
    check(
        TOLD,
        "RTCStatsDump\n\n[\"getStats\",\"PC_0\",7,1795380516780]",
        3,
        "expected a list of RTCStats objects",
    );
    check(TOLD, "[\"getStats\",\"PC_0\"\n", 1, "not valid JSON");
    check(TOLD, "RTCStatsDump\n[7", 2, "not valid JSON");
    check(
        TOLD,
        "{\"PeerConnections\":{\"1\":{\"stats\":{\"a-timestamp\":{\"statsType\":\"codec\",\"values\":\"[\"}}}}}",
        1,
        "PeerConnections.1: stats.a-timestamp.values: not valid JSON",
    );
    check(TOLD, "{\"PeerConnections\":{}}", 1, "nothing to measure in 0 objects");
    check(TOLD, "{\"PeerConnections\":7}", 1, "invalid type");
    check(TOLD, "\u{1f}\u{8b}", 1, "expected a JSON object with room, user, ts and reports");
}
