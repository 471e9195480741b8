//! Programs of others that tests run, as packages of Debian.

use super::End;
use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Programs, and the packages that bring them.
const NEEDED: &[(&str, &str)] = &[("pgbouncer", "pgbouncer"), ("haproxy", "haproxy"), ("nginx", "nginx")];
/// Where programs are that are not in everybody's path.
const FOLDERS: &[&str] = &["/usr/sbin", "/usr/local/sbin", "/sbin"];

/// Installs those that are not there. The tests that need them are never passed over in silence.
pub(super) fn there() -> Result<End> {
    let lacking: Vec<&str> =
        NEEDED.iter().filter(|(own, _)| !is_there(own)).map(|(_, package)| *package).collect();
    if !lacking.is_empty() {
        println!("installing {}", lacking.join(", "));
        install(&lacking).with_context(|| format!("install {} and start again", lacking.join(", ")))?;
    }
    match NEEDED.iter().find(|(own, _)| !is_there(own)) {
        Some((own, package)) => bail!("the package {package} brought no `{own}`"),
        None => Ok(End::Ok),
    }
}

fn is_there(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(FOLDERS.iter().map(PathBuf::from));
    folders.map(|folder| folder.join(program)).any(|file| file.is_file())
}

/// Installs packages, as root or by `sudo` where that asks nothing.
pub(super) fn install(packages: &[&str]) -> Result<()> {
    let root = Path::new("/proc/self").exists() && is_root();
    let update = vec!["apt-get", "update", "-q"];
    let install = [&["apt-get", "install", "-q", "-y"], packages].concat();
    for args in [update, install] {
        let mut command = if root { Command::new(args[0]) } else { Command::new("sudo") };
        // Nobody may be there to answer a question.
        let words = if root { &args[1..] } else { &args[..] };
        let command = if root { &mut command } else { command.arg("-n") };
        let status = command.args(words).env("DEBIAN_FRONTEND", "noninteractive").status();
        let status = status.with_context(|| format!("starting {}", args.join(" ")))?;
        if !status.success() {
            bail!("`{}` failed: {status}", args.join(" "));
        }
    }
    Ok(())
}

pub(super) fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0)
}
