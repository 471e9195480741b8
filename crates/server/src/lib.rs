//! Floor 4: the HTTP face. Sentences come in, words go to the engine, sentences go out.

mod app;
mod ask;
pub mod caller;
mod cookie;
mod count;
mod download;
pub mod edge;
mod health;
mod live;
mod metric;
pub mod outgoing;
mod page;
mod parameter;
mod pen;
pub mod problem;
pub mod program;
mod record;
mod reply;
mod route;
pub mod start;
mod taken;
mod view;

pub use caller::{Door, QueryTokens};
pub use start::{End, First, Running, ServeOptions, StartError, serve};
