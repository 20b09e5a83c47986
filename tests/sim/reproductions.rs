//! Every failure that was found, as short as it was made, by name. What they found stays mended.

use crate::op::{Op, What};
use crate::world::run;

/// A part of a history, of the world of this seed.
fn check(seed: u64, ops: &[(What, u64)]) {
    let history: Vec<Op> = ops.iter().map(|&(what, number)| Op { what, number }).collect();
    let outcome = run(seed, &history);
    assert!(outcome.broken.is_none(), "{:?}\n{}", outcome.broken, outcome.trace.join("\n"));
}

/// The disk failed between the two steps that give a new day's file its name and make that durable; the name was
/// there when the files were opened again, and nobody synced it.
#[test]
fn a_name_is_durable_though_the_disk_failed_just_before() {
    check(
        2,
        &[
            (What::Happen, 0x4d06_d205_1c9d_6d82),
            (What::Deliver, 0x600a_293b_ce34_ce56),
            (What::Happen, 0xc259_cac4_e698_bf9c),
            (What::Delay, 0x1313_2ce0_5621_168c),
            (What::FailDisk, 0x7a96_9a03_967b_7748),
            (What::Deliver, 0x3aec_667e_e4c3_37d8),
            (What::PowerOff, 0xe15e_79ca_5394_2f21),
        ],
    );
}
