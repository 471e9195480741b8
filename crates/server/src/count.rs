//! What came in, by place and status (O21): fixed tables of counters, so that no caller can grow them.

use crate::edge::place::{Outside, Place};
use http::StatusCode;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;
use tiltyard_engine::metric::{Histogram, TIME_BOUNDS_US};
use tiltyard_wire::endpoint::Endpoint;

/// The statuses that are counted apart; any other is counted as 0.
const STATUSES: [u16; 24] = [
    0, 101, 200, 201, 204, 206, 304, 400, 401, 403, 404, 405, 408, 409, 410, 412, 413, 415, 416, 421, 422,
    429, 500, 503,
];

/// The counters of one place.
#[derive(Debug, Default)]
struct OfPlace {
    by_status: [AtomicU64; STATUSES.len()],
    took_us: AtomicU64,
}

/// The counters of all places.
#[derive(Debug)]
pub(crate) struct Counts {
    places: Vec<OfPlace>,
    /// From a head's last byte to its answer's head, over all places but streams and long polls.
    pub(crate) took_us: Histogram,
}

/// What one place saw.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line {
    /// The method and the path's template; `none` for paths that are not there.
    pub(crate) route: String,
    /// The status; 0 for one that is not counted apart.
    pub(crate) status: u16,
    /// How often.
    pub(crate) count: u64,
}

impl Counts {
    /// All at zero.
    pub(crate) fn new() -> Self {
        let all = Endpoint::ALL.len() + Outside::ALL.len() + 1;
        let places = (0..all).map(|_| OfPlace::default()).collect();
        Self { places, took_us: Histogram::new(&TIME_BOUNDS_US) }
    }

    /// Counts an answer.
    pub(crate) fn see(&self, place: Option<Place>, status: StatusCode, took: Duration) {
        let own = &self.places[index(place)];
        let status = status.as_u16();
        let at = STATUSES.iter().position(|known| *known == status).unwrap_or(0);
        own.by_status[at].fetch_add(1, Relaxed);
        let took_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        own.took_us.fetch_add(took_us, Relaxed);
        self.took_us.see(took_us);
    }

    /// What was seen at all, place by place.
    pub(crate) fn lines(&self) -> Vec<Line> {
        let mut lines = Vec::new();
        for place in Place::all().map(Some).chain([None]) {
            let own = &self.places[index(place)];
            for (status, count) in STATUSES.iter().zip(&own.by_status) {
                let (status, count) = (*status, count.load(Relaxed));
                if count > 0 {
                    lines.push(Line { route: route_of(place), status, count });
                }
            }
        }
        lines
    }

    /// Time spent in each place that was seen, in microseconds.
    pub(crate) fn times_us(&self) -> Vec<(String, u64)> {
        let places = Place::all().map(Some).chain([None]);
        let time = |place| (route_of(place), self.places[index(place)].took_us.load(Relaxed));
        places.map(time).filter(|(_, took_us)| *took_us > 0).collect()
    }
}

fn index(place: Option<Place>) -> usize {
    match place {
        None => 0,
        Some(Place::Outside(page)) => 1 + page as usize,
        Some(Place::Api(endpoint)) => 1 + Outside::ALL.len() + endpoint as usize,
    }
}

fn route_of(place: Option<Place>) -> String {
    match place {
        None => "none".to_owned(),
        Some(Place::Outside(page)) => format!("GET {}", page.paths()[0]),
        Some(Place::Api(endpoint)) => format!("{} {}", endpoint.row().method.as_str(), endpoint.full_path()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // O21: HTTP by route and code, with label sets that no caller can grow.
    #[test]
    fn o21_answers_are_counted_by_route_and_code() {
        let counts = Counts::new();
        let took = Duration::from_micros(70);
        let got = Some(Place::Api(Endpoint::TaskGet));
        for (place, status) in [(got, 200), (got, 200), (got, 404), (None, 404), (None, 599)] {
            counts.see(place, StatusCode::from_u16(status).unwrap(), took);
        }
        let line = |route: &str, status, count| Line { route: route.into(), status, count };
        let route = "GET /api/v1/tasks/{id}";
        assert_eq!(
            counts.lines(),
            [line(route, 200, 2), line(route, 404, 1), line("none", 0, 1), line("none", 404, 1)]
        );
        assert_eq!(counts.times_us(), [(route.to_owned(), 210), ("none".to_owned(), 140)]);
        assert_eq!(counts.took_us.shot().count, 5);
    }

    #[test]
    fn every_place_has_counters_of_its_own() {
        let mut seen: Vec<_> = Place::all().map(Some).chain([None]).map(index).collect();
        seen.sort_unstable();
        assert_eq!(seen, (0..Counts::new().places.len()).collect::<Vec<_>>());
    }
}
