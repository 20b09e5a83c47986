//! One W3C stats report to what [`records::quality`](crate::records::quality) measures. Each report is taken by itself:
//! nothing is compared with an earlier one, so the order in which reports come cannot matter. `docs/stats.md` has the
//! table.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::super::bounds;
use super::object::{Medium, Object, Type};
use crate::records::quality::{Counter, Flow, Measure, Metric, Points, Series, Stream, normalise};
use crate::records::{AppId, Millis};

/// The peer of what came from nobody knows whom.
pub const NOBODY: &str = "?";
/// How many connections and peers one delivery of one user may tell of.
const FLOWS_MAX: usize = 1_000;
/// The rate of audio whose codec is not told: that of Opus, which WebRTC uses.
const SAMPLES_PER_S: f64 = 48_000.0;
/// G.722 samples at twice the rate that its payload format announces (RFC 3551, section 4.5.2).
const G722_SAMPLES_PER_S: f64 = 16_000.0;

/// Whose measurements they are.
#[derive(Debug, Clone)]
pub(super) struct Whose {
    pub(super) app: AppId,
    pub(super) room: String,
    pub(super) user: String,
    pub(super) visit: Option<String>,
}

/// Users by `mid` or `trackIdentifier`.
pub(super) type ByTrack<'a> = Vec<(Cow<'a, str>, Cow<'a, str>)>;

/// Who is at the other end.
#[derive(Debug, Clone, Default)]
pub(super) struct Peers<'a> {
    /// Of everything that no other rule names.
    pub(super) one: Option<Cow<'a, str>>,
    /// Of some streams.
    pub(super) by_track: ByTrack<'a>,
}

impl Peers<'_> {
    fn of(&self, track: &str) -> Option<&str> {
        self.by_track.iter().find(|(key, _)| key == track).map(|(_, peer)| peer.as_ref())
    }
}

/// One report: everything that `getStats` of one connection gave at one time.
#[derive(Debug)]
pub(super) struct Report<'r, 'a> {
    /// When it was made, for objects without a time of their own.
    pub(super) at: Millis,
    /// The connection, in the sender's words.
    pub(super) pc: &'r str,
    pub(super) peers: &'r Peers<'a>,
    pub(super) objects: &'r [Object<'a>],
}

/// What was measured of one user.
#[derive(Debug)]
pub(super) struct Measured {
    whose: Whose,
    flows: BTreeMap<(String, String), BTreeMap<Measure, Points>>,
    first: Option<Millis>,
}

impl Measured {
    pub(super) fn new(whose: Whose) -> Measured {
        Measured { whose, flows: BTreeMap::new(), first: None }
    }

    pub(super) fn whose(&self) -> &Whose {
        &self.whose
    }

    /// When the earliest report was made.
    pub(super) fn first(&self) -> Option<Millis> {
        self.first
    }

    /// What was measured, by flow.
    pub(super) fn series(self) -> Vec<Series> {
        let whose = &self.whose;
        let series = self.flows.into_iter().map(|((peer, connection), measures)| Series {
            flow: Flow {
                app: whose.app,
                room: whose.room.clone(),
                user: whose.user.clone(),
                peer,
                connection,
            },
            columns: measures
                .into_iter()
                .map(|(measure, mut points)| {
                    normalise(&mut points);
                    (measure, points)
                })
                .collect(),
        });
        series.collect()
    }

    /// Takes a report.
    ///
    /// # Errors
    /// Where it tells of too many peers, or of one that cannot be stored.
    pub(super) fn take(&mut self, report: &Report<'_, '_>) -> Result<(), String> {
        self.first = Some(self.first.map_or(report.at, |first| first.min(report.at)));
        let whole = match &self.whose.visit {
            Some(visit) => format!("{visit}/{}", report.pc),
            None => report.pc.to_owned(),
        };
        bounds::id(&whole).map_err(|what| format!("pc: {what}"))?;
        let links = Links { report };
        let pair = links.round_trip();
        if let Some(sent) = links.outbound() {
            let flow = self.flow("", whole.clone())?;
            links.sent(&sent, flow);
            match pair {
                Some((at, round_trip)) => push(flow, Measure::Gauge(Metric::RoundTrip), at, round_trip),
                None => links.round_trip_of_streams(&sent, flow),
            }
        }
        for ((peer, connection), streams) in links.inbound(&whole) {
            bounds::id(&peer).map_err(|what| format!("peers: {what}"))?;
            bounds::id(&connection).map_err(|what| format!("pc: {what}"))?;
            let flow = self.flow(&peer, connection)?;
            links.received(&streams, flow);
            if let Some((at, round_trip)) = pair {
                push(flow, Measure::Gauge(Metric::RoundTrip), at, round_trip);
            }
        }
        Ok(())
    }

