//! One user's events in one life to stays (R7, R8, R9, and rule 2 of `docs/records.md`).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::records::{Attr, Attrs, Event, JoinSource, Kind, LeaveSource, Millis, Reason, ReasonClass};

/// One user from one join to its leave, as far as the user's own events tell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stay {
    /// The vendor's own id of it.
    pub visit: Option<String>,
    /// When the user came in.
    pub joined: Millis,
    /// How that is known.
    pub join_source: JoinSource,
    /// When the user left, where an event of the user tells it.
    pub left: Option<Millis>,
    /// How that is known; [`LeaveSource::Open`] while it is not.
    pub leave_source: LeaveSource,
    /// Why the user left.
    pub leave_reason: Option<Reason>,
    /// The latest event of this stay.
    pub last_event: Millis,
    /// What was told of the user meanwhile. While the stay is open, only its life's end decides how far that
    /// reaches, so each telling is kept; then only the latest value of each attribute.
    pub attrs: Told,
}

/// Attributes as they were told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Told {
    /// The latest value of each.
    Latest(Attrs),
    /// Each telling: when, whether by an event of the stay itself, and what.
    Each(Vec<(Millis, bool, Attrs)>),
}

impl Told {
    /// The latest value of each attribute, of what was told up to `end`.
    pub(super) fn until(&self, end: Option<Millis>) -> Attrs {
        match self {
            Told::Latest(attrs) => attrs.clone(),
            Told::Each(tellings) => latest_attrs(
                tellings
                    .iter()
                    .filter(|(at, own, _)| *own || end.is_none_or(|end| *at <= end))
                    .map(|(at, _, attrs)| (*at, attrs)),
            ),
        }
    }
}

/// A stay in the making, with the events that tell of it.
struct Draft<'a> {
    stay: Stay,
    told_by: Vec<&'a Event>,
}

impl<'a> Draft<'a> {
    fn new(joined: Millis, join_source: JoinSource, event: &'a Event) -> Draft<'a> {
        let stay = Stay {
            visit: event.visit.clone(),
            joined,
            join_source,
            left: None,
            leave_source: LeaveSource::Open,
            leave_reason: None,
            last_event: joined.max(event.at),
            attrs: Told::Latest(Attrs::new()),
        };
        Draft { stay, told_by: vec![event] }
    }

    fn note(&mut self, event: &'a Event) {
        self.stay.last_event = self.stay.last_event.max(event.at);
        self.told_by.push(event);
    }

    fn leave(&mut self, event: &'a Event) {
        self.note(event);
        self.stay.left = Some(event.at.max(self.stay.joined));
        self.stay.leave_reason.clone_from(&event.reason);
        self.stay.leave_source = if let Kind::RecordLeft(how) = event.kind { how } else { LeaveSource::Seen };
    }

    fn covers(&self, at: Millis) -> bool {
        self.stay.joined <= at && self.stay.left.is_none_or(|left| at <= left)
    }

    /// The stay with what was told of its user: by its own events, and by `attributes` that name its visit or
    /// fall into its time (rule 10).
    fn finish(self, attributes: &[&Event]) -> Stay {
        let own = self.told_by.iter().map(|event| (event.at, true, &event.attrs));
        let told = attributes
            .iter()
            .filter(|event| self.covers(event.at))
            .filter(|event| event.visit.is_none() || event.visit == self.stay.visit)
            .map(|event| (event.at, false, &event.attrs));
        let tellings = own.chain(told).filter(|(_, _, attrs)| !attrs.is_empty());
        let attrs = if self.stay.left.is_some() {
            Told::Latest(latest_attrs(tellings.map(|(at, _, attrs)| (at, attrs))))
        } else {
            Told::Each(tellings.map(|(at, own, attrs)| (at, own, attrs.clone())).collect())
        };
        Stay { attrs, ..self.stay }
    }
}

/// The stays of one user in one life, in the order of their joins. `events` are the user's events that belong
/// to the life, in order; `attributes` are those told of the user in that room's name, by whatever source, since the
/// life began.
pub fn stays(events: &[&Event], attributes: &[&Event]) -> Vec<Stay> {
    let mut visits: BTreeMap<&str, Vec<&Event>> = BTreeMap::new();
    let mut others: Vec<&Event> = Vec::new();
    for &event in events {
        match event.visit.as_deref() {
            _ if matches!(event.kind, Kind::RoomCreated | Kind::RoomDestroyed) => {}
            Some(visit) => visits.entry(visit).or_default().push(event),
            None => others.push(event),
        }
    }
    let mut drafts: Vec<Draft<'_>> = visits.values().filter_map(|events| visit(events)).collect();
    Unnamed { visits: &mut drafts, done: Vec::new(), open: None, first_media: None }.fold(&others);

    let mut stays: Vec<Stay> = drafts.into_iter().map(|draft| draft.finish(attributes)).collect();
    stays.sort_by(|a, b| (a.joined, &a.visit, a.left).cmp(&(b.joined, &b.visit, b.left)));
    stays
}

/// The latest value of each attribute; of two of one time the greater, so that arrival decides nothing.
fn latest_attrs<'a>(tellings: impl Iterator<Item = (Millis, &'a Attrs)>) -> Attrs {
    let mut latest: BTreeMap<Attr, (Millis, &str)> = BTreeMap::new();
    for (at, attrs) in tellings {
        for (&attr, value) in attrs {
            let told = (at, value.as_str());
            let kept = latest.entry(attr).or_insert(told);
            *kept = (*kept).max(told);
        }
    }
    latest.into_iter().map(|(attr, (_, value))| (attr, value.to_owned())).collect()
}

