//! The end of a whole tree of processes, whoever dies first. Each test holds a named pipe open in every
//! process it makes: its end is the kernel's word that all of them are dead.

use crate::rig::{Lifeline, Recorder, agent, request, run, shell};
use rustix::process::{Pid, Signal, kill_process};
use std::fs::File;
use std::io::Read;
use tiltyard_agent::process::{Cause, Exit, Stop};
use tiltyard_agent::stop::StopReason;

/// A script's start: it holds the lifeline, and has a grandchild in a session of its own that ignores TERM
/// and would outlive it. What follows runs once the grandchild is out of reach.
fn with_a_fugitive(lifeline: &Lifeline, rest: &str) -> String {
    let (pipe, flag) = (lifeline.path.display(), lifeline.folder().join("fled"));
    let flag = flag.display();
    let fugitive = format!("trap \"\" TERM HUP; : > {flag}; while :; do sleep 1000; done");
    format!("exec 3>{pipe}; (setsid sh -c '{fugitive}' &); until [ -e {flag} ]; do sleep 0.01; done; {rest}")
}

#[tokio::test]
async fn d4_a_program_that_ignores_term_is_killed() {
    let (request, stopper) = request(shell("trap '' TERM; echo ready; while :; do sleep 1000; done"));
    let mut heard = Recorder::when("ready", move || assert!(stopper.stop(StopReason::Cancelled)));
    let ended = run(request, &mut heard).await.expect("starts");
    assert_eq!((ended.exit, ended.stop), (Some(Exit::Signal(9)), Stop::Confirmed));
}

#[tokio::test]
async fn d4_a_stopped_program_is_ended_without_waiting_for_the_grace() {
    let (request, stopper) = request(shell("echo ready; kill -STOP $$; sleep 1000"));
    let mut heard = Recorder::when("ready", move || assert!(stopper.stop(StopReason::Cancelled)));
    let ended = run(request, &mut heard).await.expect("starts");
    assert_eq!(ended.stop, Stop::Confirmed);
}

#[tokio::test]
async fn c10_what_a_finished_program_leaves_behind_is_ended() {
    let lifeline = Lifeline::new();
    let script = with_a_fugitive(&lifeline, "sleep 1000 & exit 5");
    let (request, _stopper) = request(shell(&script));
    let ended = run(request, &mut Recorder::default()).await.expect("starts");
    assert_eq!((ended.cause, ended.exit), (Cause::Finished, Some(Exit::Code(5))));
    assert_eq!(ended.stop, Stop::Confirmed);
    assert!(ended.leftovers >= 2, "{ended:?}");
    lifeline.all_gone();
}

#[tokio::test]
async fn d4_cancel_reaches_a_grandchild_that_fled_with_setsid() {
    let lifeline = Lifeline::new();
    let script = with_a_fugitive(&lifeline, "echo ready; sleep 1000");
    let (request, stopper) = request(shell(&script));
    let mut heard = Recorder::when("ready", move || assert!(stopper.stop(StopReason::Cancelled)));
    let ended = run(request, &mut heard).await.expect("starts");
    assert_eq!((ended.cause, ended.stop), (Cause::Stopped(StopReason::Cancelled), Stop::Confirmed));
    lifeline.all_gone();
}

// D4: a tree that answers TERM with new processes, each in a session of its own, is ended as well.
#[tokio::test]
async fn d4_a_tree_that_grows_back_is_ended() {
    let lifeline = Lifeline::new();
    let seed = lifeline.folder().join("seed");
    let text = format!(
        "#!/bin/sh\ntrap 'setsid {seed} & setsid {seed} &' TERM\necho sprout >&3\nwhile :; do sleep 0.01; done\n",
        seed = seed.display()
    );
    std::fs::write(&seed, text).expect("writes");
    let script = format!(
        "exec 3>{}; chmod +x {1}; {1} & echo ready; wait; wait",
        lifeline.path.display(),
        seed.display()
    );
    let (request, stopper) = request(shell(&script));
    let mut heard = Recorder::when("ready", move || assert!(stopper.stop(StopReason::Cancelled)));
    let ended = run(request, &mut heard).await.expect("starts");
    assert_eq!(ended.stop, Stop::Confirmed);
    lifeline.all_gone();
}

