//! Artifacts: stored under their digest by whoever holds the lease, read as attachments.

use crate::support::{claim, client_with, complete, make_scope, raw, refusal, server, submit, task, token};
use serde_json::json;
use sha2::{Digest, Sha256};
use tiltyard_client::{Client, Error, Request};
use tiltyard_model::role::Role;
use tiltyard_wire::artifact::{GetQuery, PostQuery, PutQuery, View};
use tiltyard_wire::endpoint::call;
use tiltyard_wire::health::Status;
use tiltyard_wire::task::{Submit, View as Task};

fn digest_of(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

async fn put(client: &Client, task: &Task, digest: &str, bytes: &[u8]) -> Result<View, Error> {
    let query = PutQuery {
        task: Some(task.id),
        generation: Some(task.generation),
        name: Some("diff \u{e9}.patch".into()),
        output: None,
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
        let query =
            PutQuery { task: Some(held.id), generation: Some(held.generation), ..PutQuery::default() };
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

async fn post(client: &Client, scope: Option<&str>, bytes: &[u8]) -> Result<View, Error> {
    let query = PostQuery { scope: scope.map(str::to_owned), name: Some("in.csv".into()) };
    client.call(Request::<call::ArtifactPost>::new().query(query).bytes(bytes.to_vec(), "text/csv")).await
}

// D21: whoever may submit stores bytes for the work, streamed; the same bytes lie on disk once.
#[tokio::test]
async fn d21_bytes_are_stored_before_the_work_that_needs_them() {
    let server = server().await;
    let admin = server.client();
    make_scope(&admin, "other").await;
    let client = client_with(&server, token(Role::Agent, &["other"])).await;
    let bytes: Vec<u8> = (0..600_000_u32).map(|number| (number % 241) as u8).collect();
    let (one, two) =
        (post(&client, None, &bytes).await.unwrap(), post(&client, Some("other"), &bytes).await.unwrap());
    assert_eq!((&*one.sha256, one.size, &*one.media_type), (&*digest_of(&bytes), 600_000, "text/csv"));
    assert_eq!(
        (one.name.as_deref(), one.sha256 == two.sha256, one.id == two.id),
        (Some("in.csv"), true, false)
    );
    let folder = server.folder().join("artifacts").join(&one.sha256[..2]);
    assert_eq!(std::fs::read_dir(folder).unwrap().count(), 1);
    let mut download = client.download(Request::<call::ArtifactGet>::new().place(two.id)).await.unwrap();
    assert_eq!(download.entity_tag().as_deref(), Some(&*two.sha256));
    let mut read = Vec::new();
    while let Some(piece) = download.next().await.unwrap() {
        read.extend_from_slice(&piece);
    }
    assert!(read == bytes);
    assert_eq!(refusal(post(&client, Some("default"), b"x").await), (403, "scope_forbidden".into()));
    assert_eq!(refusal(post(&admin, Some("nowhere"), b"x").await), (422, "unknown_scope".into()));
    let viewer = client_with(&server, token(Role::Viewer, &["default"])).await;
    assert_eq!(refusal(post(&viewer, None, b"x").await), (403, "forbidden".into()));
}

// API5: the same key with the same bytes is one artifact; with others it is a mistake.
#[tokio::test]
async fn api5_bytes_are_stored_once_by_their_key() {
    let server = server().await;
    let client = server.client();
    let send = |bytes: &'static [u8]| {
        let request = Request::<call::ArtifactPost>::new().bytes(bytes.to_vec(), "text/csv");
        client.call(request.idempotent("one"))
    };
    let (one, two) = (send(b"bytes").await.unwrap(), send(b"bytes").await.unwrap());
    assert_eq!(one.id, two.id);
    assert_eq!(refusal(send(b"others").await), (422, "idempotency_mismatch".into()));
    let others = digest_of(b"others");
    assert!(!server.folder().join("artifacts").join(&others[..2]).join(&others).exists());
}

// D21: an attempt hands in the outputs that its task's payload names, and no others.
#[tokio::test]
async fn d21_an_attempt_hands_in_its_outputs() {
    let server = server().await;
    let client = server.client();
    let payload = r#"{"argv": ["true"], "outputs": {"draft": {"file": "d"}, "copy": {"file": "c"}}}"#;
    let payload = Some(serde_json::value::RawValue::from_string(payload.to_owned()).unwrap());
    submit(&client, Submit { payload, ..task("makes something") }).await;
    let held = claim(&client, "me", 1).await.remove(0);
    let digest = digest_of(b"draft");
    let hand_in = |output: &str| {
        let (task, generation, output) = (Some(held.id), Some(held.generation), Some(output.to_owned()));
        let query = PutQuery { task, generation, output, name: None };
        let request = Request::<call::ArtifactPut>::new().place(&digest).query(query);
        client.call(request.bytes(b"draft".to_vec(), "text/markdown"))
    };
    let (draft, copy) = (hand_in("draft").await.unwrap(), hand_in("copy").await.unwrap());
    assert_eq!((draft.output.as_deref(), copy.output.as_deref()), (Some("draft"), Some("copy")));
    assert_ne!(draft.id, copy.id, "the same bytes are two outputs");
    assert_eq!(hand_in("draft").await.unwrap().id, draft.id);
    assert_eq!(refusal(hand_in("other").await), (422, "invalid".into()));
}

// O13: bytes are looked at when they are read: damaged ones are not handed out as a whole, and health tells of them.
#[tokio::test]
async fn o13_damaged_bytes_are_not_handed_out() {
    let server = server().await;
    let client = server.client();
    let bytes = vec![b'a'; 700_000];
    let stored = post(&client, None, &bytes).await.unwrap();
    let file = server.folder().join("artifacts").join(&stored.sha256[..2]).join(&stored.sha256);
    let mut spoiled = bytes.clone();
    spoiled[3] = b'b';
    std::fs::write(&file, &spoiled).unwrap();
    let fetch = || async {
        let mut download = client.download(Request::<call::ArtifactGet>::new().place(stored.id)).await?;
        let mut count = 0;
        while let Some(piece) = download.next().await? {
            count += piece.len();
        }
        Ok::<_, Error>(count)
    };
    assert!(matches!(fetch().await, Err(Error::Interrupted { .. })));
    let health = || client.call(Request::<call::HealthGet>::new());
    let disk = health().await.unwrap().components["disk"].clone();
    assert_eq!(disk.status, Status::Degraded);
    assert!(disk.reason.unwrap().contains(&*stored.sha256));
    // The same bytes once more mend it.
    post(&client, None, &bytes).await.unwrap();
    assert_eq!(fetch().await.unwrap(), 700_000);
    assert_eq!(health().await.unwrap().components["disk"].status, Status::Ok);
}

// SEC4: a program is handed artifacts of its task's scope only, whatever the token of its agent reaches.
#[tokio::test]
async fn sec4_a_task_is_handed_artifacts_of_its_scope_only() {
    let server = server().await;
    let admin = server.client();
    make_scope(&admin, "other").await;
    let agent = client_with(&server, token(Role::Agent, &["default", "other"])).await;
    let (own, other) =
        (post(&admin, None, b"own").await.unwrap(), post(&admin, Some("other"), b"other").await.unwrap());
    let (here, there) = (
        submit(&admin, task("here")).await,
        submit(&admin, Submit { scope: Some("other".into()), ..task("there") }).await,
    );
    let fetch = |client: &Client, stored: &View, task| {
        let request = Request::<call::ArtifactGet>::new().place(stored.id).query(GetQuery { task });
        let client = client.clone();
        async move { client.text(request).await }
    };
    assert_eq!(fetch(&agent, &other, None).await.unwrap(), "other", "the token reaches both");
    assert_eq!(fetch(&agent, &own, Some(here.id)).await.unwrap(), "own");
    assert_eq!(fetch(&agent, &other, Some(there.id)).await.unwrap(), "other");
    let missing = (404, "not_found".to_owned());
    assert_eq!(refusal(fetch(&agent, &other, Some(here.id)).await), missing);
    assert_eq!(refusal(fetch(&admin, &own, Some(there.id)).await), missing);
    assert_eq!(refusal(fetch(&admin, &own, Some(own.id)).await), missing, "that is no task");
    let narrow = client_with(&server, token(Role::Agent, &["default"])).await;
    assert_eq!(refusal(fetch(&narrow, &other, Some(there.id)).await), missing);

    let known = |stored: &View| json!({"artifact": stored.id, "sha256": stored.sha256, "size": stored.size, "media_type": "x/y", "name": "x"});
    let ask = |members: serde_json::Value| {
        let mut payload = json!({"argv": ["true"]});
        for (name, value) in members.as_object().unwrap() {
            payload[name] = value.clone();
        }
        let payload = Some(serde_json::value::to_raw_value(&payload).unwrap());
        let asked = Submit { kind: "command".into(), payload, ..task("reads") };
        admin.call(Request::<call::TaskSubmit>::new().body(asked))
    };
    for (members, field) in [
        (json!({"files": {"in/a": known(&other)}}), "/payload/files/in~1a"),
        (json!({"stdin_artifact": other.id}), "/payload/stdin_artifact"),
    ] {
        let error = ask(members).await.unwrap_err();
        assert!(format!("{error:?}").contains(field), "{field}: {error:?}");
        assert_eq!(refusal(Err::<(), _>(error)), (422, "invalid".into()));
    }
    let plain = json!({"artifact": other.id});
    ask(json!({"files": {"a": known(&own), "b": plain}, "stdin_artifact": own.id})).await.unwrap();
}
