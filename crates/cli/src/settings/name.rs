//! The name of the agent of this machine.

use super::Agent;
use tiltyard_model::slug::{MAX_SLUG_CHARS, slugify};

/// The name that is set, else the machine's host name as a slug.
pub fn agent_name(settings: &Agent) -> String {
    settings.name.clone().unwrap_or_else(|| slugify(&host_name(), MAX_SLUG_CHARS))
}

/// The machine's host name.
pub fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use tiltyard_model::slug::is_slug;

    // D30: an agent is known by its name, which is a slug.
    #[test]
    fn d30_the_agent_has_its_own_name_or_the_machines() {
        let named = Agent { name: Some("forge".to_owned()), ..Agent::default() };
        assert_eq!(agent_name(&named), "forge");
        assert!(is_slug(&agent_name(&Agent::default())));
    }
}
