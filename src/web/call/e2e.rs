//! From end to end: what one user sent another, stage by stage, and where it broke.

use std::collections::BTreeMap;

use maud::{Markup, html};

use super::figures::{self, Told};
use super::story::{self, ByPeer, Direction, flows};
use super::{api, fill, here, list, part, rows};
use crate::records::quality::{Metric, Points};
use crate::records::{Call, Millis};
use crate::store::Store;
use crate::web::data::{self, Half};
use crate::web::lanes::Span;
use crate::web::query::{self, segment};
use crate::web::score::{Grade, grade};
use crate::web::shell::{self, Nav};
use crate::web::words::Lang;
use crate::web::{Context, Shown, Trouble};

/// One stage of the way of a picture, and whether the sender's or the receiver's client measures it.
struct Stage {
    name: fn(Lang) -> &'static str,
    unit: &'static str,
    metrics: &'static [Metric],
    half: Half,
    /// What it is graded as: a rate that no threshold is for is graded like the rate that is shown.
    graded_as: Metric,
}

const STAGES: [Stage; 6] = [
    Stage {
        name: Lang::captured,
        unit: "fps",
        metrics: &[Metric::CaptureRate],
        half: Half::Sender,
        graded_as: Metric::DecodeRate,
    },
    Stage {
        name: Lang::sent,
        unit: "fps",
        metrics: &[Metric::EncodeRate],
        half: Half::Sender,
        graded_as: Metric::DecodeRate,
    },
    Stage {
        name: Lang::loss_up,
        unit: "%",
        metrics: &[Metric::AudioLoss, Metric::VideoLoss],
        half: Half::Sender,
        graded_as: Metric::VideoLoss,
    },
    Stage {
        name: Lang::loss_down,
        unit: "%",
        metrics: &[Metric::AudioLoss, Metric::VideoLoss],
        half: Half::Receiver,
        graded_as: Metric::VideoLoss,
    },
    Stage {
        name: Lang::shown,
        unit: "fps",
        metrics: &[Metric::DecodeRate],
        half: Half::Receiver,
        graded_as: Metric::DecodeRate,
    },
    Stage {
        name: Lang::video_frozen,
        unit: "ms",
        metrics: &[Metric::VideoBlock],
        half: Half::Receiver,
        graded_as: Metric::VideoBlock,
    },
];

/// What is known of a stage: its worst value, when, and how bad that is.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Found {
    worst: f64,
    at: Millis,
    grade: Grade,
}

/// The address of a pair's page.
pub(super) fn path(call: &Call, from: &str, to: &str) -> String {
    format!("{}/e2e/{}/{}", here(call), segment(from), segment(to))
}

type Metrics = BTreeMap<Metric, Points>;

fn measured(stage: &Stage, sender: &Metrics, receiver: &Metrics) -> Option<Found> {
    let side = match stage.half {
        Half::Sender => sender,
        Half::Receiver => receiver,
    };
    let is_less_worse = stage.graded_as == Metric::DecodeRate;
    let points = stage.metrics.iter().filter_map(|metric| side.get(metric)).flatten();
    let (at, worst) = points.copied().reduce(|a, b| {
        let is_worse = if is_less_worse { b.1 < a.1 } else { b.1 > a.1 };
        if is_worse { b } else { a }
    })?;
    Some(Found { worst, at, grade: grade(stage.graded_as, worst) })
}

/// The first stage that is poor.
fn broken(found: &[Option<Found>]) -> Option<usize> {
    found.iter().position(|stage| stage.is_some_and(|stage| stage.grade == Grade::Poor))
}

