//! Artifacts: stored under their digest by whoever holds the lease, read as attachments.

use crate::support::{claim, complete, raw, refusal, server, submit, task};
use serde_json::json;
use sha2::{Digest, Sha256};
use tiltyard_client::{Client, Error, Request};
use tiltyard_wire::artifact::{PutQuery, View};
use tiltyard_wire::endpoint::call;
use tiltyard_wire::task::View as Task;

fn digest_of(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

async fn put(client: &Client, task: &Task, digest: &str, bytes: &[u8]) -> Result<View, Error> {
    let query = PutQuery {
        task: Some(task.id),
        generation: Some(task.generation),
        name: Some("diff \u{e9}.patch".into()),
    };
    let request = Request::<call::ArtifactPut>::new().place(digest).query(query);
    client.call(request.bytes(bytes.to_vec(), "text/x-diff")).await
}

// API9: artifacts are streamed; D21: content-addressed, with media type and size.
#[tokio::test]
async fn d21_an_attempt_stores_bytes_under_their_digest() {
    let server = server().await;
    let client = server.client();
    submit(&client, task("makes something")).await;
    let held = claim(&client, "me", 1).await.remove(0);
    let bytes: Vec<u8> = (0..700_000_u32).map(|number| (number % 251) as u8).collect();
    let digest = digest_of(&bytes);
    let stored = put(&client, &held, &digest, &bytes).await.unwrap();
    assert_eq!((&*stored.sha256, stored.size, &*stored.media_type), (&*digest, 700_000, "text/x-diff"));
    assert_eq!(
        put(&client, &held, &digest, &bytes).await.unwrap().id,
        stored.id,
        "asked again, it is the same"
    );
    let mut download = client.download(Request::<call::ArtifactGet>::new().place(stored.id)).await.unwrap();
    let mut read = Vec::new();
    while let Some(piece) = download.next().await.unwrap() {
        read.extend_from_slice(&piece);
    }
    assert!(read == bytes);
}

#[tokio::test]
async fn an_artifact_is_refused_where_it_does_not_fit() {
    let server = server().await;
    let client = server.client();
    submit(&client, task("makes something")).await;
    let held = claim(&client, "me", 1).await.remove(0);
    let digest = digest_of(b"this");
    assert_eq!(refusal(put(&client, &held, &digest, b"that").await), (422, "digest_mismatch".into()));
    assert_eq!(refusal(put(&client, &held, "abc", b"that").await), (400, "bad_parameter".into()));
    let stale = Task { generation: 7, ..held.clone() };
    assert_eq!(refusal(put(&client, &stale, &digest, b"this").await), (409, "stale_generation".into()));
    complete(&client, &held, json!(null)).await;
    assert_eq!(refusal(put(&client, &held, &digest, b"this").await), (409, "stale_generation".into()));
}

// SEC12: artifacts only as attachments; API2: 206, 304 and 416 where they apply.
#[tokio::test]
async fn sec12_an_artifact_is_an_attachment_and_has_parts() {
    let server = server().await;
    let client = server.client();
    submit(&client, task("makes something")).await;
    let held = claim(&client, "me", 1).await.remove(0);
    let stored = put(&client, &held, &digest_of(b"0123456789"), b"0123456789").await.unwrap();
    let path = format!("GET /api/v1/artifacts/{}", stored.id);
    let whole = raw(&server, &path, &[], "").await;
    assert_eq!((whole.status, &*whole.body), (200, "0123456789"));
    for header in [
        "content-disposition: attachment; filename*=utf-8''diff%20%c3%a9%2epatch",
        "content-type: text/x-diff",
        "x-content-type-options: nosniff",
        "accept-ranges: bytes",
        "content-length: 10",
    ] {
        assert!(whole.head.lines().any(|line| line == header), "{header} is not in {}", whole.head);
    }
    let part = raw(&server, &path, &["Range: bytes=2-4"], "").await;
    assert_eq!((part.status, &*part.body), (206, "234"));
    assert!(part.head.contains("content-range: bytes 2-4/10"));
    assert_eq!(raw(&server, &path, &["Range: bytes=10-"], "").await.status, 416);
    let known = format!("If-None-Match: \"{}\"", stored.sha256);
    assert_eq!(raw(&server, &path, &[&known], "").await.status, 304);
}

// D21: bytes whose row was refused are removed, and so are those that a crash left; bytes that a row names stay.
#[tokio::test]
async fn d21_bytes_that_no_row_names_are_removed() {
    let server = server().await;
    let client = server.client();
    submit(&client, task("makes something")).await;
    let held = claim(&client, "me", 1).await.remove(0);
    let digest = digest_of(b"this");
    let file = server.folder().join("artifacts").join(&digest[..2]).join(&digest);
    let odd = || {
        let query = PutQuery { task: Some(held.id), generation: Some(held.generation), name: None };
        let request = Request::<call::ArtifactPut>::new().place(&digest).query(query);
        client.call(request.bytes(b"this".to_vec(), "no media type"))
    };
    assert_eq!(refusal(odd().await), (422, "invalid".into()));
    assert!(!file.exists());
    let (stored, refused) = tokio::join!(put(&client, &held, &digest, b"this"), odd());
    assert_eq!(refusal(refused), (422, "invalid".into()));
    assert!(file.exists(), "one of two uploads at once was named");
    assert_eq!(refusal(odd().await), (422, "invalid".into()));
    assert!(file.exists());
    client.download(Request::<call::ArtifactGet>::new().place(stored.unwrap().id)).await.unwrap();

    let engine = server.running().engine();
    let mut writer = engine.blobs().writer(10).unwrap();
    writer.write(b"left").unwrap();
    drop(writer.finish(None).unwrap());
    let left = digest_of(b"left");
    tiltyard_engine::artifact::sweep(engine, &left).await.unwrap();
    tiltyard_engine::artifact::sweep(engine, &digest).await.unwrap();
    assert!(file.exists() && engine.blobs().open_read(&left).unwrap().is_none());
}
