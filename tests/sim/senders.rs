//! Who tells what: rooms with a time of their own, what happens in them, and how each source posts it.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{KeyInit as _, Mac as _};
use rollbook::ingest::{App, Apps, ClientIpPolicy, LiveKit, export, jwt};
use rollbook::limits::Secret;
use rollbook::records::quality::{Flow, Measure, Points, Series, normalise};
use rollbook::records::{AppId, Attr, Event, Kind, Millis, Reason, ReasonClass, Track};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::op::Draws;

pub(crate) const APP: AppId = AppId(1_400_000_001);
/// Of another account.
pub(crate) const OTHER_APP: AppId = AppId(1_400_000_002);

const CALLBACK_KEY: &str = "callback-key";
const LIVEKIT_KEY: &str = "APIkey";
const LIVEKIT_SECRET: &str = "livekit-secret";

const USERS: [&str; 5] = ["alice", "bob", "名前", "o'neil,\n\"x\"", "7"];
const DAY_MS: i64 = 86_400_000;
/// Measurements go on for so long after their first.
const SAMPLES_MS: i64 = 16_000;

pub(crate) fn apps() -> Apps {
    let app = |id: AppId| App {
        trtc_callback_key: Some(Secret::new(CALLBACK_KEY)),
        ingest_token: Some(Secret::new(ingest_token(id))),
        ..App::new(id)
    };
    let livekit = LiveKit {
        api_key: LIVEKIT_KEY.to_owned(),
        api_secret: Secret::new(LIVEKIT_SECRET),
        drop_kinds: Vec::new(),
    };
    Apps::new(vec![App { livekit: Some(livekit), ..app(APP) }, app(OTHER_APP)], ClientIpPolicy::Keep)
}

fn ingest_token(app: AppId) -> String {
    format!("token of {app}")
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    Trtc,
    /// Two media servers have the room at once where it is shared.
    Neutral {
        shared: bool,
    },
    LiveKit,
}

/// A room. Its name is of one time, since what is older than the retention and what is younger must not meet: which
/// of a room's events are gone when others come depends on when a sweep ran.
#[derive(Debug, Clone)]
pub(crate) struct Room {
    pub(crate) app: AppId,
    pub(crate) name: String,
    source: Source,
    number: usize,
    /// Nothing in it happens before.
    pub(crate) begin: Millis,
    /// Nor after.
    pub(crate) end: Millis,
}

impl Room {
    pub(crate) fn new(number: usize, now: Millis, retention_ms: i64, draws: &mut Draws) -> Room {
        let name = match draws.below(6) {
            0 => format!("lobby_{number}"),
            1 => format!("a/b {number}"),
            2 => format!("say \"hi\", 🎉 {number}"),
            _ => number.to_string(),
        };
        let source = match draws.below(6) {
            0 | 1 => Source::Trtc,
            2..5 => Source::Neutral { shared: draws.once_in(4) },
            _ => Source::LiveKit,
        };
        let begin = match draws.below(10) {
            // Close to a midnight, so that what happens is in two files.
            0..4 => Millis(now.day() * DAY_MS - draws.between(0, 120_000)),
            // Close to the end of the retention, or behind it.
            4 => now.plus(-retention_ms + draws.between(-DAY_MS, DAY_MS)),
            // By a clock that is ahead.
            5 => now.plus(draws.between(0, DAY_MS)),
            _ => now.plus(-draws.between(0, 2 * DAY_MS)),
        };
        let span_ms = *draws.pick(&[600_000, 8 * 3_600_000, 3 * DAY_MS]);
        let app = if source != Source::LiveKit && draws.once_in(10) { OTHER_APP } else { APP };
        Room { app, name, source, number, begin, end: begin.plus(span_ms + SAMPLES_MS) }
    }

    /// Mostly soon after its begin, so that everything meets everything.
    fn moment(&self, draws: &mut Draws) -> Millis {
        let until = if draws.once_in(4) { self.end.plus(-SAMPLES_MS) } else { self.begin.plus(240_000) };
        let ms = draws.between(self.begin.0, until.0);
        Millis(ms - ms.rem_euclid(400))
    }
}

/// What a sender posts.
#[derive(Debug, Clone)]
enum Payload {
    Trtc { app: AppId, group: u64, event_type: u64, info: Value },
    Lines { app: AppId, body: Vec<u8> },
    Attributes { app: AppId, body: Vec<u8> },
    LiveKit { body: String },
}

/// Something that a sender has to tell.
#[derive(Debug, Clone)]
pub(crate) struct Delivery {
    pub(crate) number: usize,
    /// Nothing of it is before this, and not all of it after that.
    pub(crate) begin: Millis,
    pub(crate) end: Millis,
    payload: Payload,
}

/// A request as it is on the wire.
#[derive(Debug, Clone)]
pub(crate) struct Posted {
    pub(crate) path: &'static str,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Vec<u8>,
}

