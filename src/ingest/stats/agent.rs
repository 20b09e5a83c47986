//! What a browser's user agent string says, as far as records show it. The strings imitate each other, so the order of
//! the rules matters: a browser that is built on another one names that one too.

use super::super::bounds::TEXT_BYTES_MAX;
use crate::records::{Attr, Attrs};

/// Browsers by the word before their version: the more special ones come first.
const BROWSERS: [(&str, &str); 13] = [
    ("Electron/", "Electron"),
    ("EdgA/", "Edge"),
    ("EdgiOS/", "Edge"),
    ("Edg/", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("CriOS/", "Chrome"),
    ("FxiOS/", "Firefox"),
    ("Firefox/", "Firefox"),
    ("HeadlessChrome/", "Chrome"),
    ("Chrome/", "Chrome"),
    ("Version/", "Safari"),
    ("AppleWebKit/", "WebKit"),
];

/// The version of the browser, the operating system and the device of a user agent string; what it does not say is
/// not there.
pub(super) fn attrs(user_agent: &str) -> Attrs {
    let mut attrs = Attrs::new();
    let Some(user_agent) = user_agent.get(..user_agent.floor_char_boundary(TEXT_BYTES_MAX)) else {
        return attrs;
    };
    let browser = BROWSERS.iter().find_map(|(word, name)| Some((name, version(user_agent, word)?)));
    if let Some((name, version)) = browser {
        attrs.insert(Attr::SdkVersion, format!("{name} {version}"));
    }
    let platform = user_agent.split_once('(').and_then(|(_, rest)| Some(rest.split_once(')')?.0));
    if let Some((os, device)) = platform.and_then(platform_of) {
        attrs.insert(Attr::Os, os);
        attrs.insert(Attr::Device, device);
    }
    attrs
}

/// The number behind a word.
fn version<'a>(user_agent: &'a str, word: &str) -> Option<&'a str> {
    let (_, rest) = user_agent.split_once(word)?;
    let end = rest.find(|letter: char| !letter.is_ascii_digit() && letter != '.').unwrap_or(rest.len());
    Some(&rest[..end]).filter(|version| !version.is_empty())
}

/// Operating system and device of what stands in the first brackets.
fn platform_of(platform: &str) -> Option<(String, String)> {
    let parts: Vec<&str> = platform.split(';').map(str::trim).collect();
    let first = *parts.first()?;
    let apple = |word: &str| {
        let (_, rest) = platform.split_once(word)?;
        let end = rest.find(|letter: char| !letter.is_ascii_digit() && letter != '_' && letter != '.');
        let version = rest[..end.unwrap_or(rest.len())].replace('_', ".");
        Some(version).filter(|version| !version.is_empty())
    };
    if first == "iPhone" || first == "iPad" || first == "iPod touch" {
        let version = apple("CPU iPhone OS ").or_else(|| apple("CPU OS "));
        return Some((with_version("iOS", version.as_deref()), first.to_owned()));
    }
    if first == "Macintosh" {
        return Some((with_version("macOS", apple("Mac OS X ").as_deref()), "Mac".to_owned()));
    }
    if let Some(place) = parts.iter().position(|part| part.starts_with("Android")) {
        // The part behind the system is the model; Firefox puts a word for the form there.
        let model = parts[place + 1..].iter().find(|part| !part.starts_with("rv:") && !part.is_empty());
        let device = match model.copied() {
            Some(model) if model != "K" && model != "wv" => model.split(" Build/").next().unwrap_or(model),
            Some(_) | None => "Android",
        };
        return Some((parts[place].to_owned(), device.to_owned()));
    }
    if let Some(version) = first.strip_prefix("Windows NT ") {
        // Windows 11 says 10.0 too.
        return Some((with_version("Windows", Some(version)), "Windows".to_owned()));
    }
    if parts.iter().any(|part| part.starts_with("CrOS")) {
        return Some(("ChromeOS".to_owned(), "Chromebook".to_owned()));
    }
    parts.iter().any(|part| part.contains("Linux")).then(|| ("Linux".to_owned(), "Linux".to_owned()))
}

fn with_version(name: &str, version: Option<&str>) -> String {
    version.map_or_else(|| name.to_owned(), |version| format!("{name} {version}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(user_agent: &str, sdk_version: &str, os: &str, device: &str) {
        let attrs = attrs(user_agent);
        let told = |attr: Attr| attrs.get(&attr).map_or("", String::as_str);
        assert_eq!((told(Attr::SdkVersion), told(Attr::Os), told(Attr::Device)), (sdk_version, os, device));
    }

    #[test]
    fn browsers_are_told_apart() {
        let webkit = "AppleWebKit/537.36 (KHTML, like Gecko)";
        check(
            &format!("Mozilla/5.0 (X11; Linux x86_64) {webkit} HeadlessChrome/156.0.0.0 Safari/537.36"),
            "Chrome 156.0.0.0",
            "Linux",
            "Linux",
        );
        check(
            &format!(
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) {webkit} Chrome/156.0.0.0 Safari/537.36 Edg/156.0.1.2"
            ),
            "Edge 156.0.1.2",
            "Windows 10.0",
            "Windows",
        );
        check(
            &format!(
                "Mozilla/5.0 (Linux; Android 14; Pixel 7 Build/X1) {webkit} Chrome/120.0.0.0 Mobile Safari/537.36"
            ),
            "Chrome 120.0.0.0",
            "Android 14",
            "Pixel 7",
        );
        check(
            &format!("Mozilla/5.0 (Linux; Android 10; K) {webkit} Chrome/120.0.0.0 Mobile Safari/537.36"),
            "Chrome 120.0.0.0",
            "Android 10",
            "Android",
        );
        check(
            "Mozilla/5.0 (iPhone; CPU iPhone OS 17_1_2 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) \
             Version/17.1 Mobile/15E148 Safari/604.1",
            "Safari 17.1",
            "iOS 17.1.2",
            "iPhone",
        );
        check(
            "Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:109.0) Gecko/20100101 Firefox/118.0",
            "Firefox 118.0",
            "macOS 10.15",
            "Mac",
        );
        check("Mozilla/5.0 (X11; CrOS x86_64 1.0) x Chrome/1.2", "Chrome 1.2", "ChromeOS", "Chromebook");
    }

    #[test]
    fn what_is_not_said_is_not_made_up() {
        check("", "", "", "");
        check("curl/8.5", "", "", "");
        check("my (native) client", "", "", "");
        check("Chrome/ (", "", "", "");
        check(&"é(".repeat(5_000), "", "", "");
    }
}
