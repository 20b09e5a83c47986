//! Days that were counted, and those that wait for it. Counting goes on behind the pages, one day at a time: a page shows
//! what there is and says what is missing.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::day::{Day, Tally};
use crate::limits::DAY_S;
use crate::records::{AppId, Millis};
use crate::store::{DayFigures, Store};
use crate::web::prefs::{Prefs, Theme, Zone};
use crate::web::query::Query;
use crate::web::shell::View;
use crate::web::words::Lang;
use crate::web::{Context, Trouble, Web};

/// Days that are kept, of all applications: those that were looked at last.
const KEPT_MAX: usize = 800;
/// Days that wait.
const WAITING_MAX: usize = 800;
/// How long after its end a day may still change, since late events are expected.
const LATENESS_S: i64 = 48 * 3_600;
/// For how long a day that may still change is shown as it was counted.
const FRESH_MS: i64 = 10_000;

/// One day of an application, by its first second.
type Key = (AppId, i64);

/// What was counted, and what is to be.
#[derive(Debug, Default)]
pub(in crate::web) struct Counts {
    days: Mutex<Days>,
    work: tokio::sync::Mutex<Option<(Tally, Millis, u64)>>,
    asked: tokio::sync::Notify,
}

#[derive(Debug, Default)]
struct Days {
    kept: HashMap<Key, Kept>,
    waiting: VecDeque<Key>,
    /// Grows with each look, so that what was not looked at for longest is known.
    looks: u64,
}

#[derive(Debug)]
struct Kept {
    day: Arc<Day>,
    figures: DayFigures,
    at: Millis,
    version: u64,
    looked: u64,
}

impl Kept {
    /// Whether it has to be counted again: the store tells other figures, or the day may still change and did.
    fn is_old(&self, figures: &DayFigures, now: Millis, version: u64) -> bool {
        let end_s = figures.start_s + DAY_S;
        let may_change =
            now.secs() < end_s + LATENESS_S && (self.version != version || self.at.secs() < end_s);
        now.0 - self.at.0 >= FRESH_MS && (self.figures != *figures || may_change)
    }
}

impl Counts {
    fn days(&self) -> MutexGuard<'_, Days> {
        self.days.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is known of days; what is not is counted soon, in this order, and then what is old.
    pub(super) fn look(
        &self,
        app: AppId,
        asked: &[DayFigures],
        now: Millis,
        version: u64,
    ) -> Vec<Option<Arc<Day>>> {
        let mut guard = self.days();
        let days = &mut *guard;
        days.looks += 1;
        let (mut missing, mut old) = (VecDeque::new(), VecDeque::new());
        let mut found = Vec::with_capacity(asked.len());
        for figures in asked {
            let key = (app, figures.start_s);
            let kept = days.kept.get_mut(&key);
            match &kept {
                None => missing.push_back(key),
                Some(kept) if kept.is_old(figures, now, version) => old.push_back(key),
                Some(_) => {}
            }
            found.push(kept.map(|kept| {
                kept.looked = days.looks;
                Arc::clone(&kept.day)
            }));
        }
        missing.append(&mut old);
        if !missing.is_empty() {
            days.waiting.retain(|key| !missing.contains(key));
            missing.append(&mut days.waiting);
            missing.truncate(WAITING_MAX);
            days.waiting = missing;
            self.asked.notify_one();
        }
        found
    }

    fn keep(&self, key: Key, kept: Kept) {
        let mut days = self.days();
        // Who asked meanwhile has it now.
        days.waiting.retain(|waiting| *waiting != key);
        let looked = days.looks;
        days.kept.insert(key, Kept { looked, ..kept });
        if days.kept.len() > KEPT_MAX {
            let oldest = days.kept.iter().min_by_key(|(_, kept)| kept.looked).map(|(key, _)| *key);
            oldest.and_then(|key| days.kept.remove(&key));
        }
    }
}

