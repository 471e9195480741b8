//! The one moment in which the program is born: rights are given up, then it starts.
//!
//! All of it happens on a thread made for it. Name space, `no_new_privs` and Landlock belong to a thread and
//! to what it starts, so that the program is confined and the shim, which must see and end it, is not.

use super::{cover, fence};
use crate::process::frame::Errand;
use crate::process::{Confinement, Hiding, HidingMethod, Hindrance};
use std::io::{self, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};

/// The program that was born.
pub(super) struct Launched {
    pub(super) pid: u32,
    pub(super) hiding: Hiding,
}

/// Why it was not.
pub(super) struct Obstacle {
    pub(super) hindrance: Hindrance,
    pub(super) text: String,
}

impl Obstacle {
    pub(super) fn confinement(what: &str, error: &dyn std::fmt::Display) -> Self {
        Self { hindrance: Hindrance::Confinement, text: format!("cannot {what}: {error}") }
    }
}

/// Starts the program and feeds it `stdin`.
pub(super) fn launch(errand: Errand, stdin: Vec<u8>) -> Result<Launched, Obstacle> {
    let born = std::thread::spawn(move || bear(&errand)).join();
    let lost = |_| Obstacle { hindrance: Hindrance::Other, text: "the launching thread panicked".to_owned() };
    let (mut child, hiding) = born.map_err(lost)??;
    if let Some(pipe) = child.stdin.take() {
        std::thread::spawn(move || feed(pipe, &stdin));
    }
    // Dropped without a wait: the guard reaps every child, this one too.
    Ok(Launched { pid: child.id(), hiding })
}

/// A program that does not want its input closes it; that is its right.
fn feed(mut pipe: ChildStdin, stdin: &[u8]) {
    let _ = pipe.write_all(stdin);
}

fn bear(errand: &Errand) -> Result<(Child, Hiding), Obstacle> {
    let hiding = confine(&errand.confinement)?;
    let Some((program, args)) = errand.argv.split_first() else {
        return Err(Obstacle { hindrance: Hindrance::MissingProgram, text: "argv is empty".to_owned() });
    };
    let mut command = Command::new(program);
    command.args(args).env_clear().envs(errand.env.iter().map(|(name, value)| (name, value)));
    command.current_dir(&errand.cwd).stdin(Stdio::piped()).process_group(0);
    if let Some(user) = errand.confinement.user {
        // Setting the user drops all further groups as well.
        command.gid(user.gid).uid(user.uid);
    }
    // Looked at by this thread, which already has the program's view of the folders.
    if !errand.cwd.is_dir() {
        return Err(bad_folder(&errand.cwd, &"it is no folder that can be seen"));
    }
    match command.spawn() {
        Ok(child) => Ok((child, hiding)),
        Err(error) => Err(explain(program, errand, &error)),
    }
}

fn confine(wanted: &Confinement) -> Result<Hiding, Obstacle> {
    let covered = wanted.method == HidingMethod::Strongest && cover::cover(&wanted.hide, &wanted.open)?;
    rustix::thread::set_no_new_privs(true)
        .map_err(|error| Obstacle::confinement("set no_new_privs", &error))?;
    fence::drop_sight();
    let fenced = if covered { fence::keep_covers()? } else { fence::hide(&wanted.hide, &wanted.open)? };
    Ok(match (wanted.hide.is_empty(), covered, fenced) {
        (true, ..) => Hiding::NotAsked,
        (_, true, _) => Hiding::Covered,
        (_, _, true) => Hiding::Unreadable,
        (_, _, false) => Hiding::Visible,
    })
}

fn explain(program: &str, errand: &Errand, error: &io::Error) -> Obstacle {
    let shown = program.escape_debug().to_string();
    let path = errand.env.iter().find(|(name, _)| name == "PATH").map_or("not set", |(_, path)| path);
    let (hindrance, text) = match error.kind() {
        io::ErrorKind::NotFound if program.contains('/') => {
            let text = format!("the program `{shown}` does not exist (or the interpreter in its first line)");
            (Hindrance::MissingProgram, text)
        }
        io::ErrorKind::NotFound => (Hindrance::MissingProgram, not_installed(&shown, path)),
        // A folder of PATH that may not be entered hides that the program is in none of them.
        io::ErrorKind::PermissionDenied if !program.contains('/') && !is_in(path, program) => {
            (Hindrance::MissingProgram, not_installed(&shown, path))
        }
        io::ErrorKind::PermissionDenied if errand.confinement.user.is_some() => {
            let text = format!(
                "cannot run `{shown}` in {} as the other user: {error}. Only root can change the user, and \
                 that user must be able to reach program and folder",
                errand.cwd.display()
            );
            (Hindrance::Confinement, text)
        }
        io::ErrorKind::PermissionDenied => {
            (Hindrance::NotExecutable, format!("`{shown}` may not be executed: {error}"))
        }
        _ => (Hindrance::Other, format!("cannot start `{shown}`: {error}")),
    };
    Obstacle { hindrance, text }
}

fn not_installed(program: &str, path: &str) -> String {
    format!("the program `{program}` is not installed on this host: PATH is {path}")
}

fn is_in(path: &str, program: &str) -> bool {
    path.split(':').any(|folder| Path::new(folder).join(program).exists())
}

fn bad_folder(folder: &Path, why: &dyn std::fmt::Display) -> Obstacle {
    let text = format!("cannot work in {}: {why}", folder.display());
    Obstacle { hindrance: Hindrance::BadFolder, text }
}
