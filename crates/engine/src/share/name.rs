//! The name of a server among those of its store: no other one has it. Two of a name would tell of one only, and the journal would
//! not be kept for the other.

use super::{LEAD_MS, Post};
use crate::OpenError;
use parking_lot::Mutex;
use std::fs::File;
use std::io::{Read, Seek, Write};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use tiltyard_model::time::TimeMs;
use tiltyard_store::server::Server;

/// The file in the data folder that names the process that serves from there, which holds a lock on it as long as it lives.
const INSTANCE_FILE: &str = "instance";

/// Where Linux tells one start of the machine from another.
const BOOT_FILE: &str = "/proc/sys/kernel/random/boot_id";

/// The lock on the data folder, as long as the server lives.
pub(super) type Hold = Mutex<Option<File>>;

impl Post {
    /// Who has this server's name and may live, by the time of the database; `before` is the process that is known to be no more.
    pub(crate) fn rival(&self, servers: Vec<Server>, before: Option<&str>, now: TimeMs) -> Option<Server> {
        let own = self.own();
        servers.into_iter().find(|other| is_rival(other, &own, now) && before != Some(&*other.instance))
    }

    /// Holds the data folder, and says which process held it before: that one is no more. `None` where somebody else holds it, or where it
    /// is a copy of the folder that was held, or was held by another machine or before this one was started: that tells of nobody.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub(crate) fn hold(&self, folder: &Path) -> Result<Option<String>, OpenError> {
        let path = folder.join(INSTANCE_FILE);
        let work = || {
            let mut file = File::options().read(true).write(true).create(true).truncate(false).open(&path)?;
            if file.try_lock().is_err() {
                return Ok(None);
            }
            let mut before = String::new();
            file.read_to_string(&mut before)?;
            let here = place_of(&file)?;
            *self.hold.lock() = Some(file);
            let instance = before.split_once(' ').filter(|(_, place)| *place == here);
            Ok(instance.map(|(instance, _)| instance.to_owned()))
        };
        work().map_err(|error: std::io::Error| OpenError::System(format!("{}: {error}", path.display())))
    }

    /// Writes into the data folder that this process has the name: not before it does, or nobody would know who had it.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub(crate) fn sign(&self) -> Result<(), OpenError> {
        let mut hold = self.hold.lock();
        let Some(file) = hold.as_mut() else { return Ok(()) };
        let mut work = || {
            let text = format!("{} {}", self.instance, place_of(file)?);
            file.set_len(0)?;
            file.rewind()?;
            file.write_all(text.as_bytes())
        };
        work().map_err(|error: std::io::Error| OpenError::System(format!("{INSTANCE_FILE}: {error}")))
    }
}

/// This file on this machine since it was started: a copy of it has another place.
fn place_of(file: &File) -> std::io::Result<String> {
    let found = file.metadata()?;
    // Where the system does not tell, the place is the file's alone.
    let boot = std::fs::read_to_string(BOOT_FILE).unwrap_or_default();
    Ok(format!("{}/{}/{}", boot.trim(), found.dev(), found.ino()))
}

/// Whether another process has the name, and was seen a moment ago.
pub(crate) fn is_rival(other: &Server, own: &Server, now: TimeMs) -> bool {
    other.name == own.name && other.instance != own.instance && (now - other.seen_at).abs() < LEAD_MS
}

/// What the second server of a name is told.
pub(crate) fn name_is_taken(other: &Server) -> String {
    let Server { name, address, .. } = other;
    format!(
        "another server of this store has the name `{name}` and answers at {address}: give this one a name of its own \
         (`shared.name`), or stop the other one"
    )
}
