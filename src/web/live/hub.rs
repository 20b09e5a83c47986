//! One computation for all who watch an application, and one text for all of them who read it in the same language and
//! time zone.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use serde_json::{Map, Value, json};
use tokio::sync::watch;

use super::super::Trouble;
use super::super::prefs::Zone;
use super::super::words::Lang;
use super::now::{Memory, Now, Scope};
use super::parts::Parts;
use crate::records::{AppId, CommId, Millis};
use crate::store::Store;

/// How old "now" may be where nothing was appended.
const OLD_MS: i64 = 10_000;

/// The applications that were looked at since the start.
#[derive(Debug, Default)]
pub(in crate::web) struct Hub {
    apps: Mutex<BTreeMap<AppId, Arc<OfApp>>>,
    /// Somebody began to watch.
    newcomers: tokio::sync::Notify,
}

#[derive(Debug)]
struct OfApp {
    work: tokio::sync::Mutex<Work>,
    newest: watch::Sender<Option<Arc<Picture>>>,
}

/// What only the one who computes needs.
#[derive(Debug, Default)]
struct Work {
    memory: Memory,
    /// The store's version that was seen last.
    version: u64,
    number: u64,
}

/// In what words and time zone a watcher reads.
type Reader = (Lang, i32);

/// One computation, and how it reads.
#[derive(Debug)]
pub(in crate::web) struct Picture {
    app: AppId,
    number: u64,
    pub(super) now: Now,
    /// How the picture before this one read.
    before: HashMap<Reader, Arc<Parts>>,
    told: Mutex<HashMap<Reader, Arc<Told>>>,
}

/// How a picture reads, and the messages that tell it.
#[derive(Debug)]
struct Told {
    parts: Arc<Parts>,
    whole: Bytes,
    /// For who knows the picture before.
    change: Option<Bytes>,
}

impl Picture {
    /// The texts; made for the first who asks.
    fn told(&self, lang: Lang, zone: Zone) -> Arc<Told> {
        let reader = (lang, zone.minutes());
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let make = || {
            let parts = Arc::new(Parts::of(self.app, &self.now, lang, zone));
            let change = self.before.get(&reader).map(|before| message(&parts, Some(before)));
            Arc::new(Told { whole: message(&parts, None), change, parts })
        };
        Arc::clone(told.entry(reader).or_insert_with(make))
    }

    /// A number that changes whenever the page of a call would; `None`: the call is over, or not known.
    fn stamp(&self, comm_id: &CommId) -> Option<String> {
        let room = self.now.rooms.iter().find(|room| room.call.comm_id == *comm_id)?;
        let measured = room.measured_at.map_or(0, |at| at.0);
        Some(format!("{}.{}.{measured}", room.call.last_evidence.0, room.users))
    }
}

/// One event of the stream: all of it, or what is different.
fn message(parts: &Parts, before: Option<&Arc<Parts>>) -> Bytes {
    let mut told = Map::new();
    for (name, text) in parts.texts() {
        let is_known = before.is_some_and(|before| before.texts().any(|one| one == (name, text)));
        if !is_known {
            told.insert(name.to_owned(), json!(text));
        }
    }
    let order: Vec<&str> = parts.rows.iter().map(|(key, _)| key.as_str()).collect();
    let known: HashMap<&str, &str> = before
        .iter()
        .flat_map(|before| &before.rows)
        .map(|(key, row)| (key.as_str(), row.as_str()))
        .collect();
    let rows: Map<String, Value> = parts
        .rows
        .iter()
        .filter(|(key, row)| known.get(key.as_str()) != Some(&row.as_str()))
        .map(|(key, row)| (key.clone(), json!(row)))
        .collect();
    let is_same_order = before.is_some_and(|before| before.rows.iter().map(|(key, _)| key).eq(order.iter()));
    if !is_same_order {
        told.insert("order".to_owned(), json!(order));
    }
    if !rows.is_empty() {
        told.insert("rows".to_owned(), Value::Object(rows));
    }
    Bytes::from(format!("data: {}\n\n", Value::Object(told)))
}

impl Hub {
    fn of_app(&self, app: AppId) -> Arc<OfApp> {
        let mut apps = self.apps.lock().unwrap_or_else(PoisonError::into_inner);
        let new =
            || Arc::new(OfApp { work: tokio::sync::Mutex::default(), newest: watch::Sender::default() });
        Arc::clone(apps.entry(app).or_insert_with(new))
    }

