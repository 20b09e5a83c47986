//! Which host a client may have signed (contract section 4.3). Node signs `host:port` without the port,
//! tccli sends and signs `http://host:port`, and a proxy in front may have put its own name there.

/// Tries, without repeats: the header as received; without its port; without a leading scheme, with and
/// without port; then the same for every host name the server is known by. Stops at the first that `holds`.
pub(super) fn any<'a>(
    received: &'a [u8],
    public: &'a [String],
    mut holds: impl FnMut(&'a [u8]) -> bool,
) -> bool {
    if holds(received) {
        return true;
    }
    let bare = without_scheme(received);
    let mut tried = vec![received];
    let received = [without_port(received), bare, without_port(bare)];
    let public = public.iter().map(String::as_bytes).flat_map(|host| [host, without_port(host)]);
    for host in received.into_iter().chain(public) {
        if !tried.contains(&host) {
            if holds(host) {
                return true;
            }
            tried.push(host);
        }
    }
    false
}

/// Whether `service` is what an SDK takes for the product's name when the endpoint is one of these hosts: all
/// before the first dot.
pub(super) fn is_label(service: &[u8], received: &[u8], public: &[String]) -> bool {
    let label = |host: &[u8]| {
        let label = host.split(|&b| b == b'.').next().unwrap_or_default();
        !label.is_empty() && label.eq_ignore_ascii_case(service)
    };
    label(received) || label(without_scheme(received)) || public.iter().any(|host| label(host.as_bytes()))
}

fn without_scheme(host: &[u8]) -> &[u8] {
    let strip = |scheme: &[u8]| {
        let (start, rest) = host.split_at_checked(scheme.len())?;
        start.eq_ignore_ascii_case(scheme).then_some(rest)
    };
    strip(b"http://").or_else(|| strip(b"https://")).unwrap_or(host)
}

fn without_port(host: &[u8]) -> &[u8] {
    match host.iter().rposition(|&b| b == b':') {
        Some(at) if at + 1 < host.len() && host[at + 1..].iter().all(u8::is_ascii_digit) => &host[..at],
        _ => host,
    }
}

#[cfg(test)]
mod tests {
    use super::{any, is_label};

    fn tried(received: &str, public: &[&str]) -> Vec<String> {
        let public: Vec<String> = public.iter().map(|&host| host.to_owned()).collect();
        let mut tried = Vec::new();
        any(received.as_bytes(), &public, |host| {
            tried.push(String::from_utf8_lossy(host).into_owned());
            false
        });
        tried
    }

    #[test]
    fn every_form_is_tried_once() {
        assert_eq!(tried("127.0.0.1:9180", &[]), ["127.0.0.1:9180", "127.0.0.1"]);
        assert_eq!(
            tried("http://127.0.0.1:9180", &[]),
            ["http://127.0.0.1:9180", "http://127.0.0.1", "127.0.0.1:9180", "127.0.0.1"]
        );
        assert_eq!(tried("a", &["a", "b:1"]), ["a", "b:1", "b"]);
        assert_eq!(tried("[::1]:80", &[]), ["[::1]:80", "[::1]"]);
        assert_eq!(tried("", &[]), [""]);
        assert_eq!(tried("a:", &[]), ["a:"]);
    }

    #[test]
    fn the_label_is_what_comes_before_the_first_dot() {
        let check = |service: &str, host: &str, public: &[String], expected| {
            assert_eq!(is_label(service.as_bytes(), host.as_bytes(), public), expected, "{service} {host}");
        };
        check("127", "127.0.0.1:9180", &[], true);
        check("localhost:9180", "localhost:9180", &[], true);
        check("http://127", "http://127.0.0.1:9180", &[], true);
        check("calls", "127.0.0.1:9180", &["calls.example.com".to_owned()], true);
        check("calls", "127.0.0.1:9180", &[], false);
        check("", ".example.com", &[], false);
        check("", "", &[], false);
    }
}
