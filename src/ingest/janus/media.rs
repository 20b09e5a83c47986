//! Media statistics to measurements.
//!
//! Janus measures on its own side: on a publisher's handle what came from the user, on a subscriber's what goes to
//! the user, and what the user reported as lost. Its counts of bytes hold the headers of RTP, which those of browsers do
//! not; so do its counts of one second (`bytes-*-lastsec`), which are a sample of one second out of `stats_period` and are not
//! used: the difference of two counts is exact.

use super::payload::{Stat, text};
use crate::ingest::bounds;
use crate::ingest::row::Loose;
use crate::records::quality::{Counter, Flow, Measure, Metric, Series};
use crate::records::{AppId, Millis};

/// What a packet has before its payload: 12 bytes of RTP, and 8 of the header extensions (mid, audio level) that
/// VideoRoom agrees on with every browser. A browser's own count of them says 20 for audio; 22 to 28 for video, of
/// whose packets of a thousand bytes the rest is less than one percent.
pub const HEADER_BYTES: f64 = 20.0;

/// What was measured of one stream at one moment, before it is known whose it is.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Measured {
    pub(super) micros: u64,
    at: Millis,
    /// The stream's name in the connection; `""` in old versions.
    pub(super) mid: String,
    /// `audio`, `video`, and for the further layers of simulcast `video-sim1`, `video-sim2`.
    media: String,
    received: Counts,
    sent: Counts,
    round_trip_ms: Option<f64>,
}

/// Counts of one direction.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Counts {
    bytes: Option<f64>,
    packets: Option<f64>,
    lost: Option<f64>,
}

impl Measured {
    /// What the event tells; `None` where it is of neither sound nor picture.
    pub(super) fn read(stat: &Stat<'_>, micros: u64, at: Millis) -> Option<Measured> {
        let media =
            text(&stat.media).filter(|media| media.starts_with("audio") || media.starts_with("video"))?;
        let mid = text(&stat.mid).unwrap_or_default();
        bounds::id(media).and(bounds::id(mid)).ok()?;
        let [received, sent] = [
            [&stat.bytes_received, &stat.packets_received, &stat.lost],
            [&stat.bytes_sent, &stat.packets_sent, &stat.lost_by_remote],
        ]
        .map(|[bytes, packets, lost]| Counts {
            bytes: count(bytes),
            packets: count(packets),
            lost: count(lost),
        });
        // Without a report of the receiver Janus says 0, which is no measurement.
        let round_trip_ms = count(&stat.rtt).filter(|ms| *ms > 0.0);
        Some(Measured {
            micros,
            at,
            mid: mid.to_owned(),
            media: media.to_owned(),
            received,
            sent,
            round_trip_ms,
        })
    }

    /// The measurements of a user: of what the user sent where there is no peer, else of what the user got from it.
    pub(super) fn series(
        &self,
        app: AppId,
        (session, handle): (u64, u64),
        (room, user, peer): (&str, &str, &str),
    ) -> Series {
        let [bytes, packets, lost] = if self.media.starts_with("audio") {
            [Counter::AudioBytes, Counter::AudioPackets, Counter::AudioLost]
        } else {
            [Counter::VideoBytes, Counter::VideoPackets, Counter::VideoLost]
        };
        let is_up = peer.is_empty();
        let counts = if is_up { self.received } else { self.sent };
        let payload = counts.bytes.zip(counts.packets);
        // Of what was sent, that came which nobody reports as lost.
        let came = if is_up {
            counts.packets
        } else {
            counts.packets.map(|sent| (sent - counts.lost.unwrap_or_default()).max(0.0))
        };
        let columns = [
            (Measure::Gauge(Metric::RoundTrip), self.round_trip_ms),
            (
                Measure::Counter(bytes),
                payload.map(|(bytes, packets)| (bytes - HEADER_BYTES * packets).max(0.0)),
            ),
            (Measure::Counter(packets), came),
            (Measure::Counter(lost), counts.lost),
        ];
        let columns =
            columns.into_iter().filter_map(|(measure, value)| Some((measure, vec![(self.at, value?)])));
        let connection = format!("{session}.{handle}.{}.{}", self.mid, self.media);
        let [room, user, peer] = [room, user, peer].map(str::to_owned);
        Series { flow: Flow { app, room, user, peer, connection }, columns: columns.collect() }
    }
}

/// A count, which is a whole number below 2^53 or nothing.
#[expect(clippy::cast_precision_loss, reason = "below 2^53 a float is exact")]
fn count(value: &Loose<'_>) -> Option<f64> {
    if let Loose::Unsigned(count @ 0..=0x1f_ffff_ffff_ffff) = value { Some(*count as f64) } else { None }
}
