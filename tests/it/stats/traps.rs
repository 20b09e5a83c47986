//! What browsers do differently, each in a small report of its own.

use super::*;

/// Metrics of reports at these seconds.
async fn of(reports: &[(i64, Value)]) -> BTreeMap<String, BTreeMap<Metric, Points>> {
    let given = reports.iter().flat_map(|(after_s, objects)| good(&body(*after_s, objects)).samples);
    shown(given.collect()).await
}

/// A layer of a simulcast.
fn layer(id: &str, ssrc: u32, bytes: u64, width: u64, more: Value) -> Value {
    let mut layer = json!({
        "type": "outbound-rtp", "kind": "video", "id": id, "ssrc": ssrc, "bytesSent": bytes,
        "frameWidth": width, "frameHeight": width / 2, "framesPerSecond": 30, "active": true,
    });
    layer.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
    layer
}

#[tokio::test]
async fn of_simulcast_the_largest_active_layer_stands_for_the_video() {
    let report = |bytes: u64, large: Value| {
        json!([
            layer("h", 2, bytes * 4, 640, json!({})),
            layer("f", 3, bytes * 16, 1280, large),
            layer("q", 1, bytes, 320, json!({})),
            layer("s", 4, bytes * 100, 1920, json!({ "contentType": "screenshare" })),
        ])
    };
    let suspended = || json!({ "active": false });
    let shown = of(&[
        (0, report(1_000, json!({}))),
        (2, report(2_000, json!({}))),
        (4, report(3_000, suspended())),
        (6, report(4_000, suspended())),
        // A layer that the bandwidth does not allow is active and has no frames.
        (8, report(5_000, json!({ "framesPerSecond": 0 }))),
    ])
    .await;
    assert_eq!(
        points(&shown, "", Metric::Width),
        [(0, 1280.0), (2, 1280.0), (4, 640.0), (6, 640.0), (8, 640.0)]
    );
    // No rate between counts of two layers.
    assert_eq!(points(&shown, "", Metric::VideoBitRate), [(2, 64_000.0), (6, 16_000.0), (8, 16_000.0)]);
}

#[tokio::test]
async fn without_sizes_the_layer_with_most_bytes_stands_for_the_video() {
    let layer = |id: &str, bytes: u64| json!({ "type": "outbound-rtp", "kind": "video", "id": id, "ssrc": id, "bytesSent": bytes });
    let report = |bytes: u64| json!([layer("b", bytes), layer("c", bytes * 10), layer("a", bytes * 3)]);
    let shown = of(&[(0, report(1_000)), (2, report(2_000))]).await;
    assert_eq!(points(&shown, "", Metric::VideoBitRate), [(2, 40_000.0)]);
}

#[tokio::test]
async fn a_screen_alone_is_no_camera() {
    let screen = json!([layer("s", 4, 1_000, 1920, json!({ "contentType": "screenshare" }))]);
    let parsed = take(&body(0, &screen));
    assert!(parsed.refused[0].why.contains("nothing to measure"), "{parsed:?}");
}

#[tokio::test]
async fn counters_of_another_stream_are_not_compared() {
    let audio = |id: &str, ssrc: u32, bytes: u64| json!([{ "type": "inbound-rtp", "kind": "audio", "id": id, "ssrc": ssrc, "bytesReceived": bytes }]);
    let shown = of(&[
        (0, audio("a", 1, 1_000)),
        (2, audio("a", 1, 2_000)),
        (4, audio("b", 2, 90_000)),
        (6, audio("b", 2, 92_000)),
        // The same stream, counted from 0 again.
        (8, audio("b", 2, 500)),
        (10, audio("b", 2, 1_500)),
    ])
    .await;
    assert_eq!(points(&shown, PEER, Metric::AudioBitRate), [(2, 4_000.0), (6, 8_000.0), (10, 4_000.0)]);
}

