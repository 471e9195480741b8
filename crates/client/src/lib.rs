//! Floor 3: the typed Rust caller of the API. It knows sentences (`wire`) and no deed: what it can say is the
//! table of endpoints, and what it hears are views, problems, events and frames.

pub mod connection;
pub mod error;
pub mod http;
pub mod request;
pub mod retry;
pub mod socket;
pub mod sse;
pub mod stream;

pub use error::Error;
pub use http::{Answered, Client};
pub use request::Request;
