//! Open files of the process: every connection is one, and so is the store's.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Open files that are kept for everything but connections: the store, its readers, artifacts, logs.
pub const KEPT_DESCRIPTORS: usize = 256;

/// Raises the process's limit of open files towards `connections` and what is kept beside them, as far as the
/// system allows; returns how many connections that leaves room for. A shell's usual limit of 1,024 would let a
/// crowd of clients take the last file that the store needs.
pub fn room_for(connections: usize) -> usize {
    let wanted = connections.saturating_add(KEPT_DESCRIPTORS) as u64;
    let limit = getrlimit(Resource::Nofile);
    let allowed = limit.maximum.map_or(wanted, |maximum| maximum.min(wanted));
    if limit.current.is_some_and(|current| current < allowed) {
        let raised = Rlimit { current: Some(allowed), maximum: limit.maximum };
        if let Err(error) = setrlimit(Resource::Nofile, raised) {
            tracing::warn!(target: "api", %error, "cannot raise the limit of open files");
        }
    }
    fitting(connections, getrlimit(Resource::Nofile).current)
}

/// How many of `connections` fit under a limit of open files; at least one, so that the operator gets in.
fn fitting(connections: usize, limit: Option<u64>) -> usize {
    let files = limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX));
    connections.min(files.saturating_sub(KEPT_DESCRIPTORS).max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sec13_connections_leave_room_for_the_store() {
        assert_eq!(fitting(12_000, None), 12_000);
        assert_eq!(fitting(12_000, Some(1_024)), 1_024 - KEPT_DESCRIPTORS);
        assert_eq!((fitting(12_000, Some(10)), fitting(3, Some(1_024)), fitting(0, None)), (1, 3, 0));
    }

    #[test]
    fn sec13_the_limit_is_raised_as_far_as_the_system_allows() {
        let room = room_for(500);
        let limit = getrlimit(Resource::Nofile);
        assert!(room == 500 || limit.current == limit.maximum, "{room} under {limit:?}");
    }
}
