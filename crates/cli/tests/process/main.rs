//! The binary as real processes: a server from start to end, `up`, the demo. Everything waits for lines, files and
//! the ends of processes; deadlines only bound a failure.

mod fault;
mod live;
mod server;
