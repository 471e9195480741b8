//! `tiltyard store`

pub mod copy;

use crate::context::Context;
use crate::exit::Failure;
use clap::{Args, Subcommand};

/// Copy a whole store into a database, or back
#[derive(Debug, Args)]
#[command(arg_required_else_help = true)]
pub struct Store {
    #[command(subcommand)]
    act: Act,
}

/// What can be done with a store.
#[derive(Debug, Subcommand)]
enum Act {
    Copy(copy::Copy),
}

impl Store {
    /// Does what is asked.
    ///
    /// # Errors
    /// Those of the act.
    pub fn run(&self, context: &Context) -> Result<(), Failure> {
        match &self.act {
            Act::Copy(act) => act.run(context),
        }
    }
}
