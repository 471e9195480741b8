use crate::rig::{database, entry, writer};
use tiltyard_store::leader::{self, Duty};
use tiltyard_store::server::{self, Server};

fn own(name: &str, instance: &str) -> Server {
    let (name, instance) = (name.to_owned(), instance.to_owned());
    Server { address: format!("http://{name}"), name, instance, seen_at: 5, applied: 7 }
}

// O16: servers know each other, and a new process of one replaces the old.
#[test]
fn o16_servers_know_each_other() {
    let database = database();
    let writer = writer(&database.url);
    let begun = writer.begin_after(0).expect("begins");
    for one in [own("b", "1"), own("a", "1"), own("a", "2")] {
        server::put(writer.tx(), &one).expect("is written");
    }
    assert_eq!(server::all(writer.tx()).expect("reads"), [own("a", "2"), own("b", "1")]);
    server::delete(writer.tx(), "a", "1").expect("is written");
    server::delete(writer.tx(), "b", "1").expect("is written");
    assert_eq!(server::all(writer.tx()).expect("reads"), [own("a", "2")]);
    writer.commit_with(&entry(&begun, "a")).expect("commits");
}

// O16: a duty is one server's, until it ends or is given up.
#[test]
fn o16_a_duty_is_done_by_one() {
    let database = database();
    let writer = writer(&database.url);
    writer.begin_after(0).expect("begins");
    let take = |server: &str, now: i64, until: i64| {
        let duty = Duty { duty: "sweep".into(), server: server.into(), until };
        leader::take(writer.tx(), &duty, now).expect("is written")
    };
    assert!(take("a", 0, 10));
    assert!(!take("b", 9, 19));
    assert!(take("a", 9, 20), "it is renewed");
    assert!(take("b", 20, 30), "it has ended");
    leader::give_up(writer.tx(), "sweep", "a").expect("is written");
    assert!(!take("a", 21, 31), "only one's own is given up");
    leader::give_up(writer.tx(), "sweep", "b").expect("is written");
    assert!(take("a", 21, 31));
    let all = leader::all(writer.tx()).expect("reads");
    assert_eq!(all, [Duty { duty: "sweep".into(), server: "a".into(), until: 31 }]);
    writer.rollback().expect("is taken back");
}