impl<S: Store + 'static> Web<S> {
    /// Waits until there is a day to be counted.
    pub async fn wanted(&self) {
        while self.counts.work.lock().await.is_none() && self.counts.days().waiting.is_empty() {
            self.counts.asked.notified().await;
        }
    }

    /// Counts a part of the day that waits first.
    pub async fn count(&self, now: Millis) {
        let mut work = self.counts.work.lock().await;
        if let Err(Trouble::Store(error)) = self.count_part(&mut work, now).await {
            // The page that asked for it says that it is being counted, and asks again.
            tracing::warn!(%error, "the store cannot tell what happened on a day");
            *work = None;
        }
    }

    async fn count_part(&self, work: &mut Option<(Tally, Millis, u64)>, now: Millis) -> Result<(), Trouble> {
        if work.is_none() {
            let Some((app, start_s)) = self.counts.days().waiting.pop_front() else { return Ok(()) };
            let version = self.store.news().version(app);
            let figures = self.store.figures(app, start_s, start_s).await?;
            let nobody = DayFigures { start_s, ..DayFigures::default() };
            let figures = figures.days.first().copied().unwrap_or(nobody);
            *work = Some((Tally::new(app, figures), now, version));
        }
        let Some((tally, begun, version)) = work else { return Ok(()) };
        let query = Query::default();
        let prefs = Prefs { lang: Lang::En, zone: Zone::Utc, theme: Theme::Auto };
        let view = View { prefs, apps: vec![tally.app], path: "", query: "", can_sign_out: false };
        let rights = self.rights.get();
        let context = Context {
            policy: &rights.policy,
            accounts: Vec::new(),
            store: &*self.store,
            rehearsal: &rights.rehearsal,
            casts: &self.casts,
            view,
            query: &query,
            now: *begun,
        };
        if let Some(day) = tally.step(&context).await? {
            let figures = tally.figures;
            let kept = Kept { day: Arc::new(day), figures, at: *begun, version: *version, looked: 0 };
            self.counts.keep((tally.app, figures.start_s), kept);
            *work = None;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const APP: AppId = AppId(1);
    /// 2026-11-25T00:00+08:00.
    const TODAY_S: i64 = 1_795_536_000;

    fn figures(days_ago: i64, users: u64) -> DayFigures {
        DayFigures { start_s: TODAY_S - days_ago * DAY_S, users, ..DayFigures::default() }
    }

    fn kept(figures: DayFigures, at: Millis, version: u64) -> Kept {
        Kept { day: Arc::default(), figures, at, version, looked: 0 }
    }

    #[test]
    fn a_day_is_old_when_its_figures_differ_or_it_may_have_changed() {
        let now = Millis::from_secs(TODAY_S + 3_600);
        let long_ago = now.plus(-FRESH_MS);
        let check = |what: &str, figures: DayFigures, kept: Kept, is_old: bool| {
            assert_eq!(kept.is_old(&figures, now, 7), is_old, "{what}");
        };
        check("settled", figures(9, 5), kept(figures(9, 5), long_ago, 1), false);
        check("settled, told late", figures(9, 6), kept(figures(9, 5), long_ago, 1), true);
        check("told late, just counted", figures(9, 6), kept(figures(9, 5), now, 1), false);
        check("may change", figures(2, 5), kept(figures(2, 5), long_ago, 1), true);
        check("did not change", figures(2, 5), kept(figures(2, 5), long_ago, 7), false);
        check("running", figures(0, 5), kept(figures(0, 5), long_ago, 7), true);
        check("running, just counted", figures(0, 5), kept(figures(0, 5), now, 7), false);
    }

    #[test]
    fn who_asks_last_is_served_first_and_what_was_not_looked_at_goes() {
        let counts = Counts::default();
        let now = Millis::from_secs(TODAY_S);
        let look = |days: &[DayFigures]| counts.look(APP, days, now, 1).iter().flatten().count();
        assert_eq!(look(&[figures(3, 1), figures(4, 1)]), 0);
        assert_eq!(look(&[figures(5, 1), figures(4, 1)]), 0);
        let waiting: Vec<i64> =
            counts.days().waiting.iter().map(|(_, start_s)| (TODAY_S - start_s) / DAY_S).collect();
        assert_eq!(waiting, [5, 4, 3]);
        for days_ago in 0..i64::try_from(KEPT_MAX).unwrap() {
            counts.keep((APP, figures(days_ago, 1).start_s), kept(figures(days_ago, 1), now, 1));
            assert_eq!(look(&[figures(0, 1)]), 1);
        }
        counts.keep((APP, figures(-1, 1).start_s), kept(figures(-1, 1), now, 1));
        assert_eq!(counts.days().kept.len(), KEPT_MAX);
        assert_eq!(
            (look(&[figures(0, 1)]), look(&[figures(1, 1)])),
            (1, 0),
            "the one before was looked at last"
        );
    }
}
