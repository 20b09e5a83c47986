//! Who is on the other side: an address, or, behind a proxy that is trusted, the one for which it speaks.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use hyper::header::{AUTHORIZATION, HeaderMap, HeaderName};
use hyper::{Request, StatusCode};

use super::{Reply, Server, failure};
use crate::clock;
use crate::config::Network;
use crate::limits::{Attempts, Current, From, Secret};

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
/// The door of the metrics, for [`From`].
const METRICS: &str = "metrics";

/// What settings say about who may come, beside keys and applications.
#[derive(Debug, Default)]
pub struct Gate {
    /// Proxies that are believed.
    pub trusted_proxies: Vec<Network>,
    /// What shows that somebody may read the metrics from elsewhere.
    pub metrics_token: Option<Secret>,
    /// Failed proofs from one address in a minute; 0: any number.
    pub failed_attempts_per_minute: u32,
}

/// The gate of a server.
pub(super) struct Watch {
    gate: Current<Gate>,
    attempts: Attempts,
}

/// Who sent a request, as far as the connection tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Client {
    pub(super) address: IpAddr,
    /// It is on this machine, and speaks for itself.
    pub(super) is_local: bool,
}

impl Watch {
    pub(super) fn new(gate: Gate, seed: [u8; 16]) -> Watch {
        let attempts = Attempts::new(seed, gate.failed_attempts_per_minute);
        Watch { gate: Current::new(gate), attempts }
    }

    pub(super) fn set(&self, gate: Gate) {
        self.attempts.allow(gate.failed_attempts_per_minute);
        self.gate.set(gate);
    }

    /// Who is behind a connection from `peer`.
    pub(super) fn client(&self, peer: IpAddr, headers: &HeaderMap) -> Client {
        let peer = peer.to_canonical();
        if !headers.keys().any(is_of_proxy) {
            return Client { address: peer, is_local: peer.is_loopback() };
        }
        let gate = self.gate.get();
        let is_trusted = |address: IpAddr| gate.trusted_proxies.iter().any(|one| one.contains(address));
        if !is_trusted(peer) {
            return Client { address: peer, is_local: false };
        }
        // Each proxy adds at the end whom it speaks for; what stands before the last that is trusted, anybody could say.
        let mut said: Vec<&str> = Vec::new();
        for value in headers.get_all(FORWARDED_FOR) {
            said.extend(value.to_str().unwrap_or_default().split(','));
        }
        let mut address = peer;
        for text in said.into_iter().rev() {
            let Some(before) = address_of(text.trim()) else { break };
            address = before;
            if !is_trusted(before) {
                break;
            }
        }
        Client { address, is_local: false }
    }

    /// What its failures are counted by. Of this machine's none are counted: who is on it has other ways.
    pub(super) fn from(&self, client: Client) -> From<'_> {
        if client.is_local {
            return From::ANYBODY;
        }
        // The server's own clock may stand still, and then a minute would never end.
        let minute = clock::monotonic().as_secs() / 60;
        From { attempts: Some(&self.attempts), address: neighbourhood(client.address), minute }
    }
}

impl<S> Server<S> {
    /// Refuses metrics to who may not read them.
    pub(super) fn refuse_metrics<B>(&self, peer: IpAddr, request: &Request<B>) -> Option<Reply> {
        let client = self.watch.client(peer, request.headers());
        let gate = self.watch.gate.get();
        let shown = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let token = shown.and_then(|value| value.trim().split_once(' '));
        let token =
            token.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer")).map(|(_, token)| token.trim());
        match (token, &gate.metrics_token) {
            (Some(token), right) => {
                let from = self.watch.from(client);
                if !from.may_try(METRICS, token.as_bytes()) {
                    return Some(failure(
                        StatusCode::TOO_MANY_REQUESTS,
                        "too many wrong tokens from this address",
                    ));
                }
                if right.as_ref().is_some_and(|right| right.matches(token.as_bytes())) {
                    from.succeeded(METRICS, token.as_bytes());
                    return None;
                }
                from.failed();
            }
            (None, _) if client.is_local => return None,
            (None, _) => {}
        }
        Some(failure(StatusCode::UNAUTHORIZED, "expected `Authorization: Bearer <metrics_token>`"))
    }
}

