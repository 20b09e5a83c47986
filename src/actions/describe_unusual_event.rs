//! DescribeUnusualEvent: what users had to bear in a window, with what may have caused it (contract section 9.6),
//! and its old name DescribeAbnormalEvent. Found by looking at what was measured, newest calls first, within bounds.

use std::collections::BTreeSet;

use crate::limits::{self, UNUSUAL_EVENTS_MAX, UNUSUAL_ROWS_MAX, UNUSUAL_VALUES_MAX};
use crate::records::{AppId, Call};
use crate::store::{CallQuery, SessionPage, SessionQuery, Store};
use crate::wire::{ErrorCode, Fault, Fields, Json, Params};

use super::quality::{self, Flow, Stays};
use super::question::{self, Window, WindowRules};
use super::unusual::{NEAR_S, Place, REACH_S, RULES, Rule, Spell, causes};
use super::{Context, database};

/// The reply's fields.
pub(super) async fn answer<S: Store>(context: &Context<'_, S>, params: &Params<'_>) -> Result<Fields, Fault> {
    question::refuse_empty(params, "SdkAppId", ErrorCode::MissingSdkAppId)?;
    let app = question::app(context, params.number("SdkAppId").unwrap_or_default(), ErrorCode::SdkAppId)?;
    let rules = WindowRules {
        reversed: ErrorCode::EndTs,
        by_edition: false,
        longest_s: Some(limits::METRIC_WINDOW_S),
    };
    let window = question::window(context, params, rules)?;
    let room = params.text("RoomId").filter(|room| !room.is_empty());
    let mut search = Search { context, app, window, rows: 0, values: 0, found: Vec::new() };
    search.calls(room).await?;
    let mut json = Json::fields(64 + 256 * search.found.len());
    write_experiences(&mut json, &search.found);
    Ok(json.into_fields())
}

/// What a user had to bear.
#[derive(Debug)]
struct Experience {
    user: String,
    room: String,
    at_s: i64,
    id: u64,
    /// Id and peer of what may have caused it, in this order.
    causes: BTreeSet<(u64, String)>,
}

/// A search through calls, sessions and measurements until enough was found or looked at.
struct Search<'a, S> {
    context: &'a Context<'a, S>,
    app: AppId,
    window: Window,
    /// Calls and sessions looked at.
    rows: usize,
    /// Points looked at.
    values: usize,
    found: Vec<Experience>,
}

