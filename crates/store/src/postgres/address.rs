//! Where a shared store is: the address as people write it, and what of it the driver does not know.

use super::tls::{Tls, Trust};
use crate::error::{Error, Result};
use std::time::Duration;
use tokio_postgres::Config;
use tokio_postgres::config::TargetSessionAttrs;

/// How long one host may take to take the call.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// After so long without an answer to what was sent, a connection is given up.
const USER_TIMEOUT: Duration = Duration::from_secs(8);
/// After so long without a word the network is asked whether the other side is still there.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(5);
/// How often it is asked again.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(2);
/// How many of these may stay without an answer.
const KEEPALIVE_RETRIES: u32 = 3;

/// An address, understood.
pub(super) struct Address {
    /// One for each host.
    pub(super) hosts: Vec<Config>,
    pub(super) tls: Tls,
}

impl Address {
    /// Reads `postgres://…`. The text may hold a password and is never repeated in an error.
    pub(super) fn parse(url: &str) -> Result<Self> {
        let (plain, trust) = understand(url)?;
        let refused = |error: tokio_postgres::Error| {
            let text = "the address of the store cannot be read, it should be like";
            Error::Locked(format!(
                "{text} postgres://user:password@host:5432/database?sslmode=require: {error}"
            ))
        };
        let hosts = each_host(&plain).into_iter().map(|one| one.parse().map_err(refused).and_then(host));
        Ok(Self { hosts: hosts.collect::<Result<_>>()?, tls: Tls::new(&trust)? })
    }
}

/// What the address leaves open.
fn host(mut config: Config) -> Result<Config> {
    if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
        return Err(Error::Locked("the address of the store names no host".to_owned()));
    }
    if config.get_application_name().is_none() {
        config.application_name("tiltyard");
    }
    if config.get_connect_timeout().is_none() {
        config.connect_timeout(CONNECT_TIMEOUT);
    }
    config.target_session_attrs(TargetSessionAttrs::ReadWrite);
    config.tcp_user_timeout(USER_TIMEOUT).keepalives(true).keepalives_idle(KEEPALIVE_IDLE);
    config.keepalives_interval(KEEPALIVE_INTERVAL).keepalives_retries(KEEPALIVE_RETRIES);
    Ok(config)
}

/// The address once for each host that stands in it.
fn each_host(url: &str) -> Vec<String> {
    let Some((scheme, rest)) = url.split_once("://") else { return vec![url.to_owned()] };
    let (place, tail) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    let (user, hosts) = place.split_at(place.rfind('@').map_or(0, |at| at + 1));
    hosts.split(',').map(|host| format!("{scheme}://{user}{host}{tail}")).collect()
}

/// The address without what the driver does not know, and whom to trust. `sslmode=require` looks at the certificate here:
/// a connection that anybody can stand in the middle of is not what it asks for.
fn understand(url: &str) -> Result<(String, Trust)> {
    let (base, query) = url.split_once('?').unwrap_or((url, ""));
    let (mut kept, mut mode, mut roots) = (Vec::new(), "prefer", None);
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        match pair.split_once('=') {
            Some(("sslmode", value)) => mode = value,
            Some(("sslrootcert", value)) => roots = Some(value.replace("%2F", "/").replace("%2f", "/")),
            _ => kept.push(pair),
        }
    }
    let (mode, trust) = match (mode, roots) {
        ("disable", _) => ("disable", Trust::Anybody),
        ("allow" | "prefer", None) => ("prefer", Trust::Anybody),
        ("allow" | "prefer", Some(path)) => ("prefer", Trust::File(path.into())),
        ("require" | "verify-ca" | "verify-full", None) => ("require", Trust::System),
        ("require" | "verify-ca" | "verify-full", Some(path)) => ("require", Trust::File(path.into())),
        _ => return Err(Error::Locked("sslmode is disable, prefer, require or verify-full".to_owned())),
    };
    let mode = format!("sslmode={mode}");
    kept.push(&mode);
    Ok((format!("{base}?{}", kept.join("&")), trust))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn o16_an_address_names_hosts_and_trust() {
        let url = "postgres://u:p@a:1,b:2/d?sslmode=verify-full&sslrootcert=%2Fx.pem&application_name=t";
        let (plain, trust) = understand(url).expect("is understood");
        assert_eq!(plain, "postgres://u:p@a:1,b:2/d?application_name=t&sslmode=require");
        assert_eq!(trust, Trust::File("/x.pem".into()));
        let Ok(two) = Address::parse("postgres://u@a:1,b:2/d") else { panic!("it is one") };
        let ports: Vec<&[u16]> = two.hosts.iter().map(Config::get_ports).collect();
        assert_eq!(ports, [[1], [2]]);
        for wrong in ["postgres://u@h/d?sslmode=maybe", "postgres://u@h:x/d", "postgres:///d"] {
            assert!(matches!(Address::parse(wrong), Err(Error::Locked(_))), "{wrong}");
        }
    }

    // SEC: an error is written to logs; a password is not.
    #[test]
    fn an_error_repeats_no_password() {
        let error = Address::parse("postgres://u:geheim@h:port/d").err().expect("is refused");
        assert!(!error.to_string().contains("geheim"), "{error}");
    }
}