#[tokio::test]
async fn the_pair_in_use_is_found_however_a_browser_marks_it() {
    let stream = json!({ "type": "outbound-rtp", "kind": "audio", "id": "o", "ssrc": 1, "bytesSent": 1 });
    let pair = |id: &str, round_trip: Value, more: Value| {
        let mut pair = json!({ "type": "candidate-pair", "id": id, "currentRoundTripTime": round_trip });
        pair.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        pair
    };
    let check = async |pairs: Vec<Value>, expected: &[(i64, f64)]| {
        let objects: Vec<Value> = [stream.clone()].into_iter().chain(pairs.clone()).collect();
        let shown = of(&[(0, json!(objects))]).await;
        assert_eq!(points(&shown, "", Metric::RoundTrip), expected, "{pairs:?}");
    };
    let transport = json!({ "type": "transport", "id": "t", "selectedCandidatePairId": "b" });
    let nominated = json!({ "nominated": true, "state": "succeeded" });
    check(
        vec![pair("a", json!(0.9), nominated.clone()), pair("b", json!(0.02), json!({})), transport],
        &[(0, 20.0)],
    )
    .await;
    check(
        vec![pair("a", json!(0.9), nominated.clone()), pair("b", json!(0.03), json!({ "selected": true }))],
        &[(0, 30.0)],
    )
    .await;
    check(
        vec![
            pair("a", json!(0.9), json!({ "nominated": true, "state": "failed" })),
            pair("b", json!(0.04), nominated.clone()),
        ],
        &[(0, 40.0)],
    )
    .await;
    check(vec![pair("a", json!(0.9), json!({ "state": "succeeded" }))], &[]).await;
    // Without a round trip of the pair that of RTCP stands in, at the time of its report.
    let told = json!({
        "type": "remote-inbound-rtp", "kind": "audio", "id": "r", "localId": "o", "roundTripTime": 0.05,
        "timestamp": T_MS - 1_000,
    });
    check(vec![pair("a", Value::Null, nominated), told], &[(-1, 50.0)]).await;
}

#[tokio::test]
async fn what_the_other_end_told_is_as_old_as_its_report() {
    let report = |fraction: f64, told_ms: i64| {
        json!([
            { "type": "outbound-rtp", "kind": "video", "id": "o", "ssrc": 7, "bytesSent": 1 },
            { "type": "remote-inbound-rtp", "kind": "video", "id": "r", "ssrc": 7, "fractionLost": fraction,
              "timestamp": T_MS as f64 + told_ms as f64 + 0.9 },
            { "type": "remote-inbound-rtp", "kind": "video", "id": "x", "ssrc": 8, "fractionLost": 1.0 },
        ])
    };
    let shown = of(&[(2, report(0.25, 1_099)), (4, report(0.25, 1_099)), (6, report(0.5, 5_000))]).await;
    assert_eq!(points(&shown, "", Metric::VideoLoss), [(1, 25.0), (5, 50.0)]);
}

#[tokio::test]
async fn concealment_is_in_the_rate_of_the_codec() {
    let report = |concealed: u64, silent: u64, codec: Value| {
        json!([
            { "type": "inbound-rtp", "kind": "audio", "id": "i", "ssrc": 1, "codecId": "c",
              "concealedSamples": concealed, "silentConcealedSamples": silent },
            codec,
        ])
    };
    let check = async |codec: Value, expected: f64| {
        let shown =
            of(&[(0, report(1_000, 1_000, codec.clone())), (2, report(5_800, 1_000, codec.clone()))]).await;
        assert_eq!(points(&shown, PEER, Metric::AudioBlock), [(2, expected)], "{codec}");
    };
    check(json!({ "type": "codec", "id": "c", "mimeType": "audio/opus", "clockRate": 48_000 }), 100.0).await;
    check(json!({ "type": "codec", "id": "c", "mimeType": "audio/PCMU", "clockRate": 8_000 }), 600.0).await;
    check(json!({ "type": "codec", "id": "c", "mimeType": "audio/G722", "clockRate": 8_000 }), 300.0).await;
    check(json!({ "type": "codec", "id": "other" }), 100.0).await;
    check(Value::Null, 100.0).await;
}

#[tokio::test]
async fn late_packets_are_no_negative_loss() {
    let report = |lost: i64, received: u64| {
        json!([{ "type": "inbound-rtp", "kind": "audio", "id": "i", "ssrc": "1",
                 "packetsLost": lost, "packetsReceived": received }])
    };
    let shown =
        of(&[(0, report(0, 100)), (2, report(10, 190)), (4, report(5, 295)), (6, report(-1, 400))]).await;
    assert_eq!(points(&shown, PEER, Metric::AudioLoss), [(2, 10.0), (4, 0.0), (6, 0.0)]);
}

