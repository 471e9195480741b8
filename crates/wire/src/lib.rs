//! Floor 2: sentences. Requests, views, frames, problems and the one table of endpoints.
