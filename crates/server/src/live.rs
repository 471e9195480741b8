//! Sockets and streams: what lives longer than one answer. One file a noun.

pub(crate) mod agent;
pub(crate) mod event;
