//! What a type cannot say about a setting.

use super::Settings;
use super::load::Loaded;
use super::origin::BadSetting;
use tiltyard_engine::depot::{Address, BadAddress};
use tiltyard_model::slug::is_slug;
use tiltyard_server::edge::proxy::Network;

type Rule = (&'static str, fn(&Settings) -> Result<(), String>);

/// Each rule with the key that it blames.
const RULES: &[Rule] = &[
    ("hosts", hosts),
    ("origins", origins),
    ("proxies", proxies),
    ("behind_proxy", behind_proxy),
    ("tls.cert", tls),
    ("tls.key", tls),
    ("shared.blobs", blobs),
    ("outgoing.allow", outgoing_allow),
    ("agent.name", agent_name),
    ("agent.server", agent_server),
];

/// Every rule that is broken.
pub(super) fn check(loaded: &Loaded) -> Vec<BadSetting> {
    let broken = RULES.iter().filter_map(|(path, rule)| {
        let message = format!("`{path}` {}", rule(&loaded.settings).err()?);
        Some(BadSetting { origin: loaded.origin(path), message })
    });
    // TLS is blamed on the half that was set.
    broken.filter(|bad| bad.origin != super::origin::Origin::Default).collect()
}

fn hosts(settings: &Settings) -> Result<(), String> {
    if settings.hosts.is_empty() {
        return Err("must name at least one host, or nobody gets in".to_owned());
    }
    match settings.hosts.iter().find(|host| host.is_empty() || host.contains(['/', '*', ' '])) {
        Some(host) => Err(format!("takes names such as example.org, no addresses or patterns: {host:?}")),
        None => Ok(()),
    }
}

fn origins(settings: &Settings) -> Result<(), String> {
    let fits = |origin: &String| {
        let rest = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://"));
        rest.is_some_and(|rest| !rest.is_empty() && !rest.contains(['/', '*', ' ']))
    };
    match settings.origins.iter().find(|origin| !fits(origin)) {
        Some(origin) => Err(format!("takes origins such as https://example.org:8470, never `*`: {origin:?}")),
        None => Ok(()),
    }
}

fn proxies(settings: &Settings) -> Result<(), String> {
    let bad = settings.proxies.iter().find_map(|text| text.parse::<Network>().err());
    bad.map_or(Ok(()), |bad| Err(format!("cannot be used: {bad}")))
}

fn outgoing_allow(settings: &Settings) -> Result<(), String> {
    let bad = settings.outgoing.allow.iter().find_map(|text| text.parse::<Network>().err());
    bad.map_or(Ok(()), |bad| Err(format!("cannot be used: {bad}")))
}

fn behind_proxy(settings: &Settings) -> Result<(), String> {
    if settings.behind_proxy && settings.proxies.is_empty() {
        return Err("needs the proxies named in `proxies`, or anybody could claim any address".to_owned());
    }
    Ok(())
}

fn tls(settings: &Settings) -> Result<(), String> {
    match (&settings.tls.cert, &settings.tls.key) {
        (Some(_), None) => Err("needs `tls.key` beside it".to_owned()),
        (None, Some(_)) => Err("needs `tls.cert` beside it".to_owned()),
        _ => Ok(()),
    }
}

fn blobs(settings: &Settings) -> Result<(), String> {
    let parse = |text: &String| text.parse().map(|_: Address| ()).map_err(|bad: BadAddress| bad.to_string());
    settings.shared.blobs.as_ref().map_or(Ok(()), parse)
}

fn agent_name(settings: &Settings) -> Result<(), String> {
    match &settings.agent.name {
        Some(name) if !is_slug(name) => {
            Err(format!("must be a slug, [a-z0-9][a-z0-9_-]{{0,63}}, not {name:?}"))
        }
        _ => Ok(()),
    }
}

fn agent_server(settings: &Settings) -> Result<(), String> {
    match &settings.agent.server {
        Some(url) if !url.starts_with("http://") && !url.starts_with("https://") => {
            Err(format!("must begin with http:// or https://, not {url:?}"))
        }
        _ => Ok(()),
    }
}
