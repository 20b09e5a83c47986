//! Finished records, as lines and as a table: what they come to is exported, and what is imported of that into an empty
//! store is exported as the same bytes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rollbook::ingest::{ClientIpPolicy, Parsed, export, records};
use rollbook::records::{Event, Millis};
use rollbook::store::{ExportQuery, Exported, Memory, Store, What};
use rollbook_fuzz::wait;
use rollbook_fuzz::written::{APP, RECEIVED, check, terms};

/// Calls and sessions, as lines and as tables.
#[derive(Default, PartialEq)]
struct Written {
    call_lines: Vec<u8>,
    session_lines: Vec<u8>,
    call_table: Vec<u8>,
    session_table: Vec<u8>,
}

impl std::fmt::Debug for Written {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let parts = [&self.call_lines, &self.session_lines, &self.call_table, &self.session_table];
        parts.iter().try_for_each(|part| writeln!(f, "{}", String::from_utf8_lossy(part)))
    }
}

fn written(events: Vec<Event>) -> Written {
    let store = Memory::default();
    wait(store.append(events)).expect("memory takes everything");
    let mut out = Written::default();
    export::call_header(&mut out.call_table);
    export::session_header(&mut out.session_table);
    let query = ExportQuery { app: APP, from: Millis(i64::MIN), to: Millis(i64::MAX), what: What::Records };
    let exported = store.export(&query, &mut |exported| {
        if let Exported::Call(call, sessions) = exported {
            export::call_line(&mut out.call_lines, call);
            export::call_row(&mut out.call_table, call);
            for session in sessions {
                export::session_line(&mut out.session_lines, call, session);
                export::session_row(&mut out.session_table, call, session);
            }
        }
        Ok(())
    });
    exported.expect("memory tells everything");
    out
}

fn read(parse: fn(&[u8]) -> Parsed, parts: [&[u8]; 2]) -> Vec<Event> {
    let parsed = parts.map(parse);
    parsed
        .into_iter()
        .flat_map(|parsed| {
            assert_eq!(parsed.refused, []);
            parsed.events
        })
        .collect()
}

fn lines(body: &[u8]) -> Parsed {
    records::parse_ndjson(terms(ClientIpPolicy::Keep), body, RECEIVED)
}

fn table(body: &[u8]) -> Parsed {
    records::parse_csv(terms(ClientIpPolicy::Keep), body, RECEIVED)
}

fuzz_target!(|body: &[u8]| {
    for parse in [lines, table] {
        let parsed = parse(body);
        check(&parsed);
        if parsed.events.is_empty() {
            continue;
        }
        let first = written(parsed.events);
        assert_eq!(written(read(lines, [&first.call_lines, &first.session_lines])), first);
        assert_eq!(written(read(table, [&first.call_table, &first.session_table])), first);
    }
});
