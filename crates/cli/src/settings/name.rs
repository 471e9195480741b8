//! The name of the agent of this machine.

use super::Agent;
use tiltyard_model::slug::is_slug;

/// Longest slug in characters.
const MAX_SLUG_CHARS: usize = 64;
/// The name where the machine has none that could be one.
const NAMELESS: &str = "agent";

/// The name that is set, else the machine's host name as a slug.
pub fn agent_name(settings: &Agent) -> String {
    settings.name.clone().unwrap_or_else(|| slug_of(&host_name()))
}

/// The machine's host name.
pub fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// `Ada's-Laptop.local` is `ada-s-laptop`.
fn slug_of(host: &str) -> String {
    let short = host.split('.').next().unwrap_or_default().to_ascii_lowercase();
    let fits = |letter: char| if letter.is_ascii_alphanumeric() || letter == '_' { letter } else { '-' };
    let slug: String = short.chars().map(fits).take(MAX_SLUG_CHARS).collect();
    let slug = slug.trim_matches(['-', '_']);
    if is_slug(slug) { slug.to_owned() } else { NAMELESS.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    // D30: an agent is known by its name, which is a slug.
    #[test]
    fn d30_a_host_name_becomes_a_slug() {
        for (host, slug) in [
            ("build-7.example.org", "build-7"),
            ("Ada's-Laptop.local", "ada-s-laptop"),
            ("-", "agent"),
            ("", "agent"),
            ("ärger", "rger"),
        ] {
            assert_eq!(slug_of(host), slug, "{host}");
        }
        assert_eq!(slug_of(&"x".repeat(100)).len(), MAX_SLUG_CHARS);
        let named = Agent { name: Some("forge".to_owned()), ..Agent::default() };
        assert_eq!(agent_name(&named), "forge");
        assert!(is_slug(&agent_name(&Agent::default())));
    }
}