impl<S: Store> Search<'_, S> {
    fn is_over(&self) -> bool {
        self.found.len() >= UNUSUAL_EVENTS_MAX
            || self.rows >= UNUSUAL_ROWS_MAX
            || self.values >= UNUSUAL_VALUES_MAX
    }

    async fn calls(&mut self, room: Option<&str>) -> Result<(), Fault> {
        let query = CallQuery {
            app: self.app,
            room,
            from_s: self.window.from_s,
            to_s: self.window.to_s,
            skip: 0,
            take: UNUSUAL_ROWS_MAX,
            now: self.context.now,
            horizon: self.context.horizon(),
        };
        for call in self.context.store.calls(&query).await.map_err(database)? {
            if self.is_over() {
                break;
            }
            self.rows += 1;
            self.call(&call).await?;
        }
        self.found.truncate(UNUSUAL_EVENTS_MAX);
        Ok(())
    }

    async fn call(&mut self, call: &Call) -> Result<(), Fault> {
        let sessions = self.sessions(call, self.window, None, UNUSUAL_ROWS_MAX - self.rows + 1).await?;
        self.rows += sessions.len();
        let mut users: Vec<&String> = Vec::new();
        for session in sessions.iter() {
            if !users.contains(&&session.user) {
                users.push(&session.user);
            }
        }
        // Points beside the window tell whether what is bad in it began in it.
        let reach = wider(self.window, REACH_S);
        for user in users {
            if self.found.len() >= UNUSUAL_EVENTS_MAX || self.values >= UNUSUAL_VALUES_MAX {
                break;
            }
            let own = sessions.iter().filter(|session| session.user == *user).map(|session| &**session);
            let stays = Stays::of(own, reach, self.context.now);
            let flows = quality::flows(self.context, (self.app, &call.room), user, &stays).await?;
            self.values += flows.iter().map(Flow::len).sum::<usize>();
            self.user(call, user, &flows).await?;
        }
        Ok(())
    }

    /// What one user had to bear: by time, then experience, then peer.
    async fn user(&mut self, call: &Call, user: &str, flows: &[Flow]) -> Result<(), Fault> {
        let mut spells: Vec<(Spell, u64, &Rule, &Flow)> = Vec::new();
        for flow in flows.iter().filter(|flow| !flow.peer.is_empty()) {
            for rule in RULES {
                let Some(experience) = rule.experience else { continue };
                let begun = rule
                    .spells(flow)
                    .into_iter()
                    .filter(|spell| (self.window.from_s..=self.window.to_s).contains(&spell.from_s));
                spells.extend(begun.map(|spell| (spell, experience, rule, flow)));
            }
        }
        spells.sort_by(|(a, a_id, _, a_flow), (b, b_id, _, b_flow)| {
            (a.from_s, a_id, &a_flow.peer).cmp(&(b.from_s, b_id, &b_flow.peer))
        });
        for (spell, experience, rule, flow) in spells {
            if self.found.len() >= UNUSUAL_EVENTS_MAX {
                break;
            }
            let mut found: BTreeSet<(u64, String)> = BTreeSet::new();
            let mut note =
                |ids: Vec<u64>, peer: &str| found.extend(ids.into_iter().map(|id| (id, peer.to_owned())));
            note(causes(rule, spell, Place::Received, flow), &flow.peer);
            if let Some(own) = flows.iter().find(|flow| flow.peer.is_empty()) {
                note(causes(rule, spell, Place::Own, own), "");
            }
            if let Some(sent) = self.sent(call, &flow.peer, spell).await? {
                note(causes(rule, spell, Place::Sender, &sent), &flow.peer);
            }
            self.found.push(Experience {
                user: user.to_owned(),
                room: call.room.clone(),
                at_s: spell.from_s,
                id: experience,
                causes: found,
            });
        }
        Ok(())
    }

    /// What the client of a peer told, near a bad time, of what it sent.
    async fn sent(&self, call: &Call, peer: &String, spell: Spell) -> Result<Option<Flow>, Fault> {
        let window = wider(Window { from_s: spell.from_s, to_s: spell.to_s }, NEAR_S + REACH_S);
        let sessions =
            self.sessions(call, window, Some(std::slice::from_ref(peer)), limits::STAYS_MAX).await?;
        let stays = Stays::of(sessions.iter().map(|session| &**session), window, self.context.now);
        let flows = quality::flows(self.context, (self.app, &call.room), peer, &stays).await?;
        Ok(flows.into_iter().find(|flow| flow.peer.is_empty()))
    }

    async fn sessions(
        &self,
        call: &Call,
        window: Window,
        users: Option<&[String]>,
        take: usize,
    ) -> Result<SessionPage, Fault> {
        let query = SessionQuery {
            app: self.app,
            comm_id: &call.comm_id,
            from_s: window.from_s,
            to_s: window.to_s,
            users,
            skip: 0,
            take,
            now: self.context.now,
            horizon: self.context.horizon(),
        };
        self.context.store.sessions(&query).await.map_err(database)
    }
}

fn wider(window: Window, by_s: i64) -> Window {
    Window { from_s: window.from_s - by_s, to_s: window.to_s.saturating_add(by_s).min(limits::SECOND_MAX) }
}

/// Writes `AbnormalExperienceList` and `Total`.
fn write_experiences(json: &mut Json, experiences: &[Experience]) {
    json.raw(b"\"AbnormalExperienceList\":[");
    for (place, experience) in experiences.iter().enumerate() {
        json.raw(if place == 0 { b"{\"UserId\":" } else { b",{\"UserId\":" });
        json.text(&experience.user);
        json.raw(b",\"RoomId\":");
        json.text(&experience.room);
        json.raw(b",\"EventTime\":");
        json.number(u64::try_from(experience.at_s).unwrap_or(0));
        json.raw(b",\"ExperienceId\":");
        json.number(experience.id);
        json.raw(b",\"AbnormalEventList\":[");
        for (place, (id, peer)) in experience.causes.iter().enumerate() {
            json.raw(if place == 0 { b"{\"AbnormalEventId\":" } else { b",{\"AbnormalEventId\":" });
            json.number(*id);
            json.raw(b",\"PeerId\":");
            json.text(peer);
            json.raw(b"}");
        }
        json.raw(b"]}");
    }
    json.raw(b"],\"Total\":");
    json.number(u64::try_from(experiences.len()).unwrap_or(u64::MAX));
}
