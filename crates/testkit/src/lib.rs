//! Dev-only: a real server on port 0, a client for it, a fake agent, a network that can be cut.

pub mod agent;
pub mod proxy;
pub mod server;

pub use agent::FakeAgent;
pub use proxy::Proxy;
pub use server::{ADMIN_TOKEN, TestServer};
