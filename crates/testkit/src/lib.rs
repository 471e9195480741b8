//! Dev-only: a real server on port 0, a client for it, a fake agent.

pub mod agent;
pub mod server;

pub use agent::FakeAgent;
pub use server::{ADMIN_TOKEN, TestServer};
