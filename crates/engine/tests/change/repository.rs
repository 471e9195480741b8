//! Repositories: registered after their agent has looked at them (C19).

use crate::rig::Rig;
use crate::yard::{RULES, SMITH, Yard, asked, found, idea, operator};
use std::time::Duration;
use tiltyard_engine::act::Act;
use tiltyard_engine::repository::{Put, delete, probe, read};
use tiltyard_model::change::Tier;
use tiltyard_model::change::work::{ProbePayload, ProbeResult, Refused};
use tiltyard_model::refusal::Code;
use tiltyard_model::repository::settings::Settings;
use tiltyard_model::repository::{Repository, Source, State};
use tiltyard_model::task::attempt::Outcome;

fn refused() -> ProbeResult {
    let reason = "`/srv/new` is outside the folders where this agent may work with repositories".to_owned();
    ProbeResult::Refused(Refused { code: "outside_roots".into(), reason })
}

impl Yard {
    async fn known(&self, name: &'static str) -> Option<Repository> {
        self.rig.read(move |rows| read::get(rows, &operator("ada"), "default", name)).await.ok()
    }
}

// C19: registered once its agent has found it: head, rules, and the name in the log and on the record.
#[tokio::test]
async fn c19_a_repository_is_registered_after_its_agent_has_looked() {
    let yard = Yard { rig: Rig::new().await };
    let none = yard.put(asked("app", Settings::default())).await.expect_err("nobody is there");
    assert_eq!((none.code, none.retry_after_ms.is_some()), (Code::NoAgentForRepository, true));
    assert!(yard.known("app").await.is_none(), "nothing was changed");
    yard.hello(SMITH).await;
    let pending = yard.put(asked("app", Settings::default())).await.expect("is asked for");
    assert_eq!((pending.repository.state, yard.probed(&pending).await), (State::Probing, Ok(None)));
    let again = yard.put(asked("app", Settings::default())).await.expect("is asked for");
    assert_eq!(again.probe, pending.probe, "the same question is not asked twice");
    let taken = yard.take_git("git.probe").await;
    let payload: ProbePayload = serde_json::from_str(&taken.found.task.spec.payload).expect("a payload");
    assert_eq!(payload.repository.source, Source::Path("/srv/app".into()));
    let answer = serde_json::to_string(&found(Some(RULES))).expect("writes");
    yard.succeed(&taken, Some(answer)).await.expect("is taken");
    let known = yard.probed(&pending).await.expect("is usable").expect("is probed");
    assert_eq!((known.state, known.registration.agent.as_str()), (State::Ready, SMITH));
    assert_eq!(read::rules(&known).checks[0].name, "test");
    assert_eq!(
        yard.rig.told_of("repository").await,
        ["repository.probed@default", "repository.saved@default"]
    );
    assert_eq!(yard.rig.acts_of("default").await, ["repository.put", "repository.put"]);
}

// C19: refused with the agent's reason, and not kept; what was there before stays as it was.
#[tokio::test]
async fn c19_a_refused_repository_is_not_kept() {
    let yard = Yard::new().await;
    let pending = yard.put(asked("new", Settings::default())).await.expect("is asked for");
    yard.probe(refused()).await;
    let refusal = yard.probed(&pending).await.expect_err("is refused");
    assert_eq!((refusal.code, &refusal.extra["reason"]), (Code::RepositoryUnusable, &"outside_roots".into()));
    assert!(refusal.message.contains("outside the folders"));
    assert!(yard.known("new").await.is_none());
    let elsewhere = Put { branch: Some("gone".into()), ..asked("app", Settings::default()) };
    let pending = yard.put(elsewhere).await.expect("is asked for");
    assert_eq!(yard.known("app").await.expect("is there").registration.branch, "main", "until it is found");
    yard.probe(refused()).await;
    assert_eq!(yard.probed(&pending).await.expect_err("is refused").code, Code::RepositoryUnusable);
    let kept = yard.known("app").await.expect("is there");
    assert_eq!((kept.state, kept.registration.branch.as_str()), (State::Ready, "main"));
    assert_eq!((kept.candidate, kept.error), (None, None), "what is in use can be used");
}

// D52: a registration is an act of two entries: that it was asked for, and what became of it.
#[tokio::test]
async fn d52_a_refused_registration_is_on_record_as_one() {
    let yard = Yard::new().await;
    yard.put(asked("new", Settings::default())).await.expect("is asked for");
    yard.probe(refused()).await;
    let entries =
        yard.rig.chain("default").await.into_iter().filter(|entry| entry.action == "repository.put");
    let told = |entry: tiltyard_model::audit::Entry| (entry.target, entry.result.as_str().to_owned());
    let told: Vec<_> = entries.map(told).collect();
    let told: Vec<_> = told.iter().map(|(target, result)| (target.as_str(), result.as_str())).collect();
    let (app, new) = ("default/app", "default/new");
    assert_eq!(told, [(app, "pending"), (app, "ok"), (new, "pending"), (new, "failed")]);
}

// C19: a worker that only claims looks at no repository; an agent of other scopes neither.
#[tokio::test]
async fn c19_a_worker_is_no_agent_of_a_repository() {
    let yard = Yard { rig: crate::rig::Rig::new().await };
    let wanted = crate::rig::request("httponly");
    yard.rig.claim_as(wanted).await;
    let nobody = yard.put(asked("new", Settings::default())).await.expect_err("nobody can look");
    assert_eq!(nobody.code, Code::NoAgentForRepository);
    let named = Put { agent: Some("httponly".into()), ..asked("new", Settings::default()) };
    assert_eq!(yard.put(named).await.expect_err("it cannot look").code, Code::NoAgentForRepository);
}

