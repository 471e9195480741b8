//! C34: merged only when the target is proven to hold it; asked again, it is told and not done again.

use std::time::Duration;

use tiltyard_agent::git::{ChangeEnd, GitSettings, How, Method, RefusedCode};

use crate::bench::Waiting;
use crate::world::{World, head, key};

// C34: asked again, it is told from the target; nothing lands twice, also when everything of ours is lost.
#[tokio::test]
async fn c34_asked_again_after_a_crash_it_is_merged_once() {
    for method in [Method::Squash, Method::FastForward] {
        let world = World::with_bare();
        let mut waiting = Waiting::readme(&world, "repos/app.git").await;
        waiting.job.method = method;
        let first = waiting.merged().await;
        world.git(
            "outside/desk",
            &["pull", "-q", "--rebase", world.path("repos/app.git").to_str().unwrap(), "main"],
        );
        world.commit("outside/desk", "later.txt", "x\n", "life goes on");
        world.push();
        let again = waiting.merged().await;
        assert_eq!(
            (again.how, &again.commit, &again.tree),
            (How::Found, &first.commit, &first.tree),
            "{method:?}"
        );
        assert_eq!(again.base_before, first.base_before);
        assert_eq!(again.target_head.as_str(), head(&world, "repos/app.git"));

        std::fs::rename(world.path("agent/mirrors"), world.path("agent/lost")).unwrap();
        let mirror = world.mirrors().mirror(&world.source("repos/app.git")).await.unwrap();
        waiting.mirror = mirror;
        let after_loss = waiting.merged().await;
        assert!(matches!(after_loss.how, How::SameDiff | How::Elsewhere), "{:?}", after_loss.how);
        assert_eq!(after_loss.tree, first.tree);
    }
}

// C34: a landing that somebody else has noted in the mirror, naming whatever the target holds, is no merge.
#[tokio::test]
async fn c34_a_forged_landing_proves_nothing() {
    let world = World::with_bare();
    let waiting = Waiting::readme(&world, "repos/app.git").await;
    world.commit("outside/desk", "later.txt", "x\n", "life goes on");
    world.push();
    let target = head(&world, "repos/app.git");
    waiting.mirror.fetch().await.unwrap();
    let mirror = std::fs::read_dir(world.path("agent/mirrors")).unwrap().flatten().map(|entry| entry.path());
    let mirror = mirror.into_iter().find(|path| path.join("objects").is_dir()).expect("one mirror");
    let landing = format!("refs/changes/chg_1/landing/{}", waiting.job.incoming.head);
    std::fs::create_dir_all(mirror.join(&landing)).unwrap();
    std::fs::write(mirror.join(&landing).join("x"), format!("{target}\n")).unwrap();
    let merged = waiting.merged().await;
    assert_ne!(merged.how, How::Found);
    assert_ne!(merged.commit.as_str(), target, "it really landed");
}

// C34: the push arrived, but its answer did not: a hook that hangs after the branch was moved.
#[tokio::test]
async fn c34_a_push_whose_answer_is_lost_is_still_a_merge() {
    let world = World::with_bare();
    let settings = GitSettings { timeout: Some(Duration::from_secs(4)), ..GitSettings::default() };
    let mirror = world.mirrors_with(settings).mirror(&world.source("repos/app.git")).await.unwrap();
    let waiting =
        Waiting::in_mirror(&world, &mirror, "chg_1", |attempt| attempt.write("README.md", "hello\nbetter\n"))
            .await;
    world.script("repos/app.git/hooks/post-receive", "trap '' TERM; sleep 600 & wait; sleep 600");
    let merged = waiting.merged().await;
    assert_eq!(head(&world, "repos/app.git"), merged.commit.as_str());
}

// C34: a hook that commits on top does not hide the merge; one that moves the branch back does not fake it.
#[tokio::test]
async fn c34_the_target_is_read_back_and_not_believed() {
    let world = World::with_bare();
    let waiting = Waiting::readme(&world, "repos/app.git").await;
    let on_top = "c=$(GIT_AUTHOR_NAME=h GIT_AUTHOR_EMAIL=h@h GIT_COMMITTER_NAME=h GIT_COMMITTER_EMAIL=h@h \
                  git commit-tree -p main -m version main^{tree}) && git update-ref refs/heads/main $c";
    world.script("repos/app.git/hooks/post-receive", on_top);
    let merged = waiting.merged().await;
    assert_eq!(merged.target_head.as_str(), head(&world, "repos/app.git"));
    assert_ne!(merged.commit, merged.target_head);

    let world = World::with_bare();
    let waiting = Waiting::readme(&world, "repos/app.git").await;
    world.script("repos/app.git/hooks/post-receive", "git update-ref refs/heads/main main^");
    let (code, reason) = waiting.refused().await;
    assert_eq!(code, RefusedCode::TargetRefused);
    assert!(reason.contains("does not hold the commit"), "{reason}");
}