    fn flow(&mut self, peer: &str, connection: String) -> Result<&mut BTreeMap<Measure, Points>, String> {
        let key = (peer.to_owned(), connection);
        if self.flows.len() >= FLOWS_MAX && !self.flows.contains_key(&key) {
            return Err(format!(
                "more than {FLOWS_MAX} connections and peers: send the rest in another body"
            ));
        }
        Ok(self.flows.entry(key).or_default())
    }
}

fn push(flow: &mut BTreeMap<Measure, Points>, measure: Measure, at: Millis, value: f64) {
    flow.entry(measure).or_default().push((at, value));
}

/// The streams of one direction that stand for their media.
#[derive(Default)]
struct Chosen<'r, 'a> {
    audio: Option<&'r Object<'a>>,
    video: Option<&'r Object<'a>>,
}

impl<'r, 'a> Chosen<'r, 'a> {
    /// Of several streams of a medium one stands for it, since counts of two cannot be compared: an active one, one
    /// that has frames, the largest picture, the first section of the session description, most bytes. A screen is no
    /// camera.
    fn of(streams: &[&'r Object<'a>]) -> Option<Chosen<'r, 'a>> {
        let best = |medium: Medium| {
            let of_medium = streams.iter().copied().filter(|stream| stream.medium() == Some(medium));
            let cameras = of_medium.filter(|stream| stream.content_type.as_deref() != Some("screenshare"));
            cameras.max_by(|a, b| {
                let rank = |stream: &Object<'_>| {
                    let has_frames = stream.frames_per_second.is_some_and(|rate| rate > 0.0);
                    (stream.active != Some(false), has_frames)
                };
                let area = |stream: &Object<'_>| {
                    stream.frame_width.unwrap_or_default() * stream.frame_height.unwrap_or_default()
                };
                let section = |stream: &Object<'_>| {
                    stream.mid.as_deref().and_then(|mid| mid.parse::<u32>().ok()).unwrap_or(u32::MAX)
                };
                // Where sizes are not told, the layer with the largest picture is the one that takes most.
                let bytes =
                    |stream: &Object<'_>| stream.bytes_sent.or(stream.bytes_received).unwrap_or_default();
                let by_look = rank(a).cmp(&rank(b)).then_with(|| area(a).total_cmp(&area(b)));
                let by_place = section(b).cmp(&section(a));
                let by_weight = bytes(a).total_cmp(&bytes(b));
                by_look.then(by_place).then(by_weight).then_with(|| b.id().cmp(a.id()))
            })
        };
        let chosen = Chosen { audio: best(Medium::Audio), video: best(Medium::Video) };
        (chosen.audio.is_some() || chosen.video.is_some()).then_some(chosen)
    }

    fn each(&self) -> impl Iterator<Item = &'r Object<'a>> {
        self.audio.into_iter().chain(self.video)
    }
}

/// The objects of a report and what they refer to.
struct Links<'r, 'a> {
    report: &'r Report<'r, 'a>,
}

impl<'r, 'a> Links<'r, 'a> {
    fn all(&self, kind: Type) -> impl Iterator<Item = &'r Object<'a>> {
        self.report.objects.iter().filter(move |object| object.kind() == kind)
    }

    fn by_id(&self, kind: Type, id: Option<&str>) -> Option<&'r Object<'a>> {
        let id = id?;
        self.all(kind).find(|object| object.id() == id)
    }

    /// When an object was true: by its own time, which is earlier than the report's where a report of the other end
    /// told it.
    fn at(&self, object: &Object<'_>) -> Millis {
        object.timestamp.and_then(bounds::fractional_moment).unwrap_or(self.report.at)
    }

    fn outbound(&self) -> Option<Chosen<'r, 'a>> {
        Chosen::of(&self.all(Type::Outbound).collect::<Vec<_>>())
    }