    /// The applications that somebody watches.
    pub(in crate::web) fn watched(&self) -> Vec<AppId> {
        let apps = self.apps.lock().unwrap_or_else(PoisonError::into_inner);
        let is_watched = |of_app: &OfApp| of_app.newest.receiver_count() > 0;
        apps.iter().filter(|(_, of_app)| is_watched(of_app)).map(|(app, _)| *app).collect()
    }

    /// What happens now: what was computed last, if nothing was appended since, or it is no older than `pace_ms`; else
    /// computed now, by one of those who ask.
    pub(in crate::web) async fn now<S: Store>(
        &self,
        store: &S,
        app: AppId,
        (now, horizon): (Millis, Millis),
        pace_ms: i64,
    ) -> Result<Arc<Picture>, Trouble> {
        let of_app = self.of_app(app);
        let mut work = of_app.work.lock().await;
        let version = store.news().version(app);
        let last = of_app.newest.borrow().clone();
        if let Some(last) = &last {
            let age = now.0 - last.now.at.0;
            let is_good = (work.version == version && age < OLD_MS) || (0 < age && age < pace_ms);
            if is_good && age >= 0 {
                return Ok(Arc::clone(last));
            }
        }
        let Work { memory, number, .. } = &mut *work;
        memory.follow(store.news(), app);
        let seen = Scope { store, app, now, horizon }.look(memory).await?;
        *number += 1;
        let told = last.as_ref().map(|last| last.told.lock().unwrap_or_else(PoisonError::into_inner));
        let before = told.iter().flat_map(|told| told.iter());
        let before = before.map(|(reader, told)| (*reader, Arc::clone(&told.parts))).collect();
        drop(told);
        let picture = Arc::new(Picture { app, number: *number, now: seen, before, told: Mutex::default() });
        work.version = version;
        of_app.newest.send_replace(Some(Arc::clone(&picture)));
        Ok(picture)
    }

    /// Waits until somebody begins to watch, whose first picture may be a little old.
    pub(in crate::web) async fn newcomer(&self) {
        self.newcomers.notified().await;
    }

    /// Begins to watch.
    pub(in crate::web) fn watch(&self, app: AppId, view: (Lang, Zone), subject: Subject) -> Watching {
        let mut pictures = self.of_app(app).newest.subscribe();
        // What is there is told at once.
        pictures.mark_changed();
        self.newcomers.notify_one();
        Watching { pictures, view, subject }
    }
}

/// What is watched.
#[derive(Debug)]
pub(in crate::web) enum Subject {
    /// The Live page; the number of the picture that was told last.
    Live(Option<u64>),
    /// The page of one call; the stamp that was told last.
    Call(CommId, Option<String>),
}

/// One who watches: each message follows the one before, and what could not be told in time is left out.
#[derive(Debug)]
pub struct Watching {
    pictures: watch::Receiver<Option<Arc<Picture>>>,
    view: (Lang, Zone),
    subject: Subject,
}

impl Watching {
    /// The next message, as an event of a stream; `None` at the end.
    pub async fn next(&mut self) -> Option<Bytes> {
        loop {
            self.pictures.changed().await.ok()?;
            let picture = self.pictures.borrow_and_update().clone();
            if let Some(message) = picture.and_then(|picture| self.tell(&picture)) {
                return Some(message);
            }
        }
    }