// C34: a person merged or picked it elsewhere: told, with what proves it, and not merged again.
#[tokio::test]
async fn c34_a_merge_by_a_person_is_noticed() {
    let world = World::with_bare();
    let waiting = Waiting::readme(&world, "repos/app.git").await;
    let bundle = waiting.proposal.bundle.path.to_str().unwrap().to_owned();
    world.git("outside/desk", &["fetch", "-q", &bundle, &waiting.proposal.branch.reference()]);
    world.commit("outside/desk", "other.txt", "x\n", "something else");
    world.git("outside/desk", &["merge", "-q", "--no-edit", "FETCH_HEAD"]);
    world.push();
    let merged = waiting.merged().await;
    assert_eq!((merged.how, &merged.commit), (How::Elsewhere, &waiting.proposal.head));

    let world = World::with_bare();
    let waiting = Waiting::readme(&world, "repos/app.git").await;
    let bundle = waiting.proposal.bundle.path.to_str().unwrap().to_owned();
    world.git("outside/desk", &["fetch", "-q", &bundle, &waiting.proposal.branch.reference()]);
    world.commit("outside/desk", "other.txt", "x\n", "something else");
    world.git("outside/desk", &["cherry-pick", "FETCH_HEAD"]);
    let picked = world.git("outside/desk", &["rev-parse", "HEAD"]);
    world.commit("outside/desk", "README.md", "rewritten since\n", "and rewritten");
    world.push();
    let merged = waiting.merged().await;
    assert_eq!((merged.how, merged.commit.as_str()), (How::SameDiff, picked.as_str()));

    let world = World::with_bare();
    let waiting = Waiting::readme(&world, "repos/app.git").await;
    world.write("outside/desk/extra.txt", "more\n");
    world.commit("outside/desk", "README.md", "hello\nbetter\n", "the same and more by hand");
    world.push();
    assert_eq!(waiting.merged().await.how, How::Contained);
}

// C34: references go only after the proof.
#[tokio::test]
async fn c34_after_the_proof_nothing_of_the_change_is_kept() {
    let world = World::with_bare();
    let waiting = Waiting::readme(&world, "repos/app.git").await;
    let merged = waiting.merged().await;
    waiting.mirror.forget(&key("chg_1"), &ChangeEnd::Merged { commit: merged.commit.clone() }).await.unwrap();
    let mirror = std::fs::read_dir(world.path("agent/mirrors"))
        .unwrap()
        .flatten()
        .find(|e| e.path().is_dir())
        .unwrap();
    let mirror = mirror.path();
    let references =
        world.git("agent", &["--git-dir", mirror.to_str().unwrap(), "for-each-ref", "--format=%(refname)"]);
    assert_eq!(references, "refs/upstream/main");
}

// C34: the same lines at another place are another change, also when their patch-id is the same.
#[tokio::test]
async fn c34_the_same_lines_elsewhere_are_no_proof() {
    let world = World::with_bare();
    let block = "service:\n  image: x\n  port: 1\n  tls: on\n";
    let text = |with: &[usize]| -> String {
        (0..6).map(|at| format!("{block}{}", if with.contains(&at) { "  retry: 3\n" } else { "" })).collect()
    };
    world.commit("outside/desk", "services.yml", &text(&[]), "services");
    world.push();
    let first =
        Waiting::new(&world, "repos/app.git", |attempt| attempt.write("services.yml", text(&[1]))).await;
    let second = Waiting::in_mirror(&world, &first.mirror, "chg_2", |attempt| {
        attempt.write("services.yml", text(&[4]));
    })
    .await;
    assert_eq!(first.merged().await.how, How::Moved);
    assert_eq!(second.merged().await.how, How::Moved);
    assert_eq!(world.git("repos/app.git", &["show", "main:services.yml"]), text(&[1, 4]).trim_end());
}

// C34: picked by a person and taken back again, the target does not hold it.
#[tokio::test]
async fn c34_what_was_picked_and_reverted_is_not_merged() {
    let world = World::with_bare();
    let waiting = Waiting::readme(&world, "repos/app.git").await;
    world.commit("outside/desk", "meanwhile.txt", "x\n", "the base moves on");
    world.commit("outside/desk", "README.md", "hello\nbetter\n", "picked by hand");
    world.git("outside/desk", &["revert", "--no-edit", "HEAD"]);
    world.push();
    assert_eq!(waiting.merged().await.how, How::Moved);
    assert_eq!(world.git("repos/app.git", &["show", "main:README.md"]), "hello\nbetter");
}
