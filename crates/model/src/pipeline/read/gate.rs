//! The members of a gate: who decides, how many, and what time and a reject do.

use super::Reading;
use super::fields::Fields;
use super::uses::subject;
use crate::gate::quorum::{Demand, MAX_ALTERNATIVES, MAX_APPROVALS, Quorum, Who};
use crate::gate::{OnTimeout, SelfApproval};
use crate::pipeline::node::{Content, Node};
use crate::pipeline::place::Place;
use crate::pipeline::{
    DEFAULT_ROUNDS, Escalation, Gate, MAX_REMINDERS, MAX_ROUNDS, MAX_WAIT_MS, OnReject, Subject,
};
use crate::role::{Right, Role};
use crate::time::DurationMs;

/// What of a gate names other stages.
#[derive(Debug, Default)]
pub(super) struct GateDraft {
    pub subject: Option<(String, String)>,
    pub back: Option<Back>,
}

/// Where a reject sends the run.
#[derive(Debug)]
pub(super) struct Back {
    pub place: Place,
    pub at: String,
    pub id: String,
    pub rounds: u32,
}

impl Reading<'_> {
    pub(super) fn gate(&mut self, fields: &Fields<'_>) -> (Gate, GateDraft) {
        let quorum = self.quorum(fields);
        let timeout_ms = fields.get("timeout_ms").and_then(Node::as_ms);
        let on_timeout = self.on_timeout(fields);
        let forbidden =
            fields.get("no_self_approval").is_some_and(|node| node.content == Content::Truth(true));
        let gate = Gate {
            subject: Subject::Question,
            quorum,
            self_approval: if forbidden { SelfApproval::Forbidden } else { SelfApproval::Allowed },
            timeout_ms,
            on_timeout,
            on_reject: OnReject::Fail,
            remind_after_ms: self.reminders(fields, timeout_ms),
            escalate: fields
                .get("escalate")
                .and_then(|node| self.escalation(node, &fields.at("escalate"), timeout_ms)),
        };
        let back = fields.get("on_reject").and_then(|node| self.on_reject(node, &fields.at("on_reject")));
        (gate, GateDraft { subject: fields.get("subject").and_then(subject), back })
    }

    fn on_timeout(&mut self, fields: &Fields<'_>) -> OnTimeout {
        let Some(node) = fields.get("on_timeout") else { return OnTimeout::Nothing };
        let on_timeout = match node.text() {
            Some("approve") => OnTimeout::Approve,
            Some("reject") => OnTimeout::Reject,
            _ => OnTimeout::Nothing,
        };
        if on_timeout != OnTimeout::Nothing && fields.get("timeout_ms").is_none() {
            self.found.judge(node.place, fields.at("on_timeout"), "never happens: say `timeout_ms` too");
        }
        on_timeout
    }

    fn reminders(&mut self, fields: &Fields<'_>, timeout_ms: Option<DurationMs>) -> Vec<DurationMs> {
        let Some(node) = fields.get("remind_after_ms") else { return Vec::new() };
        let at = fields.at("remind_after_ms");
        let list = if let Content::List(items) = &node.content {
            items.as_slice()
        } else {
            std::slice::from_ref(node)
        };
        if list.len() > MAX_REMINDERS {
            self.found.judge(node.place, &at, format!("must have at most {MAX_REMINDERS} items"));
        }
        let most = timeout_ms.unwrap_or(MAX_WAIT_MS);
        let times =
            list.iter().take(self.at_most(MAX_REMINDERS)).filter_map(|item| self.whole(item, &at, (1, most)));
        let mut times: Vec<DurationMs> = times.collect();
        times.sort_unstable();
        times.dedup();
        times
    }

    fn escalation(&mut self, node: &Node, at: &str, timeout_ms: Option<DurationMs>) -> Option<Escalation> {
        let fields = Fields::of(node, at, "escalate", &["after_ms", "who"], &mut self.found)?;
        let after_ms = fields.need("after_ms", &mut self.found);
        let place = after_ms.map_or(node.place, |node| node.place);
        let after_ms = after_ms.and_then(|node| self.whole(node, &fields.at("after_ms"), (1, MAX_WAIT_MS)));
        if let (Some(after_ms), Some(timeout_ms)) = (after_ms, timeout_ms)
            && after_ms >= timeout_ms
        {
            let error = format!("never happens: the gate's time is over after {timeout_ms}");
            self.found.judge(place, fields.at("after_ms"), error);
        }
        let who = fields.need("who", &mut self.found).map(|node| self.who(node, &fields.at("who")))?;
        Some(Escalation { after_ms: after_ms?, who })
    }

    fn on_reject(&mut self, node: &Node, at: &str) -> Option<Back> {
        if node.text() == Some("fail") {
            return None;
        }
        if !matches!(node.content, Content::Object(_)) {
            self.found.add(node.place, at, "must be `fail`, or {to_stage: ID, max_rounds: N}");
            return None;
        }
        let fields = Fields::of(node, at, "on_reject", &["to_stage", "max_rounds"], &mut self.found)?;
        let rounds = fields.get("max_rounds");
        let rounds =
            rounds.and_then(|node| self.whole(node, &fields.at("max_rounds"), (1, i64::from(MAX_ROUNDS))));
        let rounds = rounds.and_then(|rounds| u32::try_from(rounds).ok()).unwrap_or(DEFAULT_ROUNDS);
        let to = fields.need("to_stage", &mut self.found)?;
        let (place, at, id) = self.ids(to, &fields.at("to_stage"), "the id of a stage").into_iter().next()?;
        Some(Back { place, at, id, rounds })
    }

    fn who(&mut self, node: &Node, at: &str) -> Vec<Who> {
        let texts = self.ids(node, at, "one of role:…, group:… and identity:…");
        if matches!(&node.content, Content::List(items) if items.is_empty()) {
            self.found.judge(
                node.place,
                at,
                "nobody could decide this gate: name at least one role:…, group:… or identity:…",
            );
        }
        if texts.len() > MAX_ALTERNATIVES {
            self.found.judge(node.place, at, format!("must have at most {MAX_ALTERNATIVES} items"));
        }
        let mut who = Vec::new();
        for (place, at, text) in texts.into_iter().take(self.at_most(MAX_ALTERNATIVES)) {
            match text.parse::<Who>() {
                Ok(one) => {
                    self.may_decide(&one, place, &at);
                    who.push(one);
                }
                Err(error) => self.found.add(place, at, error.part()),
            }
        }
        who
    }

    fn may_decide(&mut self, who: &Who, place: Place, at: &str) {
        if let Who::Role(role) = who
            && !role.may(Right::Operate)
        {
            let deciders = Role::ALL.into_iter().filter(|role| role.may(Right::Operate)).map(Role::as_str);
            let deciders: Vec<&str> = deciders.collect();
            let error =
                format!("role:{} has no right to decide; {} have", role.as_str(), deciders.join(" and "));
            self.found.judge(place, at, error);
        }
    }

    fn quorum(&mut self, fields: &Fields<'_>) -> Quorum {
        let who = fields.get("who").map(|node| self.who(node, &fields.at("who")));
        let at = fields.at("quorum");
        match fields.get("quorum") {
            Some(node) if node.text().is_some() => {
                if fields.get("who").is_some() {
                    self.found.judge(
                        node.place,
                        &at,
                        "says who by itself; leave out `who`, or give the number alone",
                    );
                }
                self.written_quorum(node, &at)
            }
            node => {
                let count =
                    node.and_then(|node| self.whole(node, &at, (1, i64::from(MAX_APPROVALS)))).unwrap_or(1);
                let any_of =
                    who.filter(|who| !who.is_empty()).unwrap_or_else(|| vec![Who::Role(Role::Operator)]);
                let demand = Demand { count: u32::try_from(count).unwrap_or(1), any_of };
                if let Some(node) = node {
                    self.enough(&demand, node.place, &at);
                }
                Quorum::of(demand)
            }
        }
    }

    fn written_quorum(&mut self, node: &Node, at: &str) -> Quorum {
        match node.text().unwrap_or_default().parse::<Quorum>() {
            Ok(quorum) => {
                for demand in quorum.demands() {
                    self.enough(demand, node.place, at);
                    demand.any_of.iter().for_each(|who| self.may_decide(who, node.place, at));
                }
                quorum
            }
            Err(error) => {
                self.found.add(node.place, at, error.to_string());
                Quorum::default()
            }
        }
    }

    /// A demand for more approvals than there are names can be met by admins at best, who are meant for mishaps.
    fn enough(&mut self, demand: &Demand, place: Place, at: &str) {
        let mut names: Vec<&str> = Vec::new();
        for who in &demand.any_of {
            let Who::Identity(name) = who else { return };
            names.push(name);
        }
        names.sort_unstable();
        names.dedup();
        if (names.len() as u64) < u64::from(demand.count) {
            let error = format!(
                "asks for {} approvals where {} may decide: {}",
                demand.count,
                names.len(),
                names.join(", ")
            );
            self.found.judge(place, at, error);
        }
    }
}

impl Node {
    fn as_ms(&self) -> Option<DurationMs> {
        if let Content::Number(number) = &self.content { number.as_i64() } else { None }
    }
}
