//! Dev-only: a real server on port 0, a client for it, a fake agent, a network that can be cut, a throwaway PostgreSQL and S3.

#[cfg(feature = "server")]
pub mod agent;
pub mod daemon;
pub mod island;
pub mod pgbouncer;
pub mod postgres;
pub mod proxy;
pub mod s3;
#[cfg(feature = "server")]
pub mod server;

#[cfg(feature = "server")]
pub use agent::FakeAgent;
pub use island::Island;
pub use proxy::Proxy;
#[cfg(feature = "server")]
pub use server::{ADMIN_TOKEN, TestServer};