#[tokio::test]
async fn before_2023_pictures_and_freezes_were_told_of_tracks() {
    let report = |frozen_s: f64, concealed: u64| {
        json!({
            "RTCInboundRTPVideoStream_7": { "type": "inbound-rtp", "mediaType": "video", "ssrc": 7, "trackId": "tv",
                "bytesReceived": 1, "framesDecoded": 30 },
            "RTCInboundRTPAudioStream_8": { "type": "inbound-rtp", "mediaType": "audio", "ssrc": 8, "trackId": "ta",
                "bytesReceived": 1 },
            "tv": { "type": "track", "frameWidth": 640, "frameHeight": 360, "totalFreezesDuration": frozen_s,
                "trackIdentifier": "camera" },
            "ta": { "type": "track", "concealedSamples": concealed, "silentConcealedSamples": 0 },
        })
    };
    let reports = [(0, report(0.5, 0)), (2, report(1.25, 480))];
    let given = reports.iter().flat_map(|(after_s, objects)| {
        good(&body_with(*after_s, objects, json!({ "peers": { "camera": "frida" } }))).samples
    });
    let shown = shown(given.collect()).await;
    assert_eq!(points(&shown, "frida", Metric::Width), [(0, 640.0), (2, 640.0)]);
    assert_eq!(points(&shown, "frida", Metric::VideoBlock), [(2, 750.0)]);
    assert_eq!(points(&shown, PEER, Metric::AudioBlock), [(2, 10.0)]);
}

#[tokio::test]
async fn streams_belong_to_peers_by_their_tracks() {
    let objects = json!([
        { "type": "inbound-rtp", "kind": "video", "id": "a", "mid": "1", "frameWidth": 1 },
        { "type": "inbound-rtp", "kind": "video", "id": "b", "mid": "2", "trackIdentifier": "t2", "frameWidth": 2 },
        { "type": "inbound-rtp", "kind": "video", "id": "c", "mid": "3", "frameWidth": 3 },
        { "type": "inbound-rtp", "kind": "video", "id": "d", "mid": "4", "frameWidth": 4 },
        { "type": "candidate-pair", "nominated": true, "currentRoundTripTime": 0.01, "id": "p" },
    ]);
    let peers = json!({ "1": "bob", "t2": "carol" });
    let parsed = good(&body_with(0, &objects, json!({ "peer": null, "peers": peers, "visit": "v" })));
    let flows: Vec<(&str, &str)> = parsed
        .samples
        .iter()
        .map(|series| (series.flow.peer.as_str(), series.flow.connection.as_str()))
        .collect();
    assert_eq!(
        flows,
        [(stats::NOBODY, "v/pc/3"), (stats::NOBODY, "v/pc/4"), ("bob", "v/pc"), ("carol", "v/pc")]
    );
    let shown = shown(parsed.samples).await;
    assert_eq!(points(&shown, "bob", Metric::Width), [(0, 1.0)]);
    assert_eq!(points(&shown, "carol", Metric::Width), [(0, 2.0)]);
    // Of those whom nobody named the greatest is shown.
    assert_eq!(points(&shown, stats::NOBODY, Metric::Width), [(0, 4.0)]);
    // What does not send has a round trip with each of its peers.
    for peer in ["bob", "carol", stats::NOBODY] {
        assert_eq!(points(&shown, peer, Metric::RoundTrip), [(0, 10.0)], "{peer}");
    }
    assert!(!shown.contains_key(""));
}

