//! `tiltyard version`

use crate::context::Context;
use crate::exit::Failure;
use crate::version::current;
use clap::Args;

/// Tell version, commit, time of the build and compiler
#[derive(Debug, Args)]
pub struct Version {}

impl Version {
    /// Prints it.
    ///
    /// # Errors
    /// When standard output is closed.
    pub fn run(&self, context: &Context) -> Result<(), Failure> {
        let version = current();
        if context.output.is_json() {
            return context.output.json(&version);
        }
        let built = version.built.as_deref().unwrap_or("unknown");
        context.output.line(&format!(
            "tiltyard {}\ncommit   {}\nbuilt    {built}\ncompiler {}\ntarget   {}",
            version.version, version.commit, version.compiler, version.target
        ))
    }
}
