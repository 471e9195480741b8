//! The caller against a real server on port 0.

mod call;
mod server;
mod socket;
mod stream;
mod tls;
