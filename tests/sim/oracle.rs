//! What the answers should be, and who may not have any.

use std::sync::Arc;

use rollbook::actions::Api;
use rollbook::records::quality::Series;
use rollbook::records::{Call, Event, Millis, Session};
use rollbook::store::{AnyStore, Exported, Memory, Store as _, StoreError, UserCallsQuery, UsersQuery, What};
use serde_json::{Value, json};

use crate::ask::{ClientKey, PAGE_ROWS, Question, Signed, all_rooms, policy, questions, questions_about};
use crate::faulty::Faulty;
use crate::invariants::{Broken, broken, comparable, envelope, exported, within_horizon};
use crate::op::Draws;
use crate::senders::{APP, OTHER_APP};
use crate::world::{Told, World};

type Records = Vec<(Call, Vec<Session>)>;

impl World {
    pub(crate) fn records(&self, store: &Faulty) -> Result<Records, Broken> {
        let mut records = Vec::new();
        exported(store, APP, What::Records, &mut |exported| {
            if let Exported::Call(call, sessions) = exported {
                records.push((call.clone(), sessions.to_vec()));
            }
        })?;
        Ok(records)
    }

    /// A store in memory that was given all that was acknowledged at once.
    fn oracle(&self) -> Result<Faulty, Broken> {
        let limit = self.limit();
        let told = || self.acknowledged.iter().filter(|told| limit <= told.end);
        let mut events: Vec<Event> = told().flat_map(|told: &Told| told.events.clone()).collect();
        events.sort();
        let samples: Vec<Series> = told().flat_map(|told| told.samples.clone()).collect();
        let memory = Memory::default();
        let given = self.wait(async {
            memory.append(events).await?;
            memory.append_samples(samples).await?;
            // The store in memory drops calls one by one, the embedded one days as a whole.
            if self.is_in_memory() && self.floor > Millis(i64::MIN) {
                memory.sweep(self.floor).await?;
            }
            Ok::<(), StoreError>(())
        });
        given.or_else(|error| broken(9, error.to_string()))?;
        Ok(Faulty::new(AnyStore::Memory(memory), self.floor))
    }

    /// Every answer is what it should be.
    pub(crate) fn compare(&mut self, draws: &mut Draws) -> Result<String, Broken> {
        if !self.is_settled() {
            return self.ask_around(draws);
        }
        let oracle = Arc::new(self.oracle()?);
        let (limit, records) = (self.limit(), self.records(&oracle)?);
        // A hidden call's id may be found by its parts in another life of the room, once the call is swept.
        let is_askable = |(call, _): &&(Call, Vec<Session>)| {
            call.last_evidence >= limit
                || records.iter().filter(|(other, _)| other.room == call.room).count() == 1
        };
        let askable: Records = records.iter().filter(is_askable).cloned().collect();
        let is_hidden = |(call, _): &(Call, Vec<Session>)| {
            call.last_evidence < limit && records.iter().all(|(other, _)| other.room != call.room)
        };
        let hidden: Records = self.records(self.store())?.into_iter().filter(is_hidden).collect();
        let calls: Vec<Call> = records.into_iter().map(|(call, _)| call).collect();
        let rooms = self.ask(&all_rooms())?;
        within_horizon(&rooms, &calls, limit, PAGE_ROWS)?;
        let mut asked = questions(&askable, draws);
        asked.extend(questions_about(&hidden, 1, draws));
        let api = Api::new(policy(&self.key, self.retention_days), Arc::clone(&oracle));
        for question in &asked {
            let id = self.request_id();
            let found = self.ask(question)?;
            let signed = Signed::new(question, &self.key, self.now);
            let headers = signed.headers();
            let reply = self.wait(api.answer(&signed.request(&headers), self.now, id));
            let mut expected = comparable(envelope(&reply.body, id)?);
            expected["Response"]["RequestId"] = found["Response"]["RequestId"].clone();
            if found != expected {
                return broken(3, format!("{question:?}\n  found:    {found}\n  expected: {expected}"));
            }
        }
        self.compare_users(&oracle, draws)?;
        let (asked, shown, hidden) = (asked.len(), askable.len(), hidden.len());
        Ok(format!("{asked} questions about {shown} calls, and some of {hidden} behind the horizon"))
    }

