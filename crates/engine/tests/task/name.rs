//! Names of servers that share a store.

use crate::version::open;
use tempfile::TempDir;
use tiltyard_engine::{Engine, OpenError, Options, Sharing};
use tiltyard_store::Error;
use tiltyard_testkit::postgres::{Cluster, Database};

async fn second(database: &Database, folder: &TempDir) -> Result<std::sync::Arc<Engine>, OpenError> {
    let sharing = Sharing { name: "a".to_owned(), ..Sharing::of(database.url.clone()) };
    Engine::open(Options { sharing: Some(sharing), ..Options::new(folder.path()) }).await
}

// O16, E10: a name is one server's: the second one of it does not start as long as the first one lives.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn o16_a_second_server_of_a_name_does_not_start() {
    let database = Cluster::shared().database().expect("a database");
    let (near, far) = (TempDir::new().expect("a folder"), TempDir::new().expect("a folder"));
    let first = open(&database, &near, "a").await;
    let reports = async {
        loop {
            first.report().await.expect("is there");
        }
    };
    let refused = tokio::select! {
        second = second(&database, &far) => second.map(drop).expect_err("the name is taken"),
        () = reports => unreachable!("it goes on"),
    };
    let said = refused.to_string();
    assert!(matches!(refused, OpenError::Store(Error::Locked(_))), "{refused:?}");
    assert!(said.contains("has the name `a`") && said.contains("shared.name"), "{said}");
    first.close().await.expect("ends");
}

// O16: a copy of a data folder says nothing of the process that held it, which may live.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn o16_a_copied_data_folder_takes_nobodys_name() {
    let database = Cluster::shared().database().expect("a database");
    let (near, far) = (TempDir::new().expect("a folder"), TempDir::new().expect("a folder"));
    let first = open(&database, &near, "a").await;
    std::fs::copy(near.path().join("instance"), far.path().join("instance")).expect("is copied");
    let reports = async {
        loop {
            first.report().await.expect("is there");
        }
    };
    let refused = tokio::select! {
        second = second(&database, &far) => second.map(drop).expect_err("the name is taken"),
        () = reports => unreachable!("it goes on"),
    };
    assert!(refused.to_string().contains("has the name `a`"), "{refused}");
    first.close().await.expect("ends");
}

// O16: a server that was killed comes back under its name, from its data folder and from another one, while it is still looked for.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn o16_a_killed_servers_name_is_taken_again() {
    let database = Cluster::shared().database().expect("a database");
    let (near, far) = (TempDir::new().expect("a folder"), TempDir::new().expect("a folder"));
    // It goes without giving its name back, as one that was killed.
    drop(open(&database, &near, "a").await);
    drop(second(&database, &near).await.expect("its own folder"));
    let last = second(&database, &far).await.expect("another folder");
    last.close().await.expect("ends");
}
