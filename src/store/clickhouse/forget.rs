//! What an operator runs to erase a person from ClickHouse.

use super::sql::text;
use super::tables::{Place, name};
use crate::store::Person;

/// Why it is not done here, and the statements, for each shard.
pub(super) fn refusal(place: &Place<'_>, person: &Person) -> String {
    let Place { database, cluster } = place;
    let on_cluster =
        if cluster.is_empty() { String::new() } else { format!(" ON CLUSTER {}", name(cluster)) };
    let (app, user) = (person.app, text(&person.user));
    let delete = |table: &str, theirs: &str| {
        format!("ALTER TABLE {}.{table}{on_cluster} DELETE WHERE app = {app} AND {theirs};", name(database))
    };
    let quoted = text(&format!("\"{}\"", person.user));
    let of_user = format!("user = {user}");
    let in_body = format!("(user = {user} OR kind = 'unknown' AND position(body, {quoted}) > 0)");
    let statements = [
        delete("events", &in_body),
        delete("sessions", &of_user),
        delete("orphans", &of_user),
        delete("samples", &format!("(user = {user} OR peer = {user})")),
        delete("calls", &format!("creator = {user}")),
    ];
    format!(
        "a person cannot be erased from ClickHouse by rollbook yet. Stop every rollbook that uses it, then run, on one server \
         of each shard:\n  {}\nand wait until system.mutations says that all are done",
        statements.join("\n  ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::{AppId, Millis};

    #[test]
    fn a_name_cannot_leave_its_statement() {
        let person = Person { app: AppId(7), user: "o'neill\\".to_owned(), until: Millis(0) };
        let check = |cluster: &str, expected: &str| {
            let refusal = refusal(&Place { database: "roll`book", cluster }, &person);
            assert!(refusal.contains(expected), "{refusal}");
        };
        check("", r"ALTER TABLE `roll\`book`.sessions DELETE WHERE app = 7 AND user = 'o\'neill\\';");
        check(
            "c",
            r"ALTER TABLE `roll\`book`.samples ON CLUSTER `c` DELETE WHERE app = 7 AND (user = 'o\'neill\\' OR peer",
        );
    }
}
