//! C6, C11, SEC16: after its program ran, a clone's `.git` is foreign text. Nothing in it is parsed by a git of ours,
//! so nothing that it points to can be read out through git's complaints.

use std::os::unix::fs::symlink;
use std::process::Command;

use tiltyard_agent::git::{RefusedCode, Start};

use crate::bench::{Plain, Waiting};
use crate::desk::Attempt;
use crate::world::{World, key};

/// What a program may not read: a client file with a token in it. Put together here, so that no scanner stumbles.
fn client_file(world: &World) -> std::path::PathBuf {
    let token = format!("jst_{}", "0123456789abcdef".repeat(4));
    world.write("outside/client.toml", format!("token = \"{token}\"\nurl = \"http://127.0.0.1:1\"\n"));
    world.path("outside/client.toml")
}

fn instead(attempt: &Attempt, file: &str, target: &std::path::Path) {
    let place = attempt.file(file);
    std::fs::create_dir_all(place.parent().unwrap()).unwrap();
    std::fs::remove_file(&place).ok();
    symlink(target, place).unwrap();
}

// C6, SEC20: files that git parses and quotes in its complaints are not even opened.
#[tokio::test]
async fn c6_nothing_that_a_clone_points_to_is_read_out_by_our_git() {
    let world = World::with_app();
    let secret = client_file(&world);
    let mirror = world.mirrors().mirror(&world.source("repos/app")).await.unwrap();
    for (number, file) in
        [".git/info/grafts", ".git/shallow", ".git/packed-refs", ".git/config", ".git/index"]
            .iter()
            .enumerate()
    {
        let attempt = Attempt::new(&world, &mirror, &format!("task_{number}"), Start::Base).await;
        attempt.write("README.md", "better\n");
        attempt.git(&["commit", "-qam", "mine"]);
        if *file == ".git/info/grafts" {
            attempt.write(".git/shallow", "zzz\n");
        }
        instead(&attempt, file, &secret);
        let proposal = attempt.propose().await.unwrap_or_else(|error| panic!("{file}: {error}"));
        assert_eq!(proposal.commits.len(), 1, "{file}");
    }
}

