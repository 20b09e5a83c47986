//! curl, for a POSIX shell: the very request, with its signature.

use super::{Sample, shell};

pub(super) fn render(sample: &Sample<'_>) -> String {
    let signed = sample.signed;
    let endpoint = &sample.request.endpoint;
    let url = format!("{}://{}{}", endpoint.scheme(), endpoint.host, signed.target);
    let mut line = format!(
        "# {}\ncurl -sS {}",
        sample.lang.sample_expires().replace("{0}", sample.holds_until),
        shell(&url)
    );
    for (name, value) in signed.headers.iter().filter(|(name, _)| *name != "Host") {
        line.push_str(&format!(" \\\n  -H {}", shell(&format!("{name}: {value}"))));
    }
    if signed.method == "POST" {
        line.push_str(&format!(" \\\n  --data-binary {}", shell(&signed.body)));
    }
    line + "\n"
}
