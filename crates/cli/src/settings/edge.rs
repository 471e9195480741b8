//! Closed by default: which addresses a server may bind, and when it may do without tokens (SEC2, SEC10).

use super::load::Loaded;
use super::origin::{BadSetting, BadSettings};

/// Whether a server may start with these settings.
///
/// # Errors
/// Each refusal with the setting that causes it and what to do.
pub fn check(loaded: &Loaded) -> Result<(), BadSettings> {
    let bad: Vec<BadSetting> =
        [proxies(loaded), bind(loaded), no_auth(loaded)].into_iter().flatten().collect();
    if bad.is_empty() { Ok(()) } else { Err(BadSettings(bad)) }
}

fn refuse(loaded: &Loaded, path: &str, message: &str) -> Option<BadSetting> {
    Some(BadSetting { origin: loaded.origin(path), message: format!("`{path}` {message}") })
}

fn proxies(loaded: &Loaded) -> Option<BadSetting> {
    let settings = &loaded.settings;
    if !settings.behind_proxy || !settings.proxies.is_empty() {
        return None;
    }
    refuse(
        loaded,
        "behind_proxy",
        "needs the addresses of the proxies in `proxies`, or anybody could claim any address",
    )
}

fn bind(loaded: &Loaded) -> Option<BadSetting> {
    let settings = &loaded.settings;
    if settings.listen.ip().is_loopback() {
        return None;
    }
    if !settings.allow_external_bind {
        return refuse(loaded, "listen", "is not on loopback: set `allow_external_bind = true` to mean it");
    }
    if settings.tls.cert.is_none() && !settings.behind_proxy {
        let message = "is not on loopback, so tokens would cross the network in clear text: set `tls.cert` and \
                       `tls.key`, or `behind_proxy` with `proxies`";
        return refuse(loaded, "listen", message);
    }
    None
}

fn no_auth(loaded: &Loaded) -> Option<BadSetting> {
    let settings = &loaded.settings;
    if !settings.no_auth || (settings.listen.ip().is_loopback() && !settings.behind_proxy) {
        return None;
    }
    refuse(loaded, "no_auth", "works only on loopback and never behind a proxy")
}
