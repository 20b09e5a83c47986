//! A deterministic simulation: histories that a seed decides, in which everything goes wrong that can, through the
//! real ways in and out. `invariants.rs` says what must hold, `op.rs` what can happen. `make sim SEED=… STEPS=…`
//! goes on for longer.

mod ask;
mod faulty;
mod invariants;
mod op;
mod oracle;
mod reproductions;
mod senders;
mod world;

use std::fmt::Write as _;
use std::ops::Range;

use invariants::Broken;
use op::{Op, history};
use world::{Outcome, run};

/// What `cargo test` looks at, in some five seconds.
const SEEDS: Range<u64> = 0..12;
const STEPS: usize = 120;
/// The last lines of a trace that are shown.
const TAIL_LINES: usize = 25;
/// How often a failing history is tried with something left out.
const SHRINK_RUNS_MAX: usize = 400;

/// `SEED=7` or `SEED=0..500`, `STEPS=2000`; whether anything of it was given.
#[expect(clippy::disallowed_methods, reason = "the one place of the simulation that reads the environment")]
fn ordered() -> (Range<u64>, usize, bool) {
    let given = |name: &str| std::env::var(name).ok().filter(|text| !text.is_empty());
    let number = |text: &str| text.parse::<u64>().expect("SEED is a number, or two like 0..500");
    let (seeds, steps) = (given("SEED"), given("STEPS"));
    let is_given = seeds.is_some() || steps.is_some();
    let seeds = seeds.map_or(SEEDS, |text| match text.split_once("..") {
        Some((first, end)) => number(first)..number(end),
        None => number(&text)..number(&text) + 1,
    });
    let steps = steps.map_or(STEPS, |text| text.parse().expect("STEPS is a number"));
    (seeds, steps, is_given)
}

/// Somebody waits who asked for more than usual.
#[expect(clippy::print_stdout, reason = "the one line of a seed, where seeds were ordered")]
fn tell(seed: u64, steps: usize, outcome: &Outcome) {
    println!("seed {seed}: {steps} steps, {} lines, {:016x}", outcome.trace.len(), outcome.hash);
}

/// Leaves out whatever can be left out of a history that breaks an invariant.
fn shrunk(seed: u64, mut ops: Vec<Op>, invariant: u8) -> Vec<Op> {
    let mut runs = 0;
    let mut part = ops.len().div_ceil(2);
    while part > 0 && runs < SHRINK_RUNS_MAX {
        let mut begin = 0;
        while begin < ops.len() && runs < SHRINK_RUNS_MAX {
            let mut fewer = ops.clone();
            fewer.drain(begin..(begin + part).min(ops.len()));
            runs += 1;
            if run(seed, &fewer).broken.is_some_and(|broken| broken.invariant == invariant) {
                ops = fewer;
            } else {
                begin += part;
            }
        }
        part /= 2;
    }
    ops
}

/// What is said of a failure: what broke, what led to it, and how to see it again.
fn report(seed: u64, steps: usize, outcome: &Outcome, Broken { invariant, seen }: &Broken) -> String {
    let tail = outcome.trace.iter().rev().take(TAIL_LINES).rev();
    let mut said = format!("seed {seed}: invariant {invariant} of invariants.rs is broken: {seen}\n");
    for line in tail {
        let _ = writeln!(said, "{line}");
    }
    let ops = history(seed, steps.min(outcome.trace.len()));
    let ops = shrunk(seed, ops, *invariant);
    let again = run(seed, &ops);
    let _ = writeln!(said, "\nShrunk to {} steps: {:?}", ops.len(), again.broken);
    for line in &again.trace {
        let _ = writeln!(said, "{line}");
    }
    let _ = writeln!(said, "\nfor reproductions.rs:\n    check({seed}, &[");
    for Op { what, number } in ops {
        let _ = writeln!(said, "        (What::{what:?}, {number:#x}),");
    }
    let _ = writeln!(said, "    ]);\n\nagain: make sim SEED={seed} STEPS={steps}");
    said
}

/// Invariant 10, before all others: without it no other failure could be seen again.
#[test]
fn the_same_seed_twice_gives_the_same_trace() {
    for seed in [0, 1] {
        let [first, second] = [(); 2].map(|()| run(seed, &history(seed, STEPS)));
        let differ = first.trace.iter().zip(&second.trace).find(|(first, second)| first != second);
        assert_eq!(differ, None, "seed {seed}");
        assert_eq!((first.hash, first.trace.len()), (second.hash, second.trace.len()), "seed {seed}");
    }
}

#[test]
fn every_history_keeps_the_promises() {
    let (seeds, steps, is_given) = ordered();
    for seed in seeds {
        let outcome = run(seed, &history(seed, steps));
        if let Some(broken) = &outcome.broken {
            panic!("{}", report(seed, steps, &outcome, broken));
        }
        if is_given {
            tell(seed, steps, &outcome);
        }
    }
}
