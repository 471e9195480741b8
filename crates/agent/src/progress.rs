//! How far an attempt is: said by its executor, handed on by whoever speaks to the server.

use tokio::sync::watch;

/// Longest message in characters.
pub const MAX_MESSAGE_CHARS: usize = 1_000;

/// How far an attempt is.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Progress {
    /// 0 to 1; `None` when nobody can tell.
    pub fraction: Option<f64>,
    /// What it does, one line of at most [`MAX_MESSAGE_CHARS`]; `None` before the first word.
    pub message: Option<String>,
}

/// The speaking half. Only the newest word counts; nothing is queued.
#[derive(Debug)]
pub struct Reporter(watch::Sender<Progress>);

/// A new pair: nothing is said yet.
pub fn progress_pair() -> (Reporter, watch::Receiver<Progress>) {
    let (sender, receiver) = watch::channel(Progress::default());
    (Reporter(sender), receiver)
}

impl Reporter {
    /// Says what is being done now.
    pub fn say(&self, message: &str) {
        let message =
            message.replace('\n', " ").replace('\0', "\u{fffd}").chars().take(MAX_MESSAGE_CHARS).collect();
        self.0.send_modify(|progress| progress.message = Some(message));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c1_only_the_newest_word_counts_and_it_is_one_line() {
        let (reporter, heard) = progress_pair();
        assert_eq!(*heard.borrow(), Progress::default());
        reporter.say("cloning");
        reporter.say(&"a\nb".repeat(1_000));
        let message = heard.borrow().message.clone().expect("was said");
        assert_eq!((message.chars().count(), message.contains('\n')), (MAX_MESSAGE_CHARS, false));
    }
}
