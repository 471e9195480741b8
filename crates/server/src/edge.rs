//! The edge: all that stands between a socket and a handler, in one column that no route can leave (SEC18).

pub mod bind;
pub mod host;
pub mod origin;
pub mod proxy;
pub mod request_id;
pub mod stop;