    /// What pages show of users.
    fn compare_users(&self, oracle: &Faulty, draws: &mut Draws) -> Result<(), Broken> {
        let horizon = self.limit();
        let query = UsersQuery { app: APP, prefix: "", after: None, take: 1_000, horizon };
        let users = |store: &Faulty| self.wait(store.users(&query)).map_err(|error| error.to_string());
        let (found, expected) = (users(self.store()), users(oracle));
        if found != expected {
            return broken(3, format!("users\n  found:    {found:?}\n  expected: {expected:?}"));
        }
        let user = *draws.pick(&["alice", "bob", "7"]);
        let query = UserCallsQuery {
            app: APP,
            user,
            from_s: 0,
            to_s: i64::MAX / 1_000,
            skip: 0,
            take: 1_000,
            now: self.now,
            horizon,
        };
        let calls =
            |store: &Faulty| self.wait(store.calls_of_user(&query)).map_err(|error| error.to_string());
        let (found, expected) = (calls(self.store()), calls(oracle));
        if found != expected {
            return broken(3, format!("calls of {user}\n  found:    {found:?}\n  expected: {expected:?}"));
        }
        Ok(())
    }

    /// Questions about what the store knows.
    pub(crate) fn known_questions(&self, draws: &mut Draws) -> Result<Vec<Question>, Broken> {
        Ok(questions(&self.records(self.store())?, draws))
    }

    /// Where all is certain, every answer is compared; else it is looked whether anything is lost, and whether
    /// questions are answered at all.
    pub(crate) fn ask_around(&mut self, draws: &mut Draws) -> Result<String, Broken> {
        if self.is_settled() {
            return self.compare(draws);
        }
        self.look()?;
        let asked = self.known_questions(draws)?;
        for question in &asked {
            let answer = self.ask(question)?;
            if answer["Response"]["Error"].is_object() {
                return broken(9, format!("nothing is wrong, but {question:?} is answered with {answer}"));
            }
        }
        Ok(format!("{} questions while something is doubtful", asked.len()))
    }

    /// Whoever may not ask or tell is refused, and the store hears nothing of it.
    pub(crate) fn forge(&mut self, draws: &mut Draws) -> Result<String, Broken> {
        let writes = self.store().writes();
        let asked = self.known_questions(draws)?;
        let mut codes = Vec::new();
        for (why, signed) in self.forged(&asked, draws) {
            let (reply, answer) = self.send(&signed)?;
            match reply.code {
                Some(code) if answer["Response"].as_object().is_some_and(|fields| fields.len() == 2) => {
                    codes.push(code.wire());
                }
                _ => return broken(7, format!("{why} is answered: {signed:?}\n  {answer}")),
            }
        }
        let refused = self.forge_delivery(draws)?;
        if self.store().writes() != writes {
            return broken(6, "the store was given something by a request that was refused");
        }
        Ok(format!("{} and {refused}", codes.join(", ")))
    }

    fn forged(&self, asked: &[Question], draws: &mut Draws) -> Vec<(&'static str, Signed)> {
        let question = draws.pick(asked);
        let now = self.now;
        let wrong = ClientKey { secret: "wrong".to_owned(), ..self.key.clone() };
        let unknown = ClientKey { id: "AKIDnobody".to_owned(), ..self.key.clone() };
        let foreign = |by_get| {
            let mut question = all_rooms();
            question.params["SdkAppId"] = json!(OTHER_APP.0);
            Question { by_get, ..question }
        };
        let mut changed = Signed::new(&all_rooms(), &self.key, now);
        changed.target = changed.target.replace("PageNumber=0", "PageNumber=1");
        let mut changed_body = Signed::new(&Question { by_get: false, ..question.clone() }, &self.key, now);
        changed_body.body.push(b' ');
        let mut forged = vec![
            ("a wrong key", Signed::new(question, &wrong, now)),
            ("a wrong key by GET", Signed::new(&all_rooms(), &wrong, now)),
            ("an unknown key", Signed::new(question, &unknown, now)),
            ("a request of long ago", Signed::new(question, &self.key, now.plus(-301_000))),
            ("a request from the future", Signed::new(question, &self.key, now.plus(301_000))),
            ("a changed query", changed),
            ("a changed body", changed_body),
            ("a foreign application", Signed::new(&foreign(false), &self.key, now)),
            ("a foreign application by GET", Signed::new(&foreign(true), &self.key, now)),
        ];
        forged.extend(self.old_keys.iter().map(|key| ("a replaced key", Signed::new(question, key, now))));
        forged
    }

    /// A delivery that somebody has touched.
    fn forge_delivery(&mut self, draws: &mut Draws) -> Result<String, Broken> {
        let Some(mut posted) = self.any_delivery(draws).map(|delivery| delivery.posted(self.now)) else {
            return Ok("no delivery".to_owned());
        };
        let proof = posted.headers.len() - 1;
        match draws.below(3) {
            0 => drop(posted.headers.remove(proof)),
            1 => posted.headers[proof].1.push('x'),
            _ => posted.headers[proof].1 = "Bearer of nothing".to_owned(),
        }
        match self.take(&posted) {
            Err(rejected) => Ok(rejected.name().to_owned()),
            Ok(parsed) => broken(7, format!("{posted:?} is taken: {:?}", Value::from(parsed.values()))),
        }
    }
}
