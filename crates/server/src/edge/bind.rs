//! Which addresses may be listened on (SEC10): loopback; anything else only as the operator says twice.

use crate::edge::proxy::Network;
use std::net::SocketAddr;

/// How requests from outside are protected on their way to the listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Front<'a> {
    /// Plain HTTP, straight from the client.
    Plain,
    /// TLS by this server.
    Tls,
    /// Proxies in front of it (`behind_proxy`), which are named.
    Proxy(&'a [Network]),
}

/// Whether callers must show who they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// A token for every call.
    Tokens,
    /// `--no-auth`: whoever reaches the socket is admin.
    Everyone,
}

/// Whether the operator allows addresses that other machines reach (`allow_external_bind`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum External {
    /// No: loopback only.
    Forbidden,
    /// Yes, when it is protected.
    Allowed,
}

/// An address to listen on and what the settings say about it.
#[derive(Debug, Clone, Copy)]
pub struct Binding<'a> {
    /// The address.
    pub address: SocketAddr,
    /// `allow_external_bind`.
    pub external: External,
    /// TLS, proxy or nothing.
    pub front: Front<'a>,
    /// Tokens or `--no-auth`.
    pub admission: Admission,
}

/// Why the server does not start on an address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BindRefused {
    /// Not loopback, and nobody allowed it.
    #[error(
        "refusing to listen on {0}: other machines can reach that address. Listen on 127.0.0.1, or set \
         allow_external_bind = true together with tls.cert and tls.key (or with behind_proxy = true and \
         the proxies named in proxies)"
    )]
    NotAllowed(SocketAddr),
    /// Allowed, but tokens would cross the network in the clear.
    #[error(
        "refusing to listen on {0} without TLS: tokens would cross the network in the clear. Set \
         tls.cert and tls.key, or put a proxy in front and set behind_proxy = true and proxies"
    )]
    Unprotected(SocketAddr),
    /// Behind a proxy that nobody named, so that anyone could pose as it.
    #[error(
        "refusing to listen on {0} behind a proxy that is not named: name its address or block in proxies, for \
         example proxies = [\"10.0.0.7\"]"
    )]
    ProxyUnnamed(SocketAddr),
    /// No tokens, and reachable by others.
    #[error(
        "refusing to listen on {0} with --no-auth: everyone who reaches it would be admin. --no-auth works only \
         on loopback and never behind a proxy; leave it out, or listen on 127.0.0.1"
    )]
    OpenToAll(SocketAddr),
}

/// Whether `binding` may be listened on, and if not, why and what to do.
///
/// # Errors
/// One [`BindRefused`], the first that applies.
pub fn permit(binding: &Binding<'_>) -> Result<(), BindRefused> {
    let address = binding.address;
    let loopback = address.ip().to_canonical().is_loopback();
    let proxied = matches!(binding.front, Front::Proxy(_));
    if binding.admission == Admission::Everyone && (!loopback || proxied) {
        return Err(BindRefused::OpenToAll(address));
    }
    if loopback {
        return Ok(());
    }
    match (binding.external, binding.front) {
        (External::Forbidden, _) => Err(BindRefused::NotAllowed(address)),
        (External::Allowed, Front::Plain) => Err(BindRefused::Unprotected(address)),
        (External::Allowed, Front::Proxy([])) => Err(BindRefused::ProxyUnnamed(address)),
        (External::Allowed, Front::Tls | Front::Proxy(_)) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn binding<'a>(address: &str, external: External, front: Front<'a>) -> Binding<'a> {
        Binding { address: address.parse().unwrap(), external, front, admission: Admission::Tokens }
    }

    #[test]
    fn sec10_loopback_is_always_allowed() {
        for address in ["127.0.0.1:8470", "127.9.9.9:0", "[::1]:1", "[::ffff:127.0.0.1]:1"] {
            assert_eq!(permit(&binding(address, External::Forbidden, Front::Plain)), Ok(()), "{address}");
        }
    }

    #[test]
    fn sec10_another_address_needs_leave_and_protection() {
        let named = ["10.0.0.7".parse().unwrap()];
        for address in ["0.0.0.0:8470", "192.0.2.1:80", "[::]:80", "[2001:db8::1]:443"] {
            let socket = address.parse().unwrap();
            let verdict = |external, front| permit(&binding(address, external, front));
            assert_eq!(verdict(External::Forbidden, Front::Tls), Err(BindRefused::NotAllowed(socket)));
            assert_eq!(verdict(External::Forbidden, Front::Plain), Err(BindRefused::NotAllowed(socket)));
            assert_eq!(verdict(External::Allowed, Front::Plain), Err(BindRefused::Unprotected(socket)));
            assert_eq!(verdict(External::Allowed, Front::Proxy(&[])), Err(BindRefused::ProxyUnnamed(socket)));
            assert_eq!(verdict(External::Allowed, Front::Tls), Ok(()));
            assert_eq!(verdict(External::Allowed, Front::Proxy(&named)), Ok(()));
        }
    }

    #[test]
    fn sec2_no_auth_only_on_loopback_and_never_behind_a_proxy() {
        let open = |address, front| {
            permit(&Binding { admission: Admission::Everyone, ..binding(address, External::Allowed, front) })
        };
        assert_eq!(open("127.0.0.1:1", Front::Plain), Ok(()));
        assert!(matches!(open("0.0.0.0:1", Front::Tls), Err(BindRefused::OpenToAll(_))));
        let named = ["127.0.0.1".parse().unwrap()];
        assert!(matches!(open("127.0.0.1:1", Front::Proxy(&named)), Err(BindRefused::OpenToAll(_))));
    }

    #[test]
    fn sec10_a_refusal_says_what_to_do() {
        let said = permit(&binding("0.0.0.0:1", External::Forbidden, Front::Plain)).unwrap_err().to_string();
        assert!(said.contains("allow_external_bind") && said.contains("127.0.0.1"), "{said}");
    }
}
