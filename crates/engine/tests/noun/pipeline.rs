//! Pipelines: published, numbered, looked up, deleted.

use crate::desk::{admin, caller};
use crate::rig::Rig;
use std::sync::Arc;
use tiltyard_engine::pipeline::known::{Definitions, graph};
use tiltyard_engine::pipeline::reading::{self, Checked, Sent};
use tiltyard_engine::pipeline::{
    MAX_PIPELINES, Outcome, Publish, Shown, Window, delete, get, keep, page, publish, published,
};
use tiltyard_model::refusal::{Code, Refusal};
use tiltyard_model::role::{Caller, Role};

const TEXT: &str = "\
input: {type: object, properties: {tag: {type: string}}}
stages:
  - id: a
    uses: command
    with: {argv: [echo, \"${{ input.tag }}\"]}
  - {id: b, uses: gate, needs: a, with: {subject: Go on?}}
";

async fn read(text: &str) -> Arc<Checked> {
    reading::valid(Sent::Text(text.to_owned()), "").await.expect("reads")
}

async fn put(rig: &Rig, name: &str, text: &str) -> (Outcome, Shown) {
    let publish = Publish { scope: "default".into(), name: name.into(), checked: read(text).await };
    rig.act_as(&admin(), move |act| self::publish(act, &publish)).await.expect("publishes")
}

async fn shown(rig: &Rig, name: &'static str, number: Option<i64>) -> Result<Shown, Refusal> {
    rig.read(move |rows| get(rows, &admin(), ("default", name), number)).await
}

// D20, D21: a content is a version; the same published again changes nothing, however it is spelled.
#[tokio::test]
async fn d20_each_other_content_is_another_number() {
    let mut rig = Rig::new().await;
    let (made, first) = put(&rig, "notes", TEXT).await;
    assert_eq!((made, first.published.number, first.published.stages), (Outcome::Made, 1, 2));
    assert_eq!(first.input.as_ref().map(|input| input["type"].as_str()), Some(Some("object")));
    let spelled = TEXT.replace("needs: a", "needs: [a]") + "# the same\n";
    let (same, kept) = put(&rig, "notes", &spelled).await;
    assert_eq!((same, &kept), (Outcome::Same, &first));
    rig.clock.advance(5);
    let other = TEXT.replace("Go on?", "Stop?");
    let (changed, second) = put(&rig, "notes", &other).await;
    assert_eq!((changed, second.published.number, &second.source), (Outcome::Changed, 2, &other));
    assert_eq!(put(&rig, "notes", TEXT).await.1.published.version, first.published.version);
    rig.restart().await;
    assert_eq!(shown(&rig, "notes", None).await.expect("is there").published.number, 3);
    assert_eq!(shown(&rig, "notes", Some(2)).await, Ok(second));
    assert_eq!(shown(&rig, "notes", Some(4)).await.map_err(|refusal| refusal.code), Err(Code::NotFound));
    assert_eq!(rig.told_of("pipeline").await, ["pipeline.published@default"; 3]);
}

#[tokio::test]
async fn a_deleted_name_is_gone_and_counts_on() {
    let rig = Rig::new().await;
    put(&rig, "notes", TEXT).await;
    rig.act_as(&admin(), |act| delete(act, "default", "notes")).await.expect("deletes");
    let again = rig.act_as(&admin(), |act| delete(act, "default", "notes")).await.expect_err("gone");
    assert_eq!(again.code, Code::NotFound);
    assert_eq!(shown(&rig, "notes", Some(1)).await.expect_err("gone").code, Code::NotFound);
    let (made, anew) = put(&rig, "notes", TEXT).await;
    assert_eq!((made, anew.published.number), (Outcome::Made, 2));
    let told = ["pipeline.published@default", "pipeline.deleted@default", "pipeline.published@default"];
    assert_eq!(rig.told_of("pipeline").await, told);
}

// D21: every mistake with its line and column; names of other things are looked up in the scope.
#[tokio::test]
async fn d21_every_mistake_is_told_with_its_place() {
    let rig = Rig::new().await;
    let bad = TEXT.replace("needs: a", "needs: x").replace("input.tag", "input.tga");
    let refusal = reading::valid(Sent::Text(bad), "/definition").await.expect_err("refused");
    assert_eq!(refusal.code, Code::PipelineInvalid);
    let fields: Vec<&str> = refusal.faults.iter().map(|fault| fault.field.as_str()).collect();
    assert_eq!(fields, ["/definition/stages/0/with/argv/1", "/definition/stages/1/needs"]);
    assert_eq!(refusal.places.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [5, 6]);
    assert!(
        refusal.message.starts_with("the definition has 2 mistakes; the first: line 5, column "),
        "{refusal}"
    );
    let names = "stages:\n  - {id: a, uses: pipeline, with: {name: other}}\n  \
                 - {id: b, uses: change, with: {repository: app, title: t, program: x}}\n";
    let checked = read(names).await;
    let look = |own: Option<&'static str>| {
        let checked = Arc::clone(&checked);
        rig.read(move |rows| reading::strangers(rows, "default", &checked, own))
    };
    let found = look(None).await.expect("looks");
    let places: Vec<(u32, &str)> = found.iter().map(|one| (one.line, one.field.as_str())).collect();
    assert_eq!(places, [(2, "/stages/0/with/name"), (3, "/stages/1/with/repository")]);
    assert_eq!(look(Some("other")).await.expect("looks").len(), 1, "its own name is known");
    put(&rig, "other", TEXT).await;
    assert_eq!(look(None).await.expect("looks").len(), 1);
}

// What runs are made of: a definition of their own is kept without a name, and found by its version.
#[tokio::test]
async fn a_version_is_kept_without_a_name() {
    let rig = Rig::new().await;
    let checked = read(TEXT).await;
    let json = serde_json::from_str(&checked.canonical).expect("is JSON");
    let inline = reading::valid(Sent::Value(json), "").await.expect("reads");
    assert_eq!(inline.sha256, checked.sha256);
    let keeping = Arc::clone(&inline);
    let key = rig.act(move |act| {
        let scope = act.scope_key("default")?;
        Ok((keep(act, scope, &keeping)?, keep(act, scope, &keeping)?))
    });
    let (key, again) = key.await.expect("keeps");
    assert_eq!(key, again);
    let (_, named) = put(&rig, "notes", TEXT).await;
    assert_eq!(named.published.version, key);
    let wanted = Arc::clone(&inline.graph);
    assert_eq!(rig.read(move |rows| graph(rows, key)).await.as_ref(), Ok(&*wanted));
    let definitions = Arc::new(Definitions::default());
    let of = |definitions: &Arc<Definitions>| {
        let definitions = Arc::clone(definitions);
        rig.read(move |rows| definitions.get(rows, key))
    };
    let (first, second) = (of(&definitions).await.expect("reads"), of(&definitions).await.expect("has it"));
    assert!(Arc::ptr_eq(&first, &second) && *first == *inline.definition);
    let gone = rig.read(|rows| published(rows, ("default", "nobody"), None)).await;
    assert_eq!(gone, Ok(None));
}

// SEC4: of another scope nothing is listed, read, published or deleted.
#[tokio::test]
async fn sec4_pipelines_of_others_are_not_shown() {
    let rig = Rig::new().await;
    rig.act(|act| tiltyard_engine::scope::put(act, "b", "")).await.expect("makes");
    put(&rig, "notes", TEXT).await;
    let of_b: Caller = caller(Role::Operator, &["b"]);
    let checked = read(TEXT).await;
    let to = |scope: &str, name: &str| Publish {
        scope: scope.into(),
        name: name.into(),
        checked: checked.clone(),
    };
    let own = to("b", "notes");
    rig.act_as(&of_b, move |act| publish(act, &own)).await.expect("publishes");
    let reader = of_b.clone();
    let all = Window { after: None, offset: 0, limit: 100 };
    let listed = rig.read(move |rows| page(rows, &reader, None, &all)).await.expect("lists");
    assert_eq!((listed.total, &*listed.items[0].scope), (1, "b"));
    let reader = of_b.clone();
    let read =
        rig.read(move |rows| get(rows, &reader, ("default", "notes"), None)).await.expect_err("foreign");
    assert_eq!(read.code, Code::ScopeForbidden);
    let foreign = to("default", "new");
    let saved = rig.act_as(&of_b, move |act| publish(act, &foreign)).await.expect_err("foreign");
    let gone = rig.act_as(&of_b, |act| delete(act, "default", "notes")).await.expect_err("foreign");
    assert_eq!((saved.code, gone.code), (Code::ScopeForbidden, Code::ScopeForbidden));
    let odd = to("b", "No Slug");
    assert_eq!(rig.act_as(&of_b, move |act| publish(act, &odd)).await.expect_err("odd").code, Code::Invalid);
}

#[tokio::test]
async fn a_scope_has_so_many_pipelines_and_is_not_deleted_with_one() {
    let rig = Rig::new().await;
    let checked = read(TEXT).await;
    let fill = move |act: &mut tiltyard_engine::Act<'_>| {
        for n in 0..=MAX_PIPELINES {
            let one = Publish { scope: "default".into(), name: format!("p{n}"), checked: checked.clone() };
            publish(act, &one)?;
        }
        Ok(())
    };
    let refused = rig.act_as(&admin(), fill).await.expect_err("is full");
    assert_eq!(refused.faults[0].field, "/name");
    rig.act(|act| tiltyard_engine::scope::put(act, "b", "")).await.expect("makes");
    let one = Publish { scope: "b".into(), name: "p".into(), checked: read(TEXT).await };
    rig.act_as(&admin(), move |act| publish(act, &one)).await.expect("publishes");
    let kept =
        rig.act_as(&admin(), |act| tiltyard_engine::scope::delete(act, "b")).await.expect_err("is used");
    assert!(kept.code == Code::InUse && kept.message.contains("1 pipelines"), "{kept}");
}
