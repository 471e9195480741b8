//! From a store that does not open, and a server that does not start, to how the command ends.

use super::{Exit, Failure};
use tiltyard_engine::OpenError;
use tiltyard_engine::copy::CopyError;
use tiltyard_engine::migrate::MigrateError;
use tiltyard_server::StartError;

impl From<MigrateError> for Failure {
    fn from(error: MigrateError) -> Self {
        let exit = if error.is_storage() { Exit::Storage } else { Exit::Failed };
        Self::new(exit, error.to_string())
    }
}

impl From<CopyError> for Failure {
    fn from(error: CopyError) -> Self {
        let exit = if error.is_storage() { Exit::Storage } else { Exit::Failed };
        Self::new(exit, error.to_string())
    }
}

impl From<StartError> for Failure {
    fn from(error: StartError) -> Self {
        let message = error.to_string();
        match &error {
            StartError::Bind(_) | StartError::Token(_) => Self::usage(message),
            StartError::Listen { .. } => Self::failed(message)
                .hint("`--listen 127.0.0.1:0` takes a free port; `tiltyard doctor` looks around"),
            StartError::Folder { error, .. } => {
                Self { message, ..Self::from(std::io::Error::from(error.kind())) }
            }
            StartError::Open(open) => opening(open, message),
        }
    }
}

fn opening(error: &OpenError, message: String) -> Failure {
    match error {
        OpenError::Store(store) if store.is_storage() => Failure::new(Exit::Storage, message)
            .hint("nothing was changed; `tiltyard doctor` checks the disk, and copies of the store are in `backups`"),
        OpenError::Foreign(_) => Failure::new(Exit::Storage, message).hint("nothing was changed or removed"),
        OpenError::Store(_) | OpenError::System(_) => Failure::failed(message),
        OpenError::Refused(_) => Failure::new(Exit::Storage, message),
    }
}
