//! `tiltyard audit export`

use crate::context::Context;
use crate::exit::Failure;
use clap::Args;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::PathBuf;
use tiltyard_client::Request;
use tiltyard_wire::endpoint::call;
use tiltyard_wire::page::ScopeQuery;

/// Write one whole chain, an entry a line, for `audit verify`
#[derive(Debug, Args)]
pub struct Export {
    /// The chain: a scope, or `system` for admins [default: the token's only scope]
    #[arg(long, value_name = "NAME")]
    scope: Option<String>,
    /// The file; without it the lines are printed
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

impl Export {
    /// Writes it.
    ///
    /// # Errors
    /// Those of the call and of the file. A file that is not whole is taken away.
    pub async fn run(&self, context: &Context) -> Result<(), Failure> {
        let Some(path) = &self.out else { return self.write(context, &mut std::io::stdout()).await };
        let mut file = BufWriter::new(File::create_new(path).map_err(|error| cannot(path, &error))?);
        if let Err(failure) = self.write(context, &mut file).await {
            std::fs::remove_file(path)?;
            return Err(failure);
        }
        file.into_inner().map_err(std::io::IntoInnerError::into_error)?.sync_all()?;
        Ok(())
    }

    async fn write(&self, context: &Context, out: &mut dyn Write) -> Result<(), Failure> {
        let query = ScopeQuery { scope: self.scope.clone() };
        let mut download =
            context.client()?.download(Request::<call::AuditExport>::new().query(query)).await?;
        while let Some(piece) = download.next().await? {
            out.write_all(&piece).map_err(|error| Failure::closed(&error))?;
        }
        out.flush().map_err(|error| Failure::closed(&error))
    }
}

fn cannot(path: &std::path::Path, error: &std::io::Error) -> Failure {
    Failure::usage(format!("{} cannot be made: {error}", path.display()))
}
