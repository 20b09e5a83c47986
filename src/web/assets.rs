//! The files that pages load: part of the binary, under an address that changes with their content, so that a browser
//! may keep them for ever.

use std::sync::LazyLock;

use sha2::{Digest, Sha256};

use super::Shown;

/// One file.
pub(super) struct Asset {
    name: &'static str,
    content_type: &'static str,
    content: &'static str,
}

const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";

const ASSETS: &[Asset] = &[
    Asset { name: "app.css", content_type: CSS, content: include_str!("assets/app.css") },
    Asset { name: "app.js", content_type: SCRIPT, content: include_str!("assets/app.js") },
    Asset { name: "time.js", content_type: SCRIPT, content: include_str!("assets/time.js") },
    Asset { name: "plot.js", content_type: SCRIPT, content: include_str!("assets/plot.js") },
    Asset { name: "call.js", content_type: SCRIPT, content: include_str!("assets/call.js") },
    Asset { name: "explorer.js", content_type: SCRIPT, content: include_str!("assets/explorer.js") },
    Asset { name: "live.js", content_type: SCRIPT, content: include_str!("assets/live.js") },
    Asset { name: "trends.js", content_type: SCRIPT, content: include_str!("assets/trends.js") },
    Asset { name: "icon.svg", content_type: SVG, content: include_str!("assets/icon.svg") },
];

/// The folder of all files: named by what is in them, so that one name serves for all and they may import each other.
static FOLDER: LazyLock<String> = LazyLock::new(|| {
    let mut digest = Sha256::new();
    ASSETS.iter().for_each(|asset| digest.update(asset.content));
    let hex: String = digest.finalize().iter().take(6).map(|byte| format!("{byte:02x}")).collect();
    format!("/ui/a/{hex}/")
});

/// The address of a file.
pub(super) fn href(name: &str) -> String {
    format!("{}{name}", *FOLDER)
}

/// The addresses of all files.
pub(super) fn paths() -> impl Iterator<Item = String> {
    ASSETS.iter().map(|asset| href(asset.name))
}

/// The file at a path. One of another version's folder is served too, as long as it has that name.
pub(super) fn find(path: &str) -> Option<&'static Asset> {
    let (_, name) = path.strip_prefix("/ui/a/")?.split_once('/')?;
    ASSETS.iter().find(|asset| asset.name == name)
}

/// The file, or that the browser has it already.
pub(super) fn show(asset: &Asset, known: Option<&str>) -> Shown {
    let tag = format!("\"{}\"", FOLDER.trim_start_matches("/ui/a/").trim_end_matches('/'));
    let is_known = known.is_some_and(|known| known.split(',').any(|known| known.trim() == tag));
    let (status, body) = if is_known { (304, Vec::new()) } else { (200, asset.content.into()) };
    let headers = vec![("cache-control", "public, max-age=31536000, immutable".to_owned()), ("etag", tag)];
    Shown { status, content_type: asset.content_type, body, headers }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a page may weigh: the bounds of `docs/dashboard.md`.
    #[test]
    fn files_stay_within_their_budgets() {
        let bytes = |kind: &str| -> usize {
            ASSETS.iter().filter(|asset| asset.content_type == kind).map(|asset| asset.content.len()).sum()
        };
        assert!(bytes(SCRIPT) <= 70_000, "{}", bytes(SCRIPT));
        assert!(bytes(CSS) <= 24_000, "{}", bytes(CSS));
    }

    #[test]
    fn a_file_is_found_under_its_address_and_known_by_its_tag() {
        let asset = find(&href("app.css")).unwrap();
        let shown = show(asset, None);
        let tag = shown.headers.iter().find(|(name, _)| *name == "etag").unwrap().1.clone();
        assert_eq!((shown.status, show(asset, Some(&tag)).status), (200, 304));
        assert!(find("/ui/a/x/../secret").is_none());
    }
}
