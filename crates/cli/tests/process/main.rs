//! The binary as real processes: a server from start to end, `up`, the demo. Everything waits for lines, files and
//! the ends of processes; deadlines only bound a failure.

mod demo;
mod fault;
mod guide;
mod live;
mod main_job;
mod pipeline;
mod server;
mod up;