#[tokio::test]
async fn c3_a_program_does_not_outlive_its_agent_killed_with_9() {
    let lifeline = Lifeline::new();
    let lock = lifeline.folder().join("lock");
    let script = with_a_fugitive(&lifeline, "trap '' TERM HUP; echo main >&3; sleep 1000; sleep 1000");
    let mut agent = agent(&lock, &lifeline.folder().join("hidden"), &script, &[]);
    assert_eq!(lifeline.line(), "main");
    let held = File::open(&lock).expect("the lock is there");
    assert!(held.try_lock().is_err(), "the shim holds the lock while the program runs");
    agent.kill().expect("KILL is sent");
    agent.wait().expect("the agent is dead");
    lifeline.all_gone();
    // The shim lets go last: whoever gets the lock knows that nothing is left.
    held.lock().expect("the lock comes free");
}

#[tokio::test]
async fn c3_a_folder_still_held_by_an_earlier_program_is_not_used_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let lock = folder.path().join("lock");
    let held = File::create(&lock).expect("a file");
    held.lock().expect("locks");
    let (mut request, _stopper) = request(shell("true"));
    request.lock = Some(lock);
    let error = run(request, &mut Recorder::default()).await.expect_err("is held");
    assert!(error.to_string().contains("is still held"), "{error}");
}

#[tokio::test]
async fn d4_dropping_the_run_ends_the_program() {
    let lifeline = Lifeline::new();
    let script = with_a_fugitive(&lifeline, "echo main >&3; sleep 1000");
    let (request, _stopper) = request(shell(&script));
    let running = tokio::spawn(async move { run(request, &mut Recorder::default()).await.map(|_| ()) });
    let lifeline = tokio::task::spawn_blocking(move || {
        lifeline.line();
        lifeline
    });
    let lifeline = lifeline.await.expect("reads");
    running.abort();
    tokio::task::spawn_blocking(move || lifeline.all_gone()).await.expect("all is gone");
}

/// Starts a program with a fugitive, kills its shim, and returns what the agent says in the end.
fn lose_the_shim(env: &[(&str, &str)]) -> (String, Lifeline) {
    let lifeline = Lifeline::new();
    let script = with_a_fugitive(&lifeline, "echo shim $PPID >&3; sleep 1000");
    let mut agent = agent(&lifeline.folder().join("lock"), &lifeline.folder().join("hidden"), &script, env);
    let said = lifeline.line();
    let shim: i32 = said.strip_prefix("shim ").expect("says its parent").parse().expect("is a number");
    kill_process(Pid::from_raw(shim).expect("is a pid"), Signal::KILL).expect("KILL is sent");
    let mut last = String::new();
    agent.stdout.take().expect("is piped").read_to_string(&mut last).expect("is text");
    agent.wait().expect("the agent ends");
    (last, lifeline)
}

#[test]
fn d4_when_the_shim_is_killed_its_agent_ends_the_tree() {
    let (last, lifeline) = lose_the_shim(&[("ADOPT", "1")]);
    assert!(last.contains("cause: ShimLost") && last.contains("stop: Confirmed"), "{last}");
    lifeline.all_gone();
}

// D4: an end that nobody can vouch for is never told as one.
#[test]
fn d4_without_adoption_the_end_is_unconfirmed() {
    let (last, lifeline) = lose_the_shim(&[]);
    assert!(last.contains("cause: ShimLost") && last.contains("stop: Unconfirmed"), "{last}");
    // Nobody else ends the fugitive here.
    let table = std::fs::read_dir("/proc").expect("proc is readable").flatten();
    let pids = table.filter_map(|process| process.file_name().to_str()?.parse::<u32>().ok());
    for pid in pids.filter(|pid| *pid != std::process::id() && holds(*pid, &lifeline)) {
        kill_process(Pid::from_raw(pid.cast_signed()).expect("is a pid"), Signal::KILL).ok();
    }
    lifeline.all_gone();
}

fn holds(pid: u32, lifeline: &Lifeline) -> bool {
    std::fs::read_link(format!("/proc/{pid}/fd/3")).is_ok_and(|target| target == lifeline.path)
}
