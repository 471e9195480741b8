//! The human face from outside: settings, logs, and the binary itself.

mod binary;
mod golden;
mod log;
mod settings;
