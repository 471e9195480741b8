//! The settings as a server wants them.

use super::edge::{edge, outgoing_allow};
use super::environment::Environment;
use super::load::Loaded;
use super::name::host_name;
use super::store::Store;
use super::{Durability, QueryTokens, Settings};
use crate::exit::Failure;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use tiltyard_engine::depot::BadAddress;
use tiltyard_engine::{Bytes, Durability as Keeping, Options, Sharing};
use tiltyard_server::edge::bind::External;
use tiltyard_server::edge::tls::acceptor;
use tiltyard_server::{Door, QueryTokens as Where, ServeOptions};

/// A server with these settings.
///
/// # Errors
/// What keeps it from starting: an address that SEC10 refuses, certificates that cannot be read, an `ADMIN_TOKEN`
/// that is too short.
pub fn serve_options(loaded: &Loaded, environment: &Environment) -> Result<ServeOptions, Failure> {
    let edge = edge(loaded)?;
    let settings = &loaded.settings;
    let engine = Options {
        durability: match settings.durability {
            Durability::Full => Keeping::Full,
            Durability::Relaxed => Keeping::Relaxed,
        },
        max_queued: settings.limits.queued_intents as usize,
        sharing: sharing(settings),
        bytes: bytes(settings, environment)?,
        ..Options::new(&settings.data)
    };
    let tls = match (&settings.tls.cert, &settings.tls.key) {
        (Some(cert), Some(key)) => {
            let files = acceptor(&environment.absolute(cert), &environment.absolute(key));
            Some(files.map_err(|error| Failure::usage(error.to_string()))?)
        }
        _ => None,
    };
    Ok(ServeOptions {
        engine,
        listen: settings.listen,
        external: if settings.allow_external_bind { External::Allowed } else { External::Forbidden },
        behind_proxy: settings.behind_proxy,
        tls,
        edge,
        door: if settings.no_auth { Door::Open } else { Door::Tokens },
        query_tokens: match settings.query_tokens {
            QueryTokens::Off => Where::Off,
            QueryTokens::Loopback => Where::Loopback,
            QueryTokens::On => Where::On,
        },
        admin_token: environment.admin_token()?,
        outgoing_allow: outgoing_allow(loaded)?,
        default_lease_ms: i64::try_from(settings.leases.default_ms).unwrap_or(i64::MAX),
        ..ServeOptions::new(&settings.data)
    })
}

/// Where artifacts and logs lie. What reaches a bucket is never written into a file of settings.
fn bytes(settings: &Settings, environment: &Environment) -> Result<Bytes, Failure> {
    let Some(text) = &settings.shared.blobs else { return Ok(Bytes::default()) };
    let address = text.parse().map_err(|bad: BadAddress| Failure::usage(format!("`shared.blobs` {bad}")))?;
    let access =
        environment.with_prefix("AWS_").map(|(name, value)| (name.to_owned(), value.to_owned().into()));
    Ok(Bytes { address, access: access.collect() })
}

/// How the store is shared; `None` for an embedded one.
fn sharing(settings: &Settings) -> Option<Sharing> {
    let Store::Shared(store) = &settings.store else { return None };
    let own = || format!("{}-{}", host_name(), std::process::id());
    Some(Sharing {
        url: store.expose().clone(),
        name: settings.shared.name.clone().unwrap_or_else(own),
        // The port may be one that is picked.
        address: String::new(),
        poll_only: settings.shared.poll_only,
    })
}

/// Where people and programs of this machine call a server that answers at `address`: by a name that it listens to
/// (SEC11), loopback first.
pub fn url(settings: &Settings, address: SocketAddr) -> String {
    let scheme = if settings.tls.cert.is_some() { "https" } else { "http" };
    let named = |name: &str| settings.hosts.iter().any(|host| host.eq_ignore_ascii_case(name));
    let own = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.to_string(),
        IpAddr::V6(ip) if ip.is_unspecified() => format!("[{}]", Ipv6Addr::LOCALHOST),
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => format!("[{ip}]"),
    };
    let first = || settings.hosts.first().cloned().unwrap_or_else(|| own.clone());
    let host = if named(&own) {
        own.clone()
    } else if named("localhost") {
        "localhost".to_owned()
    } else {
        first()
    };
    format!("{scheme}://{host}:{}", address.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(address: &str, hosts: &[&str]) -> String {
        let mut settings = Settings::default();
        if !hosts.is_empty() {
            settings.hosts = hosts.iter().map(|host| (*host).to_owned()).collect();
        }
        url(&settings, address.parse().expect("an address"))
    }

    // SEC11: a server is called by a name that it answers to.
    #[test]
    fn sec11_the_printed_address_is_one_that_is_let_in() {
        assert_eq!(at("127.0.0.1:8470", &[]), "http://127.0.0.1:8470");
        assert_eq!(at("[::1]:1", &[]), "http://[::1]:1");
        assert_eq!(at("0.0.0.0:1", &[]), "http://127.0.0.1:1");
        assert_eq!(at("0.0.0.0:1", &["tilt.example", "LOCALHOST"]), "http://localhost:1");
        assert_eq!(at("192.0.2.7:1", &["tilt.example"]), "http://tilt.example:1");
    }
}
