//! One suite for every place where bytes can lie: a data folder, a folder that servers share, a bucket.

mod blob;
mod log;
mod mark;

use std::path::PathBuf;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use tempfile::TempDir;
use tiltyard_store::depot::{Address, Depot, Options};
use tiltyard_testkit::s3::S3;

/// The server of this process.
fn s3() -> &'static S3 {
    static SHARED: OnceLock<S3> = OnceLock::new();
    SHARED.get_or_init(|| S3::start().expect("a server of S3 starts; `cargo xtask test` installs it"))
}

/// A place that servers open.
struct Site {
    folder: TempDir,
    address: Address,
    access: Vec<(String, String)>,
}

impl Site {
    fn own() -> Self {
        Self { folder: tempfile::tempdir().expect("a folder"), address: Address::Own, access: Vec::new() }
    }

    fn folder() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let address = Address::Folder(folder.path().join("shared"));
        Self { folder, address, access: Vec::new() }
    }

    fn bucket() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let prefix = format!("t{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let address = s3().place(&prefix).parse().expect("is an address");
        Self { folder: tempfile::tempdir().expect("a folder"), address, access: s3().access() }
    }

    /// The data folder of a server.
    fn data(&self, server: &str) -> PathBuf {
        self.folder.path().join(server)
    }

    /// The place as a server has it.
    fn open(&self, server: &str) -> Depot {
        let access = self.access.iter().map(|(name, value)| (name.clone(), value.clone().into())).collect();
        let (data, instance) = (self.data(server), server.to_owned());
        std::fs::create_dir_all(&data).expect("a data folder");
        Depot::open(&Options { address: self.address.clone(), data, access, instance }).expect("opens")
    }
}

/// Tries it in every place.
fn each(mut check: impl FnMut(&Site)) {
    [Site::own(), Site::folder(), Site::bucket()].iter().for_each(&mut check);
}

/// Tries it in every place that servers share.
fn each_shared(mut check: impl FnMut(&Site)) {
    [Site::folder(), Site::bucket()].iter().for_each(&mut check);
}
