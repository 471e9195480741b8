//! One program: how it starts, what it says, how its end is told.

use crate::rig::{self, Recorder, argv, request, run, shell};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::Duration;
use tiltyard_agent::process::{
    Cause, Exit, Hindrance, MAX_STDIN_BYTES, OutputSink, StartError, Stop, Voice, environment,
};
use tiltyard_agent::stop::StopReason;

#[tokio::test]
async fn c10_exit_codes_and_both_voices_are_told() {
    let mut heard = Recorder::default();
    let (request, _stopper) = request(shell("echo out; echo err >&2; exit 7"));
    let ended = run(request, &mut heard).await.expect("starts");
    assert_eq!((ended.cause, ended.exit), (Cause::Finished, Some(Exit::Code(7))));
    assert_eq!((ended.stop, ended.leftovers), (Stop::Confirmed, 0));
    assert_eq!((heard.out.as_slice(), heard.err.as_slice()), (&b"out\n"[..], &b"err\n"[..]));
}

#[tokio::test]
async fn c10_a_signal_is_told_as_a_signal() {
    let (request, _stopper) = request(shell("kill -SEGV $$"));
    let ended = run(request, &mut Recorder::default()).await.expect("starts");
    assert_eq!((ended.cause, ended.exit), (Cause::Finished, Some(Exit::Signal(11))));
}

#[tokio::test]
async fn c10_an_argv_is_no_shell_string() {
    let mut heard = Recorder::default();
    let (request, _stopper) = request(argv(&["printf", "%s|", "a b", "$HOME", "; echo x", ""]));
    run(request, &mut heard).await.expect("starts");
    assert_eq!(heard.text(), "a b|$HOME|; echo x||");
}

async fn refusal(change: impl FnOnce(&mut tiltyard_agent::process::Request)) -> (Hindrance, String) {
    let (mut request, _stopper) = request(argv(&["true"]));
    change(&mut request);
    match run(request, &mut Recorder::default()).await {
        Err(StartError::Refused { hindrance, text }) => (hindrance, text),
        other => panic!("expected a refusal, got {other:?}"),
    }
}

#[tokio::test]
async fn c10_a_missing_program_is_a_clear_error() {
    let (hindrance, text) = refusal(|request| request.program.run = argv(&["no-such-program-here"])).await;
    assert_eq!(hindrance, Hindrance::MissingProgram);
    assert!(text.contains("`no-such-program-here` is not installed on this host: PATH is /"), "{text}");
    let (hindrance, text) = refusal(|request| request.program.run = argv(&["/no/such/program"])).await;
    assert_eq!(hindrance, Hindrance::MissingProgram);
    assert!(text.contains("`/no/such/program` does not exist"), "{text}");
    let (hindrance, _) = refusal(|request| request.program.run = argv(&[])).await;
    assert_eq!(hindrance, Hindrance::MissingProgram);
}

#[tokio::test]
async fn c10_what_cannot_be_executed_and_a_missing_folder_are_told_apart() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("plain");
    std::fs::write(&file, "x").expect("writes");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).expect("sets the mode");
    let name = file.to_str().expect("is text");
    assert_eq!(refusal(|request| request.program.run = argv(&[name])).await.0, Hindrance::NotExecutable);
    let (hindrance, text) = refusal(|request| request.program.cwd = PathBuf::from("/no/such/folder")).await;
    assert_eq!(hindrance, Hindrance::BadFolder);
    assert!(text.contains("/no/such/folder"), "{text}");
}

#[tokio::test]
async fn c10_standard_input_is_given_whole_and_ends() {
    let mut heard = Recorder::default();
    let (mut request, _stopper) = request(argv(&["cat"]));
    request.program.stdin = (0..1_000_000u32).map(|number| (number % 251) as u8).collect();
    let given = request.program.stdin.clone();
    run(request, &mut heard).await.expect("starts");
    assert!(heard.out == given, "{} of {} bytes came back", heard.out.len(), given.len());
}

#[tokio::test]
async fn c10_input_that_nobody_reads_holds_nothing_up_and_too_much_is_refused() {
    let (mut unread, _stopper) = request(argv(&["true"]));
    unread.program.stdin = vec![b'x'; 1_000_000];
    let ended = run(unread, &mut Recorder::default()).await.expect("starts");
    assert_eq!(ended.exit, Some(Exit::Code(0)));
    let (mut huge, _stopper) = request(argv(&["true"]));
    huge.program.stdin = vec![0; MAX_STDIN_BYTES + 1];
    assert!(matches!(run(huge, &mut Recorder::default()).await, Err(StartError::StdinTooLong(_))));
}

