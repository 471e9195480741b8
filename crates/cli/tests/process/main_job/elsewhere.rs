//! A decision is taken on one server, and the agent hangs on another one of the same store.

use super::shop::{RULES, Shop, TEST, text};
use crate::live::{Home, Server};
use serde_json::json;
use tiltyard_testkit::postgres::Cluster;

// O16, C23, D26: the change is approved on a server that has no agent; the one that has it merges.
#[test]
fn o16_c23_a_gate_decided_on_one_server_resumes_work_on_another() {
    let database = Cluster::shared().database().expect("a database");
    let store = database.tcp_url();
    let shop = Shop::open_over(Some(&store), RULES, TEST);
    let home = Home::new();
    let other = Server::start(&home, &["--store", &store]);
    let task = shop.idea("Greet louder", "echo 'hello!' > hello.txt");
    let seen = shop.review(&task, 1);
    shop.approve_at(&other, &seen);
    shop.until(&task, "task.succeeded", 1);
    assert_eq!(shop.landed(), ["Greet louder"]);
    assert_eq!(shop.change(&text(&seen, "id"))["state"], json!("merged"));
}