#[test]
fn what_is_needed_is_asked_for() {
    let objects = json!([{ "type": "outbound-rtp", "kind": "audio", "bytesSent": 1 }]);
    let check = |more: Value, what: &str| {
        let body = body_with(0, &objects, more);
        let parsed = take(&body);
        assert_eq!((parsed.events.len(), parsed.samples.len(), parsed.status()), (0, 0, 400), "{body}");
        let why = &parsed.refused[0].why;
        assert!(why.contains(what) && why.len() < 300, "{why:?} does not say {what:?}");
    };
    check(json!({ "room": null }), "room: missing");
    check(json!({ "room": "" }), "room: missing");
    check(json!({ "user": null }), "user: missing");
    check(json!({ "user": ["u"] }), "user: expected a text, found a list");
    check(json!({ "user": "\0" }), "user: contains the character U+0000");
    check(json!({ "room": "r".repeat(513) }), "room: 513 bytes long, expected at most 512");
    check(json!({ "ts": null }), "ts: expected the time of the report in milliseconds since 1970");
    check(json!({ "ts": "now" }), "ts: expected the time");
    check(
        json!({ "ts": 1_795_380_500 }),
        "ts: 1795380500 is no plausible time in milliseconds (it looks like seconds)",
    );
    check(json!({ "ts": 12.5 }), "ts: expected the time of the report");
    check(json!({ "reports": null }), "reports: missing; expected RTCStats objects");
    check(json!({ "reports": 7 }), "reports: invalid type: integer `7`, expected a list of RTCStats objects");
    check(json!({ "reports": [] }), "nothing to measure in 0 objects");
    check(
        json!({ "reports": [7, [], { "type": "outbound-rtp" }, { "type": "certificate" }] }),
        "in 1 objects",
    );
    check(json!({ "reports": [{ "type": "codec", "id": "c" }] }), "nothing to measure in 1 objects");
    check(json!({ "reports": vec![json!({}); 4_001] }), "more than 4000 stats objects in one report");
    check(json!({ "app": 5 }), "app: 5 is not the application 1400000123");
    check(json!({ "app": "5" }), "app: expected a whole number, found the text \"5\"");
    check(json!({ "peers": [] }), "peers: expected an object of users by mid or trackIdentifier");
    check(json!({ "peers": { "0": {} } }), "peers.0: expected a text, found an object");
    check(json!({ "pc": "p".repeat(600) }), "pc: 600 bytes long");
    check(json!({ "attributes": "x" }), "attributes: expected an object of texts");
    check(json!({ "attributes": { "os": [] } }), "attributes.os: expected a text, found a list");
    check(json!({ "meta": [] }), "meta: expected a JSON object");
    check(json!({ "samples": 1 }), "samples: expected a list");
    check(json!({ "samples": [{ "ts": 1_795_380_500_000_i64 }] }), "samples[0].reports: missing");
    check(json!({ "samples": vec![0; 4_001] }), "samples: more than 4000 reports");
    let many: Vec<Value> = (0..1_001)
        .map(|mid| json!({ "type": "inbound-rtp", "kind": "audio", "mid": mid.to_string(), "bytesReceived": 1 }))
        .collect();
    check(json!({ "peer": null, "reports": many }), "more than 1000 connections and peers");
    for text in ["{", "[1,2", "7", "\"x\"", "{\"room\":1}x", "\u{7f}", "{\"room\":\"a\",\"room\":\"b\"}"] {
        assert_eq!(take(text).status(), 400, "{text}");
    }
    let deep = format!("{{\"room\":\"r\",\"user\":\"u\",\"ts\":1,\"reports\":{}", "[".repeat(100_000));
    assert_eq!(take(&deep).status(), 400);
}

#[test]
fn what_is_not_known_is_passed_over() {
    let objects = json!([
        { "type": "outbound-rtp", "kind": "audio", "id": 5, "ssrc": "x", "bytesSent": 9, "mid": {}, "active": "yes",
          "packetsLost": [], "new": { "deep": [1] } },
        { "type": "something-new", "kind": 7 }, "text", null, 7, [true],
    ]);
    let parsed = good(&body_with(0, &objects, json!({ "sdk": "ours", "attributes": { "mood": 1 } })));
    assert_eq!(parsed.samples.len(), 1);
    assert_eq!(parsed.events, []);
}

#[test]
fn a_client_tells_of_itself() {
    let objects = json!([{ "type": "outbound-rtp", "kind": "audio", "bytesSent": 9 }]);
    let attributes = json!({ "sdk_version": "ours 3", "device": "Fridge", "os": "x", "client_type": "web", "display": "D" });
    let agent = "Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101 Firefox/118.0";
    let parsed =
        good(&body_with(0, &objects, json!({ "attributes": attributes, "visit": "v1", "room": 204 })));
    let [event] = parsed.events.as_slice() else { panic!("{parsed:?}") };
    assert_eq!((event.at, event.received, event.visit.as_deref()), (Millis(T_MS), RECEIVED, Some("v1")));
    assert_eq!((event.room.as_str(), event.room_is_number), ("204", true));
    let told: Vec<&str> = event.attrs.values().map(String::as_str).collect();
    assert_eq!(told, ["web", "x", "ours 3", "D", "Fridge"]);
    let both = json!({ "userAgent": agent, "attributes": { "os": "Mint" } });
    let parsed = good(&body_with(0, &objects, both));
    let told: Vec<&str> = parsed.events[0].attrs.values().map(String::as_str).collect();
    assert_eq!(told, ["Mint", "Firefox 118.0", "Linux"]);
    // Before anything flows there is nothing to measure, and still something to tell.
    let parsed = good(&body_with(0, &json!([]), json!({ "attributes": { "os": "Mint" } })));
    assert_eq!((parsed.events.len(), parsed.samples.len()), (1, 0));
}

#[test]
fn good_lines_are_kept() {
    let objects = json!([{ "type": "outbound-rtp", "kind": "audio", "bytesSent": 9 }]);
    let lines =
        [body(0, &objects), "nonsense".to_owned(), String::new(), body(2, &json!([])), body(4, &objects)];
    let parsed = take(&lines.join("\n"));
    let refused: Vec<u64> = parsed.refused.iter().map(|refused| refused.line).collect();
    assert_eq!((parsed.samples.len(), refused, parsed.status()), (2, vec![2, 4], 200));
}
