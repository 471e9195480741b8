//! The check: the ledger against the store. It says every promise that was not kept.

use crate::fold::fold;
use crate::ledger::{Attempt, Book, Fault, Kind, Ledger, Settle, Submission, Word};
use crate::seen::Seen;
use std::collections::{BTreeMap, BTreeSet};

/// Everything that is wrong.
pub(crate) fn faults(book: &Book, seen: &Seen) -> Vec<Fault> {
    let mut check = Check { faults: book.faults.clone(), titles: titles(seen) };
    check.submissions(book, seen);
    check.batches(book);
    check.strangers(book);
    check.unique(book);
    check.log(seen);
    check.handed(book, seen);
    check.settles(book, seen);
    check.attempts(seen);
    check.faults
}

/// Passes only where nothing is wrong.
pub(crate) fn assert_whole(ledger: &Ledger, seen: &Seen) {
    let faults = faults(&ledger.book(), seen);
    let shown: Vec<String> =
        faults.iter().take(12).map(|fault| format!("{:?}: {}", fault.kind, fault.text)).collect();
    assert!(faults.is_empty(), "{} promises were not kept:\n{}", faults.len(), shown.join("\n"));
}

/// The ids that bear a title.
fn titles(seen: &Seen) -> BTreeMap<String, Vec<String>> {
    let mut titles: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (id, task) in &seen.tasks {
        titles.entry(task["title"].as_str().unwrap_or_default().to_owned()).or_default().push(id.clone());
    }
    titles
}

struct Check {
    faults: Vec<Fault>,
    titles: BTreeMap<String, Vec<String>>,
}

impl Check {
    fn wrong(&mut self, kind: Kind, text: String) {
        self.faults.push(Fault { kind, text });
    }

    fn ids(&self, title: &str) -> &[String] {
        self.titles.get(title).map(Vec::as_slice).unwrap_or_default()
    }

    /// E1: what was acknowledged is there, once; what was refused is not.
    fn submissions(&mut self, book: &Book, seen: &Seen) {
        for (title, Submission { word, .. }) in &book.tasks {
            let ids = self.ids(title).to_vec();
            match word {
                Word::Done(id) if ids.is_empty() => {
                    self.wrong(Kind::Lost, format!("{title}, acknowledged as {id}"));
                }
                Word::Done(id) if ids != [id.clone()] => {
                    self.wrong(Kind::Twice, format!("{title}, acknowledged as {id}, is {ids:?}"));
                }
                Word::Unknown if ids.len() > 1 => self.wrong(Kind::Twice, format!("{title} is {ids:?}")),
                Word::Refused | Word::Twin(_) if !ids.is_empty() => {
                    self.wrong(Kind::Stranger, format!("{title}, which was {word:?}, is {ids:?}"));
                }
                Word::Twin(first) if !seen.tasks.contains_key(first) => {
                    self.wrong(Kind::Lost, format!("{first}, which stands for {title}"));
                }
                _ => {}
            }
        }
    }

    /// A batch is there as a whole or not at all.
    fn batches(&mut self, book: &Book) {
        let mut batches: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
        for (title, submission) in &book.tasks {
            let Some(batch) = &submission.batch else { continue };
            let count = batches.entry(batch).or_default();
            count.0 += 1;
            count.1 += self.ids(title).len();
        }
        for (batch, (said, found)) in batches {
            if found != 0 && found != said {
                self.wrong(Kind::Lost, format!("{batch} has {found} tasks of {said}"));
            }
        }
    }

    /// Nobody else writes here: what nobody sent cannot be there.
    fn strangers(&mut self, book: &Book) {
        let strangers: Vec<String> =
            self.titles.keys().filter(|title| !book.tasks.contains_key(*title)).cloned().collect();
        strangers.into_iter().for_each(|title| self.wrong(Kind::Stranger, format!("nobody sent {title}")));
    }

    /// A unique key has one task.
    fn unique(&mut self, book: &Book) {
        let mut held: BTreeMap<&str, usize> = BTreeMap::new();
        for (title, submission) in &book.tasks {
            let Some(key) = &submission.unique else { continue };
            *held.entry(key).or_default() += self.ids(title).len();
        }
        let twice: Vec<&str> = held.into_iter().filter(|(_, count)| *count > 1).map(|(key, _)| key).collect();
        twice.into_iter().for_each(|key| self.wrong(Kind::Twice, format!("{key} has two tasks")));
    }

