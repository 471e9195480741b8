//! When people are reminded of an open gate, and when others are asked too (D23).

use super::quorum::{Quorum, Who};
use crate::pipeline;
use crate::time::{DurationMs, TimeMs};
use serde::{Deserialize, Serialize};

/// The times of a gate, counted from its opening.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Calendar {
    /// When it opened.
    pub opened_ms: TimeMs,
    /// When its time is over; nobody is told of anything from then on.
    pub expires_ms: Option<TimeMs>,
    /// When people are reminded, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub remind_after_ms: Vec<DurationMs>,
    /// When others are asked too, and who.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub escalate: Option<(DurationMs, Vec<Who>)>,
}

/// What people were told of a gate.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// How many of the reminders are behind it, given or left out.
    pub reminders: u32,
    /// Whether others were asked.
    pub escalated: bool,
}

/// What to tell people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Notice {
    /// That it is still open: the how-manieth reminder, from 1 on.
    Remind(u32),
    /// That others may decide now.
    Escalate,
}

impl Calendar {
    /// Nobody is told of anything.
    pub const fn silent(opened_ms: TimeMs, expires_ms: Option<TimeMs>) -> Self {
        Self { opened_ms, expires_ms, remind_after_ms: Vec::new(), escalate: None }
    }

    /// The times of a gate that opened so, as its definition has them.
    pub fn of(gate: &pipeline::Gate, opened_ms: TimeMs) -> Self {
        let escalate = gate.escalate.as_ref();
        Self {
            opened_ms,
            expires_ms: gate.timeout_ms.map(|after| opened_ms.saturating_add(after)),
            remind_after_ms: gate.remind_after_ms.clone(),
            escalate: escalate.map(|escalation| (escalation.after_ms, escalation.who.clone())),
        }
    }

    /// What is due at `now`, and what was told after it. Of several reminders that fell due while nobody looked, the
    /// last one is given.
    pub fn due(&self, told: Told, now: TimeMs) -> (Vec<Notice>, Told) {
        let mut notices = Vec::new();
        if self.expires_ms.is_some_and(|expires| expires <= now) {
            return (notices, told);
        }
        let past = |after: &DurationMs| self.opened_ms.saturating_add(*after) <= now;
        let over = self.remind_after_ms.iter().filter(|after| past(after)).count();
        let reminders = u32::try_from(over).unwrap_or(u32::MAX).max(told.reminders);
        if reminders > told.reminders {
            notices.push(Notice::Remind(reminders));
        }
        let escalated = told.escalated || self.escalate.as_ref().is_some_and(|(after, _)| past(after));
        if escalated && !told.escalated {
            notices.push(Notice::Escalate);
        }
        (notices, Told { reminders, escalated })
    }

    /// When something is due next; `None` when nothing is before the gate's time is over.
    pub fn next_ms(&self, told: Told) -> Option<TimeMs> {
        let reminder = self.remind_after_ms.get(told.reminders as usize).copied();
        let escalation = self.escalate.as_ref().filter(|_| !told.escalated).map(|(after, _)| *after);
        let next = reminder.into_iter().chain(escalation).min()?.saturating_add(self.opened_ms);
        self.expires_ms.is_none_or(|expires| next < expires).then_some(next)
    }

    /// Who decides at `now`: once others are asked, each of them counts wherever one of the first ones does. It is the
    /// time that widens it, so that nobody is turned away because a timer is late.
    pub fn quorum(&self, quorum: &Quorum, now: TimeMs) -> Quorum {
        match &self.escalate {
            Some((after, who)) if self.opened_ms.saturating_add(*after) <= now => quorum.widened(who),
            _ => quorum.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gate::quorum::Voter;
    use crate::role::Role;

    fn calendar() -> Calendar {
        Calendar {
            opened_ms: 1_000,
            expires_ms: Some(2_000),
            remind_after_ms: vec![100, 200, 300],
            escalate: Some((250, vec![Who::Group("security".to_owned())])),
        }
    }

    // D23: reminders and escalation come at their times, once each, and not after the end.
    #[test]
    fn d23_people_are_told_at_stated_times() {
        let (calendar, nothing) = (calendar(), Told::default());
        assert_eq!(calendar.due(nothing, 1_099), (vec![], nothing));
        let (notices, told) = calendar.due(nothing, 1_100);
        assert_eq!(notices, [Notice::Remind(1)]);
        assert_eq!(calendar.due(told, 1_199), (vec![], told), "once");
        assert_eq!(calendar.next_ms(told), Some(1_200));
        let (notices, told) = calendar.due(told, 1_300);
        assert_eq!(notices, [Notice::Remind(3), Notice::Escalate], "late ones are not told one by one");
        assert_eq!(calendar.next_ms(told), None);
        assert_eq!(calendar.due(nothing, 2_000), (vec![], nothing), "nobody is asked about what has ended");
        let short = Calendar { expires_ms: Some(1_150), ..calendar };
        assert_eq!(short.next_ms(Told { reminders: 1, escalated: false }), None);
    }

    // D23: whoever it is escalated to may decide from then on, and those who could before still may.
    #[test]
    fn d23_escalation_widens_who_decides() {
        let calendar = calendar();
        let quorum: Quorum = "2 of role:operator and 1 of group:legal".parse().unwrap();
        let guard =
            Voter { identity: "gus".to_owned(), role: Role::Operator, groups: vec!["security".to_owned()] };
        assert!(!calendar.quorum(&quorum, 1_249).demands()[1].fits(&guard));
        let wide = calendar.quorum(&quorum, 1_250);
        assert_eq!(
            wide.to_string(),
            "2 of role:operator or group:security and 1 of group:legal or group:security"
        );
        assert!(wide.demands().iter().all(|demand| demand.fits(&guard)));
        assert_eq!(calendar.quorum(&wide, 1_250), wide, "twice is once");
        let kept = serde_json::to_string(&calendar).unwrap();
        assert!(kept.contains("group:security"), "{kept}");
        assert_eq!(serde_json::from_str::<Calendar>(&kept).unwrap(), calendar, "it is kept with its gate");
    }
}
