//! Following what happens by the event stream: telling it, and doing the one thing that is asked of a person.

use super::cast::{AGENT, Cast, DECIDER};
use super::idea::{Scripted, Submitted};
use super::scene::short;
use super::story::{Mood, Story};
use crate::exit::Failure;
use serde::de::DeserializeOwned;
use tiltyard_client::Request;
use tiltyard_client::stream::{Following, Item};
use tiltyard_model::event::{
    ChangeChecking, ChangeConflicted, ChangeMerged, ChangeOpened, ChangeQueued, ChangeReview, TaskDead,
    TaskFailed, TaskLeased, Type,
};
use tiltyard_model::id::Id;
use tiltyard_wire::change::View;
use tiltyard_wire::endpoint::call;
use tiltyard_wire::event::{Event, Query};
use tiltyard_wire::gate::Approve;

/// What became of an idea.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Course {
    pub(super) submitted: Submitted,
    /// The change that it was proposed as.
    pub(super) change: Option<Id>,
    /// Why it may merge: `auto` or `approved`.
    pub(super) admitted: Option<String>,
    /// How it ended; `None` while it goes on.
    pub(super) end: Option<End>,
}

/// How an idea ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// Its change landed, and its task succeeded.
    Merged,
    /// Its attempts are used up.
    Dead,
    /// Otherwise: called off, rejected, closed.
    Otherwise,
}

/// Reads the events from the first one on.
pub(super) struct Follower<'a> {
    cast: &'a Cast,
    story: &'a Story,
    stream: Following<call::EventStream>,
}

impl<'a> Follower<'a> {
    pub(super) fn new(cast: &'a Cast, story: &'a Story) -> Self {
        let query = Query { after: Some("0".to_owned()), ..Query::default() };
        let stream = cast.admin.follow(Request::<call::EventStream>::new().query(query));
        Self { cast, story, stream }
    }

    async fn next(&mut self) -> Result<Event, Failure> {
        loop {
            match self.stream.next().await? {
                Some(Item::Next(event)) => return Ok(event),
                // It resumes by itself where it broke off.
                Some(Item::Broken(_)) => {}
                None => return Err(Failure::failed("the event stream ended")),
            }
        }
    }

    /// Waits until the agent speaks with the server.
    pub(super) async fn agent_is_there(&mut self) -> Result<(), Failure> {
        loop {
            let event = self.next().await?;
            if Type::parse(&event.kind) == Some(Type::AgentOnline) && event.subject == AGENT {
                return Ok(());
            }
        }
    }

    /// Follows until every idea has ended.
    pub(super) async fn until_all_ended(mut self, submitted: &[Submitted]) -> Result<Vec<Course>, Failure> {
        let course =
            |submitted: &Submitted| Course { submitted: *submitted, change: None, admitted: None, end: None };
        let mut courses: Vec<Course> = submitted.iter().map(course).collect();
        while courses.iter().any(|course| course.end.is_none()) {
            let event = self.next().await?;
            let of_task = |course: &&mut Course| Some(course.submitted.task) == task_of(&event);
            if let Some(course) = courses.iter_mut().find(of_task) {
                self.tell(course, &event).await?;
            }
        }
        Ok(courses)
    }

    async fn tell(&self, course: &mut Course, event: &Event) -> Result<(), Failure> {
        let Some(kind) = Type::parse(&event.kind) else { return Ok(()) };
        let idea = course.submitted.idea;
        let beat = |mood, text: &str| self.story.beat(&idea, mood, text);
        match kind {
            Type::TaskLeased => {
                let leased: TaskLeased = read(event)?;
                beat(
                    Mood::Plain,
                    &format!("agent `{}` takes it, attempt {}", leased.agent, leased.generation),
                )
            }
            Type::TaskFailed => {
                let failed: TaskFailed = read(event)?;
                beat(Mood::Bad, &format!("the attempt failed and is tried again: {}", failed.error))
            }
            Type::TaskDead => {
                course.end = Some(End::Dead);
                let dead: TaskDead = read(event)?;
                beat(Mood::Bad, &format!("its attempts are used up, a dead letter now: {}", dead.error))
            }
            Type::TaskSucceeded => {
                course.end = Some(End::Merged);
                beat(Mood::Good, "done: the target is proven to hold it")
            }
            Type::TaskCancelled => {
                course.end = Some(End::Otherwise);
                beat(Mood::Bad, "called off")
            }
            _ => self.tell_of_change(course, kind, event).await,
        }
    }