/// A visit that the vendor names folds by its id, whatever the reasons say: from its first join to its last
/// leave, open if it was joined again after that.
fn visit<'a>(events: &[&'a Event]) -> Option<Draft<'a>> {
    let joins = || events.iter().copied().filter(|event| event.is_join());
    let leaves = || events.iter().copied().filter(|event| event.is_leave());
    let first_media = || events.iter().copied().find(|event| matches!(event.kind, Kind::Media { .. }));
    let mut draft = if let Some(join) = joins().next() {
        Draft::new(join.at, join_source(join), join)
    } else {
        let leave = leaves().next()?;
        let hint = events.iter().filter_map(|event| event.join_hint).min();
        match (hint, first_media()) {
            (Some(hint), _) => Draft::new(hint.min(leave.at), JoinSource::Hinted, leave),
            (None, Some(media)) => Draft::new(media.at.min(leave.at), JoinSource::Inferred, leave),
            (None, None) => Draft::new(leave.at, JoinSource::Inferred, leave),
        }
    };
    for &event in events {
        draft.note(event);
    }
    let rejoined = joins().next_back().map(|join| join.at);
    if let Some(leave) = leaves().next_back()
        && rejoined.is_none_or(|join| join <= leave.at || draft.stay.joined == join)
    {
        draft.leave(leave);
    }
    Some(draft)
}

/// An imported record keeps how its join was known.
fn join_source(join: &Event) -> JoinSource {
    if let Kind::RecordJoined(source) = join.kind { source } else { JoinSource::Seen }
}

/// The fold over events that name no visit.
struct Unnamed<'d, 'a> {
    /// The visits that are named, and then the stays that were found.
    visits: &'d mut Vec<Draft<'a>>,
    done: Vec<Draft<'a>>,
    open: Option<Draft<'a>>,
    /// The first media event since the last stay ended, outside every visit.
    first_media: Option<Millis>,
}

impl<'a> Unnamed<'_, 'a> {
    fn fold(mut self, events: &[&'a Event]) {
        for moment in events.chunk_by(|a, b| a.at == b.at) {
            self.moment(moment);
        }
        self.done.extend(self.open.take());
        self.visits.append(&mut self.done);
    }

    /// The events of one millisecond: a leave comes before a join only if the user has a stay open (R2).
    fn moment(&mut self, events: &[&'a Event]) {
        let mut joins = events.iter().copied().filter(|event| event.is_join()).peekable();
        let mut leaves = events.iter().copied().filter(|event| event.is_leave()).peekable();
        for &event in events.iter().filter(|event| !event.is_join() && !event.is_leave()) {
            self.sign(event);
        }
        loop {
            let leave_first = self.open.is_some() || joins.peek().is_none();
            if leave_first && let Some(leave) = leaves.next() {
                self.leave(leave);
            } else if let Some(join) = joins.next() {
                self.join(join);
            } else {
                break;
            }
        }
    }

    /// R9: media never open a stay, but tell that the user was there.
    fn sign(&mut self, event: &'a Event) {
        if let Some(open) = &mut self.open {
            open.note(event);
        } else if matches!(event.kind, Kind::Media { .. })
            && !self.visits.iter().any(|visit| visit.covers(event.at))
        {
            self.first_media.get_or_insert(event.at);
        }
    }

    fn join(&mut self, event: &'a Event) {
        let goes_on = event
            .reason
            .as_ref()
            .is_some_and(|reason| matches!(reason.class, ReasonClass::NetworkSwitch | ReasonClass::Timeout));
        if let Some(open) = &mut self.open {
            if goes_on {
                open.note(event);
                return;
            }
            // R8: a normal join while the user is inside ends the older stay.
            open.stay.left = Some(event.at.max(open.stay.joined));
            open.stay.leave_source = LeaveSource::Superseded;
            self.done.extend(self.open.take());
        }
        self.first_media = None;
        self.open = Some(Draft::new(event.at, join_source(event), event));
    }

    fn leave(&mut self, event: &'a Event) {
        if let Some(mut open) = self.open.take() {
            open.leave(event);
            self.done.push(open);
        } else if let Some(visit) = self.open_visit(event.at) {
            visit.leave(event);
        } else {
            let draft = self.without_join(event);
            self.done.push(draft);
        }
        self.first_media = None;
    }

    /// The named visit that a leave without a visit can only mean: the one joined last of those still open.
    fn open_visit(&mut self, at: Millis) -> Option<&mut Draft<'a>> {
        self.visits
            .iter_mut()
            .filter(|visit| visit.stay.left.is_none() && visit.stay.joined <= at)
            .max_by(|a, b| (a.stay.joined, &a.stay.visit).cmp(&(b.stay.joined, &b.stay.visit)))
    }

    /// R7: a leave whose join nobody told. A user's stays without a visit never overlap, so a hint reaches back
    /// no further than the end of the stay before.
    fn without_join(&self, leave: &'a Event) -> Draft<'a> {
        let earliest = self.done.last().and_then(|before| before.stay.left).unwrap_or(Millis(i64::MIN));
        let (joined, source) = match (leave.join_hint, self.first_media) {
            (Some(hint), _) => (hint, JoinSource::Hinted),
            (None, Some(media)) => (media, JoinSource::Inferred),
            (None, None) => (leave.at, JoinSource::Inferred),
        };
        let mut draft = Draft::new(joined.max(earliest).min(leave.at), source, leave);
        draft.leave(leave);
        draft
    }
}
