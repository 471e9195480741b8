//! The human face from outside: settings, logs, and the binary itself.

mod binary;
mod decision;
mod doctor;
mod fake;
mod gate;
mod golden;
mod keep;
mod log;
mod migrate;
mod pipeline;
mod run;
mod sample;
mod settings;
mod store;
mod work;
