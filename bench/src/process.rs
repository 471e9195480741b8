//! What processes cost, as the kernel counts it.

use anyhow::{Context, Result};

/// The kernel counts processor time in hundredths of a second on every Linux that this runs on.
const TICK_US: f64 = 10_000.0;

/// Processor time of a process so far, in microseconds.
pub(crate) fn core_us(pid: u32) -> Result<f64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let rest = text.rsplit_once(") ").context("an odd /proc/stat")?.1;
    let fields: Vec<&str> = rest.split(' ').collect();
    let ticks =
        |index: usize| fields.get(index).and_then(|field| field.parse::<f64>().ok()).unwrap_or_default();
    Ok((ticks(11) + ticks(12)) * TICK_US)
}

/// Memory of a process that is in use, in MiB: resident, and what of it is not a file's pages.
pub(crate) fn memory_mib(pid: u32) -> Result<(f64, f64)> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let field = |name: &str| {
        let line = text.lines().find(|line| line.starts_with(name))?;
        line.split_whitespace().nth(1)?.parse::<f64>().ok()
    };
    let resident = field("VmRSS:").context("no VmRSS")?;
    let own = field("RssAnon:").unwrap_or(resident);
    Ok((resident / 1_024.0, own / 1_024.0))
}