#[tokio::test]
async fn c10_environment_and_folder_are_those_asked_for() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut heard = Recorder::default();
    let (mut request, _stopper) = request(shell("pwd; env"));
    request.program.cwd = folder.path().canonicalize().expect("is there");
    request.program.env =
        vec![("PATH".to_owned(), "/usr/bin:/bin".to_owned()), ("A".to_owned(), "ä=\n1".to_owned())];
    let wanted = format!("{}\n", request.program.cwd.display());
    run(request, &mut heard).await.expect("starts");
    assert!(heard.text().starts_with(&wanted), "{}", heard.text());
    assert!(heard.text().contains("A=ä=\n1\n"), "{}", heard.text());
    assert!(!heard.text().contains("HOME="), "{}", heard.text());
}

#[tokio::test]
async fn c10_a_timeout_ends_the_program() {
    let (mut request, _stopper) = request(shell("sleep 1000"));
    request.timeout = Some(Duration::from_millis(100));
    let ended = run(request, &mut Recorder::default()).await.expect("starts");
    assert_eq!((ended.cause, ended.stop), (Cause::TimedOut, Stop::Confirmed));
    assert_eq!(ended.exit, Some(Exit::Signal(15)));
}

#[tokio::test]
async fn d4_a_cancelled_program_may_say_goodbye() {
    let (request, stopper) =
        request(shell("trap 'echo bye; exit 3' TERM; echo ready; while :; do sleep 0.05; done"));
    let mut heard = Recorder::when("ready", move || assert!(stopper.stop(StopReason::Cancelled)));
    let ended = run(request, &mut heard).await.expect("starts");
    assert_eq!(ended.cause, Cause::Stopped(StopReason::Cancelled));
    assert_eq!((ended.exit, ended.stop), (Some(Exit::Code(3)), Stop::Confirmed));
    assert!(heard.text().ends_with("bye\n"), "{}", heard.text());
}

#[tokio::test]
async fn d4_a_program_told_to_stop_before_it_starts_is_stopped() {
    let (request, stopper) = request(shell("sleep 1000"));
    stopper.stop(StopReason::Dropped);
    let ended = run(request, &mut Recorder::default()).await.expect("starts");
    assert_eq!((ended.cause, ended.stop), (Cause::Stopped(StopReason::Dropped), Stop::Confirmed));
}

struct FullDisk(usize);

impl OutputSink for FullDisk {
    fn write(&mut self, _: Voice, _: &[u8]) -> io::Result<()> {
        self.0 += 1;
        Err(io::Error::from(io::ErrorKind::StorageFull))
    }
}

#[tokio::test]
async fn a_sink_that_fails_is_told_and_does_not_hang_the_program() {
    let (request, _stopper) = request(shell("head -c 1000000 /dev/zero; exit 4"));
    let mut full = FullDisk(0);
    let ended = rig::launcher().run(request, &mut full).await.expect("starts");
    assert_eq!(ended.exit, Some(Exit::Code(4)));
    assert_eq!(ended.sink_error.map(|error| error.kind()), Some(io::ErrorKind::StorageFull));
    assert_eq!(full.0, 1);
}

#[tokio::test]
async fn a_shim_of_another_version_or_none_at_all_is_told() {
    let (lone, _stopper) = request(argv(&["true"]));
    let launcher = tiltyard_agent::process::Launcher::new("/no/such/shim".into(), vec![]);
    let error = launcher.run(lone, &mut Recorder::default()).await.expect_err("there is no shim");
    assert!(error.to_string().contains("cannot start the shim /no/such/shim"), "{error}");
    let (other, _stopper) = request(argv(&["true"]));
    let args = vec!["exec-shim".into(), "0".into()];
    let launcher = tiltyard_agent::process::Launcher::new(rig::stub(), args);
    let error = launcher.run(other, &mut Recorder::default()).await.expect_err("the version is another");
    assert!(error.to_string().contains("speaks another version"), "{error}");
}

#[test]
fn c6_the_tests_themselves_run_without_a_token() {
    assert!(environment::inherited().iter().all(|(name, _)| !name.starts_with("TILTYARD_")));
}
