//! Who hears whom badly: receivers by senders, in each cell the worst of loss and freezes. A column that is bad is a
//! sender's uplink, a row that is bad is a receiver.

use std::collections::BTreeMap;

use maud::{Markup, html};

use super::story::{ByPeer, Story, flows};
use super::{api, e2e, list, part};
use crate::limits;
use crate::records::quality::{Metric, Points};
use crate::store::Store;
use crate::web::score::{Grade, grade};
use crate::web::sheet::Sheet;
use crate::web::{Context, Shown, Trouble};

/// Rows and columns of a matrix.
const SIDE_MAX: usize = 30;
/// Users whose pairs are read: more than the sides have, since who hears worst need not have the worst score.
pub(super) const USERS: usize = 4 * SIDE_MAX;
/// Stands for a peer that a client could not name.
const NOBODY: &str = "?";

/// The worst that one got from another.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Cell {
    metric: Metric,
    value: f64,
    grade: Grade,
}

impl Cell {
    /// `12 %`, `640 ms`
    fn text(self) -> String {
        match self.metric {
            Metric::AudioLoss | Metric::VideoLoss => format!("{:.1} %", self.value),
            Metric::AudioBlock
            | Metric::VideoBlock
            | Metric::AppCpu
            | Metric::SysCpu
            | Metric::AudioBitRate
            | Metric::VideoBitRate
            | Metric::CaptureRate
            | Metric::EncodeRate
            | Metric::DecodeRate
            | Metric::Width
            | Metric::Height
            | Metric::CaptureEnergy
            | Metric::PlayEnergy
            | Metric::RoundTrip
            | Metric::ReceiveRate => format!("{:.0} ms", self.value),
        }
    }
}

/// The worst of what came from one peer: by grade, then loss before freezes, then by value.
fn cell(metrics: &BTreeMap<Metric, Points>) -> Option<Cell> {
    const SHOWN: [Metric; 4] = [Metric::AudioLoss, Metric::VideoLoss, Metric::AudioBlock, Metric::VideoBlock];
    let mut worst: Option<Cell> = None;
    for metric in SHOWN {
        let Some(points) = metrics.get(&metric) else { continue };
        let Some(value) = points.iter().map(|(_, value)| *value).reduce(f64::max) else { continue };
        let found = Cell { metric, value, grade: grade(metric, value) };
        let is_worse = worst.is_none_or(|known| {
            let is_same_kind = known.text().ends_with('%') == found.text().ends_with('%');
            found.grade > known.grade
                || (found.grade == known.grade && is_same_kind && found.value > known.value)
        });
        if is_worse {
            worst = Some(found);
        }
    }
    worst
}

/// Receivers, senders, and what is known of each pair.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Matrix {
    receivers: Vec<String>,
    senders: Vec<String>,
    cells: BTreeMap<(String, String), Cell>,
}

impl Matrix {
    /// Of what everybody measured. Where there are too many, those with the worst cells stay.
    fn of(flows: &BTreeMap<String, ByPeer>) -> Matrix {
        let mut cells = BTreeMap::new();
        let (mut receivers, mut senders) = (BTreeMap::new(), BTreeMap::new());
        for (user, peers) in flows {
            for (peer, metrics) in peers.iter().filter(|(peer, _)| !peer.is_empty() && *peer != NOBODY) {
                let Some(cell) = cell(metrics) else { continue };
                let weight = match cell.grade {
                    Grade::Good => 0_usize,
                    Grade::Fair => 1,
                    Grade::Poor => 1_000,
                };
                *receivers.entry(user.clone()).or_insert(0) += weight;
                *senders.entry(peer.clone()).or_insert(0) += weight;
                cells.insert((user.clone(), peer.clone()), cell);
            }
        }
        let ranked = |weights: BTreeMap<String, usize>| {
            let mut all: Vec<(String, usize)> = weights.into_iter().collect();
            all.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
            all.into_iter().take(SIDE_MAX).map(|(user, _)| user).collect()
        };
        Matrix { receivers: ranked(receivers), senders: ranked(senders), cells }
    }

    fn get(&self, receiver: &str, sender: &str) -> Option<&Cell> {
        self.cells.get(&(receiver.to_owned(), sender.to_owned()))
    }
}