    /// D50, D51, E5: no holes, one event a move, and the moves end where the tasks stand.
    fn log(&mut self, seen: &Seen) {
        let (stories, wrong) = fold(&seen.events);
        wrong.into_iter().for_each(|text| self.wrong(Kind::Log, text));
        for (id, task) in &seen.tasks {
            let story = stories.get(id.as_str()).map(|story| (story.state.clone(), story.generation));
            let stands = (task["state"].as_str().unwrap_or_default().to_owned(), task["generation"].as_i64());
            if story.as_ref().map(|(state, generation)| (state.clone(), Some(*generation)))
                != Some(stands.clone())
            {
                self.wrong(Kind::Log, format!("{id} is {stands:?}, the log ends at {story:?}"));
            }
        }
        let untold: Vec<&str> = stories.keys().copied().filter(|id| !seen.tasks.contains_key(*id)).collect();
        untold
            .into_iter()
            .for_each(|id| self.wrong(Kind::Lost, format!("the log tells of {id}, which is not there")));
    }

    /// D3, E4: what an agent was told it holds, it held, and nobody else did.
    fn handed(&mut self, book: &Book, seen: &Seen) {
        let leased = told(seen, "tiltyard.task.leased", "agent");
        for ((id, generation), agent) in &book.handed {
            let found = leased.get(&(id.as_str(), *generation));
            if found.map(Vec::as_slice) != Some(&[agent.as_str()]) {
                self.wrong(
                    Kind::Lost,
                    format!("{id} was given to {agent} as {generation}; the log says {found:?}"),
                );
            }
        }
    }

    /// E1, E3, E8: what was settled is there with that result, and was taken once.
    fn settles(&mut self, book: &Book, seen: &Seen) {
        for (attempt, settle) in &book.settles {
            if settle.accepted > 1 {
                self.wrong(Kind::Twice, format!("{attempt:?} was accepted {} times", settle.accepted));
            }
            if settle.done {
                self.settle(attempt, settle, seen);
            }
        }
    }

    fn settle(&mut self, attempt: &Attempt, settle: &Settle, seen: &Seen) {
        let (id, generation) = attempt;
        let Some(task) = seen.tasks.get(id) else {
            return self.wrong(Kind::Lost, format!("{attempt:?}, acknowledged as {}", settle.outcome));
        };
        let last = task["generation"].as_i64() == Some(*generation);
        let ended = match settle.outcome {
            "succeeded" => task["state"] == "succeeded" && last && task["result"] == settle.said,
            // Back to where it can be taken again, or further.
            _ => !last || task["state"] != "running",
        };
        if !ended {
            let text = format!("{attempt:?}, acknowledged as {} {}, is {task}", settle.outcome, settle.said);
            self.wrong(Kind::Lost, text);
        }
        let Some(attempts) = &seen.attempts else { return };
        let found = attempts[id].iter().find(|found| found["generation"] == *generation);
        let field = if settle.outcome == "failed" { "error" } else { "result" };
        let kept =
            found.is_some_and(|found| found["outcome"] == settle.outcome && found[field] == settle.said);
        if !kept {
            self.wrong(
                Kind::Lost,
                format!("{attempt:?}, said {} {}, is {found:?}", settle.outcome, settle.said),
            );
        }
    }

    /// D1, D2: every generation has its attempt, in order, and at most one succeeded.
    fn attempts(&mut self, seen: &Seen) {
        let Some(all) = &seen.attempts else { return };
        for (id, attempts) in all {
            let generations: BTreeSet<i64> =
                attempts.iter().filter_map(|attempt| attempt["generation"].as_i64()).collect();
            let wanted: BTreeSet<i64> =
                (1..=seen.tasks[id]["generation"].as_i64().unwrap_or_default()).collect();
            if generations != wanted || attempts.len() != wanted.len() {
                self.wrong(Kind::Lost, format!("{id} has the attempts {generations:?} of {wanted:?}"));
            }
            let succeeded = attempts.iter().filter(|attempt| attempt["outcome"] == "succeeded").count();
            if succeeded > 1 {
                self.wrong(Kind::Twice, format!("{id} succeeded {succeeded} times"));
            }
        }
    }
}

/// What events of a type say in a field, by task and generation.
fn told<'a>(seen: &'a Seen, kind: &str, field: &str) -> BTreeMap<(&'a str, i64), Vec<&'a str>> {
    let mut told: BTreeMap<(&str, i64), Vec<&str>> = BTreeMap::new();
    for event in seen.events.iter().filter(|event| event["type"] == kind) {
        let subject = event["subject"].as_str().unwrap_or_default();
        let generation = event["data"]["generation"].as_i64().unwrap_or_default();
        told.entry((subject, generation))
            .or_default()
            .push(event["data"][field].as_str().unwrap_or_default());
    }
    told
}

/// How many of the faults are of a kind.
pub(crate) fn count(faults: &[Fault], kind: Kind) -> usize {
    faults.iter().filter(|fault| fault.kind == kind).count()
}
