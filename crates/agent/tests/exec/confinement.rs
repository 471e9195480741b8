//! C6: what a program does not get: our variables, our folders, our processes, our user.

use crate::rig::{Lifeline, Recorder, agent, argv, request, run, shell};
use std::io::Read;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use tiltyard_agent::process::{Confinement, Exit, Hiding, HidingMethod, RunAs};

/// A home with a data folder in it, as a set-up under one folder has it.
struct Home {
    folder: tempfile::TempDir,
}

impl Home {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        for name in ["data/agent/mine", "config", "beside"] {
            std::fs::create_dir_all(folder.path().join(name)).expect("makes folders");
        }
        for name in
            ["data/secret", "data/agent/other", "config/client.toml", "beside/plain", "data/agent/mine/own"]
        {
            std::fs::write(folder.path().join(name), "the content\n").expect("writes");
        }
        std::os::unix::fs::symlink("data/secret", folder.path().join("link")).expect("links");
        Self { folder }
    }

    /// Runs `script` in the home, with data and configuration hidden.
    async fn run(&self, method: HidingMethod, script: &str) -> (Hiding, String) {
        let (mut request, _stopper) = request(shell(script));
        let path = |name: &str| self.folder.path().join(name);
        request.program.cwd = self.folder.path().to_owned();
        let hide = vec![path("data"), path("config"), path("not there")];
        request.confinement = Confinement { hide, open: vec![path("data/agent/mine")], user: None, method };
        let mut heard = Recorder::default();
        let ended = run(request, &mut heard).await.expect("starts");
        assert_eq!(ended.exit, Some(Exit::Code(0)), "{}", String::from_utf8_lossy(&heard.err));
        (ended.hiding, heard.text())
    }
}

/// Says of each file whether it can be read.
const LOOK: &str = "for f in data/secret data/agent/other config/client.toml link beside/plain data/agent/mine/own; \
     do cat $f >/dev/null 2>&1 && echo \"$f seen\"; done; true";

#[tokio::test]
async fn c6_data_and_configuration_are_hidden_with_the_strongest_means() {
    let home = Home::new();
    let (hiding, seen) = home.run(HidingMethod::Strongest, LOOK).await;
    if hiding == Hiding::Visible {
        println!("skipped: this kernel has no Landlock, and this user may not mount");
        return;
    }
    assert_eq!(seen, "beside/plain seen\ndata/agent/mine/own seen\n");
    if hiding == Hiding::Covered {
        let (_, listed) =
            home.run(HidingMethod::Strongest, "ls data config data/agent; (: > data/new) 2>&1; true").await;
        assert!(listed.starts_with("config:\n\ndata:\nagent\n\ndata/agent:\nmine\n"), "{listed}");
        assert!(listed.contains("Read-only"), "{listed}");
        assert!(!home.folder.path().join("data/new").exists());
    } else {
        println!("covers not tried: this user may not mount");
    }
}

#[tokio::test]
async fn c6_a_cover_cannot_be_taken_away() {
    let home = Home::new();
    let script = "umount data 2>/dev/null && echo uncovered; umount -l config 2>/dev/null && echo uncovered; \
         cat /proc/1/root$PWD/data/secret 2>/dev/null; nsenter -t 1 -m true 2>/dev/null && echo escaped; true";
    let (hiding, said) = home.run(HidingMethod::Strongest, script).await;
    if hiding != Hiding::Covered {
        println!("skipped: this user may not mount");
        return;
    }
    assert_eq!(said, "");
}

#[tokio::test]
async fn c6_data_and_configuration_are_hidden_by_landlock_alone() {
    let home = Home::new();
    let (hiding, seen) = home.run(HidingMethod::LandlockOnly, LOOK).await;
    if hiding == Hiding::Visible {
        println!("skipped: this kernel has no Landlock");
        return;
    }
    assert_eq!(
        (hiding, seen.as_str()),
        (Hiding::Unreadable, "beside/plain seen\ndata/agent/mine/own seen\n")
    );
}

