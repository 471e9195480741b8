//! What this machine has left, as the kernel tells it.

use crate::host::Host;
use crate::slots::Phase;
use std::path::Path;
use tiltyard_wire::agent::Resources;

/// Where the kernel tells about memory, in KiB.
const MEMORY_FILE: &str = "/proc/meminfo";
/// `sysinfo` counts load in steps of this.
const LOAD_SCALE: f64 = 65_536.0;

/// What there is now. What cannot be learned is 0.
pub(super) fn look(host: &Host, folder: &Path) -> Resources {
    // Absent outside Linux, and in some containers.
    let memory = std::fs::read_to_string(MEMORY_FILE).unwrap_or_default();
    let total = bytes_of(&memory, "MemTotal:");
    let disk_free_bytes =
        rustix::fs::statvfs(folder).map_or(0, |disk| disk.f_bavail.saturating_mul(disk.f_frsize));
    let used = host.slots().held().iter().filter(|held| held.phase != Phase::Finished).count();
    Resources {
        load: load(),
        memory_used_bytes: total.saturating_sub(bytes_of(&memory, "MemAvailable:")),
        memory_total_bytes: total,
        disk_free_bytes,
        slots_used: u32::try_from(used).unwrap_or(u32::MAX),
    }
}

#[expect(clippy::cast_precision_loss, reason = "a load of 2^53 is not to be expected")]
fn load() -> f64 {
    rustix::system::sysinfo().loads[0] as f64 / LOAD_SCALE
}

fn bytes_of(memory: &str, name: &str) -> u64 {
    let line = memory.lines().find_map(|line| line.strip_prefix(name));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kib.unwrap_or(0).saturating_mul(1_024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c1_memory_is_read_from_the_kernels_list() {
        let list = "MemTotal:       16316412 kB\nMemFree:  1 kB\nMemAvailable:   1024 kB\n";
        assert_eq!(bytes_of(list, "MemTotal:"), 16_316_412 * 1_024);
        assert_eq!(bytes_of(list, "MemAvailable:"), 1_048_576);
        assert_eq!(bytes_of("nonsense", "MemTotal:"), 0);
    }
}
