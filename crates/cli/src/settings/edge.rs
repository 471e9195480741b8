//! The settings as the server's edge wants them, and whether a server may start with them (SEC2, SEC10).

use super::load::Loaded;
use super::origin::BadSetting;
use tiltyard_server::edge;
use tiltyard_server::edge::bind::{Admission, BindRefused, Binding, External, Front, permit};
use tiltyard_server::edge::host::Scheme;
use tiltyard_server::edge::place::BodyLimits;
use tiltyard_server::edge::proxy::Network;

/// The edge of a server with these settings.
///
/// # Errors
/// What keeps it from starting, blamed on the setting that causes it.
pub fn edge(loaded: &Loaded) -> Result<edge::Settings, BadSetting> {
    let proxies = proxies(loaded)?;
    let settings = &loaded.settings;
    permit(&binding(loaded, &proxies)).map_err(|refused| BadSetting {
        origin: loaded.origin(blamed(&refused)),
        message: refused.to_string(),
    })?;
    let scheme = match (settings.behind_proxy, &settings.tls.cert) {
        (true, _) => Scheme::Proxied,
        (false, Some(_)) => Scheme::Https,
        (false, None) => Scheme::Http,
    };
    Ok(edge::Settings {
        hosts: settings.hosts.clone(),
        origins: settings.origins.clone(),
        proxies: if settings.behind_proxy { proxies } else { Vec::new() },
        scheme,
        bodies: BodyLimits {
            body_bytes: settings.limits.body_bytes,
            batch_bytes: settings.limits.batch_body_bytes,
            artifact_bytes: settings.limits.artifact_bytes,
        },
        max_connections: settings.limits.connections as usize,
        max_connections_per_address: settings.limits.connections_per_address as usize,
        ..edge::Settings::default()
    })
}

fn proxies(loaded: &Loaded) -> Result<Vec<Network>, BadSetting> {
    networks(loaded, "proxies", &loaded.settings.proxies)
}

/// What runs may call besides public addresses (SEC15).
///
/// # Errors
/// What is no network, blamed on the setting.
pub fn outgoing_allow(loaded: &Loaded) -> Result<Vec<Network>, BadSetting> {
    networks(loaded, "outgoing.allow", &loaded.settings.outgoing.allow)
}

fn networks(loaded: &Loaded, path: &str, texts: &[String]) -> Result<Vec<Network>, BadSetting> {
    let networks: Result<Vec<_>, _> = texts.iter().map(|text| text.parse::<Network>()).collect();
    networks.map_err(|bad| BadSetting { origin: loaded.origin(path), message: format!("`{path}`: {bad}") })
}

fn binding<'a>(loaded: &Loaded, proxies: &'a [Network]) -> Binding<'a> {
    let settings = &loaded.settings;
    let front = match (settings.behind_proxy, &settings.tls.cert) {
        (true, _) => Front::Proxy(proxies),
        (false, Some(_)) => Front::Tls,
        (false, None) => Front::Plain,
    };
    Binding {
        address: settings.listen,
        external: if settings.allow_external_bind { External::Allowed } else { External::Forbidden },
        front,
        admission: if settings.no_auth { Admission::Everyone } else { Admission::Tokens },
    }
}

const fn blamed(refused: &BindRefused) -> &'static str {
    match refused {
        BindRefused::NotAllowed(_) | BindRefused::Unprotected(_) => "listen",
        BindRefused::ProxyUnnamed(_) => "behind_proxy",
        BindRefused::OpenToAll(_) => "no_auth",
    }
}
