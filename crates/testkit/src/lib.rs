//! Dev-only: server on port 0, fake agent, fixtures.
