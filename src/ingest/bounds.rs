//! What a sender may send: sizes, plausible times, ids that can be stored.

use crate::records::Millis;

/// The longest id of a room, a user, a visit, a life, a source or an instance, in bytes of UTF-8.
pub const ID_BYTES_MAX: usize = 512;
/// The longest value of an attribute, a reason or a name, in bytes of UTF-8.
pub const TEXT_BYTES_MAX: usize = 1024;
/// The longest body that is kept of an event of an unknown kind, in bytes.
pub const RAW_BYTES_MAX: usize = 65_536;
/// The longest line, in bytes. The longest event that can be exported fits, whatever needs escaping in it.
pub const LINE_BYTES_MAX: usize = 1_048_576;
/// The longest line that holds a recorded delivery, in bytes.
pub const DELIVERY_BYTES_MAX: usize = 16 * 1_048_576;
/// How many lines one body may have.
pub const LINES_MAX: usize = 50_000;
/// How many values of measurements one line may have, and how many times.
pub const VALUES_MAX: usize = 100_000;
/// How many refused lines a reply lists; the rest is only counted.
pub const REFUSED_LINES_SHOWN_MAX: usize = 100;
/// The first plausible moment, 2000-01-01T00:00Z.
pub const MOMENT_MIN_MS: i64 = 946_684_800_000;
/// The end of what is plausible, 2100-01-01T00:00Z. A sender whose clock is ahead must give the same records
/// as any other, so this is wide; what lies outside is another unit or no time.
pub const MOMENT_END_MS: i64 = 4_102_444_800_000;

/// How much of a sender's text a refusal repeats, in characters.
const SHOWN_CHARS_MAX: usize = 40;

/// The unit in which a sender gives a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    Milliseconds,
    Seconds,
}

impl Unit {
    const fn in_ms(self) -> i64 {
        match self {
            Unit::Milliseconds => 1,
            Unit::Seconds => 1_000,
        }
    }

    pub(super) const fn name(self) -> &'static str {
        match self {
            Unit::Milliseconds => "milliseconds",
            Unit::Seconds => "seconds",
        }
    }
}

/// The moment that `value` stands for, if it is a plausible one.
pub(super) fn moment(value: u64, unit: Unit) -> Result<Millis, String> {
    let ms = i64::try_from(value).ok().and_then(|value| value.checked_mul(unit.in_ms()));
    match ms.filter(|ms| (MOMENT_MIN_MS..MOMENT_END_MS).contains(ms)) {
        Some(ms) => Ok(Millis(ms)),
        None => Err(implausible(value, unit)),
    }
}

fn implausible(value: u64, unit: Unit) -> String {
    let (first, end) = (MOMENT_MIN_MS / unit.in_ms(), MOMENT_END_MS / unit.in_ms());
    let name = unit.name();
    let other = match unit {
        Unit::Milliseconds => Unit::Seconds,
        Unit::Seconds => Unit::Milliseconds,
    };
    let hint = i64::try_from(value)
        .ok()
        .and_then(|value| value.checked_mul(other.in_ms()))
        .filter(|ms| (MOMENT_MIN_MS..MOMENT_END_MS).contains(ms))
        .map_or(String::new(), |_| format!(" (it looks like {})", other.name()));
    format!(
        "{value} is no plausible time in {name}{hint}: expected {first} (the year 2000) to {} (the year 2099)",
        end - 1
    )
}

/// The moment that a number of milliseconds with a fraction stands for, which is cut off, if it is a plausible one.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "within the bounds both are exact"
)]
pub(super) fn fractional_moment(ms: f64) -> Option<Millis> {
    let plausible = MOMENT_MIN_MS as f64..MOMENT_END_MS as f64;
    plausible.contains(&ms).then_some(Millis(ms.floor() as i64))
}

/// An id that can be stored: not too long, and without U+0000, which ends texts in the store's keys.
pub(super) fn id(text: &str) -> Result<(), String> {
    if text.len() > ID_BYTES_MAX {
        return Err(format!("{} bytes long, expected at most {ID_BYTES_MAX}", text.len()));
    }
    if text.contains('\0') {
        return Err("contains the character U+0000, which no id may hold".to_owned());
    }
    Ok(())
}

