//! `--ready-file` (O2): tells whoever started the server where it answers.

use crate::place::{Privacy, write_whole};
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;
use std::path::Path;

/// What the file says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ready {
    /// Where the server answers, with the port that it really got.
    pub address: SocketAddr,
    /// Its process.
    pub pid: u32,
}

/// What the file of an agent says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentReady {
    /// The agent's name.
    pub agent: String,
    /// Where its server answers.
    pub server: String,
    /// Its process.
    pub pid: u32,
}

/// Writes the file of an agent, whole or not at all. To be called once it is welcome.
///
/// # Errors
/// When the file cannot be written.
pub fn write_agent(path: &Path, ready: &AgentReady) -> std::io::Result<()> {
    let text = serde_json::to_string(ready).map_err(std::io::Error::other)?;
    write_whole(path, format!("{text}\n").as_bytes(), Privacy::Public)
}

/// Writes the file, whole or not at all. To be called once the server answers.
///
/// # Errors
/// When the file cannot be written.
pub fn write(path: &Path, address: SocketAddr) -> std::io::Result<()> {
    let ready = Ready { address, pid: std::process::id() };
    let text = serde_json::to_string(&ready).map_err(std::io::Error::other)?;
    write_whole(path, format!("{text}\n").as_bytes(), Privacy::Public)
}

/// Takes the file away: at the start, for whoever waits must not read of a process that is gone, and at the end
/// (O2). The file of another process that lives stays: this one may be the second, which is refused.
///
/// # Errors
/// When it is there and cannot be taken away.
pub fn remove(path: &Path) -> std::io::Result<()> {
    #[derive(Deserialize)]
    struct Of {
        pid: u32,
    }
    let written = std::fs::read(path).ok().and_then(|text| serde_json::from_slice(&text).ok());
    if written.is_some_and(|of: Of| of.pid != std::process::id() && lives(of.pid)) {
        return Ok(());
    }
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn lives(pid: u32) -> bool {
    let pid = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw);
    pid.is_some_and(|pid| rustix::process::test_kill_process(pid).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn o2_a_ready_file_is_taken_away_and_none_is_no_failure() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("ready.json");
        remove(&path).expect("nothing is there");
        write(&path, "127.0.0.1:4123".parse().expect("an address")).expect("writes");
        remove(&path).expect("is taken away");
        assert!(!path.exists());
        std::fs::write(&path, format!("{{\"pid\":{}}}", std::os::unix::process::parent_id()))
            .expect("writes");
        remove(&path).expect("is left alone");
        assert!(path.exists(), "the process that it names lives");
        std::fs::write(&path, "{\"pid\":2147483647}").expect("writes");
        remove(&path).expect("nobody lives there");
        assert!(!path.exists());
        assert!(remove(folder.path()).is_err(), "a folder is no ready file");
    }

    // O2: {"address":"127.0.0.1:4123","pid":…}, written atomically.
    #[test]
    fn o2_the_ready_file_tells_address_and_process() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("deeper/ready.json");
        write(&path, "127.0.0.1:4123".parse().expect("an address")).expect("writes");
        let text = std::fs::read_to_string(&path).expect("is there");
        assert_eq!(text, format!("{{\"address\":\"127.0.0.1:4123\",\"pid\":{}}}\n", std::process::id()));
        let names: Vec<_> = std::fs::read_dir(folder.path().join("deeper")).expect("lists").collect();
        assert_eq!(names.len(), 1, "nothing is left beside it");
    }
}
