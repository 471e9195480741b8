//! A systemd unit of the user, so that the agent starts with the session and again after a fall.

use crate::exit::Failure;
use crate::place::{Privacy, write_whole};
use crate::settings::environment::Environment;
use std::path::{Path, PathBuf};

/// The unit's name.
pub(super) const UNIT: &str = "tiltyard-agent.service";

/// Writes the unit; says where.
///
/// # Errors
/// When there is no place for it, or it cannot be written.
pub(super) fn write(environment: &Environment, config: &Path) -> Result<PathBuf, Failure> {
    let folder = environment.config_folder().and_then(|own| own.parent().map(Path::to_owned));
    let folder = folder.ok_or_else(|| Failure::usage("a user unit needs HOME, or XDG_CONFIG_HOME"))?;
    let path = folder.join("systemd/user").join(UNIT);
    let text = text(&std::env::current_exe()?, config)?;
    write_whole(&path, text.as_bytes(), Privacy::Public)
        .map_err(|error| Failure::failed(format!("{} cannot be written: {error}", path.display())))?;
    Ok(path)
}

/// Has systemd read it and start it now, and with each session.
///
/// # Errors
/// What to do by hand when systemd does not.
pub(super) async fn enable() -> Result<(), Failure> {
    for arguments in [&["--user", "daemon-reload"][..], &["--user", "enable", "--now", UNIT]] {
        let ran = tokio::process::Command::new("systemctl").args(arguments).output().await;
        let said = match ran {
            Ok(output) if output.status.success() => continue,
            Ok(output) => String::from_utf8_lossy(&output.stderr).trim().to_owned(),
            Err(error) => error.to_string(),
        };
        let failure = Failure::failed(format!("the unit is written, but systemd did not start it: {said}"));
        return Err(
            failure.hint(format!("systemctl --user daemon-reload && systemctl --user enable --now {UNIT}"))
        );
    }
    Ok(())
}

fn text(program: &Path, config: &Path) -> Result<String, Failure> {
    let (program, config) = (quoted(program)?, quoted(config)?);
    Ok(format!(
        "[Unit]\n\
         Description=Tiltyard agent\n\
         Wants=network-online.target\n\
         After=network-online.target\n\n\
         [Service]\n\
         ExecStart={program} agent --config {config}\n\
         # It gives back what it cannot finish; programs end with it.\n\
         KillMode=mixed\n\
         TimeoutStopSec=60\n\
         Restart=always\n\
         RestartSec=2\n\n\
         [Install]\n\
         WantedBy=default.target\n"
    ))
}

/// A path as systemd reads it: in quotes, with its own marks doubled.
fn quoted(path: &Path) -> Result<String, Failure> {
    let text = path.to_str().filter(|text| !text.contains(['\n', '\r']));
    let text =
        text.ok_or_else(|| Failure::usage(format!("systemd cannot be given the path {}", path.display())))?;
    Ok(format!(
        "\"{}\"",
        text.replace('\\', "\\\\").replace('"', "\\\"").replace('%', "%%").replace('$', "$$")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c5_the_unit_starts_this_program_with_this_file() {
        let unit = text(Path::new("/opt/a b/tiltyard"), Path::new("/etc/100%/t.toml")).expect("can be said");
        assert!(
            unit.contains("ExecStart=\"/opt/a b/tiltyard\" agent --config \"/etc/100%%/t.toml\"\n"),
            "{unit}"
        );
        assert!(text(Path::new("/a\nExecStart=/evil"), Path::new("/b")).is_err());
    }
}
