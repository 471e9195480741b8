//! Floor 4: the HTTP face. Sentences come in, words go to the engine, sentences go out.

mod app;
mod ask;
pub mod caller;
#[allow(dead_code, reason = "metrics are next")]
mod count;
pub mod edge;
mod live;
mod page;
mod pen;
pub mod problem;
mod reply;
mod route;
pub mod start;
mod taken;
mod view;

pub use caller::{Door, QueryTokens};
pub use start::{End, Running, ServeOptions, StartError, serve};
