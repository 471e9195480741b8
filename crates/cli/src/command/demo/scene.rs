//! The scene: the project, a server and an agent as processes of their own, the repository registered; then the play.

use super::cast::{AGENT, Cast, DECIDER, SCOPE, SUBMITTER};
use super::follow::{Course, Follower};
use super::idea::{ALL, Submitted};
use super::project::{BRANCH, Project};
use super::proof::{self, Proof};
use super::story::Story;
use crate::child::{Child, Hearing, Order};
use crate::command::server::announce;
use crate::exit::Failure;
use crate::settings::load::{Given, Override};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tiltyard_client::Request;
use tiltyard_wire::endpoint::call;
use tiltyard_wire::page::ScopeQuery;
use tiltyard_wire::repository::Put;

/// The repository's name.
const REPOSITORY: &str = "shop";
/// Tasks that the agent runs at once: all three ideas, and a check beside them.
const SLOTS: &str = "4";

/// Everything that is there before the first idea.
pub(super) struct Scene {
    folder: PathBuf,
    project: Project,
    cast: Cast,
    server: Child,
    agent: Child,
    submitted: Vec<Submitted>,
}

impl Scene {
    /// Sets it.
    pub(super) async fn set(story: &Story, folder: &Path) -> Result<Self, Failure> {
        story.step("A small git project with tests of its own")?;
        let project = Project::make(folder)?;
        let (shop, files) = (project.folder.display(), Project::files());
        story.detail(&format!("{shop}: {files} files on {BRANCH}; pricing/** is protected by its rules"))?;

        story.step("A server and an agent, two processes of their own")?;
        std::fs::create_dir(folder.join("log"))?;
        let mut server = Child::start(&order(folder, Part::Server)).await?;
        let line = server.first_line().await.map_err(|ended| ended.failure())?;
        let said: announce::Line = serde_json::from_str(&line).map_err(|error| {
            Failure::failed(format!("the server's first line is not understood: {error}"))
        })?;
        let first = said.token.ok_or_else(|| Failure::failed("the new server made no first token"))?;
        let cast = Cast::meet(&said.url, first.into()).await?;
        let agent = Child::start(&order(folder, Part::Agent { url: &said.url, cast: &cast })).await?;
        let pid = |child: &Child| child.pid().unwrap_or_default();
        story.detail(&format!("server {} (process {})", said.url, pid(&server)))?;
        story.detail(&format!("agent `{AGENT}` (process {}), which connects to it", pid(&agent)))?;
        story.detail(&format!(
            "{SUBMITTER} hands ideas in, {DECIDER} decides: two identities, a token each"
        ))?;
        Ok(Self { folder: folder.to_owned(), project, cast, server, agent, submitted: Vec::new() })
    }

    /// Plays it: to the end, or until server or agent end before it.
    pub(super) async fn play(&mut self, story: &Story) -> Result<Proof, Failure> {
        let Self { folder, project, cast, server, agent, submitted } = self;
        let acts = Acts { story, folder, project, cast };
        tokio::select! {
            played = acts.play(submitted) => played,
            ended = server.ended() => Err(ended.failure()),
            ended = agent.ended() => Err(ended.failure()),
        }
    }

    /// What each idea waits for, when the time is up.
    pub(super) async fn stuck(&self, limit_s: u64) -> Failure {
        let mut message = format!("not done after {limit_s} s:");
        if self.submitted.is_empty() {
            message.push_str(" no idea could be handed in yet");
        }
        for submitted in &self.submitted {
            let why = self.cast.admin.call(Request::<call::TaskWhy>::new().place(submitted.task)).await;
            let why = why.map_or_else(
                |error| error.to_string(),
                |why| format!("{}: {}", why.state.as_str(), why.summary),
            );
            message.push_str(&format!("\n  {} is {why}", submitted.idea.name));
        }
        Failure::failed(message).hint("`--limit SECONDS` gives it longer")
    }

    /// Ends agent and server, in this order.
    pub(super) async fn end(mut self, patience: Duration) -> Result<(), Failure> {
        for child in [&mut self.agent, &mut self.server] {
            let ended = child.end(patience).await;
            if !ended.status.success() {
                return Err(ended.failure());
            }
        }
        Ok(())
    }
}

/// The play itself.
struct Acts<'a> {
    story: &'a Story,
    folder: &'a Path,
    project: &'a Project,
    cast: &'a Cast,
}