/// `/ui/calls/{CommId}/e2e/{from}/{to}`
pub(super) async fn page<S: Store>(
    context: &Context<'_, S>,
    call: Call,
    (from, to): (&str, &str),
) -> Result<Shown, Trouble> {
    let words = context.view.prefs.lang;
    let story = story::read(context, call).await?;
    let pair = [from.to_owned(), to.to_owned()];
    if !story.has(&[from, to]) {
        return Err(Trouble::NotFound);
    }
    let span = part(context.query, story.cast.span);
    let flows = flows(context, &story.call, &pair, span).await?;
    let side = |user: &str, peer: &str| {
        flows.get(user).and_then(|peers: &ByPeer| peers.get(peer)).cloned().unwrap_or_default()
    };
    let (sender, receiver) = (side(from, ""), side(to, from));
    let found: Vec<Option<Found>> = STAGES.iter().map(|stage| measured(stage, &sender, &receiver)).collect();
    let content = html! {
        (super::head(context, &story))
        section.panel.who.pair {
            header {
                h2 { bdi { (from) } " → " bdi { (to) } }
                a.button href={ (path(&story.call, to, from)) (context.query.only(&["from", "to", "t"])) } { (words.other_way()) }
                a.button href={ (here(&story.call)) (query::of(&[("u", &story::pins(&pair))])) } { (words.lanes()) }
                (api(context, &story, "DescribeCallDetailInfo", &[("UserIds", list(&pair))]))
            }
            (stages(context, &found))
            div.lanes data-from=(story.cast.span.from) data-to=(story.cast.span.to) { table {
                (rows::columns())
                thead {
                    (rows::map(words, &story))
                    tr.axis { th scope="col" colspan="2" { (words.time()) } td { (rows::axis(story.cast.span, context.view.prefs.zone)) } }
                }
                tbody #rows {}
            } }
            @for (half, title, user) in [(Half::Sender, words.sender(), from), (Half::Receiver, words.receiver(), to)] {
                @let told = vec![(user.to_owned(), lines(half, &flows, (from, to), span))];
                header { h2 { (title) ": " bdi { (user) } } @if half == Half::Sender { span #at .mono {} } }
                div.charts data-src=(source(&story.call, from, to, half)) data-failed=(words.store_trouble()) { p.state.wait { (words.loading()) } }
                details.twin { summary { (words.as_table()) } (figures::table(context, &told)) }
            }
        }
    };
    let title = format!("{from} → {to}");
    Ok(Shown::page(200, shell::frame(&context.view, Nav::Calls, &title, content)))
}

fn lines(half: Half, flows: &BTreeMap<String, ByPeer>, (from, to): (&str, &str), span: Span) -> Vec<Told> {
    let direction = match half {
        Half::Sender => Direction::Sent,
        Half::Receiver => Direction::Received,
    };
    figures::lines(&data::of_half(half, flows, from, to), direction, span)
}

fn source(call: &Call, from: &str, to: &str, half: Half) -> String {
    let query = query::of(&[("half", half.name()), ("from_user", from), ("to_user", to)]);
    format!("/ui/data/call/{}{query}", segment(call.comm_id.as_str()))
}

/// The stages in their order; the first that is poor is where it broke.
fn stages<S>(context: &Context<'_, S>, found: &[Option<Found>]) -> Markup {
    let (words, zone) = (context.view.prefs.lang, context.view.prefs.zone);
    let broken = broken(found);
    html! {
        ol.stages {
            @for (place, (stage, found)) in STAGES.iter().zip(found).enumerate() {
                li class=[(broken == Some(place)).then_some("broken")] {
                    span.dim { (match stage.half { Half::Sender => words.sender(), Half::Receiver => words.receiver() }) }
                    b { ((stage.name)(words)) }
                    @match found {
                        Some(found) => span class=(found.grade.name()) {
                            (fill(words.worst_at(), &[&figures::number(found.worst), stage.unit, &zone.time(found.at)]))
                        },
                        None => span.dim { "– " (words.not_measured()) },
                    }
                    @if broken == Some(place) { strong { (words.broke_here()) } }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_stage_that_is_poor_is_where_it_broke() {
        let at = |s: i64, value: f64| (Millis::from_secs(s), value);
        let sender = Metrics::from([
            (Metric::CaptureRate, vec![at(0, 30.0), at(2, 30.0)]),
            (Metric::EncodeRate, vec![at(0, 30.0), at(2, 9.0)]),
            (Metric::VideoLoss, vec![at(0, 0.0), at(2, 7.5)]),
        ]);
        let receiver = Metrics::from([
            (Metric::DecodeRate, vec![at(0, 30.0), at(2, 3.0)]),
            (Metric::VideoLoss, vec![at(0, 0.1)]),
        ]);
        let found: Vec<Option<Found>> =
            STAGES.iter().map(|stage| measured(stage, &sender, &receiver)).collect();
        let grades: Vec<Option<Grade>> = found.iter().map(|stage| stage.map(|stage| stage.grade)).collect();
        let expected = [
            Some(Grade::Good),
            Some(Grade::Fair),
            Some(Grade::Poor),
            Some(Grade::Good),
            Some(Grade::Poor),
            None,
        ];
        assert_eq!(grades, expected);
        assert_eq!(found[2].map(|stage| (stage.worst, stage.at)), Some((7.5, Millis(2_000))));
        assert_eq!(broken(&found), Some(2));
        assert_eq!(broken(&[None, None]), None);
    }
}