impl Delivery {
    /// Something happens in one of these rooms, or in two of them.
    pub(crate) fn new(number: usize, rooms: &[&Room], draws: &mut Draws) -> Delivery {
        let room = *draws.pick(rooms);
        let (begin, end) = (room.begin, room.end);
        let of_room = |payload| Delivery { number, begin, end, payload };
        match draws.below(8) {
            0 => of_room(attributes(room, draws)),
            1 => {
                let body = samples(room, draws);
                of_room(Payload::Lines { app: room.app, body })
            }
            _ => match room.source {
                Source::Trtc => of_room(trtc(room, draws)),
                Source::LiveKit => of_room(livekit(room, number, draws)),
                Source::Neutral { .. } => lines(number, room, rooms, draws),
            },
        }
    }

    /// The same event in other words, where its source tells events that way.
    pub(crate) fn reworded(&self, number: usize, draws: &mut Draws) -> Option<Delivery> {
        let mut other = Delivery { number, ..self.clone() };
        let Payload::Trtc { info, .. } = &mut other.payload else { return None };
        info["TerminalType"] = json!(draws.below(4));
        info["Role"] = json!(20 + draws.below(2));
        Some(other)
    }

    /// The request that is made of it now. Times of sending and tokens differ from one to the next.
    pub(crate) fn posted(&self, now: Millis) -> Posted {
        let bearer = |app| ("Authorization", format!("Bearer {}", ingest_token(app)));
        match &self.payload {
            Payload::Trtc { app, group, event_type, info } => {
                let body = json!({
                    "EventGroupId": group, "EventType": event_type, "CallbackTs": now.0, "EventInfo": info,
                });
                let body = body.to_string().into_bytes();
                let mut mac =
                    hmac::Hmac::<Sha256>::new_from_slice(CALLBACK_KEY.as_bytes()).expect("any length");
                mac.update(&body);
                let sign = STANDARD.encode(mac.finalize().into_bytes());
                Posted {
                    path: "/ingest/trtc",
                    headers: vec![("SdkAppId", app.to_string()), ("Sign", sign)],
                    body,
                }
            }
            Payload::Lines { app, body } => {
                Posted { path: "/ingest/events", headers: vec![bearer(*app)], body: body.clone() }
            }
            Payload::Attributes { app, body } => {
                Posted { path: "/ingest/attributes", headers: vec![bearer(*app)], body: body.clone() }
            }
            Payload::LiveKit { body } => {
                let hash = STANDARD.encode(Sha256::digest(body));
                let claims = json!({
                    "iss": LIVEKIT_KEY, "nbf": now.secs(), "exp": now.secs() + 300, "sha256": hash,
                });
                let token = jwt::mint(&claims, &Secret::new(LIVEKIT_SECRET)).expect("JSON");
                let headers = vec![("Authorization", token)];
                Posted { path: "/ingest/livekit", headers, body: body.clone().into_bytes() }
            }
        }
    }
}

fn trtc(room: &Room, draws: &mut Draws) -> Payload {
    const TYPES: [u64; 16] = [101, 101, 102, 103, 103, 103, 103, 103, 104, 104, 104, 104, 105, 201, 202, 203];
    let event_type = *draws.pick(&TYPES);
    let at = room.moment(draws);
    let name = match room.name.parse::<u64>() {
        Ok(number) if draws.once_in(2) => json!(number),
        _ => json!(room.name),
    };
    let mut info = json!({ "RoomId": name, "EventTs": at.secs(), "EventMsTs": at.0 });
    if event_type != 102 {
        info["UserId"] = json!(draws.pick(&USERS));
    }
    if matches!(event_type, 103 | 104) {
        info["Reason"] = json!(draws.below(5));
        info["TerminalType"] = json!(draws.below(4));
        info["Role"] = json!(20);
    }
    if draws.once_in(12) {
        info["UniqueId"] = json!(1 + draws.below(2));
    }
    Payload::Trtc { app: room.app, group: event_type / 100, event_type, info }
}

fn livekit(room: &Room, number: usize, draws: &mut Draws) -> Payload {
    const NAMES: [&str; 10] = [
        "room_started",
        "room_finished",
        "participant_joined",
        "participant_joined",
        "participant_joined",
        "participant_left",
        "participant_left",
        "participant_left",
        "track_published",
        "ingress_started",
    ];
    let name = *draws.pick(&NAMES);
    let at = room.moment(draws);
    let user = draws.below(USERS.len());
    let visit = draws.below(2);
    let joined = room.begin.plus(20_000 * i64::try_from(user + visit).expect("small"));
    let body = json!({
        "event": name,
        "id": format!("EV_{number}"),
        "createdAt": at.secs().to_string(),
        "room": {
            "sid": format!("RM_{}", room.number), "name": room.name,
            "creationTime": room.begin.secs().to_string(), "creationTimeMs": room.begin.0.to_string(),
        },
        "participant": {
            "sid": format!("PA_{}_{user}_{visit}", room.number), "identity": USERS[user],
            "joinedAt": joined.secs().to_string(), "joinedAtMs": joined.0.to_string(), "kind": "STANDARD",
        },
        "track": { "type": "VIDEO", "source": "CAMERA" },
    });
    Payload::LiveKit { body: body.to_string() }
}

