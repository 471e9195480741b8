//! The binary `tiltyard`; everything is in the library beside it.

fn main() -> std::process::ExitCode {
    tiltyard_cli::main()
}
