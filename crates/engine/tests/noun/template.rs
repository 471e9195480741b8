//! Templates.

use crate::desk::{admin, caller};
use crate::rig::Rig;
use serde_json::json;
use tiltyard_engine::template::{Page, delete, get, page, put};
use tiltyard_model::refusal::Code;
use tiltyard_model::role::{Caller, Role};
use tiltyard_model::template::Template;
use tiltyard_store::template::Window;

fn template(scope: &str, name: &str) -> Template {
    let task = json!({"kind": "command", "priority": 7}).as_object().cloned().expect("an object");
    Template { scope: scope.into(), name: name.into(), description: "often".into(), task }
}

async fn save(rig: &Rig, template: Template) {
    rig.act_as(&admin(), move |act| put(act, template)).await.expect("saves");
}

async fn list(rig: &Rig, caller: Caller, window: Window) -> Page {
    rig.read(move |rows| page(rows, &caller, None, &window)).await.expect("lists")
}

const ALL: Window = Window { after: None, offset: 0, limit: 100 };

fn names(page: &Page) -> Vec<String> {
    page.items.iter().map(|kept| format!("{}/{}", kept.template.scope, kept.template.name)).collect()
}

#[tokio::test]
async fn a_template_is_saved_read_and_deleted() {
    let mut rig = Rig::new().await;
    save(&rig, template("default", "docs")).await;
    rig.clock.advance(1_000);
    save(&rig, Template { description: "rarely".into(), ..template("default", "docs") }).await;
    rig.restart().await;
    let found = rig.read(|rows| get(rows, &admin(), "default", "docs")).await.expect("is there");
    assert_eq!(found.template.description, "rarely");
    assert_eq!((found.updated_at, &found.template.task["priority"]), (crate::rig::START + 1_000, &json!(7)));
    rig.act_as(&admin(), |act| delete(act, "default", "docs")).await.expect("deletes");
    let again = rig.act_as(&admin(), |act| delete(act, "default", "docs")).await.expect_err("gone");
    assert_eq!(again.code, Code::NotFound);
    let told = ["template.saved@default", "template.saved@default", "template.deleted@default"];
    assert_eq!(rig.told_of("template").await, told);
}

// API3: pages follow each other without gap or repeat.
#[tokio::test]
async fn api3_pages_follow_each_other() {
    let rig = Rig::new().await;
    for name in ["c", "a", "b"] {
        save(&rig, template("default", name)).await;
    }
    let first = list(&rig, admin(), Window { limit: 2, ..ALL }).await;
    assert_eq!((names(&first), first.total), (vec!["default/a".into(), "default/b".into()], 3));
    let second = list(&rig, admin(), Window { after: first.next, limit: 2, ..ALL }).await;
    assert_eq!((names(&second), second.next), (vec!["default/c".to_owned()], None));
    let skipped = list(&rig, admin(), Window { offset: 1, limit: 1, ..ALL }).await;
    assert_eq!(names(&skipped), ["default/b"]);
}

// SEC4: of another scope nothing is listed, read, saved or deleted.
#[tokio::test]
async fn sec4_templates_of_others_are_not_shown() {
    let rig = Rig::new().await;
    rig.act(|act| tiltyard_engine::scope::put(act, "b", "")).await.expect("makes");
    save(&rig, template("default", "docs")).await;
    save(&rig, template("b", "docs")).await;
    let of_b = caller(Role::Operator, &["b"]);
    assert_eq!(names(&list(&rig, of_b.clone(), ALL).await), ["b/docs"]);
    let foreign = of_b.clone();
    let read = rig.read(move |rows| get(rows, &foreign, "default", "docs")).await.expect_err("foreign");
    assert_eq!(read.code, Code::ScopeForbidden);
    let saved = rig.act_as(&of_b, |act| put(act, template("default", "new"))).await.expect_err("foreign");
    assert_eq!(saved.code, Code::ScopeForbidden);
    let deleted = rig.act_as(&of_b, |act| delete(act, "default", "docs")).await.expect_err("foreign");
    assert_eq!(deleted.code, Code::ScopeForbidden);
}

#[tokio::test]
async fn what_no_task_has_no_template_has() {
    let rig = Rig::new().await;
    let task = json!({"priorty": 7}).as_object().cloned().expect("an object");
    let wrong = Template { task, ..template("default", "docs") };
    let refused = rig.act_as(&admin(), move |act| put(act, wrong)).await.expect_err("refused");
    assert_eq!(refused.faults[0].field, "/task/priorty");
    let nowhere = rig.act_as(&admin(), |act| put(act, template("nowhere", "x"))).await.expect_err("refused");
    assert_eq!(nowhere.code, Code::UnknownScope);
}
