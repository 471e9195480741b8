//! What goes between an attempt and the server's artifacts: files and standard input before the program starts, its
//! outputs when it has ended.

use super::payload::{From, Given, Output};
use super::place::Inside;
use crate::attempt::AttemptKey;
use crate::executor::limit::Limits;
use crate::executor::workshop::transfer;
use crate::executor::{Performed, Speech};
use crate::outcome::Verdict;
use crate::process::MAX_STDIN_BYTES;
use crate::workspace::AttemptFolder;
use serde::de::IgnoredAny;
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{self, Read, Seek, Write};
use tempfile::NamedTempFile;
use tiltyard_client::{Client, Error, Request};
use tiltyard_wire::artifact::{GetQuery, PutQuery};
use tiltyard_wire::endpoint::{MAX_ARTIFACT_BYTES, call};
use tiltyard_wire::model::pipeline::MAX_DOCUMENT_BYTES;
use tiltyard_wire::task::command::{Reference, Spoken};

/// Bytes of a file that are read together.
const PIECE_BYTES: usize = 256 * 1024;
/// Longest file name that is told.
const MAX_NAME_BYTES: usize = 255;
const JSON: &str = "application/json";
const TEXT: &str = "text/plain; charset=utf-8";
const BYTES: &str = "application/octet-stream";

/// The way between one attempt and the server.
pub(super) struct Exchange<'a> {
    pub(super) client: Option<&'a Client>,
    pub(super) limits: Limits,
    pub(super) key: AttemptKey,
    pub(super) folder: &'a AttemptFolder,
}

/// Why an output is not handed in.
pub(super) struct Missing {
    /// Which, and what is wrong with it.
    pub(super) text: String,
    /// Whether it is not there at all.
    pub(super) is_absent: bool,
}

/// Bytes that are ready to be handed in.
enum Ready {
    Bytes(Vec<u8>),
    /// A copy of the agent's own, which nobody changes while it is sent.
    Copy(NamedTempFile),
}

impl Exchange<'_> {
    /// Standard input.
    pub(super) async fn stdin(&self, given: &Given) -> Result<Vec<u8>, Performed> {
        let artifact = match given {
            Given::Bytes(bytes) => return Ok(bytes.clone()),
            Given::Artifact(artifact) => artifact,
        };
        let mut file =
            tempfile::tempfile_in(self.folder.path()).map_err(|error| unplaced("stdin", &error))?;
        self.fetch(artifact, "standard input", &file, MAX_STDIN_BYTES as u64).await?;
        let mut bytes = Vec::new();
        let read = file.rewind().and_then(|()| file.read_to_end(&mut bytes));
        read.map(|_| bytes).map_err(|error| unplaced("stdin", &error))
    }

    /// Puts a file where the program finds it.
    pub(super) async fn place(&self, path: &Inside, given: &Given) -> Result<(), Performed> {
        let mut file = path.create(&self.folder.work()).map_err(|error| unplaced(path.as_str(), &error))?;
        match given {
            Given::Bytes(bytes) => file.write_all(bytes).map_err(|error| unplaced(path.as_str(), &error)),
            Given::Artifact(artifact) => {
                self.fetch(artifact, path.as_str(), &file, MAX_ARTIFACT_BYTES as u64).await
            }
        }
    }

    async fn fetch(&self, artifact: &Reference, what: &str, file: &File, room: u64) -> Result<(), Performed> {
        let what = format!("fetch {} for {what}", artifact.id());
        transfer(&self.limits, &what, || self.fetch_once(artifact, file, room)).await
    }

    /// From the beginning each time: what came before may have been cut off.
    async fn fetch_once(&self, artifact: &Reference, mut file: &File, room: u64) -> Result<(), Error> {
        let client = self.client.ok_or_else(no_server)?;
        let wrong = |reason: String| Error::Unreadable { url: client.url().to_owned(), status: 200, reason };
        let broken = |error: io::Error| wrong(format!("it cannot be written here: {error}"));
        file.set_len(0).and_then(|()| file.rewind()).map_err(broken)?;
        // The agent may reach more than the task may: the server looks whether this is of the task's scope.
        let task = self.key.task().parse().map_err(|_| wrong(format!("{} is no task", self.key.task())))?;
        let request = Request::<call::ArtifactGet>::new().place(artifact.id());
        let mut download = client.download(request.query(GetQuery { task: Some(task) })).await?;
        let said = artifact.sha256().map(str::to_owned).or_else(|| download.entity_tag());
        let (mut digest, mut left) = (Sha256::new(), room);
        while let Some(piece) = download.next().await? {
            let rest = left.checked_sub(piece.len() as u64);
            left = rest.ok_or_else(|| wrong(format!("it has more than the {room} bytes that may be")))?;
            digest.update(&piece);
            file.write_all(&piece).map_err(broken)?;
        }
        let found = hex(digest);
        match said.filter(|said| !said.eq_ignore_ascii_case(&found)) {
            Some(said) => Err(wrong(format!("its bytes have the digest {found}, and not {said}"))),
            None => Ok(()),
        }
    }

    /// Hands an output in. What is wrong with the output itself is the inner result.
    ///
    /// # Errors
    /// What is performed when the job is over, or the server does not take it.
    pub(super) async fn hand_in(
        &self,
        output: &Output,
        speech: &Speech,
    ) -> Result<Result<(), Missing>, Performed> {
        let of =
            |text: &str| Missing { text: format!("the output `{}`: {text}", output.name), is_absent: false };
        let (ready, media_type, name) = match self.ready(output, speech).await {
            Ok(Some(ready)) => ready,
            Ok(None) => return Ok(Err(Missing { is_absent: true, ..of(&absent(&output.from)) })),
            Err(text) => return Ok(Err(of(&text))),
        };
        let digest = match digest(&ready) {
            Ok(digest) => digest,
            Err(error) => return Ok(Err(of(&format!("cannot be read: {error}")))),
        };
        let query = PutQuery {
            task: self.key.task().parse().ok(),
            generation: Some(self.key.generation()),
            name: Some(name).filter(|name| name.len() <= MAX_NAME_BYTES && !name.contains('\\')),
            output: Some(output.name.clone()),
        };
        let put = || async {
            let request = Request::<call::ArtifactPut>::new().place(&digest).query(query.clone());
            let request = match &ready {
                Ready::Bytes(bytes) => request.bytes(bytes.clone(), &media_type),
                Ready::Copy(copy) => request.file(copy.path(), &media_type),
            };
            self.client.ok_or_else(no_server)?.call(request).await
        };
        transfer(&self.limits, &format!("hand in the output `{}`", output.name), put).await?;
        Ok(Ok(()))
    }

    /// The bytes of an output, their media type and their name; `None` when there are none.
    async fn ready(
        &self,
        output: &Output,
        speech: &Speech,
    ) -> Result<Option<(Ready, String, String)>, String> {
        match &output.from {
            From::File(path, media_type) => {
                let copied = self.copy(path.clone()).await?;
                let media_type = media_type.clone().unwrap_or_else(|| BYTES.to_owned());
                Ok(copied.map(|copy| (Ready::Copy(copy), media_type, path.file_name().to_owned())))
            }
            From::Json(path) => {
                let named = |error: io::Error| format!("{}: {error}", path.as_str());
                let Some(file) = path.open(&self.folder.work()).map_err(named)? else { return Ok(None) };
                let mut bytes = Vec::new();
                file.take(MAX_DOCUMENT_BYTES as u64 + 1).read_to_end(&mut bytes).map_err(named)?;
                let document = document(path.as_str(), bytes)?;
                Ok(Some((document, JSON.to_owned(), path.file_name().to_owned())))
            }
            From::Spoken(spoken) => {
                let ready = said(*spoken, speech)?;
                Ok(Some(match spoken {
                    Spoken::Json => (ready, JSON.to_owned(), format!("{}.json", output.name)),
                    Spoken::Text => (ready, TEXT.to_owned(), format!("{}.txt", output.name)),
                }))
            }
        }
    }

    /// A copy of a file that the program put out: what is sent is what was looked at.
    async fn copy(&self, path: Inside) -> Result<Option<NamedTempFile>, String> {
        let (work, own) = (self.folder.work(), self.folder.path().to_owned());
        let copying = move || -> Result<Option<NamedTempFile>, String> {
            let named = |error: io::Error| format!("{}: {error}", path.as_str());
            let Some(file) = path.open(&work).map_err(named)? else { return Ok(None) };
            let most = MAX_ARTIFACT_BYTES as u64;
            let mut copy = NamedTempFile::new_in(own).map_err(named)?;
            let bytes = io::copy(&mut file.take(most + 1), copy.as_file_mut()).map_err(named)?;
            if bytes > most {
                return Err(format!("{}: it has more than {most} bytes", path.as_str()));
            }
            Ok(Some(copy))
        };
        tokio::task::spawn_blocking(copying).await.unwrap_or_else(|error| Err(error.to_string()))
    }
}