// What was usable and is so no more says why, until it is registered again.
#[tokio::test]
async fn a_repository_that_went_bad_says_why() {
    let yard = Yard::new().await;
    yard.put(asked("app", Settings::default())).await.expect("is asked for");
    yard.probe(refused()).await;
    let known = yard.known("app").await.expect("is there");
    assert_eq!((known.state, known.error.is_some()), (State::Unusable, true));
    let refusal = yard.submit(idea("x")).await.expect_err("cannot be done");
    assert_eq!(refusal.code, Code::RepositoryUnusable);
    yard.register("app", None, Settings::default()).await;
    assert_eq!(yard.known("app").await.expect("is there").error, None);
    yard.submit(idea("x")).await.expect("is taken in");
}

#[tokio::test]
async fn c19_the_agent_is_named_or_the_only_one_there() {
    let yard = Yard::new().await;
    yard.hello("other").await;
    let which = yard.put(asked("new", Settings::default())).await.expect_err("which one?");
    assert_eq!((which.code, which.faults[0].field.as_str()), (Code::Invalid, "/agent"));
    assert!(which.message.contains("other, smith"), "{}", which.message);
    let named = |agent: &str| Put { agent: Some(agent.into()), ..asked("new", Settings::default()) };
    let gone = yard.put(named("nobody")).await.expect_err("is not there");
    assert_eq!(gone.code, Code::NoAgentForRepository);
    assert_eq!(yard.put(named("other")).await.expect("is asked for").repository.registration.agent, "other");
    yard.rig.pass_ms(30_000).await;
    let silent = yard.put(named(SMITH)).await.expect_err("has fallen silent");
    assert_eq!(silent.code, Code::NoAgentForRepository);
}

#[tokio::test]
async fn a_registration_is_examined_with_every_fault() {
    let yard = Yard::new().await;
    let mut bad = asked("Bad Name", Settings { concurrency: Some(0), ..Settings::default() });
    bad.source = Source::Url("ext::sh -c id".into());
    bad.branch = Some("--all".into());
    let refusal = yard.put(bad).await.expect_err("is refused");
    let fields: Vec<&str> = refusal.faults.iter().map(|fault| fault.field.as_str()).collect();
    assert_eq!(fields, ["/name", "/url", "/branch", "/concurrency"]);
    let scope = Put { scope: "nope".into(), ..asked("x", Settings::default()) };
    assert_eq!(yard.put(scope).await.expect_err("is refused").code, Code::UnknownScope);
}

// An agent that cannot look (killed, out of reach) is a refusal with its reason too.
#[tokio::test]
async fn an_agent_that_cannot_look_is_told() {
    let yard = Yard::new().await;
    let pending = yard.put(asked("new", Settings::default())).await.expect("is asked for");
    for _ in 0..2 {
        let taken = yard.take_git("git.probe").await;
        yard.settle(&taken, Outcome::Failed, None).await.expect("is taken");
        yard.rig.pass_ms(5_000).await;
        yard.hello(SMITH).await;
    }
    let refusal = yard.probed(&pending).await.expect_err("is refused");
    assert!(refusal.message.contains("git is out of reach"), "{}", refusal.message);
    assert!(yard.known("new").await.is_none());
}

// Whoever registers waits for the answer, and not longer than they want to.
#[tokio::test]
async fn the_answer_is_waited_for() {
    let yard = Yard::new().await;
    let pending = yard.put(asked("new", Settings::default())).await.expect("is asked for");
    let none =
        probe::wait(&yard.rig.engine, pending.clone(), Duration::ZERO).await.expect("is still looked at");
    assert_eq!(none.state, State::Probing);
    let waiting = probe::wait(&yard.rig.engine, pending, Duration::from_secs(60));
    let (answer, ()) = tokio::join!(waiting, yard.probe(found(None)));
    assert_eq!(answer.expect("is usable").state, State::Ready);
}

// C22: `--dry-run` weighs any diff by the rules in force; C20: the server's setting wins, key by key.
#[tokio::test]
async fn c22_any_diff_is_weighed_by_the_rules_in_force() {
    let settings = Settings { fix_attempts: Some(7), ..Settings::default() };
    let yard = Yard::with(Some("fix_attempts = 1\nauto_merge = \"safe\"\n"), settings).await;
    let known = yard.known("app").await.expect("is there");
    let rules = read::rules(&known);
    assert_eq!((rules.fix_attempts, rules.auto_merge.as_str()), (7, "safe"));
    let diff = "diff --git a/README.md b/README.md\nindex 1..2 100644\n--- a/README.md\n+++ b/README.md\n\
                @@ -1 +1 @@\n-a\n+b\n";
    assert_eq!(read::weigh(&known, diff.as_bytes()).expect("is a diff").tier, Tier::Safe);
    let cut = read::weigh(&known, &diff.as_bytes()[..diff.len() - 4]).expect_err("is cut off");
    assert_eq!(cut.faults[0].field, "/diff");
}

#[tokio::test]
async fn a_repository_is_forgotten() {
    let yard = Yard::new().await;
    let forget = |act: &mut Act<'_>| delete(act, "default", "app");
    yard.act_as(&operator("ada"), forget).await.expect("is forgotten");
    assert!(yard.known("app").await.is_none());
    let gone = yard.act_as(&operator("ada"), forget).await.expect_err("is gone");
    assert_eq!(gone.code, Code::NotFound);
    assert_eq!(yard.submit(idea("x")).await.expect_err("is unknown").code, Code::UnknownRepository);
    assert_eq!(yard.rig.acts_of("default").await, ["repository.put", "repository.put", "repository.deleted"]);
}
