//! An attempt in a work clone, as the tests play it: the clone, what a program does in it, the proposal.

use std::path::PathBuf;
use std::process::Command;

use tiltyard_agent::git::{
    CloneRequest, GitError, Identity, Incoming, Mirror, Proposal, ProposeRequest, RefusedCode, Signature,
    Start, WorkClone, WorkClones, propose,
};

use crate::world::{World, key};

pub(crate) fn signature() -> Signature {
    Signature { by: Identity::new("Agent", "agent@tiltyard.invalid").unwrap(), at_ms: 1_700_000_000_000 }
}

/// One attempt at a change.
pub(crate) struct Attempt {
    pub(crate) mirror: Mirror,
    pub(crate) clone: WorkClone,
}

impl Attempt {
    pub(crate) async fn new(world: &World, mirror: &Mirror, task: &str, start: Start) -> Self {
        let clones = WorkClones::open(&world.path("agent/clones")).unwrap();
        let request = CloneRequest {
            mirror,
            task: &key(task),
            generation: 1,
            title: "Fix the README",
            start,
            signature: &signature(),
        };
        let clone = clones.create(request).await.unwrap();
        Self { mirror: mirror.clone(), clone }
    }

    pub(crate) async fn of_source(world: &World, part: &str) -> Self {
        let mirror = world.mirrors().mirror(&world.source(part)).await.unwrap();
        Self::new(world, &mirror, "task_1", Start::Base).await
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.clone.tree().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        std::fs::create_dir_all(self.file(name).parent().unwrap()).unwrap();
        std::fs::write(self.file(name), text).unwrap();
    }

    /// The program's own git, in the clone, with whatever configuration stands there.
    pub(crate) fn git(&self, args: &[&str]) -> String {
        let output = Command::new("git").current_dir(self.clone.tree()).args(args).output().unwrap();
        assert!(output.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    pub(crate) async fn propose(&self) -> Result<Proposal, GitError> {
        let (mirror, clone, signature) = (&self.mirror, &self.clone, signature());
        propose(ProposeRequest {
            mirror,
            clone,
            message: "Fix the README\n\nAs asked.",
            signature: &signature,
        })
        .await
    }

    pub(crate) async fn refused(&self) -> RefusedCode {
        let error = self.propose().await.unwrap_err();
        error.refused().unwrap_or_else(|| panic!("not a refusal: {error}")).code
    }
}

/// A proposal as it arrives at the agent of the repository.
pub(crate) fn incoming(change: &str, proposal: &Proposal) -> Incoming {
    Incoming {
        change: key(change),
        base: proposal.base.clone(),
        head: proposal.head.clone(),
        file: Some(proposal.bundle.path.clone()),
        sha256: Some(proposal.bundle.sha256.clone()),
    }
}
