//! What is kept of the addresses of people.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::records::{Attr, Event, Kind};

/// The setting `privacy.client_ip`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ClientIpPolicy {
    /// As reported.
    #[default]
    Keep,
    /// IPv4 without the last octet, IPv6 to /48; what is no address is dropped.
    Mask,
    /// Not at all.
    Drop,
}

impl ClientIpPolicy {
    /// Applies the policy to an event. Every event passes here before it leaves this module.
    pub(super) fn apply(self, event: &mut Event) {
        if self == ClientIpPolicy::Keep {
            return;
        }
        // Nobody knows where in it an address stands.
        if let Kind::Unknown { raw, .. } = &mut event.kind {
            raw.clear();
        }
        let Some(address) = event.attrs.remove(&Attr::ClientIp) else { return };
        if self == ClientIpPolicy::Mask
            && let Some(masked) = masked(&address)
        {
            event.attrs.insert(Attr::ClientIp, masked);
        }
    }
}

/// The network of an address. A port goes too, since with a time it can name a person behind a shared
/// address.
fn masked(address: &str) -> Option<String> {
    let address = address.trim();
    let ip: IpAddr = match address.parse() {
        Ok(ip) => ip,
        Err(_) => address.parse::<SocketAddr>().ok()?.ip(),
    };
    Some(match ip.to_canonical() {
        IpAddr::V4(ip) => {
            let [a, b, c, _] = ip.octets();
            Ipv4Addr::new(a, b, c, 0).to_string()
        }
        IpAddr::V6(ip) => {
            let [a, b, c, ..] = ip.segments();
            Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0).to_string()
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::{AppId, Millis};

    #[test]
    fn addresses_are_kept_masked_or_dropped() {
        let check = |policy: ClientIpPolicy, address: &str, expected: Option<&str>| {
            let mut event = Event::new(AppId(1), "events", "r", "u", Kind::UserJoined, Millis(0));
            event.attrs.insert(Attr::ClientIp, address.to_owned());
            event.attrs.insert(Attr::Os, "Linux".to_owned());
            policy.apply(&mut event);
            assert_eq!(
                event.attrs.get(&Attr::ClientIp).map(String::as_str),
                expected,
                "{policy:?} {address}"
            );
            assert_eq!(event.attrs.get(&Attr::Os).map(String::as_str), Some("Linux"));
        };
        check(ClientIpPolicy::Keep, "anything", Some("anything"));
        check(ClientIpPolicy::Mask, "10.4.1.13", Some("10.4.1.0"));
        check(ClientIpPolicy::Mask, "10.4.1.13:4711", Some("10.4.1.0"));
        check(ClientIpPolicy::Mask, "2001:db8:1:2:3:4:5:6", Some("2001:db8:1::"));
        check(ClientIpPolicy::Mask, "[2001:db8:1:2::1]:443", Some("2001:db8:1::"));
        check(ClientIpPolicy::Mask, "::ffff:203.0.113.9", Some("203.0.113.0"));
        check(ClientIpPolicy::Mask, "alice's laptop", None);
        check(ClientIpPolicy::Drop, "10.4.1.13", None);
    }
}
