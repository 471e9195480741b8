//! `tiltyard man`

use crate::command::Cli;
use crate::context::Context;
use crate::exit::Failure;
use clap::{Args, CommandFactory};
use clap_mangen::Man as Page;
use std::path::PathBuf;

/// Write the man pages
#[derive(Debug, Args)]
pub struct Man {
    /// Folder for one page a command; without it the main page is printed
    folder: Option<PathBuf>,
}

impl Man {
    /// Writes them.
    ///
    /// # Errors
    /// When the folder or standard output cannot be written.
    pub fn run(&self, context: &Context) -> Result<(), Failure> {
        match &self.folder {
            Some(folder) => {
                std::fs::create_dir_all(folder)?;
                Ok(clap_mangen::generate_to(Cli::command(), folder)?)
            }
            None => {
                let mut page = Vec::new();
                Page::new(Cli::command()).render(&mut page)?;
                context.output.raw(&String::from_utf8_lossy(&page))
            }
        }
    }
}