impl Acts<'_> {
    async fn play(&self, submitted: &mut Vec<Submitted>) -> Result<Proof, Failure> {
        let mut follower = Follower::new(self.cast, self.story);
        self.register(&mut follower).await?;
        self.submit(submitted).await?;
        self.story.step("What happens")?;
        let courses = follower.until_all_ended(submitted).await?;
        self.prove(&courses).await
    }

    async fn register(&self, follower: &mut Follower<'_>) -> Result<(), Failure> {
        self.story.step("The repository is registered, once its agent is there")?;
        follower.agent_is_there().await?;
        let body = Put {
            path: Some(self.project.folder.display().to_string()),
            branch: Some(BRANCH.to_owned()),
            agent: Some(AGENT.to_owned()),
            ..Put::default()
        };
        let query = ScopeQuery { scope: Some(SCOPE.to_owned()) };
        let put = Request::<call::RepositoryPut>::new().place(REPOSITORY).query(query.clone()).body(body);
        let known = self.cast.admin.call(put).await?;
        if let Some(error) = &known.error {
            return Err(Failure::failed(format!("the agent cannot use the repository: {error}")));
        }
        let head = known.head.as_deref().unwrap_or_default();
        self.story.detail(&format!("{REPOSITORY}: {BRANCH} stands at {}", short(head)))?;
        let rules = Request::<call::RepositoryRules>::new().place(REPOSITORY).query(query);
        let rules = self.cast.admin.call(rules).await?;
        for check in &rules.checks {
            self.story.detail(&format!(
                "check `{}` runs `{}` on what lands",
                check.name,
                check.argv.join(" ")
            ))?;
        }
        self.story.detail(&format!("auto_merge = {}: what tier merges without a person", rules.auto_merge))
    }

    async fn submit(&self, submitted: &mut Vec<Submitted>) -> Result<(), Failure> {
        self.story.step(&format!("{SUBMITTER} hands in three ideas, each done by a scripted program"))?;
        for idea in ALL {
            let body = idea.body(REPOSITORY, self.folder)?;
            let task = self.cast.submitter.call(Request::<call::TaskSubmit>::new().body(body)).await?;
            submitted.push(Submitted { idea, task: task.id });
            self.story.detail(&format!("{:9} {}: {}", idea.name, idea.title, idea.expected))?;
        }
        Ok(())
    }

    async fn prove(&self, courses: &[Course]) -> Result<Proof, Failure> {
        self.story.step("What is proven, by reading it back")?;
        let case =
            proof::Case { story: self.story, folder: self.folder, project: self.project, cast: self.cast };
        case.prove(courses).await
    }
}

/// The first digits of a commit's name.
pub(super) fn short(commit: &str) -> &str {
    commit.get(..10).unwrap_or(commit)
}

#[derive(Clone, Copy)]
enum Part<'a> {
    Server,
    Agent { url: &'a str, cast: &'a Cast },
}

/// A child that knows nothing of the person who watches: no settings, no folders, no tokens of theirs.
fn order(folder: &Path, part: Part<'_>) -> Order {
    let below = |name: &str| folder.join(name).display().to_string();
    let over =
        |path: &str, value: String| Override { flag: "the demo".to_owned(), path: path.to_owned(), value };
    let mut given = Given {
        config: None,
        overrides: vec![over("data", below("data")), over("log.format", "json".into())],
    };
    let own = match part {
        Part::Server => vec![over("listen", "127.0.0.1:0".into()), over("log.file", below("log/server.log"))],
        Part::Agent { .. } => vec![
            over("agent.name", AGENT.into()),
            over("agent.slots", SLOTS.into()),
            over("agent.roots", folder.display().to_string()),
            over("log.file", below("log/agent.log")),
        ],
    };
    given.overrides.extend(own);
    let order = match part {
        Part::Server => Order::server(&given, Hearing::Nothing),
        Part::Agent { url, cast } => Order::agent(&given, url, Some(cast.agent.clone()), Hearing::Nothing),
    };
    let state =
        ["XDG_STATE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME"].map(|name| (name.to_owned(), below("state")));
    let unset = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    let unset = unset.filter(|name| name.starts_with("TILTYARD_") || name == "ADMIN_TOKEN").collect();
    Order { folder: Some(folder.to_owned()), set: state.into(), unset, ..order }
}