pub(super) async fn read<S: Store>(context: &Context<'_, S>, story: &Story) -> Result<Matrix, Trouble> {
    let users: Vec<String> = story.people.iter().map(|person| person.user.clone()).collect();
    let span = part(context.query, story.cast.span);
    Ok(Matrix::of(&flows(context, &story.call, &users, span).await?))
}

pub(super) fn panel<S>(context: &Context<'_, S>, story: &Story, matrix: &Matrix) -> Markup {
    let words = context.view.prefs.lang;
    if matrix.cells.is_empty() {
        return html! { p.state { (words.no_pairs()) } };
    }
    html! {
        div.scroll tabindex="0" role="region" aria-label=(words.matrix()) {
            table.matrix {
                caption { (words.matrix_hint()) }
                thead { tr {
                    th scope="col" { (words.receiver()) " \\ " (words.sender()) }
                    @for sender in &matrix.senders { th.sender scope="col" { bdi title=(sender) { (sender) } } }
                } }
                tbody {
                    @for (row, receiver) in matrix.receivers.iter().enumerate() { tr {
                        th.clip scope="row" { bdi { (receiver) } }
                        @for (column, sender) in matrix.senders.iter().enumerate() {
                            @match matrix.get(receiver, sender) {
                                Some(cell) => td class={ "cell " (cell.grade.name()) } {
                                    a href={ (e2e::path(&story.call, sender, receiver)) (zoom(context)) }
                                        tabindex=[(row + column > 0).then_some("-1")] { (cell.text()) }
                                },
                                None => td.cell { "–" },
                            }
                        }
                    } }
                }
            }
        }
    }
}

/// The question behind the matrix: of as many receivers as one may ask for.
pub(super) fn question<S>(context: &Context<'_, S>, story: &Story, matrix: &Matrix) -> Markup {
    let some = matrix.receivers.len().min(limits::USER_IDS_FEW_MAX);
    api(context, story, "DescribeCallDetailInfo", &[("UserIds", list(&matrix.receivers[..some]))])
}

/// The zoom, for another page of the same call.
fn zoom<S>(context: &Context<'_, S>) -> String {
    context.query.only(&["from", "to", "t"])
}

pub(super) fn csv(matrix: &Matrix) -> Shown {
    let mut sheet = Sheet::new(&["receiver", "sender", "metric", "worst", "grade"]);
    for ((receiver, sender), cell) in &matrix.cells {
        let value = cell.value.to_string();
        sheet.row([receiver, sender, cell.metric.name(), &value, cell.grade.name()]);
    }
    sheet.shown("matrix")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::Millis;

    #[test]
    fn a_cell_is_the_worst_of_loss_and_freezes_and_the_worst_come_first() {
        let points = |values: &[f64]| -> Points {
            (0..).zip(values).map(|(s, value)| (Millis::from_secs(s), *value)).collect()
        };
        let got = |loss: f64, frozen: f64| {
            BTreeMap::from([
                (Metric::VideoLoss, points(&[0.0, loss])),
                (Metric::VideoBlock, points(&[frozen, 0.0])),
                (Metric::Width, points(&[9e9])),
            ])
        };
        let text = |loss: f64, frozen: f64| cell(&got(loss, frozen)).map(Cell::text).unwrap();
        assert_eq!(text(1.0, 100.0), "1.0 %", "of equals it is the loss");
        assert_eq!(text(1.0, 700.0), "700 ms");
        assert_eq!(text(6.0, 700.0), "6.0 %");
        assert!(cell(&BTreeMap::from([(Metric::Width, points(&[1.0]))])).is_none());
        let flows = BTreeMap::from([
            (
                "a".to_owned(),
                ByPeer::from([("b".to_owned(), got(0.0, 0.0)), (String::new(), got(99.0, 0.0))]),
            ),
            (
                "z".to_owned(),
                ByPeer::from([("b".to_owned(), got(9.0, 0.0)), ("?".to_owned(), got(99.0, 0.0))]),
            ),
            ("b".to_owned(), ByPeer::from([("c".to_owned(), got(3.0, 0.0))])),
        ]);
        let matrix = Matrix::of(&flows);
        assert_eq!(matrix.receivers, ["z", "b", "a"]);
        assert_eq!(matrix.senders, ["b", "c"]);
        assert!(matrix.get("a", "c").is_none());
    }
}