/// A text that is not too long.
pub(super) fn text(text: &str, bytes_max: usize) -> Result<(), String> {
    if text.len() > bytes_max {
        return Err(format!("{} bytes long, expected at most {bytes_max}", text.len()));
    }
    Ok(())
}

/// A line as text.
pub(super) fn line(line: &[u8]) -> Result<&str, String> {
    utf8(line, LINE_BYTES_MAX)
}

/// The line of a recorded delivery as text.
pub(super) fn delivery(line: &[u8]) -> Result<&str, String> {
    utf8(line, DELIVERY_BYTES_MAX)
}

fn utf8(line: &[u8], bytes_max: usize) -> Result<&str, String> {
    if line.len() > bytes_max {
        return Err(format!("the line is {} bytes long, expected at most {bytes_max}", line.len()));
    }
    std::str::from_utf8(line)
        .map_err(|error| format!("the line is not UTF-8 from its byte {} on", error.valid_up_to() + 1))
}

/// A sender's text as a refusal repeats it: quoted, escaped, and not all of a long one.
pub(super) fn shown(text: &str) -> String {
    match text.char_indices().nth(SHOWN_CHARS_MAX) {
        Some((end, _)) => format!("\"{}…\"", text[..end].escape_debug()),
        None => format!("\"{}\"", text.escape_debug()),
    }
}

/// The one of `names` that the writer of `word` most likely meant, as a half sentence.
pub(super) fn nearest<'a>(word: &str, names: impl Iterator<Item = &'a str>) -> String {
    if word.len() > SHOWN_CHARS_MAX {
        return String::new();
    }
    let distance = |name: &str| strsim::damerau_levenshtein(word, name);
    names
        .map(|name| (distance(name), name))
        .min()
        .filter(|(distance, name)| *distance <= (name.len() / 3).max(2))
        .map_or(String::new(), |(_, name)| format!("; did you mean \"{name}\"?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plausible_moments_are_taken() {
        let check = |value: u64, unit: Unit, expected: Option<i64>| {
            assert_eq!(moment(value, unit).ok().map(|at| at.0), expected, "{value} {unit:?}");
        };
        check(946_684_800_000, Unit::Milliseconds, Some(946_684_800_000));
        check(946_684_799_999, Unit::Milliseconds, None);
        check(4_102_444_799_999, Unit::Milliseconds, Some(4_102_444_799_999));
        check(4_102_444_800_000, Unit::Milliseconds, None);
        check(1_590_065_777, Unit::Seconds, Some(1_590_065_777_000));
        check(0, Unit::Seconds, None);
        check(0, Unit::Milliseconds, None);
        check(u64::MAX, Unit::Milliseconds, None);
        check(u64::MAX, Unit::Seconds, None);
        check(i64::MAX.unsigned_abs(), Unit::Seconds, None);
    }

    #[test]
    fn a_fraction_of_a_millisecond_is_cut_off() {
        let check = |ms: f64, expected: Option<i64>| {
            assert_eq!(fractional_moment(ms).map(|at| at.0), expected, "{ms}");
        };
        check(1_795_380_521_781.999, Some(1_795_380_521_781));
        check(946_684_800_000.0, Some(946_684_800_000));
        check(946_684_799_999.9, None);
        check(4_102_444_800_000.0, None);
        check(0.0, None);
        check(f64::MAX, None);
        check(f64::NAN, None);
    }

    #[test]
    fn the_wrong_unit_is_named() {
        let why = moment(1_590_065_777, Unit::Milliseconds).err();
        assert!(why.is_some_and(|why| why.contains("looks like seconds")));
        let why = moment(1_590_065_777_000, Unit::Seconds).err();
        assert!(why.is_some_and(|why| why.contains("looks like milliseconds")));
    }

    #[test]
    fn a_refusal_repeats_little() {
        assert_eq!(shown("a\nb"), r#""a\nb""#);
        assert!(shown(&"é".repeat(10_000)).len() < 100);
        assert_eq!(nearest("usre", ["user", "room"].into_iter()), "; did you mean \"user\"?");
        assert_eq!(nearest("temperature", ["user", "room"].into_iter()), "");
        assert_eq!(nearest(&"x".repeat(1_000_000), ["user"].into_iter()), "");
    }
}
