//! How a viewer wants to see pages: language, time zone, theme. They are cookies, so that the server writes the page
//! right at once; an address may say them too (`lang`, `tz`), so that what is passed on looks the same.

use std::fmt::Write as _;

use super::query::Query;
use super::words::Lang;
use super::{Asked, Shown};
use crate::limits::DAY_S;
use crate::records::Millis;

/// A time zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Zone {
    /// The browser's, as far as it has told its distance to UTC in minutes.
    Browser(i32),
    /// UTC.
    Utc,
    /// UTC+8, as the vendor's console shows times.
    Cst,
}

/// Colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Theme {
    /// As the system says.
    Auto,
    /// Dark text on light ground.
    Light,
    /// Light text on dark ground.
    Dark,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Prefs {
    pub(super) lang: Lang,
    pub(super) zone: Zone,
    pub(super) theme: Theme,
}

/// The furthest that a zone is from UTC, in minutes.
const OFFSET_MINUTES_MAX: i32 = 14 * 60;
/// Cookies of preferences live for a year, in seconds.
const COOKIE_AGE_S: u32 = 31_536_000;

/// The last second that has a date of four digits.
pub(super) const SECOND_MAX: i64 = 253_402_300_799;

impl Zone {
    /// The zone so far from UTC.
    pub(super) fn of_minutes(minutes: i64) -> Option<Zone> {
        i32::try_from(minutes).ok().filter(|minutes| minutes.abs() <= OFFSET_MINUTES_MAX).map(Zone::Browser)
    }

    /// Its name in addresses and cookies.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Zone::Browser(_) => "browser",
            Zone::Utc => "utc",
            Zone::Cst => "cst",
        }
    }

    /// How far it is from UTC.
    pub(super) const fn minutes(self) -> i32 {
        match self {
            Zone::Browser(minutes) => minutes,
            Zone::Utc => 0,
            Zone::Cst => 480,
        }
    }

    /// `+08:00`
    pub(super) fn offset(self) -> String {
        let minutes = self.minutes();
        let sign = if minutes < 0 { '-' } else { '+' };
        format!("{sign}{:02}:{:02}", minutes.abs() / 60, minutes.abs() % 60)
    }

    fn parts(self, at: Millis) -> Option<jiff::civil::DateTime> {
        let offset = jiff::tz::Offset::from_seconds(self.minutes() * 60).ok()?;
        Some(offset.to_datetime(jiff::Timestamp::from_millisecond(at.0).ok()?))
    }

    /// `2026-11-25`
    pub(super) fn date(self, at: Millis) -> String {
        self.parts(at).map_or_else(String::new, |at| at.date().to_string())
    }

    /// `13:16:06`
    pub(super) fn time(self, at: Millis) -> String {
        self.parts(at)
            .map_or_else(String::new, |at| format!("{:02}:{:02}:{:02}", at.hour(), at.minute(), at.second()))
    }

    /// `2026-11-25 13:16:06`
    pub(super) fn full(self, at: Millis) -> String {
        format!("{} {}", self.date(at), self.time(at))
    }

    /// `2026-11-25T13:16:06`, as fields of forms have it.
    pub(super) fn field(self, second: i64) -> String {
        self.full(Millis::from_secs(second)).replace(' ', "T")
    }

    /// The second that a field of a form tells: as [`field`](Zone::field) writes it, or without seconds, or a date.
    pub(super) fn second(self, field: &str) -> Option<i64> {
        let at: jiff::civil::DateTime = field.trim().parse().ok()?;
        let offset = jiff::tz::Offset::from_seconds(self.minutes() * 60).ok()?;
        Some(offset.to_timestamp(at).ok()?.as_second())
    }

    /// The first second of the day that contains a second.
    pub(super) fn midnight(self, second: i64) -> i64 {
        let shift = i64::from(self.minutes()) * 60;
        (second + shift).div_euclid(DAY_S) * DAY_S - shift
    }
}

