//! The client's address behind proxies: `X-Forwarded-For` is believed only from proxies that are named.

use http::HeaderMap;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

/// The header that proxies add the address of their own peer to.
const FORWARDED_FOR: &str = "x-forwarded-for";

/// An address or a block of them, as a setting names it: `10.0.0.7` or `10.0.0.0/8`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    prefix_bits: u8,
}

/// Text that is no address and no block.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no network: write an address (10.0.0.7) or a block (10.0.0.0/8)")]
pub struct BadNetwork(String);

impl FromStr for Network {
    type Err = BadNetwork;

    fn from_str(text: &str) -> Result<Self, BadNetwork> {
        let bad = || BadNetwork(text.to_owned());
        let (address, prefix) =
            text.split_once('/').map_or((text, None), |(left, right)| (left, Some(right)));
        let address: IpAddr = address.parse().map_err(|_| bad())?;
        let width_bits = if address.is_ipv4() { 32 } else { 128 };
        let prefix_bits = prefix.map_or(Ok(width_bits), str::parse).map_err(|_| bad())?;
        if prefix_bits > width_bits { Err(bad()) } else { Ok(Self { address, prefix_bits }) }
    }
}

impl Network {
    /// Whether `address` lies in it; an IPv4 address written as IPv6 is the same address.
    pub fn holds(&self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(own), IpAddr::V4(other)) => same_prefix(
                u128::from(own.to_bits()) << 96,
                u128::from(other.to_bits()) << 96,
                self.prefix_bits,
            ),
            (IpAddr::V6(own), IpAddr::V6(other)) => {
                same_prefix(own.to_bits(), other.to_bits(), self.prefix_bits)
            }
            _ => false,
        }
    }
}

fn same_prefix(own: u128, other: u128, prefix_bits: u8) -> bool {
    prefix_bits == 0 || (own ^ other) >> (128 - u32::from(prefix_bits)) == 0
}

/// Who sent a request: the peer itself, or, when the peer is a named proxy, the right-most address of
/// `X-Forwarded-For` that is none. Everything left of that was written by a stranger and is not read.
pub fn client_address(peer: IpAddr, headers: &HeaderMap, proxies: &[Network]) -> IpAddr {
    let named = |address: IpAddr| proxies.iter().any(|proxy| proxy.holds(address));
    let mut client = peer.to_canonical();
    if proxies.is_empty() || !named(client) {
        return client;
    }
    for line in headers.get_all(FORWARDED_FOR).iter().rev() {
        for hop in line.to_str().unwrap_or("?").rsplit(',') {
            let Some(address) = parse_hop(hop.trim()) else { return client };
            client = address;
            if !named(client) {
                return client;
            }
        }
    }
    client
}

/// A hop as proxies write it: bare, with a port, or bracketed.
fn parse_hop(hop: &str) -> Option<IpAddr> {
    let bare = || hop.trim_start_matches('[').trim_end_matches(']').parse().ok();
    let with_port = || hop.parse::<SocketAddr>().ok().map(|socket| socket.ip());
    bare().or_else(with_port).map(|address: IpAddr| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(peer: &str, lines: &[&str], proxies: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(FORWARDED_FOR, line.parse().unwrap());
        }
        let proxies: Vec<_> = proxies.iter().map(|proxy| proxy.parse().unwrap()).collect();
        client_address(peer.parse().unwrap(), &headers, &proxies).to_string()
    }

    #[test]
    fn sec10_a_stranger_cannot_choose_its_address() {
        assert_eq!(client("203.0.113.9", &["10.0.0.1"], &["10.0.0.0/8"]), "203.0.113.9");
        assert_eq!(client("10.0.0.1", &["127.0.0.1"], &[]), "10.0.0.1");
        assert_eq!(client("10.0.0.1", &["127.0.0.1, 203.0.113.9"], &["10.0.0.0/8"]), "203.0.113.9");
    }

    #[test]
    fn sec10_the_right_most_address_that_is_no_proxy_counts() {
        let proxies = ["10.0.0.0/8", "::1", "2001:db8::/32"];
        assert_eq!(client("10.0.0.1", &["1.1.1.1, 203.0.113.9, 10.9.9.9"], &proxies), "203.0.113.9");
        assert_eq!(client("10.0.0.1", &["1.1.1.1, 203.0.113.9", "10.9.9.9"], &proxies), "203.0.113.9");
        assert_eq!(client("::ffff:10.0.0.1", &["203.0.113.9:4711"], &proxies), "203.0.113.9");
        assert_eq!(client("::1", &["[2001:4::7]:80, 2001:db8::5"], &proxies), "2001:4::7");
        assert_eq!(client("10.0.0.1", &["10.0.0.2"], &proxies), "10.0.0.2");
        assert_eq!(client("10.0.0.1", &[], &proxies), "10.0.0.1");
    }

    #[test]
    fn sec10_nonsense_ends_the_walk() {
        assert_eq!(client("10.0.0.1", &["203.0.113.9, unknown, 10.0.0.2"], &["10.0.0.0/8"]), "10.0.0.2");
        assert_eq!(client("10.0.0.1", &[""], &["10.0.0.0/8"]), "10.0.0.1");
    }

    #[test]
    fn a_network_is_an_address_or_a_block() {
        for bad in ["", "10.0.0.0/33", "proxy.example", "10.0.0.0/", "::/129"] {
            assert!(bad.parse::<Network>().is_err(), "{bad}");
        }
        assert!("0.0.0.0/0".parse::<Network>().unwrap().holds("203.0.113.9".parse().unwrap()));
        assert!(!"0.0.0.0/0".parse::<Network>().unwrap().holds("::1".parse().unwrap()));
    }
}
