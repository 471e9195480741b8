//! A bucket that speaks S3, as this floor uses it: whole objects, parts of them, names in order. Everything here is
//! asynchronous and driven by threads of its own; whoever waits for it does so on a thread that may block.

use crate::error::{Error, Result};
use bytes::Bytes;
use object_store::aws::{AmazonS3, AmazonS3Builder, AmazonS3ConfigKey};
use object_store::list::{PaginatedListOptions, PaginatedListStore};
use object_store::multipart::{MultipartStore, PartId};
use object_store::path::Path;
use object_store::{ClientOptions, GetOptions, ObjectStore, ObjectStoreExt, PutPayload, RetryConfig};
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;
use tiltyard_model::secret::Secret;
use tiltyard_model::time::TimeMs;
use tokio::runtime::{Builder, Runtime};

/// Threads that drive requests; what waits for them waits elsewhere.
const THREADS: usize = 2;
/// How long one request may take, its body included. The largest is a part of an upload.
const REQUEST_PATIENCE: Duration = Duration::from_secs(60);
/// How long a server may take to be reached.
const CONNECT_PATIENCE: Duration = Duration::from_secs(5);
/// How long a request is tried again.
const RETRY_PATIENCE: Duration = Duration::from_secs(10);
/// How often a request is tried again.
const MAX_RETRIES: usize = 5;
/// Names of one answer: what S3 gives at most.
pub(crate) const MAX_PAGE: usize = 1_000;

/// A bucket with a prefix.
pub(crate) struct Bucket {
    store: AmazonS3,
    prefix: String,
    runtime: Option<Runtime>,
}

impl std::fmt::Debug for Bucket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Bucket({} {})", self.store, self.prefix)
    }
}

/// An upload in parts.
#[derive(Debug)]
pub(crate) struct Upload {
    path: Path,
    id: String,
    parts: Vec<PartId>,
}

/// What is found below a name: objects, and what would be folders elsewhere.
#[derive(Debug, Default)]
pub(crate) struct Page {
    /// Names of objects, the last part only.
    pub(crate) objects: Vec<String>,
    /// Names of folders, the last part only.
    pub(crate) folders: Vec<String>,
    /// Where the next page begins; `None` behind the last one.
    next: Option<String>,
}

impl Bucket {
    /// # Errors
    /// When the settings make no sense, or the system gives no thread.
    pub(crate) fn open(name: &str, prefix: &str, access: &[(String, Secret<String>)]) -> Result<Self> {
        // Somebody else may have done it; there is only this one.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let runtime = Builder::new_multi_thread().worker_threads(THREADS).enable_all().build();
        let runtime = runtime.map_err(|error| Error::io("start the driver of the bucket", &error))?;
        let store = builder(access).with_bucket_name(name).build();
        let store = store.map_err(|error| failure("set up the bucket", &error))?;
        let prefix = if prefix.is_empty() { String::new() } else { format!("{prefix}/") };
        Ok(Self { store, prefix, runtime: Some(runtime) })
    }

    fn runtime(&self) -> &Runtime {
        self.runtime.as_ref().expect("it is there until the bucket is dropped")
    }

