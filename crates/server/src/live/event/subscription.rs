//! What one reader of a socket wants to hear: filters under names of its own choice.

use tiltyard_engine::event::Filter;
use tiltyard_model::refusal::Refusal;

/// Most filters of one reader.
pub(super) const MAX_SUBSCRIPTIONS: usize = 64;
/// Longest name of a filter, in bytes.
const MAX_ID_BYTES: usize = 64;

/// The filters of a reader; an event that passes any of them is told, once.
#[derive(Debug)]
pub(super) struct Subscriptions {
    all: Vec<(String, Filter)>,
    /// The first filter lets everything through, and gives way to what the reader asks for.
    is_bare: bool,
}

impl Subscriptions {
    /// What the parameters of the connection say, under the empty name; bare where they say nothing.
    pub(super) fn first(filter: Filter, is_bare: bool) -> Self {
        Self { all: vec![(String::new(), filter)], is_bare }
    }

    /// Adds a filter, or puts another in the place of one.
    ///
    /// # Errors
    /// 422 for a name that is too long, and for one too many.
    pub(super) fn add(&mut self, id: &str, filter: Filter) -> Result<(), Refusal> {
        if id.len() > MAX_ID_BYTES {
            return Err(Refusal::field("/id", "must be at most 64 bytes"));
        }
        if std::mem::take(&mut self.is_bare) {
            self.all.clear();
        }
        let count = self.all.len();
        match self.all.iter_mut().find(|(own, _)| own == id) {
            Some((_, own)) => *own = filter,
            None if count >= MAX_SUBSCRIPTIONS => {
                return Err(Refusal::field("/id", "there are 64 filters already: take one away first"));
            }
            None => self.all.push((id.to_owned(), filter)),
        }
        Ok(())
    }

    /// Takes a filter away; there may be none of that name.
    pub(super) fn remove(&mut self, id: &str) {
        self.all.retain(|(own, _)| own != id);
    }

    /// All of them.
    pub(super) fn filters(&self) -> Vec<Filter> {
        self.all.iter().map(|(_, filter)| filter.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tiltyard_model::event::Type;

    fn of(kind: Type) -> Filter {
        Filter { types: Some(vec![kind]), ..Filter::default() }
    }

    // API21: filters at run time. A connection that says nothing hears all, until it says what it wants.
    #[test]
    fn api21_the_first_filter_gives_way_unless_it_says_something() {
        let mut bare = Subscriptions::first(Filter::default(), true);
        assert_eq!(bare.filters(), [Filter::default()]);
        bare.add("a", of(Type::TaskReady)).unwrap();
        assert_eq!(bare.filters(), [of(Type::TaskReady)]);
        bare.remove("a");
        assert_eq!(bare.filters(), [], "who wants nothing hears nothing");

        let mut said = Subscriptions::first(of(Type::TaskDead), false);
        said.add("a", of(Type::TaskReady)).unwrap();
        said.add("a", of(Type::TaskLeased)).unwrap();
        assert_eq!(said.filters(), [of(Type::TaskDead), of(Type::TaskLeased)]);
        said.remove("");
        assert_eq!(said.filters(), [of(Type::TaskLeased)]);
    }

    #[test]
    fn api21_filters_are_bounded() {
        let mut own = Subscriptions::first(Filter::default(), true);
        for number in 0..MAX_SUBSCRIPTIONS {
            own.add(&number.to_string(), Filter::default()).unwrap();
        }
        assert!(own.add("more", Filter::default()).is_err());
        own.add("7", of(Type::TaskReady)).unwrap();
        assert!(own.add(&"x".repeat(65), Filter::default()).is_err());
    }
}
