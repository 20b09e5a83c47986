//! The bytes of the request. The first line is no part of it.

use std::fmt::Write as _;

use super::Sample;

pub(super) fn render(sample: &Sample<'_>) -> String {
    let signed = sample.signed;
    let mut text = format!(
        "# {}\n{} {} HTTP/1.1\n",
        sample.lang.sample_holds().replace("{0}", sample.holds_until),
        signed.method,
        signed.target
    );
    for (name, value) in &signed.headers {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{name}: {value}");
    }
    if signed.method == "POST" {
        let _ = writeln!(text, "Content-Length: {}", signed.body.len());
    }
    text + "\n" + &signed.body + "\n"
}
