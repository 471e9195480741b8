//! `tiltyard completions`

use crate::command::Cli;
use crate::context::Context;
use crate::exit::Failure;
use clap::{Args, CommandFactory};
use clap_complete::Shell;

/// Print completions for a shell
///
/// For bash: tiltyard completions bash > ~/.local/share/bash-completion/completions/tiltyard
#[derive(Debug, Args)]
pub struct Completions {
    /// The shell
    shell: Shell,
}

impl Completions {
    /// Prints them.
    ///
    /// # Errors
    /// When standard output is closed.
    pub fn run(&self, context: &Context) -> Result<(), Failure> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "tiltyard", &mut script);
        context.output.raw(&String::from_utf8_lossy(&script))
    }
}