    fn tell(&mut self, picture: &Picture) -> Option<Bytes> {
        let (lang, zone) = self.view;
        match &mut self.subject {
            Subject::Live(last) => {
                let told = picture.told(lang, zone);
                let knows_before =
                    last.replace(picture.number).map(|number| number + 1) == Some(picture.number);
                Some(told.change.clone().filter(|_| knows_before).unwrap_or_else(|| told.whole.clone()))
            }
            Subject::Call(comm_id, last) => {
                let stamp = picture.stamp(comm_id).unwrap_or_default();
                if last.as_ref() == Some(&stamp) {
                    return None;
                }
                let is_over = stamp.is_empty();
                *last = Some(stamp);
                Some(Bytes::from(format!("event: call\ndata: {{\"over\":{is_over}}}\n\n")))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::{Event, Kind};

    const APP: AppId = AppId(1);
    const NOW: Millis = Millis(1_795_608_030_000);
    const ALL: Millis = Millis(i64::MIN);

    fn joined(user: &str) -> Vec<Event> {
        vec![Event::new(APP, "test", "<b>room</b>", user, Kind::UserJoined, NOW)]
    }

    fn text(bytes: &Bytes) -> &str {
        std::str::from_utf8(bytes).unwrap()
    }

    #[tokio::test]
    async fn one_computation_serves_all_who_look_until_something_is_appended() {
        let (store, hub) = (crate::store::Memory::default(), Hub::default());
        let first = hub.now(&store, APP, (NOW, ALL), 0).await.unwrap();
        let second = hub.now(&store, APP, (NOW.plus(OLD_MS - 1), ALL), 0).await.unwrap();
        assert!(Arc::ptr_eq(&first, &second));
        let old = hub.now(&store, APP, (NOW.plus(OLD_MS), ALL), 0).await.unwrap();
        assert!(!Arc::ptr_eq(&first, &old), "now grows old");
        store.append(joined("alice")).await.unwrap();
        let paced = hub.now(&store, APP, (NOW.plus(OLD_MS + 500), ALL), 1_000).await.unwrap();
        assert!(Arc::ptr_eq(&old, &paced), "a page may be a second old");
        let new = hub.now(&store, APP, (NOW.plus(OLD_MS + 500), ALL), 0).await.unwrap();
        assert_eq!((old.now.users, new.now.users), (0, 1));
    }

    #[tokio::test]
    async fn watchers_are_told_all_at_first_then_what_changes_and_all_after_a_gap() {
        let (store, hub) = (crate::store::Memory::default(), Hub::default());
        let view = (Lang::En, Zone::Utc);
        store.append(joined("alice")).await.unwrap();
        hub.now(&store, APP, (NOW, ALL), 0).await.unwrap();
        let mut watching = hub.watch(APP, view, Subject::Live(None));
        let mut slow = hub.watch(APP, view, Subject::Live(None));
        assert_eq!(hub.watched(), [APP]);
        let whole = watching.next().await.unwrap();
        assert_eq!(whole, slow.next().await.unwrap());
        for part in ["\"summary\":", "\"order\":[", "\"rows\":{", "\"history\":", "&lt;b&gt;room"] {
            assert!(text(&whole).contains(part), "{part}: {whole:?}");
        }
        assert!(text(&whole).starts_with("data: {") && text(&whole).ends_with("}\n\n"));
        assert!(!text(&whole).contains("<b>"), "{whole:?}");
        store.append(joined("bob")).await.unwrap();
        hub.now(&store, APP, (NOW, ALL), 0).await.unwrap();
        let change = watching.next().await.unwrap();
        let has = |part: &str| text(&change).contains(part);
        assert!(
            has("\"summary\":") && has("\"rows\":") && !has("\"order\":") && !has("\"note\":"),
            "{change:?}"
        );
        store.append(joined("carol")).await.unwrap();
        hub.now(&store, APP, (NOW, ALL), 0).await.unwrap();
        assert!(text(&slow.next().await.unwrap()).contains("\"order\":"), "one was left out");
        assert!(!text(&watching.next().await.unwrap()).contains("\"order\":"));
        drop((watching, slow));
        assert_eq!(hub.watched(), []);
    }

    #[tokio::test]
    async fn who_watches_a_call_is_told_when_it_changes_and_when_it_is_over() {
        let (store, hub) = (crate::store::Memory::default(), Hub::default());
        store.append(joined("alice")).await.unwrap();
        let picture = hub.now(&store, APP, (NOW, ALL), 0).await.unwrap();
        let comm_id = picture.now.rooms[0].call.comm_id.clone();
        let mut watching = hub.watch(APP, (Lang::En, Zone::Utc), Subject::Call(comm_id, None));
        assert_eq!(watching.next().await.unwrap(), "event: call\ndata: {\"over\":false}\n\n");
        let other = Event::new(APP, "test", "other", "bob", Kind::UserJoined, NOW);
        store.append(vec![other]).await.unwrap();
        hub.now(&store, APP, (NOW, ALL), 0).await.unwrap();
        let over = Event::new(APP, "test", "<b>room</b>", "", Kind::RoomDestroyed, NOW.plus(1));
        store.append(vec![over]).await.unwrap();
        hub.now(&store, APP, (NOW, ALL), 0).await.unwrap();
        let told = watching.next().await.unwrap();
        assert_eq!(told, "event: call\ndata: {\"over\":true}\n\n", "another call's change is none");
    }
}
