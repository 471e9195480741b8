//! Which addresses may be called (SEC15): those that everybody reaches, and those that a setting names.

use super::literal;
use super::resolve::Refused;
use crate::edge::proxy::Network;
use reqwest::Url;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use tiltyard_engine::outgoing::CallError;

/// Which addresses may be called. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Guard {
    allow: Arc<[Network]>,
}

impl Guard {
    /// Public addresses, and besides them these (the setting `outgoing.allow`).
    pub fn new(allow: impl Into<Arc<[Network]>>) -> Self {
        Self { allow: allow.into() }
    }

    /// Whether this address may be called.
    pub fn admits(&self, address: IpAddr) -> bool {
        self.allow.iter().any(|network| network.holds(address)) || is_public(address.to_canonical())
    }

    /// Judges what a url says by itself. A name is judged when it has been looked up.
    pub(super) fn check(&self, url: &Url) -> Result<(), CallError> {
        if !matches!(url.scheme(), "http" | "https") {
            let said = format!("only http:// and https:// are called, not {}:", url.scheme());
            return Err(CallError::lasting(said));
        }
        if !url.username().is_empty() || url.password().is_some() {
            let said = "the url holds a user or a password: put them into the header `authorization`";
            return Err(CallError::lasting(said));
        }
        match literal(url).filter(|address| !self.admits(*address)) {
            Some(address) => {
                Err(CallError::lasting(Refused::new(&address.to_string(), &[address]).to_string()))
            }
            None => Ok(()),
        }
    }
}

fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

/// Whether an address is one of the open internet's (IANA's registry of special addresses).
fn is_public_v4(address: Ipv4Addr) -> bool {
    let [first, second, third, _] = address.octets();
    let special = match (first, second, third) {
        // This network, loopback, multicast, reserved, broadcast.
        (0 | 127 | 224.., ..) => true,
        // Carriers' own, protocol assignments, relays, benchmarks.
        (100, 64..=127, _) | (192, 0, 0) | (192, 88, 99) | (198, 18 | 19, _) => true,
        _ => address.is_private() || address.is_link_local() || address.is_documentation(),
    };
    !special
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    match address.segments() {
        // An IPv4 address in disguise: behind NAT64, and 6to4.
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] => is_public_v4(v4(high, low)),
        // Protocol assignments (Teredo among them), documentation.
        [0x2001, 0..=0x1ff | 0xdb8, ..] | [0x3fff, 0..=0xfff, ..] => false,
        // Of all others, only global unicast: neither loopback, nor link-local, nor unique local.
        [first, ..] => first & 0xe000 == 0x2000,
    }
}

const fn v4(high: u16, low: u16) -> Ipv4Addr {
    let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
    Ipv4Addr::new(a, b, c, d)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guard(allow: &[&str]) -> Guard {
        Guard::new(allow.iter().map(|text| text.parse().unwrap()).collect::<Vec<_>>())
    }

    // SEC15: loopback, link-local and private addresses are refused, however they are written.
    #[test]
    fn sec15_only_public_addresses_are_called() {
        let closed = [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "100.64.0.1",
            "127.0.0.1",
            "127.9.9.9",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.8",
            "192.0.2.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.51.100.7",
            "203.0.113.9",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::7f00:1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "64:ff9b::a00:1",
            "64:ff9b:1::1",
            "100::1",
            "2001::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "2002:a9fe:a9fe::",
            "3fff::1",
            "fc00::1",
            "fd12:3456::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ];
        for text in closed {
            assert!(!guard(&[]).admits(text.parse().unwrap()), "{text}");
        }
        let open = [
            "1.1.1.1",
            "8.8.8.8",
            "100.128.0.1",
            "172.32.0.1",
            "2606:4700::1",
            "2001:4860::8888",
            "64:ff9b::808:808",
        ];
        for text in open {
            assert!(guard(&[]).admits(text.parse().unwrap()), "{text}");
        }
    }

    #[test]
    fn sec15_a_setting_opens_what_it_names_and_no_more() {
        let own = guard(&["10.1.0.0/16", "::1"]);
        let admits = |text: &str| own.admits(text.parse().unwrap());
        assert!(admits("10.1.2.3") && admits("::ffff:10.1.2.3") && admits("::1"));
        assert!(!admits("10.2.0.1") && !admits("127.0.0.1") && !admits("169.254.169.254"));
    }

    #[test]
    fn sec15_a_url_is_judged_by_what_it_says() {
        let check = |url: &str| guard(&[]).check(&Url::parse(url).unwrap()).map_err(|error| error.text);
        for url in [
            "http://127.1/",
            "http://0x7f000001/",
            "http://2130706433/",
            "http://[::1]:80/",
            "http://0/",
            "http://127.0.0.1./",
        ] {
            assert!(check(url).unwrap_err().contains("outgoing.allow"), "{url}");
        }
        assert!(check("ftp://1.1.1.1/").unwrap_err().contains("https://"));
        assert!(check("http://me:secret@1.1.1.1/").unwrap_err().contains("authorization"));
        assert_eq!((check("https://1.1.1.1/"), check("http://localhost/")), (Ok(()), Ok(())));
    }
}
