use crate::{Yard, claim, download, put, submit};
use tiltyard_client::Request;
use tiltyard_engine::OpenError;
use tiltyard_engine::depot::Mark;
use tiltyard_server::StartError;
use tiltyard_testkit::TestServer;
use tiltyard_testkit::postgres::Cluster;
use tiltyard_wire::endpoint::call;
use tiltyard_wire::health::{Component, Status};

async fn disk(server: &TestServer) -> Component {
    let mut health = server.client().call(Request::<call::HealthGet>::new()).await.unwrap();
    health.components.remove("disk").unwrap()
}

// O16: a server that was pointed at the wrong database knows none of the bytes, and does not touch them.
#[tokio::test(flavor = "multi_thread")]
async fn o16_the_bytes_of_another_store_are_refused() {
    let yard = Yard::new();
    let a = yard.server("a").await;
    submit(&a.client()).await;
    let held = claim(&a.client()).await;
    let stored = put(&a.client(), &held, b"mine").await;
    let wrong = Cluster::shared().database().unwrap();
    let url = wrong.url.clone();
    let change = |options: &mut tiltyard_server::ServeOptions| {
        options.engine.sharing = Some(tiltyard_engine::Sharing::of(url));
    };
    let refused = yard.server_with("b", change).await.err().expect("does not start");
    let Some(StartError::Open(OpenError::Foreign(said))) = refused.downcast_ref() else {
        panic!("another reason: {refused}");
    };
    assert!(said.contains("s3://tiltyard/team/one") && said.contains("store-id"), "{said}");
    assert_eq!(download(&a.client(), &stored).await, b"mine");
}

// O16, O17: an older copy of the database does not remove what it does not know, nor does it later, when it has caught up.
#[tokio::test(flavor = "multi_thread")]
async fn o16_an_older_database_removes_nothing() {
    let yard = Yard::new();
    let a = yard.server("a").await;
    assert_eq!(disk(&a).await.status, Status::Ok);
    let depot = a.running().engine().depot().clone();
    a.stop().await;
    let ahead = tokio::task::block_in_place(|| {
        let mark = depot.mark().unwrap().unwrap();
        let ahead = Mark { seq: mark.seq + 1_000_000, ..mark };
        depot.set_mark(&ahead).unwrap();
        ahead
    });
    let b = yard.server("b").await;
    let told = disk(&b).await;
    assert_eq!(told.status, Status::Degraded);
    assert!(told.reason.unwrap().contains("older than the artifacts"));
    let mark = tokio::task::block_in_place(|| depot.mark().unwrap().unwrap());
    assert_eq!(mark, Mark { held: true, ..ahead });
}

// O16: servers that share the store but not what lies beside it say what is to be shared, and how.
#[tokio::test(flavor = "multi_thread")]
async fn o16_bytes_that_other_servers_do_not_see_are_told_of() {
    let yard = Yard::new();
    let own = |options: &mut tiltyard_server::ServeOptions| options.engine.bytes = Default::default();
    let a = yard.server_with("a", own).await.unwrap();
    assert_eq!(disk(&a).await.status, Status::Ok, "one server is enough for itself");
    let b = yard.server_with("b", own).await.unwrap();
    for server in [&a, &b] {
        // What it does every two seconds.
        server.running().engine().report().await.unwrap();
        let told = disk(server).await;
        assert_eq!(told.status, Status::Degraded);
        let reason = told.reason.unwrap();
        assert!(reason.contains("shared.blobs") && reason.contains("s3://"), "{reason}");
    }
}