/// Whether a proxy says by a header of this name that it passes something on.
fn is_of_proxy(name: &HeaderName) -> bool {
    matches!(name.as_str(), "forwarded" | "x-forwarded-for" | "x-forwarded-host" | "x-real-ip" | "via")
}

/// An address, with or without a port.
fn address_of(text: &str) -> Option<IpAddr> {
    let address = text.parse().or_else(|_| text.parse().map(|whole: SocketAddr| whole.ip()));
    address.ok().map(|address: IpAddr| address.to_canonical())
}

/// What counts as one address: of IPv6 the first half, since the other half is anybody's to choose.
fn neighbourhood(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().to_bits(),
        IpAddr::V6(address) => Ipv6Addr::to_bits(address) & !u128::from(u64::MAX),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn watch(trusted: &[&str]) -> Watch {
        let trusted_proxies = trusted.iter().filter_map(|text| Network::from_text(text)).collect();
        Watch::new(Gate { trusted_proxies, failed_attempts_per_minute: 1, ..Gate::default() }, [1; 16])
    }

    #[test]
    fn only_a_trusted_proxy_is_believed() {
        let watch = watch(&["10.0.0.0/8", "127.0.0.1", "2001:db8::/32"]);
        let check = |peer: &str, headers: &[(&str, &str)], address: &str, is_local| {
            let mut map = HeaderMap::new();
            for (name, value) in headers {
                let name = HeaderName::from_bytes(name.as_bytes()).expect("a name");
                map.append(name, value.parse().expect("a value"));
            }
            let client = watch.client(peer.parse().expect("an address"), &map);
            let address = address.parse().expect("an address");
            assert_eq!(client, Client { address, is_local }, "{peer} {headers:?}");
        };
        const FOR: &str = "X-Forwarded-For";
        check("203.0.113.1", &[], "203.0.113.1", false);
        check("127.0.0.1", &[], "127.0.0.1", true);
        check("::ffff:127.0.0.1", &[], "127.0.0.1", true);
        check("203.0.113.1", &[(FOR, "198.51.100.1")], "203.0.113.1", false);
        check("10.0.0.1", &[(FOR, "198.51.100.1")], "198.51.100.1", false);
        check("10.0.0.1", &[(FOR, "127.0.0.1, 198.51.100.1:443")], "198.51.100.1", false);
        check("10.0.0.1", &[(FOR, "8.8.8.8, 198.51.100.1, 10.9.9.9")], "198.51.100.1", false);
        check("10.0.0.1", &[(FOR, "8.8.8.8"), (FOR, "198.51.100.1")], "198.51.100.1", false);
        check("2001:db8::1", &[(FOR, "[2001:db9::7]:80")], "2001:db9::7", false);
        for nothing in ["", "unknown", "1.2.3.4.5"] {
            check("10.0.0.1", &[(FOR, nothing)], "10.0.0.1", false);
        }
        check("127.0.0.1", &[("Via", "1.1 proxy")], "127.0.0.1", false);
    }

    #[test]
    fn this_machine_is_not_counted_and_a_network_of_ipv6_is_one_address() {
        let watch = watch(&[]);
        let client = |address: &str| watch.client(address.parse().expect("an address"), &HeaderMap::new());
        for address in ["127.0.0.1", "::1"] {
            watch.from(client(address)).failed();
            assert!(watch.from(client(address)).may_try("api", b"x"));
        }
        watch.from(client("2001:db8::1")).failed();
        assert!(!watch.from(client("2001:db8::ffff:1")).may_try("api", b"x"));
        assert!(watch.from(client("2001:db8:0:1::1")).may_try("api", b"x"));
    }
}