    /// Waits. Not for asynchronous threads.
    pub(crate) fn wait<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime().handle().block_on(work)
    }

    /// Does it without anybody waiting.
    pub(crate) fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        self.runtime().spawn(work);
    }

    fn path(&self, key: &str) -> Path {
        Path::from(format!("{}{key}", self.prefix))
    }

    /// Puts an object in its place; what was there before is replaced.
    pub(crate) async fn put(&self, key: &str, bytes: Bytes) -> Result<()> {
        let put = self.store.put(&self.path(key), PutPayload::from_bytes(bytes)).await;
        put.map(drop).map_err(|error| failure("write to the bucket", &error))
    }

    /// An object, or a part of it; `None` when it is not there.
    pub(crate) async fn get(&self, key: &str, range: Option<Range<u64>>) -> Result<Option<Bytes>> {
        let options = GetOptions { range: range.map(Into::into), ..GetOptions::default() };
        let found = match self.store.get_opts(&self.path(key), options).await {
            Ok(found) => found,
            Err(object_store::Error::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(failure("read from the bucket", &error)),
        };
        found.bytes().await.map(Some).map_err(|error| failure("read from the bucket", &error))
    }

    /// How many bytes an object has, and when it was put there; `None` when it is not there.
    pub(crate) async fn look(&self, key: &str) -> Result<Option<(u64, TimeMs)>> {
        match self.store.head(&self.path(key)).await {
            Ok(found) => Ok(Some((found.size, found.last_modified.timestamp_millis()))),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(failure("look into the bucket", &error)),
        }
    }

    /// Removes an object; it may be gone already.
    pub(crate) async fn remove(&self, key: &str) -> Result<()> {
        match self.store.delete(&self.path(key)).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(failure("remove from the bucket", &error)),
        }
    }

    /// What begins with `prefix`, up to the next slash: at most `limit` names.
    pub(crate) async fn names(&self, prefix: &str, limit: usize) -> Result<Page> {
        let mut all = Page::default();
        loop {
            let left = limit.saturating_sub(all.objects.len() + all.folders.len());
            if left == 0 {
                return Ok(all);
            }
            let page = self.page(prefix, all.next.take(), left.min(MAX_PAGE)).await?;
            all.objects.extend(page.objects);
            all.folders.extend(page.folders);
            all.next = page.next;
            if all.next.is_none() {
                return Ok(all);
            }
        }
    }

    async fn page(&self, prefix: &str, page_token: Option<String>, limit: usize) -> Result<Page> {
        let options = PaginatedListOptions {
            delimiter: Some("/".into()),
            max_keys: Some(limit),
            page_token,
            ..PaginatedListOptions::default()
        };
        let prefix = format!("{}{prefix}", self.prefix);
        let found = self.store.list_paginated(Some(&prefix), options).await;
        let found = found.map_err(|error| failure("look into the bucket", &error))?;
        let last = |path: &Path| path.filename().map(str::to_owned);
        Ok(Page {
            objects: found.result.objects.iter().filter_map(|object| last(&object.location)).collect(),
            folders: found.result.common_prefixes.iter().filter_map(last).collect(),
            next: found.page_token,
        })
    }

    /// Begins an upload in parts.
    pub(crate) async fn begin(&self, key: &str) -> Result<Upload> {
        let path = self.path(key);
        let id = self.store.create_multipart(&path).await;
        let id = id.map_err(|error| failure("begin an upload", &error))?;
        Ok(Upload { path, id, parts: Vec::new() })
    }

    /// Sends the next part.
    pub(crate) async fn send(&self, upload: &mut Upload, bytes: Bytes) -> Result<()> {
        let (payload, index) = (PutPayload::from_bytes(bytes), upload.parts.len());
        let part = self.store.put_part(&upload.path, &upload.id, index, payload).await;
        upload.parts.push(part.map_err(|error| failure("upload a part", &error))?);
        Ok(())
    }

    /// Makes the object of its parts.
    pub(crate) async fn complete(&self, upload: Upload) -> Result<()> {
        let done = self.store.complete_multipart(&upload.path, &upload.id, upload.parts).await;
        done.map(drop).map_err(|error| failure("end an upload", &error))
    }

    /// Forgets the parts.
    pub(crate) async fn abort(&self, upload: &Upload) -> Result<()> {
        let done = self.store.abort_multipart(&upload.path, &upload.id).await;
        done.map_err(|error| failure("take an upload back", &error))
    }
}

impl Drop for Bucket {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // It may be dropped on an asynchronous thread, which may not wait.
            runtime.shutdown_background();
        }
    }
}

fn builder(access: &[(String, Secret<String>)]) -> AmazonS3Builder {
    let client = ClientOptions::new()
        .with_http1_only()
        .with_timeout(REQUEST_PATIENCE)
        .with_connect_timeout(CONNECT_PATIENCE);
    let retry =
        RetryConfig { max_retries: MAX_RETRIES, retry_timeout: RETRY_PATIENCE, ..RetryConfig::default() };
    let mut builder = AmazonS3Builder::new().with_client_options(client).with_retry(retry);
    for (name, value) in access {
        // Most variables of that name are for other programs.
        let Ok(key) = name.to_ascii_lowercase().parse::<AmazonS3ConfigKey>() else { continue };
        let endpoint = matches!(key, AmazonS3ConfigKey::Endpoint | AmazonS3ConfigKey::S3Endpoint);
        if endpoint && value.expose().starts_with("http://") {
            builder = builder.with_allow_http(true);
        }
        builder = builder.with_config(key, value.expose());
    }
    builder
}

/// A bucket that refuses will go on refusing; one that does not answer may do so in a moment.
fn failure(statement: &'static str, error: &object_store::Error) -> Error {
    use object_store::Error as Cause;
    let reason = error.to_string();
    match error {
        Cause::NotFound { .. }
        | Cause::InvalidPath { .. }
        | Cause::NotSupported { .. }
        | Cause::NotImplemented { .. }
        | Cause::PermissionDenied { .. }
        | Cause::Unauthenticated { .. }
        | Cause::UnknownConfigurationKey { .. } => Error::Broken { statement, reason },
        _ => Error::Busy(format!("the bucket does not {statement}: {reason}")),
    }
}

/// So that a bucket can be handed to what outlives a call.
pub(crate) type Shared = Arc<Bucket>;
