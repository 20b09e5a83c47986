//! One RTCStats object, as far as something is measured from it. Names are those of W3C webrtc-stats, and the numbers
//! that the compressed dumps of rtcstats put for them; what has another type than expected counts as not there.

use std::borrow::Cow;
use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{
    Deserialize, DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor,
};

use super::super::row::Loose;

/// How many objects a report may have. A conference of a hundred has some two thousand.
const OBJECTS_MAX: usize = 4_000;

/// Writes down the members of an object once: the field, its name, and the number that stands for the name.
macro_rules! members {
    (
        texts { $($text:ident = $text_name:literal $(, $text_short:literal)?;)* }
        numbers { $($number:ident = $number_name:literal $(, $number_short:literal)?;)* }
        flags { $($flag:ident = $flag_name:literal $(, $flag_short:literal)?;)* }
    ) => {
        /// An RTCStats object.
        #[derive(Debug, Clone, Default, PartialEq, serde::Deserialize)]
        #[serde(default)]
        pub(super) struct Object<'a> {
            $(#[serde(borrow, rename = $text_name $(, alias = $text_short)?, deserialize_with = "text")]
            pub(super) $text: Option<Cow<'a, str>>,)*
            $(#[serde(rename = $number_name $(, alias = $number_short)?, deserialize_with = "number")]
            pub(super) $number: Option<f64>,)*
            $(#[serde(rename = $flag_name $(, alias = $flag_short)?, deserialize_with = "flag")]
            pub(super) $flag: Option<bool>,)*
        }

        impl<'a> Object<'a> {
            /// Takes over what `newer` has.
            pub(super) fn update(&mut self, newer: Object<'a>) {
                $(if newer.$text.is_some() { self.$text = newer.$text; })*
                $(if newer.$number.is_some() { self.$number = newer.$number; })*
                $(if newer.$flag.is_some() { self.$flag = newer.$flag; })*
            }

            /// Whether there is a member of that name.
            pub(super) fn has(name: &str) -> bool {
                matches!(name, $($text_name)|* | $($number_name)|* | $($flag_name)|*)
            }

            /// Sets the member of that name; another name is passed over.
            pub(super) fn set(&mut self, name: &str, value: Loose<'a>) {
                match name {
                    $($text_name => self.$text = as_text(value),)*
                    $($number_name => self.$number = value.number(),)*
                    $($flag_name => self.$flag = as_flag(&value),)*
                    _ => {}
                }
            }
        }
    };
}

members! {
    texts {
        id = "id";
        kind_name = "type";
        mime_type = "mimeType", "6";
        ssrc = "ssrc", "10";
        medium = "kind", "11";
        old_medium = "mediaType";
        codec_id = "codecId", "12";
        track_identifier = "trackIdentifier", "17";
        track_id = "trackId";
        mid = "mid", "18";
        content_type = "contentType", "66";
        local_id = "localId", "74";
        media_source_id = "mediaSourceId", "81";
        state = "state", "118";
        selected_pair_id = "selectedCandidatePairId", "125";
    }
    numbers {
        timestamp = "timestamp", "t";
        clock_rate = "clockRate", "7";
        packets_received = "packetsReceived", "14";
        packets_lost = "packetsLost", "15";
        frames_decoded = "framesDecoded", "20";
        frame_width = "frameWidth", "23";
        frame_height = "frameHeight", "24";
        frames_per_second = "framesPerSecond", "25";
        freezes_s = "totalFreezesDuration", "33";
        bytes_received = "bytesReceived", "41";
        concealed_samples = "concealedSamples", "52";
        silent_concealed_samples = "silentConcealedSamples", "53";
        round_trip_s = "roundTripTime", "75";
        fraction_lost = "fractionLost", "77";
        bytes_sent = "bytesSent", "80";
        frames_encoded = "framesEncoded", "91";
        current_round_trip_s = "currentRoundTripTime", "152";
    }
    flags {
        active = "active", "100";
        nominated = "nominated", "150";
        selected = "selected";
    }
}

/// The types of objects that something is measured from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Type {
    Inbound,
    Outbound,
    RemoteInbound,
    Transport,
    CandidatePair,
    MediaSource,
    Codec,
    /// Of browsers before 2023; the members of `inbound-rtp` were there.
    Track,
    Other,
}

/// What a stream carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Medium {
    Audio,
    Video,
}