/// `2 h 00 m`, `3 m 20 s`, `12 s`
pub(super) fn duration(ms: i64) -> String {
    let s = ms.max(0) / 1_000;
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = match s {
        0..60 => write!(text, "{s} s"),
        60..3_600 => write!(text, "{} m {:02} s", s / 60, s % 60),
        _ => write!(text, "{} h {:02} m", s / 3_600, s % 3_600 / 60),
    };
    text
}

impl Theme {
    /// Its name in cookies.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Theme::Auto => "auto",
            Theme::Light => "light",
            Theme::Dark => "dark",
        }
    }
}

/// The value of a cookie.
pub(super) fn cookie<'a>(asked: &Asked<'a>, name: &str) -> Option<&'a str> {
    let all = (asked.header)("cookie")?;
    all.split(';')
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(key, _)| *key == name)
        .map(|(_, v)| v)
}

impl Prefs {
    pub(super) fn of(asked: &Asked<'_>) -> Prefs {
        let query = Query::parse(asked.query);
        let said = |name: &str| query.text(name).or_else(|| cookie(asked, name));
        let offset = cookie(asked, "tzo").and_then(|minutes| minutes.parse().ok());
        let offset = offset.filter(|minutes: &i32| minutes.abs() <= OFFSET_MINUTES_MAX).unwrap_or(0);
        let accepts = (asked.header)("accept-language").unwrap_or_default();
        Prefs {
            lang: match said("lang") {
                Some("zh") => Lang::Zh,
                Some("en") => Lang::En,
                _ if accepts.trim_start().starts_with("zh") => Lang::Zh,
                _ => Lang::En,
            },
            zone: match said("tz") {
                Some("utc") => Zone::Utc,
                Some("cst") => Zone::Cst,
                _ => Zone::Browser(offset),
            },
            theme: match said("theme") {
                Some("light") => Theme::Light,
                Some("dark") => Theme::Dark,
                _ => Theme::Auto,
            },
        }
    }
}

/// `/ui/set?theme=dark&back=/ui/live`: keeps a preference and goes back.
pub(super) fn set(asked: &Asked<'_>, query: &Query) -> Shown {
    const KNOWN: [(&str, &[&str]); 3] =
        [("theme", &["auto", "light", "dark"]), ("tz", &["browser", "utc", "cst"]), ("lang", &["en", "zh"])];
    let mut shown = Shown::see_other(query.back());
    for (name, values) in KNOWN {
        if let Some(value) = query.text(name).filter(|value| values.contains(value)) {
            let secure = if asked.is_tls { "; Secure" } else { "" };
            let cookie = format!("{name}={value}; Path=/ui; Max-Age={COOKIE_AGE_S}; SameSite=Lax{secure}");
            shown = shown.with("set-cookie", cookie);
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_shown_in_each_zone() {
        let at = Millis(1_763_800_207_000);
        assert_eq!(Zone::Utc.full(at), "2025-11-22 08:30:07");
        assert_eq!(Zone::Cst.full(at), "2025-11-22 16:30:07");
        assert_eq!(
            (Zone::Browser(-210).time(at), Zone::Browser(-210).offset()),
            ("05:00:07".into(), "-03:30".into())
        );
        for zone in [Zone::Utc, Zone::Cst, Zone::Browser(-210)] {
            assert_eq!(zone.second(&zone.field(at.secs())), Some(at.secs()));
            assert_eq!(zone.time(Millis::from_secs(zone.midnight(at.secs()))), "00:00:00");
        }
        assert_eq!(Zone::Cst.second("2025-11-22T16:30"), Some(1_763_800_200));
        assert_eq!(Zone::Cst.second(" 2025-11-22 "), Some(1_763_740_800));
        for wrong in ["", "now", "16:30", "2025-11-22T16:30Z", "22.11.2025", "2025-13-01T00:00"] {
            assert_eq!(Zone::Utc.second(wrong), None, "{wrong:?}");
        }
        assert_eq!(Zone::of_minutes(-210), Some(Zone::Browser(-210)));
        assert_eq!([841, i64::MAX, -841].map(Zone::of_minutes), [None; 3]);
        assert_eq!([0, 59_999, 61_000, 7_200_000].map(duration), ["0 s", "59 s", "1 m 01 s", "2 h 00 m"]);
    }
}
