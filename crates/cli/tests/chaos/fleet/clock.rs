//! Servers whose clocks are an hour apart.

use super::site::{DATABASE, Site, cluster};
use crate::line::Line;
use crate::load::Load;
use crate::seen::{Log, read};
use crate::server::Yard;
use serde_json::{Value, json};
use std::process::Command;
use tiltyard_testkit::postgres::Sync;

/// How far the one's clock is ahead, in seconds.
const AHEAD_SECONDS: i64 = 3_600;
/// Events of one story are not further apart than this.
const MAX_APART_MS: i64 = 120_000;
/// Answers of success.
const HEARD: u64 = 200;

/// Moves the clock of a process that is started with it.
const SHIM: &str = r#"
#define _GNU_SOURCE
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>
int clock_gettime(clockid_t clock, struct timespec *time) {
    int said = syscall(SYS_clock_gettime, clock, time);
    if (said == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) time->tv_sec += AHEAD;
    return said;
}
int gettimeofday(struct timeval *time, void *zone) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    (void)zone;
    time->tv_sec = now.tv_sec;
    time->tv_usec = now.tv_nsec / 1000;
    return 0;
}
time_t time(time_t *told) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (told) *told = now.tv_sec;
    return now.tv_sec;
}
"#;

/// A server's command whose clock is ahead.
fn ahead(yard: &Yard) -> tokio::process::Command {
    let (source, library) = (yard.beside("clock.c"), yard.beside("clock.so"));
    std::fs::write(&source, SHIM).expect("writes");
    let mut cc = Command::new("cc");
    cc.arg(format!("-DAHEAD={AHEAD_SECONDS}")).args(["-shared", "-fPIC", "-o"]).arg(&library).arg(&source);
    assert!(cc.status().expect("a C compiler").success());
    let mut command = yard.command();
    command.env("LD_PRELOAD", library);
    command
}

fn events<'a>(all: &'a [Value], kind: &'a str) -> impl Iterator<Item = &'a Value> {
    all.iter().filter(move |event| event["type"] == kind)
}

// O16, E4: the clocks of two servers are an hour apart. Nothing is due too early, no lease ends too early, no token either, and what is
// told has one time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn o16_e4_clocks_an_hour_apart_change_nothing() {
    let cluster = cluster(Sync::Off, &[]);
    let mut site = Site::open_with(&vec![cluster.tcp_url(DATABASE); 2], |place, yard| match place {
        0 => ahead(yard),
        _ => yard.command(),
    })
    .await;
    let (load, mut log) = (Load::new(), Log::default());
    let own = [0, 1].map(|place| own_time(&site, place));
    assert!(own[0] - own[1] > AHEAD_SECONDS * 900, "the clocks are not apart: {own:?}");
    let in_ten_minutes =
        "SELECT to_char((now() + interval '10 min') AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')";
    let then = cluster.ask(DATABASE, in_ten_minutes).expect("the database answers");
    let token = json!({"label": "ten minutes", "role": "viewer", "scopes": ["*"], "expires": then});
    let mut due = Vec::new();
    for place in [0, 1] {
        let task =
            json!({"kind": "chaos", "queue": "later", "title": format!("later-{place}"), "run_at": then});
        let answer = site.line(place).post("/tasks", &task).await.expect("it answers");
        assert_eq!(answer.body["state"], "scheduled", "{}", answer.body);
        load.ledger.will_submit(&format!("later-{place}"), None, None);
        let id = answer.body["id"].as_str().expect("an id").to_owned();
        load.ledger.submitted(&format!("later-{place}"), crate::ledger::Word::Done(id.clone()));
        due.push(id);
    }
    let token = site.line(1).post("/auth/tokens", &token).await.expect("it answers").body;
    load.go_to(&site.addresses());
    load.heard(HEARD).await;
    for place in [0, 1] {
        for id in &due {
            assert_eq!(read(&mut site.line(place), &format!("/tasks/{id}")).await["state"], "scheduled");
        }
        let mut line =
            Line::with_token(site.server(place).address, token["token"].as_str().expect("a token"));
        assert_eq!(read(&mut line, "/tasks?limit=1").await["items"].as_array().map(Vec::len), Some(1));
    }
    for id in &due {
        let cancelled =
            site.line(0).post(&format!("/tasks/{id}/cancel"), &json!({})).await.expect("it answers");
        assert!(cancelled.is_done(), "{}", cancelled.body);
    }
    let seen = site.settle(load, &mut log).await;
    // The careless hands lose leases by their own fault only: never one that was just given.
    let time = |event: &Value| -> i64 { millis(event["time"].as_str().expect("a time")) };
    let (first, last) = (time(&seen.events[0]), time(seen.events.last().expect("events")));
    assert!((0..=MAX_APART_MS).contains(&(last - first)), "{first} … {last}");
    let in_order = seen.events.windows(2).all(|pair| time(&pair[0]) <= time(&pair[1]));
    assert!(in_order, "times go backwards");
    println!(
        "{} events, {} leases lost",
        seen.events.len(),
        events(&seen.events, "tiltyard.task.lease_lost").count()
    );
}

/// What a server believes the time is, by what it writes about itself.
fn own_time(site: &Site, place: usize) -> i64 {
    let log = site.log(place);
    let line = log.lines().find(|line| line.starts_with('{')).expect("it has written something");
    let line: Value = serde_json::from_str(line).expect("is JSON");
    millis(line["ts"].as_str().expect("a time"))
}

/// Milliseconds of a day and its time, as far as stories of one day need it.
fn millis(time: &str) -> i64 {
    let part = |from: usize, to: usize| time[from..to].parse::<i64>().expect("a number");
    let (day, hour, minute) = (part(8, 10), part(11, 13), part(14, 16));
    (((day * 24 + hour) * 60 + minute) * 60 + part(17, 19)) * 1_000 + part(20, 23)
}