    /// What came, by peer and connection. Streams of nobody's are connections of their own: nothing says that two of
    /// them are one user's.
    fn inbound(&self, connection: &str) -> BTreeMap<(String, String), Chosen<'r, 'a>> {
        let mut streams: BTreeMap<(String, String), Vec<&'r Object<'a>>> = BTreeMap::new();
        for stream in self.all(Type::Inbound) {
            let track = stream
                .track_identifier
                .as_deref()
                .or_else(|| self.by_id(Type::Track, stream.track_id.as_deref())?.track_identifier.as_deref());
            let mid = stream.mid.as_deref();
            let names = mid.into_iter().chain(track);
            let peers = self.report.peers;
            let peer = names.filter_map(|name| peers.of(name)).next().or(peers.one.as_deref());
            let key = match peer.filter(|peer| !peer.is_empty()) {
                Some(peer) => (peer.to_owned(), connection.to_owned()),
                None => {
                    let name = mid.or(track).unwrap_or_else(|| stream.id());
                    (NOBODY.to_owned(), format!("{connection}/{name}"))
                }
            };
            streams.entry(key).or_default().push(stream);
        }
        streams.into_iter().filter_map(|(key, streams)| Some((key, Chosen::of(&streams)?))).collect()
    }

    /// The round trip of the pair of candidates in use, in milliseconds.
    fn round_trip(&self) -> Option<(Millis, f64)> {
        let of_transports = self
            .all(Type::Transport)
            .filter_map(|transport| self.by_id(Type::CandidatePair, transport.selected_pair_id.as_deref()));
        let marked = self.all(Type::CandidatePair).filter(|pair| pair.selected == Some(true));
        let nominated = self.all(Type::CandidatePair).filter(|pair| {
            pair.nominated == Some(true) && pair.state.as_deref().is_none_or(|state| state == "succeeded")
        });
        // A browser that marks the pair in one way leaves the others out, or means the same with them.
        let trips = |pairs: &mut dyn Iterator<Item = &'r Object<'a>>| {
            let trip = |pair: &Object<'_>| Some((self.at(pair), in_ms(pair.current_round_trip_s?)));
            pairs.filter_map(trip).max_by(|a, b| a.1.total_cmp(&b.1))
        };
        let (mut of_transports, mut marked, mut nominated) =
            (of_transports.peekable(), marked.peekable(), nominated);
        if of_transports.peek().is_some() {
            trips(&mut of_transports)
        } else if marked.peek().is_some() {
            trips(&mut marked)
        } else {
            trips(&mut nominated)
        }
    }

    /// What the other end says of a stream that was sent.
    fn told_of(&self, sent: &'r Object<'a>) -> impl Iterator<Item = &'r Object<'a>> {
        self.all(Type::RemoteInbound).filter(|told| match told.local_id.as_deref() {
            Some(id) => id == sent.id(),
            None => sent.ssrc.is_some() && told.ssrc == sent.ssrc,
        })
    }

    /// The round trip of RTCP, where no pair tells one.
    fn round_trip_of_streams(&self, sent: &Chosen<'r, 'a>, flow: &mut BTreeMap<Measure, Points>) {
        for told in sent.each().flat_map(|stream| self.told_of(stream)) {
            if let Some(round_trip_s) = told.round_trip_s {
                push(flow, Measure::Gauge(Metric::RoundTrip), self.at(told), in_ms(round_trip_s));
            }
        }
    }

    fn sent(&self, sent: &Chosen<'r, 'a>, flow: &mut BTreeMap<Measure, Points>) {
        if let Some(audio) = sent.audio {
            let at = self.at(audio);
            push(flow, Measure::Stream(Stream::Audio), at, identity(audio));
            put(flow, Measure::Counter(Counter::AudioBytes), at, audio.bytes_sent);
            self.lost(audio, Metric::AudioLoss, flow);
        }
        let Some(video) = sent.video else { return };
        let at = self.at(video);
        push(flow, Measure::Stream(Stream::Video), at, identity(video));
        put(flow, Measure::Counter(Counter::VideoBytes), at, video.bytes_sent);
        put(flow, Measure::Counter(Counter::VideoFrames), at, video.frames_encoded);
        put(flow, Measure::Gauge(Metric::Width), at, video.frame_width);
        put(flow, Measure::Gauge(Metric::Height), at, video.frame_height);
        self.lost(video, Metric::VideoLoss, flow);
        let source = match video.media_source_id.as_deref() {
            Some(id) => self.by_id(Type::MediaSource, Some(id)),
            None => self.all(Type::MediaSource).find(|source| source.medium() == Some(Medium::Video)),
        };
        if let Some(source) = source {
            put(flow, Measure::Gauge(Metric::CaptureRate), self.at(source), source.frames_per_second);
        }
    }

