//! A disk that fails: a small library, loaded before the program, whose `fsync` answers EIO once a file is there.

use std::path::{Path, PathBuf};
use std::process::Command;

/// The C compiler is the one that links every Rust program, so it is here.
const SOURCE: &str = r#"
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>
#include <sys/syscall.h>
static int fails(void) { const char *path = getenv("FAULT_FILE"); return path && access(path, F_OK) == 0; }
int fsync(int fd) { if (fails()) { errno = EIO; return -1; } return (int)syscall(SYS_fsync, fd); }
int fdatasync(int fd) { if (fails()) { errno = EIO; return -1; } return (int)syscall(SYS_fdatasync, fd); }
"#;

/// Builds it in `folder`.
pub(crate) fn library(folder: &Path) -> PathBuf {
    let (source, library) = (folder.join("fault.c"), folder.join("fault.so"));
    std::fs::write(&source, SOURCE).expect("writes");
    let mut compiler = Command::new("cc");
    compiler.args(["-shared", "-fPIC", "-o"]).arg(&library).arg(&source);
    assert!(compiler.status().expect("a C compiler is here").success());
    library
}
