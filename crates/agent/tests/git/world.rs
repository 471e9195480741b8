//! A small world: a folder with repositories in it, the agent's own folder beside them, and a plain git to play the
//! people who work there.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tiltyard_agent::git::{AllowedRoots, Branch, Git, GitSettings, Key, Mirrors, Source};

/// A temporary folder with `repos/` (the allowed root), `agent/` (ours) and `outside/`.
pub(crate) struct World {
    folder: tempfile::TempDir,
}

impl World {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for part in ["repos", "agent", "outside"] {
            std::fs::create_dir(folder.path().join(part)).unwrap();
        }
        Self { folder }
    }

    /// The same, with a repository `repos/app` of one commit on `main`.
    pub(crate) fn with_app() -> Self {
        let world = Self::new();
        world.init("repos/app", &[]);
        world.commit("repos/app", "README.md", "hello\n", "first");
        world
    }

    /// The same, bare: `repos/app.git` with a person's clone `outside/desk`.
    pub(crate) fn with_bare() -> Self {
        let world = Self::new();
        world.init("repos/app.git", &["--bare"]);
        world.init("outside/desk", &[]);
        world.commit("outside/desk", "README.md", "hello\n", "first");
        world.push();
        world
    }

    pub(crate) fn path(&self, part: &str) -> PathBuf {
        self.folder.path().canonicalize().unwrap().join(part)
    }

    /// A file that some hostile program would make if it were run.
    pub(crate) fn canary(&self) -> PathBuf {
        self.path("canary")
    }

    /// A shell line that makes the canary.
    pub(crate) fn chirp(&self) -> String {
        format!("touch {}", self.canary().display())
    }

    pub(crate) fn init(&self, part: &str, options: &[&str]) {
        let path = self.path(part);
        let args: Vec<&str> = ["init", "-q", "-b", "main"].iter().chain(options).copied().collect();
        run(&self.path("."), &[&args[..], &[path.to_str().unwrap()]].concat());
    }

    pub(crate) fn write(&self, part: &str, text: impl AsRef<[u8]>) {
        let path = self.path(part);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    pub(crate) fn read(&self, part: &str) -> String {
        std::fs::read_to_string(self.path(part)).unwrap()
    }

    /// Writes a program.
    pub(crate) fn script(&self, part: &str, body: &str) -> PathBuf {
        use std::os::unix::fs::PermissionsExt as _;
        self.write(part, format!("#!/bin/sh\n{body}\n"));
        let path = self.path(part);
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    /// Commits one file and tells the commit.
    pub(crate) fn commit(&self, repo: &str, file: &str, text: &str, message: &str) -> String {
        self.write(&format!("{repo}/{file}"), text);
        self.git(repo, &["add", "-A"]);
        self.git(repo, &["commit", "-q", "-m", message]);
        self.git(repo, &["rev-parse", "HEAD"])
    }

    /// The desk's `main` goes to the bare repository.
    pub(crate) fn push(&self) {
        let bare = self.path("repos/app.git");
        self.git("outside/desk", &["push", "-q", bare.to_str().unwrap(), "main"]);
    }

    /// A person's git; it must succeed.
    pub(crate) fn git(&self, part: &str, args: &[&str]) -> String {
        run(&self.path(part), args)
    }

    /// A person's git, whatever comes of it.
    pub(crate) fn try_git(&self, part: &str, args: &[&str]) -> Output {
        person(&self.path(part)).args(args).output().unwrap()
    }

    pub(crate) fn git_of_agent(&self) -> Git {
        Git::find(GitSettings::default()).unwrap()
    }

    pub(crate) fn mirrors(&self) -> Mirrors {
        self.mirrors_with(GitSettings::default())
    }

    pub(crate) fn mirrors_with(&self, settings: GitSettings) -> Mirrors {
        let roots = AllowedRoots::new([self.path("repos")]);
        Mirrors::open(Git::find(settings).unwrap(), &self.path("agent/mirrors"), roots).unwrap()
    }

    pub(crate) fn source(&self, part: &str) -> Source {
        self.source_at(self.path(part).to_str().unwrap())
    }

    pub(crate) fn source_at(&self, location: &str) -> Source {
        Source { name: key("app"), location: location.to_owned(), branch: branch("main") }
    }
}

pub(crate) fn key(text: &str) -> Key {
    Key::try_from(text).unwrap()
}

pub(crate) fn branch(text: &str) -> Branch {
    Branch::try_from(text).unwrap()
}

/// Where `main` of a repository is.
pub(crate) fn head(world: &World, part: &str) -> String {
    world.git(part, &["rev-parse", "main"])
}

fn person(folder: &Path) -> Command {
    let mut command = Command::new("git");
    command.current_dir(folder).env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_CONFIG_GLOBAL", "/dev/null");
    for who in ["AUTHOR", "COMMITTER"] {
        command
            .env(format!("GIT_{who}_NAME"), "Person")
            .env(format!("GIT_{who}_EMAIL"), "person@example.com");
    }
    command
}

fn run(folder: &Path, args: &[&str]) -> String {
    let output = person(folder).args(args).output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "git {args:?} in {}: {error}", folder.display());
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}