    /// The share of packets that did not arrive at the other end.
    fn lost(&self, sent: &'r Object<'a>, metric: Metric, flow: &mut BTreeMap<Measure, Points>) {
        for told in self.told_of(sent) {
            let percent = told.fraction_lost.map(|fraction| fraction * 100.0);
            put(flow, Measure::Gauge(metric), self.at(told), percent);
        }
    }

    fn received(&self, streams: &Chosen<'r, 'a>, flow: &mut BTreeMap<Measure, Points>) {
        if let Some(audio) = streams.audio {
            let at = self.at(audio);
            push(flow, Measure::Stream(Stream::Audio), at, identity(audio));
            put(flow, Measure::Counter(Counter::AudioBytes), at, audio.bytes_received);
            put(flow, Measure::Counter(Counter::AudioPackets), at, audio.packets_received);
            put(flow, Measure::Counter(Counter::AudioLost), at, audio.packets_lost);
            put(flow, Measure::Counter(Counter::AudioConcealed), at, self.concealed_ms(audio));
        }
        let Some(video) = streams.video else { return };
        let at = self.at(video);
        let track = self.by_id(Type::Track, video.track_id.as_deref());
        let older = |own: Option<f64>, member: fn(&Object<'_>) -> Option<f64>| own.or_else(|| member(track?));
        push(flow, Measure::Stream(Stream::Video), at, identity(video));
        put(flow, Measure::Counter(Counter::VideoBytes), at, video.bytes_received);
        put(flow, Measure::Counter(Counter::VideoPackets), at, video.packets_received);
        put(flow, Measure::Counter(Counter::VideoLost), at, video.packets_lost);
        put(flow, Measure::Counter(Counter::VideoFrames), at, video.frames_decoded);
        let frozen_s = older(video.freezes_s, |track| track.freezes_s);
        put(flow, Measure::Counter(Counter::VideoFrozen), at, frozen_s.map(in_ms));
        put(flow, Measure::Gauge(Metric::Width), at, older(video.frame_width, |track| track.frame_width));
        put(flow, Measure::Gauge(Metric::Height), at, older(video.frame_height, |track| track.frame_height));
    }

    /// Audio that was made up and could be heard, in milliseconds.
    fn concealed_ms(&self, audio: &Object<'_>) -> Option<f64> {
        let track = self.by_id(Type::Track, audio.track_id.as_deref());
        let (all, silent) = match (audio.concealed_samples, track) {
            (Some(all), _) => (all, audio.silent_concealed_samples),
            (None, Some(track)) => (track.concealed_samples?, track.silent_concealed_samples),
            (None, None) => return None,
        };
        let codec = self.by_id(Type::Codec, audio.codec_id.as_deref());
        let is_g722 = |codec: &Object<'_>| {
            codec.mime_type.as_deref().is_some_and(|mime_type| mime_type.eq_ignore_ascii_case("audio/G722"))
        };
        let samples_per_s = match codec {
            Some(codec) if is_g722(codec) => G722_SAMPLES_PER_S,
            Some(codec) => codec.clock_rate.filter(|rate| *rate > 0.0).unwrap_or(SAMPLES_PER_S),
            None => SAMPLES_PER_S,
        };
        Some(in_ms((all - silent.unwrap_or_default()).max(0.0) / samples_per_s))
    }
}

fn put(flow: &mut BTreeMap<Measure, Points>, measure: Measure, at: Millis, value: Option<f64>) {
    if let Some(value) = value {
        push(flow, measure, at, value);
    }
}

/// Seconds in milliseconds, to the microsecond: more is noise of the computation, and costs space.
fn in_ms(seconds: f64) -> f64 {
    (seconds * 1_000_000.0).round() / 1_000.0
}

/// A number that stands for a stream: 48 bits of the FNV-1a hash of its id and its synchronisation source.
fn identity(stream: &Object<'_>) -> f64 {
    let ssrc = stream.ssrc.as_deref().unwrap_or_default();
    let bytes = stream.id().bytes().chain([0]).chain(ssrc.bytes());
    let hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    (hash >> 16) as f64
}