// C6: what must be read (where HEAD is) is read as a plain file or not at all, and never repeated.
#[tokio::test]
async fn c6_a_head_that_leads_elsewhere_is_refused_without_a_word_of_it() {
    let world = World::with_app();
    let secret = client_file(&world);
    let mirror = world.mirrors().mirror(&world.source("repos/app")).await.unwrap();
    type Trick<'t> = &'t dyn Fn(&Attempt);
    let loose = |attempt: &Attempt| attempt.file(&format!(".git/{}", attempt.git(&["symbolic-ref", "HEAD"])));
    let tricks: [(&str, Trick<'_>); 5] = [
        ("HEAD is a link", &|attempt| instead(attempt, ".git/HEAD", &secret)),
        ("HEAD is a text", &|attempt| {
            std::fs::copy(&secret, attempt.file(".git/HEAD")).unwrap();
        }),
        ("the branch is a link", &|attempt| {
            let file = loose(attempt);
            std::fs::remove_file(&file).unwrap();
            symlink(&secret, file).unwrap();
        }),
        ("packed references are a link", &|attempt| {
            std::fs::remove_file(loose(attempt)).unwrap();
            instead(attempt, ".git/packed-refs", &secret);
        }),
        ("a folder of references is a link", &|attempt| {
            let folder = loose(attempt).parent().unwrap().to_owned();
            std::fs::rename(&folder, world.path("outside/moved")).unwrap();
            symlink(world.path("outside/moved"), folder).unwrap();
        }),
    ];
    for (number, (name, trick)) in tricks.iter().enumerate() {
        std::fs::remove_dir_all(world.path("outside/moved")).ok();
        let attempt = Attempt::new(&world, &mirror, &format!("task_{number}"), Start::Base).await;
        attempt.write("README.md", "better\n");
        trick(&attempt);
        let error = attempt.propose().await.expect_err(name);
        assert_eq!(error.refused().expect(name).code, RefusedCode::NotGenuine, "{name}");
        let words = error.to_string();
        assert!(!words.contains("jst_") && !words.contains("token"), "{name}: {words}");
    }
}

// C6: a linked folder of objects would put a hidden repository's files into the proposal.
#[tokio::test]
async fn c6_objects_of_another_repository_do_not_get_into_a_proposal() {
    let world = World::with_app();
    world.init("outside/secret", &[]);
    world.commit("outside/secret", "secret.txt", "the secret\n", "secret");
    let blob = world.git("outside/secret", &["rev-parse", "HEAD:secret.txt"]);
    let attempt = Attempt::of_source(&world, "repos/app").await;
    let listed = world.path("outside/tree");
    std::fs::write(&listed, format!("100644 blob {blob}\tstolen.txt\n")).unwrap();
    let made = Command::new("git")
        .current_dir(attempt.clone.tree())
        .args(["mktree", "--missing"])
        .stdin(std::fs::File::open(&listed).unwrap())
        .output()
        .unwrap();
    let tree = String::from_utf8(made.stdout).unwrap();
    let commit = attempt.git(&["commit-tree", tree.trim(), "-p", "HEAD", "-m", "look"]);
    attempt.git(&["update-ref", "HEAD", &commit]);
    let fan_out = attempt.file(&format!(".git/objects/{}", &blob[..2]));
    std::fs::remove_dir_all(&fan_out).ok();
    symlink(world.path(&format!("outside/secret/.git/objects/{}", &blob[..2])), &fan_out).unwrap();
    assert_eq!(attempt.refused().await, RefusedCode::NotGenuine);

    // The same without the link: the object is not there, and the mirror does not lend its own.
    std::fs::remove_file(&fan_out).unwrap();
    assert_eq!(attempt.refused().await, RefusedCode::NotGenuine);
}

// C6: a submodule's place is a repository that the program made: git reads it when it compares the files.
#[tokio::test]
async fn c6_the_words_of_git_about_a_clones_files_are_not_repeated() {
    let world = World::with_app();
    let secret = client_file(&world);
    let first = world.git("repos/app", &["rev-parse", "HEAD"]);
    world.git("repos/app", &["update-index", "--add", "--cacheinfo", &format!("160000,{first},sub")]);
    world.git("repos/app", &["commit", "-q", "-m", "a submodule"]);
    world.git("repos/app", &["checkout", "-q", "--detach"]);
    let attempt = Attempt::of_source(&world, "repos/app").await;
    attempt.write("README.md", "better\n");
    std::fs::create_dir_all(attempt.file("sub")).unwrap();
    attempt.git(&["init", "-q", "sub"]);
    attempt.write("sub/.git/HEAD", "ref: refs/heads/nowhere\n");
    instead(&attempt, "sub/.git/packed-refs", &secret);
    let words = attempt.propose().await.expect_err("git cannot read that").to_string();
    assert!(!words.contains("jst_") && !words.contains("token"), "{words}");
}

// C6: a program may write into a registered repository too, when it lies on its machine: its git is no better friend.
#[tokio::test]
async fn c6_the_words_of_git_about_a_registered_repository_are_chosen() {
    let world = World::with_app();
    let secret = client_file(&world);
    let waiting = Waiting::readme(&world, "repos/app").await;
    for file in ["info/grafts", "packed-refs"] {
        let place = world.path(&format!("repos/app/.git/{file}"));
        std::fs::create_dir_all(place.parent().unwrap()).unwrap();
        symlink(&secret, &place).unwrap();
        let probe = waiting.mirror.fetch().await.err().map(|error| error.to_string());
        let merge = waiting.merge_with(&Plain::new()).await;
        let words = format!("{probe:?} {merge:?} {:?}", waiting.mirror.fetch().await);
        assert!(!words.contains("jst_") && !words.contains("token"), "{file}: {words}");
        std::fs::remove_file(place).unwrap();
    }
}

// C11: a pipe where git would read its settings does not hold the agent.
#[tokio::test]
async fn c11_a_pipe_in_a_clones_settings_holds_nobody() {
    let world = World::with_app();
    let attempt = Attempt::of_source(&world, "repos/app").await;
    attempt.write("README.md", "better\n");
    let pipe = world.path("outside/pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    attempt.write(".git/config", format!("[include]\n\tpath = {}\n", pipe.display()));
    let patience = std::time::Duration::from_secs(60);
    tokio::time::timeout(patience, attempt.propose()).await.expect("it was held").unwrap();
}

// C11: what an honest program does with its repository is no trick: packed, repacked, a long history cut short.
#[tokio::test]
async fn c11_a_clone_that_was_tidied_is_still_read() {
    let world = World::with_app();
    for number in 0..210 {
        world.git("repos/app", &["commit", "-q", "--allow-empty", "-m", &number.to_string()]);
    }
    let mirror = world.mirrors().mirror(&world.source("repos/app")).await.unwrap();
    let attempt = Attempt::new(&world, &mirror, "task_1", Start::Base).await;
    assert!(attempt.file(".git/shallow").exists(), "the clone has all of the history");
    attempt.write("README.md", "better\n");
    attempt.git(&["commit", "-qam", "mine"]);
    attempt.git(&["pack-refs", "--all"]);
    attempt.git(&["gc", "-q", "--prune=now"]);
    attempt.write("second.txt", "and a loose one\n");
    attempt.git(&["add", "-A"]);
    attempt.git(&["commit", "-qm", "more"]);
    attempt.git(&["checkout", "-q", "-b", "other/name"]);
    attempt.git(&["pack-refs", "--all"]);
    let proposal = attempt.propose().await.unwrap();
    assert_eq!((proposal.files.len(), proposal.commits.len()), (2, 2));
    attempt.mirror.import(&crate::desk::incoming(key("chg_1").as_str(), &proposal)).await.unwrap();
}
