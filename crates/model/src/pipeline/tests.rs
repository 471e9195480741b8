//! The language as a whole: what it takes, what it says of what it does not take, and its canonical form.

mod bad;
mod good;
mod kept;
mod limits;
mod yaml;
