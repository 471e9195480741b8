//! Dev-only: a real server on port 0, a client for it, fixtures.

pub mod server;

pub use server::{ADMIN_TOKEN, TestServer};