/// Standard output, when all of it was heard and it is what it is to be.
fn said(spoken: Spoken, speech: &Speech) -> Result<Ready, String> {
    let said = speech.said_bytes();
    if said > MAX_DOCUMENT_BYTES as u64 {
        return Err(format!(
            "standard output has {said} bytes, more than the {MAX_DOCUMENT_BYTES} of a document: put it into a file, and take \
             that as `file`"
        ));
    }
    match spoken {
        Spoken::Json => document("standard output", speech.heard()),
        Spoken::Text => match String::from_utf8(speech.heard()) {
            Ok(text) => Ok(Ready::Bytes(text.into_bytes())),
            Err(_) => {
                Err("standard output is no UTF-8: put it into a file, and take that as `file`".to_owned())
            }
        },
    }
}

fn document(what: &str, bytes: Vec<u8>) -> Result<Ready, String> {
    if bytes.len() > MAX_DOCUMENT_BYTES {
        return Err(format!(
            "{what} has more than the {MAX_DOCUMENT_BYTES} bytes of a document: take it as `file`"
        ));
    }
    match serde_json::from_slice::<IgnoredAny>(&bytes) {
        Ok(_) => Ok(Ready::Bytes(bytes)),
        Err(error) => Err(format!("{what} is no JSON: {error}")),
    }
}

fn absent(from: &From) -> String {
    match from {
        From::File(path, _) | From::Json(path) => {
            format!("the program left no file {} in its folder", path.as_str())
        }
        From::Spoken(_) => "the program said nothing".to_owned(),
    }
}

fn digest(ready: &Ready) -> io::Result<String> {
    let mut digest = Sha256::new();
    match ready {
        Ready::Bytes(bytes) => digest.update(bytes),
        Ready::Copy(copy) => {
            let mut file = copy.reopen()?;
            let mut piece = vec![0; PIECE_BYTES];
            loop {
                let read = file.read(&mut piece)?;
                if read == 0 {
                    break;
                }
                digest.update(&piece[..read]);
            }
        }
    }
    Ok(hex(digest))
}

fn hex(digest: Sha256) -> String {
    digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn no_server() -> Error {
    Error::BadAddress { url: String::new(), reason: "this agent has no server".to_owned() }
}

fn unplaced(what: &str, error: &io::Error) -> Performed {
    // Another agent may have room; a path that is taken by another one is the payload's fault, and told the same way.
    Performed::told(Verdict::failed(format!("cannot place {what} for the program: {error}")))
}