impl Object<'_> {
    /// Its type, which the compressed dumps have a number for.
    pub(super) fn kind(&self) -> Type {
        match self.kind_name.as_deref().unwrap_or_default() {
            "inbound-rtp" | "1" => Type::Inbound,
            "outbound-rtp" | "2" => Type::Outbound,
            "remote-inbound-rtp" | "3" => Type::RemoteInbound,
            "transport" | "5" => Type::Transport,
            "candidate-pair" | "6" => Type::CandidatePair,
            "media-source" | "12" => Type::MediaSource,
            "codec" | "14" => Type::Codec,
            "track" => Type::Track,
            _ => Type::Other,
        }
    }

    /// What it carries.
    pub(super) fn medium(&self) -> Option<Medium> {
        match self.medium.as_deref().or(self.old_medium.as_deref()) {
            Some("audio") => Some(Medium::Audio),
            Some("video") => Some(Medium::Video),
            Some(_) | None => None,
        }
    }

    /// Its id, or `""`.
    pub(super) fn id(&self) -> &str {
        self.id.as_deref().unwrap_or_default()
    }
}

/// The objects of one report: a list of them, or an object with them under their ids, as an `RTCStatsReport` is a map.
#[derive(Debug, Default)]
pub(super) struct Objects<'a> {
    /// Those that something may be measured from, and those without a type, as in a difference.
    pub(super) list: Vec<Object<'a>>,
    /// Ids that stand for nothing, which in a difference are gone.
    pub(super) gone: Vec<Cow<'a, str>>,
    /// The time of every object without one, in a difference.
    pub(super) common: Option<f64>,
    /// How many there were.
    count: usize,
}

impl<'a> Objects<'a> {
    /// Reads a report.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn read(json: &'a str) -> Result<Objects<'a>, String> {
        serde_json::from_str(json).map_err(|error| super::super::row::json_trouble(&error))
    }

    fn add(&mut self, key: Option<Cow<'a, str>>, entry: Entry<'a>) -> Result<(), String> {
        self.count += 1;
        if self.count > OBJECTS_MAX {
            return Err(format!("more than {OBJECTS_MAX} stats objects in one report"));
        }
        match (entry, key) {
            (Entry::Object(mut object), key) => {
                if object.id.is_none() {
                    object.id = key;
                }
                if object.kind_name.is_none() || object.kind() != Type::Other {
                    self.list.push(*object);
                }
            }
            (Entry::Null, Some(id)) => self.gone.push(id),
            (Entry::Number(number), Some(key)) if matches!(key.as_ref(), "timestamp" | "t") => {
                self.common = Some(number);
            }
            (Entry::Null | Entry::Number(_) | Entry::Other, _) => {}
        }
        Ok(())
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Objects<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ObjectsVisitor)
    }
}

struct ObjectsVisitor;

impl<'de> Visitor<'de> for ObjectsVisitor {
    type Value = Objects<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of RTCStats objects, or an object with them under their ids")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut objects = Objects::default();
        while let Some(entry) = list.next_element_seed(EntrySeed)? {
            objects.add(None, entry).map_err(A::Error::custom)?;
        }
        Ok(objects)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut objects = Objects::default();
        while let Some(key) = map.next_key::<Loose<'de>>()? {
            let entry = map.next_value_seed(EntrySeed)?;
            objects.add(as_text(key), entry).map_err(A::Error::custom)?;
        }
        Ok(objects)
    }
}

/// What stands in a report.
enum Entry<'a> {
    Object(Box<Object<'a>>),
    Null,
    Number(f64),
    Other,
}

struct EntrySeed;

impl<'de> DeserializeSeed<'de> for EntrySeed {
    type Value = Entry<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for EntrySeed {
    type Value = Entry<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an RTCStats object")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        Object::deserialize(MapAccessDeserializer::new(map)).map(|object| Entry::Object(Box::new(object)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Entry::Other)
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Entry::Null)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(Entry::Other)
    }

    fn visit_str<E>(self, _: &str) -> Result<Self::Value, E> {
        Ok(Entry::Other)
    }

    fn visit_u64<E>(self, number: u64) -> Result<Self::Value, E> {
        Ok(Entry::Number(number as f64))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Self::Value, E> {
        Ok(Entry::Number(number as f64))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Self::Value, E> {
        Ok(Entry::Number(number))
    }
}

fn text<'de: 'a, 'a, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Cow<'a, str>>, D::Error> {
    Loose::deserialize(deserializer).map(as_text)
}

fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<f64>, D::Error> {
    Loose::deserialize(deserializer).map(|value| value.number())
}

fn flag<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<bool>, D::Error> {
    Loose::deserialize(deserializer).map(|value| as_flag(&value))
}

/// A text, or a whole number as its decimal text.
fn as_text(value: Loose<'_>) -> Option<Cow<'_, str>> {
    if let Loose::Unsigned(number) = value {
        return Some(Cow::Owned(number.to_string()));
    }
    if let Loose::Text(text) = value { Some(text) } else { None }
}

fn as_flag(value: &Loose<'_>) -> Option<bool> {
    if let Loose::Bool(flag) = value { Some(*flag) } else { None }
}
