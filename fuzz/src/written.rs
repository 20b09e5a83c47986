//! What a source told, written as the neutral lines of an export: it reads again as the same.

use rollbook::ingest::{ClientIpPolicy, Parsed, Terms, export, lines};
use rollbook::records::quality::Series;
use rollbook::records::{AppId, Event, Millis};

/// The application of all targets over sources.
pub const APP: AppId = AppId(1);
/// When everything arrives.
pub const RECEIVED: Millis = Millis(1_800_000_000_000);

/// The terms of those targets.
pub const fn terms(client_ip: ClientIpPolicy) -> Terms {
    Terms { app: Some(APP), client_ip }
}

/// Events and measurements of a delivery.
pub fn check(parsed: &Parsed) {
    assert_eq!(parsed.refused_count == 0, parsed.refused.is_empty());
    check_events(&parsed.events);
    check_samples(&parsed.samples);
}

/// Events, which are those of one application.
pub fn check_events(events: &[Event]) {
    let mut written = Vec::new();
    for event in events {
        assert_eq!(event.app, APP);
        export::event(&mut written, event);
    }
    let again = lines::parse(terms(ClientIpPolicy::Keep), &written, Millis(0));
    assert_eq!(again.refused, []);
    // Equal also in when they were received.
    assert_eq!(format!("{:?}", again.events), format!("{events:?}"));
}

/// Measurements; a line holds so many times at most, so that a series may come back in parts.
pub fn check_samples(samples: &[Series]) {
    let mut written = Vec::new();
    for series in samples {
        assert_eq!(series.flow.app, APP);
        for (measure, points) in &series.columns {
            assert!(
                points.is_sorted_by(|a, b| a.0 < b.0),
                "times of {measure:?} are out of order, or come twice"
            );
            assert!(points.iter().all(|(_, value)| value.is_finite()), "{measure:?} of what is no number");
        }
        export::samples(&mut written, series);
    }
    let again = lines::parse(terms(ClientIpPolicy::Keep), &written, RECEIVED);
    assert_eq!(again.refused, []);
    let values = |samples: &[Series]| {
        let mut all = Vec::new();
        for series in samples {
            for (measure, points) in &series.columns {
                all.extend(
                    points.iter().map(|(at, value)| (series.flow.clone(), *measure, *at, value.to_bits())),
                );
            }
        }
        all.sort_unstable_by(|a, b| (&a.0, a.1, a.2).cmp(&(&b.0, b.1, b.2)));
        all
    };
    assert_eq!(values(&again.samples), values(samples));
}
