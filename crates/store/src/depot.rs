//! Where the bytes lie that are no rows, artifacts and logs: in the data folder of one server, in a folder that several
//! servers see, or in a bucket that speaks S3.

mod address;
pub(crate) mod bucket;
mod mark;

use crate::blob::{Blobs, make_folder};
use crate::error::{Error, Result};
use crate::log::Logs;
pub use address::{Address, BadAddress};
use bucket::Bucket;
pub use mark::Mark;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tiltyard_model::secret::Secret;

/// Where to keep bytes, and how to get there.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where.
    pub address: Address,
    /// The data folder of this server: what is not shared lies there, and what is not whole yet.
    pub data: PathBuf,
    /// How to reach a bucket: the variables `AWS_…` by their names.
    pub access: Vec<(String, Secret<String>)>,
    /// A word that no other running server has.
    pub instance: String,
}

/// The place of all bytes. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Depot {
    address: Address,
    root: Root,
    blobs: Blobs,
    logs: Logs,
}

/// A folder, or a bucket.
#[derive(Debug, Clone)]
enum Root {
    Folder(Arc<Path>),
    Bucket(Arc<Bucket>),
}

impl Depot {
    /// Opens the place, and makes what is missing of a folder. A bucket must exist; whether it answers is seen with the first
    /// look at its mark.
    ///
    /// # Errors
    /// When the folder cannot be made or read, or the settings of the bucket make no sense.
    pub fn open(options: &Options) -> Result<Self> {
        let Options { address, data, access, instance } = options;
        let (root, blobs, logs) = match address {
            Address::Own => (Root::Folder(data.as_path().into()), Blobs::open(data)?, Logs::open(data)?),
            Address::Folder(folder) => {
                make_folder(folder).map_err(|error| Error::io("open the shared folder", &error))?;
                let blobs = Blobs::open_shared(folder, instance)?;
                (Root::Folder(folder.as_path().into()), blobs, Logs::open(folder)?)
            }
            Address::Bucket { name, prefix } => {
                let bucket = Arc::new(Bucket::open(name, prefix, access)?);
                let blobs = Blobs::in_bucket(Arc::clone(&bucket), data)?;
                (Root::Bucket(Arc::clone(&bucket)), blobs, Logs::in_bucket(bucket))
            }
        };
        Ok(Self { address: address.clone(), root, blobs, logs })
    }

    /// Where it is.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// Whether other servers can reach it too.
    pub fn is_shared(&self) -> bool {
        self.address != Address::Own
    }

    /// The bytes of artifacts.
    pub fn blobs(&self) -> &Blobs {
        &self.blobs
    }

    /// The logs of attempts.
    pub fn logs(&self) -> &Logs {
        &self.logs
    }

    /// Whose bytes these are; `None` when nobody has said so. Blocks.
    ///
    /// # Errors
    /// When the place does not answer, or what lies there is no mark.
    pub fn mark(&self) -> Result<Option<Mark>> {
        let text = match &self.root {
            Root::Folder(folder) => mark::read_file(folder)?,
            Root::Bucket(bucket) => bucket.wait(bucket.get(mark::NAME, None))?.map(Vec::from),
        };
        text.map(|text| Mark::parse(&text)).transpose()
    }

    /// Says whose bytes these are. Blocks.
    ///
    /// # Errors
    /// When the place does not answer or takes nothing.
    pub fn set_mark(&self, mark: &Mark) -> Result<()> {
        let text = mark.text();
        match &self.root {
            Root::Folder(folder) => mark::write_file(folder, &text),
            Root::Bucket(bucket) => bucket.wait(bucket.put(mark::NAME, text.into())),
        }
    }

    /// Where the mark lies, for people.
    pub fn mark_place(&self) -> String {
        match (&self.root, &self.address) {
            (Root::Folder(folder), _) => folder.join(mark::NAME).display().to_string(),
            (Root::Bucket(_), address) => format!("{address}/{}", mark::NAME),
        }
    }
}