    async fn tell_of_change(&self, course: &mut Course, kind: Type, event: &Event) -> Result<(), Failure> {
        let idea = course.submitted.idea;
        let beat = |mood, text: &str| self.story.beat(&idea, mood, text);
        match kind {
            Type::ChangeOpened => {
                course.change = event.subject.parse().ok();
                let opened: ChangeOpened = read(event)?;
                self.opened(&idea, &event.subject, &opened).await
            }
            Type::ChangeChecking => {
                let checking: ChangeChecking = read(event)?;
                beat(Mood::Plain, &format!("checks run on it, merged onto {}", short(&checking.base)))
            }
            Type::ChangeReview => self.review(&idea, event).await,
            Type::ChangeQueued => {
                let queued: ChangeQueued = read(event)?;
                let said = self.queued(&idea, &event.subject, &queued).await;
                course.admitted = Some(queued.cause);
                said
            }
            Type::ChangeMerged => {
                let merged: ChangeMerged = read(event)?;
                beat(
                    Mood::Good,
                    &format!("merged as {}, on top of {}", short(&merged.commit), short(&merged.base)),
                )
            }
            Type::ChangeConflicted => {
                let conflicted: ChangeConflicted = read(event)?;
                beat(Mood::Bad, &format!("does not fit the newest base: {}", conflicted.files.join(", ")))
            }
            Type::ChangeRejected | Type::ChangeClosed => {
                course.end = Some(End::Otherwise);
                beat(Mood::Bad, "refused")
            }
            _ => Ok(()),
        }
    }

    async fn opened(&self, idea: &Scripted, change: &str, opened: &ChangeOpened) -> Result<(), Failure> {
        if opened.cause != "proposed" {
            return self.story.beat(idea, Mood::Bad, &format!("back with its agent: {}", opened.cause));
        }
        let change = self.change(change).await?;
        self.story.beat(idea, Mood::Plain, &format!("proposes a change: {}", files(&change)))
    }

    async fn queued(&self, idea: &Scripted, change: &str, queued: &ChangeQueued) -> Result<(), Failure> {
        if queued.cause != "auto" {
            return self.story.beat(idea, Mood::Plain, "approved, so it may merge");
        }
        let change = self.change(change).await?;
        let reasons: Vec<&str> = change.reasons.iter().map(|reason| reason.text.as_str()).collect();
        let text = format!("tier {} merges by itself: {}", queued.tier, reasons.join("; "));
        self.story.beat(idea, Mood::Good, &text)
    }

    /// Shows what waits, and says yes to exactly that, as another identity than the one that handed it in.
    async fn review(&self, idea: &Scripted, event: &Event) -> Result<(), Failure> {
        let review: ChangeReview = read(event)?;
        let change = self.change(&event.subject).await?;
        let tier = format!("tier {} waits for a decision: {}", review.tier, files(&change));
        self.story.beat(idea, Mood::Waits, &tier)?;
        for reason in &change.reasons {
            self.story.detail(&format!("          why: {} ({})", reason.text, reason.rule))?;
        }
        let diff = self.cast.decider.text(Request::<call::ChangeDiff>::new().place(&event.subject)).await?;
        self.story.diff(&diff)?;
        let approve = Approve {
            subject_sha256: change.subject_sha256.clone(),
            comment: Some("ten or twelve, both are fine".to_owned()),
            ..Approve::default()
        };
        let request = Request::<call::ChangeApprove>::new().place(&event.subject).body(approve);
        let decided = self.cast.decider.call(request).await?;
        let text =
            format!("{DECIDER} approves what was shown, through the API: the gate is {}", decided.gate.state);
        self.story.beat(idea, Mood::Good, &text)
    }

    async fn change(&self, id: &str) -> Result<View, Failure> {
        Ok(self.cast.decider.call(Request::<call::ChangeGet>::new().place(id)).await?)
    }
}

/// The task that an event is about, or belongs to.
fn task_of(event: &Event) -> Option<Id> {
    event.taskid.or_else(|| event.subject.parse().ok())
}

fn read<T: DeserializeOwned>(event: &Event) -> Result<T, Failure> {
    serde_json::from_str(event.data.get()).map_err(|error| {
        Failure::failed(format!("the event {} ({}) is not understood: {error}", event.id, event.kind))
    })
}

fn files(change: &View) -> String {
    let files = change.files.iter().map(|file| format!("{} +{} -{}", file.path, file.added, file.deleted));
    files.collect::<Vec<_>>().join(", ")
}