/// Neutral events, also of another room, and now and then measurements among them.
fn lines(number: usize, room: &Room, rooms: &[&Room], draws: &mut Draws) -> Delivery {
    let mut body = Vec::new();
    let (mut begin, mut end) = (room.begin, room.end);
    let is_sibling = |other: &&&Room| matches!(other.source, Source::Neutral { .. }) && other.app == room.app;
    let siblings: Vec<&Room> = rooms.iter().filter(is_sibling).copied().collect();
    for _ in 0..1 + draws.below(6) {
        let room = *draws.pick(&siblings);
        (begin, end) = (begin.min(room.begin), end.max(room.end));
        export::event(&mut body, &neutral(room, draws));
    }
    if draws.once_in(4) {
        body.extend(samples(room, draws));
    }
    Delivery { number, begin, end, payload: Payload::Lines { app: room.app, body } }
}

fn neutral(room: &Room, draws: &mut Draws) -> Event {
    let track = *draws.pick(&[Track::Audio, Track::Video, Track::Screen]);
    let kind = match draws.below(30) {
        0..3 => Kind::RoomCreated,
        3..6 => Kind::RoomDestroyed,
        6..15 => Kind::UserJoined,
        15..24 => Kind::UserLeft,
        24 | 25 => Kind::UserChanged,
        26..29 => Kind::Media { track, on: draws.once_in(2) },
        _ => Kind::EmitterReset,
    };
    let user = *draws.pick(&USERS);
    let mut event = Event::new(room.app, "sfu", &room.name, user, kind, room.moment(draws));
    event.received = event.at;
    // A restart concerns one room only: what it does to others would depend on when they were swept.
    let half = if room.source == (Source::Neutral { shared: true }) { draws.below(2) } else { 0 };
    event.instance = format!("sfu{}-{half}", room.number);
    event.life = draws.once_in(10).then(|| format!("life{} of {}", draws.below(2), room.number));
    event.visit = draws.once_in(5).then(|| format!("visit{}", draws.below(3)));
    event.join_hint = draws.once_in(10).then(|| event.at.plus(-1_000 * draws.between(0, 40)));
    event.create_hint = draws.once_in(10).then(|| event.at.plus(-1_000 * draws.between(0, 60)));
    let class = *draws.pick(&[ReasonClass::Normal, ReasonClass::NetworkSwitch, ReasonClass::Kicked]);
    event.reason = draws.once_in(3).then(|| Reason { class, raw: "2".to_owned() });
    if draws.once_in(3) {
        event.attrs.insert(Attr::SdkVersion, format!("4.{}", draws.below(3)));
    }
    event.id = if draws.once_in(5) { format!("id{}", draws.below(2)) } else { String::new() };
    match event.kind {
        Kind::EmitterReset => {
            (event.room, event.life) = (String::new(), None);
            (event.user, event.visit) = (String::new(), None);
        }
        Kind::RoomDestroyed => (event.user, event.visit) = (String::new(), None),
        Kind::RoomCreated
        | Kind::UserJoined
        | Kind::UserLeft
        | Kind::UserChanged
        | Kind::Media { .. }
        | Kind::Attributes
        | Kind::Unknown { .. }
        | Kind::RecordJoined(_)
        | Kind::RecordLeft(_) => {}
    }
    event
}

fn attributes(room: &Room, draws: &mut Draws) -> Payload {
    let object = json!({
        "room": room.name, "user": draws.pick(&USERS), "at_ms": room.moment(draws).0,
        "device": format!("device {}", draws.below(3)), "client_ip": "203.0.113.9",
    });
    Payload::Attributes { app: room.app, body: object.to_string().into_bytes() }
}

fn samples(room: &Room, draws: &mut Draws) -> Vec<u8> {
    let measures: Vec<Measure> = Measure::all().collect();
    let mut columns: BTreeMap<Measure, Points> = BTreeMap::new();
    for _ in 0..1 + draws.below(3) {
        let begin = room.moment(draws);
        let points = columns.entry(*draws.pick(&measures)).or_default();
        for second in 0..draws.between(1, 8) {
            let value = f64::from(i32::try_from(draws.below(5_000)).expect("small")) / 10.0;
            points.push((begin.plus(2_000 * second), value));
        }
    }
    columns.values_mut().for_each(normalise);
    let [user, peer] = [*draws.pick(&USERS), *draws.pick(&["", "bob", "名前"])].map(str::to_owned);
    let flow = Flow { app: room.app, room: room.name.clone(), user, peer, connection: String::new() };
    let mut body = Vec::new();
    export::samples(&mut body, &Series { flow, columns: columns.into_iter().collect() });
    body
}