// C6: hiding must not break what programs do all day beside the hidden folders.
#[tokio::test]
async fn c6_files_can_be_made_beside_hidden_folders() {
    let home = Home::new();
    let script = "echo a >> ledger && echo b >> ledger && mkdir new && echo c > new/file && mv new/file moved && \
         ls . / >/dev/null && echo d > data/agent/mine/x && cat data/agent/mine/x";
    for method in [HidingMethod::Strongest, HidingMethod::LandlockOnly] {
        let (_, said) = home.run(method, script).await;
        assert_eq!(said, "d\n", "{method:?}");
        assert_eq!(std::fs::read_to_string(home.folder.path().join("ledger")).expect("was made"), "a\nb\n");
        for made in ["ledger", "moved"] {
            std::fs::remove_file(home.folder.path().join(made)).expect("was made");
        }
        std::fs::remove_dir(home.folder.path().join("new")).expect("was made");
    }
}

#[tokio::test]
async fn c6_a_program_cannot_reach_its_shim_or_its_agent() {
    let mut heard = Recorder::default();
    let (request, _stopper) = request(shell(&format!(
        "grep NoNewPrivs /proc/self/status; kill -9 $PPID 2>/dev/null && echo killed; \
         cat /proc/$PPID/environ /proc/{}/environ 2>/dev/null && echo looked; true",
        std::process::id()
    )));
    let ended = run(request, &mut heard).await.expect("starts");
    assert_eq!(ended.exit, Some(Exit::Code(0)));
    let scopes = landlock_abi().is_some_and(|abi| abi >= 6);
    if scopes {
        assert_eq!(heard.text(), "NoNewPrivs:\t1\n");
    } else {
        println!("signals not tried: Landlock of this kernel does not fence them");
        assert!(heard.text().starts_with("NoNewPrivs:\t1\n"));
    }
}

/// The version of Landlock here, as the kernel says it at boot; `None` when it does not say.
fn landlock_abi() -> Option<u32> {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").ok()?;
    let mut numbers = release.split(['.', '-']).map_while(|part| part.parse::<u32>().ok());
    let (major, minor) = (numbers.next()?, numbers.next()?);
    (major > 6 || (major == 6 && minor >= 12)).then_some(6)
}

#[test]
fn c6_tokens_do_not_reach_the_program() {
    let lifeline = Lifeline::new();
    let token = format!("jst_{}", "0123456789abcdef".repeat(4));
    let bearer = format!("Bearer {token}");
    let env = [
        ("TILTYARD_TOKEN", token.as_str()),
        ("TILTYARD_DATA", "/x"),
        ("ADMIN_TOKEN", "sixteen-characters"),
        ("HEADER", bearer.as_str()),
        ("HARMLESS", "stays"),
    ];
    let script = format!("env; tr '\\0' '\\n' < /proc/$PPID/environ; exec 3>{}", lifeline.path.display());
    let mut agent = agent(&lifeline.folder().join("lock"), &lifeline.folder().join("hidden"), &script, &env);
    let mut said = String::new();
    agent.stdout.take().expect("is piped").read_to_string(&mut said).expect("is text");
    agent.wait().expect("ends");
    assert!(said.contains("HARMLESS=stays"), "{said}");
    for secret in ["TILTYARD_", "jst_", "ADMIN_TOKEN", "sixteen"] {
        assert!(!said.contains(secret), "{secret} in {said}");
    }
}

#[tokio::test]
async fn c6_another_user_runs_the_program() {
    if std::fs::metadata("/proc/self").expect("is there").uid() != 0 {
        println!("skipped: only root can change the user");
        return;
    }
    let folder = tempfile::tempdir_in("/tmp").expect("a folder");
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).expect("sets the mode");
    let (mut request, _stopper) = request(argv(&["sh", "-c", "id -u; id -g; id -G"]));
    request.program.cwd = folder.path().to_owned();
    request.confinement.user = Some(RunAs { uid: 65534, gid: 65533 });
    let mut heard = Recorder::default();
    let ended = run(request, &mut heard).await.expect("starts");
    assert_eq!((ended.exit, heard.text().as_str()), (Some(Exit::Code(0)), "65534\n65533\n65533\n"));
}

#[tokio::test]
async fn c6_a_folder_that_the_other_user_cannot_reach_is_told() {
    if std::fs::metadata("/proc/self").expect("is there").uid() != 0 {
        println!("skipped: only root can change the user");
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o700)).expect("sets the mode");
    let (mut request, _stopper) = request(argv(&["true"]));
    request.program.cwd = folder.path().to_owned();
    request.confinement.user = Some(RunAs { uid: 65534, gid: 65533 });
    let error = run(request, &mut Recorder::default()).await.expect_err("is closed");
    assert!(error.to_string().contains("as the other user"), "{error}");
}
