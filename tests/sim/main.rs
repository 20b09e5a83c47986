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
const SEEDS: Range<u64> = 0..4;
const STEPS: usize = 270;
/// The last lines of a trace that are shown.
const TAIL_LINES: usize = 25;
/// How many steps are spent on leaving something out of a failing history.
const SHRINK_STEPS_MAX: usize = 30_000;

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

/// Says something before the end: how far it is, or what broke, since to make a case of that takes its time.
#[expect(clippy::print_stdout, reason = "somebody waits for it")]
fn tell(said: &str) {
    println!("{said}");
}

/// Leaves out whatever can be left out of a history that breaks an invariant.
fn shrunk(seed: u64, mut ops: Vec<Op>, invariant: u8) -> Vec<Op> {
    let mut steps = 0;
    let mut part = ops.len().div_ceil(2);
    while part > 0 && steps < SHRINK_STEPS_MAX {
        let mut begin = 0;
        while begin < ops.len() && steps < SHRINK_STEPS_MAX {
            let mut fewer = ops.clone();
            fewer.drain(begin..(begin + part).min(ops.len()));
            steps += fewer.len();
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

/// What broke, what led to it, and how to see it again.
fn failure(seed: u64, steps: usize, outcome: &Outcome, Broken { invariant, seen }: &Broken) -> String {
    let mut said = format!("seed {seed}: invariant {invariant} of invariants.rs is broken: {seen}\n");
    for line in outcome.trace.iter().rev().take(TAIL_LINES).rev() {
        let _ = writeln!(said, "{line}");
    }
    said + &format!("again: make sim SEED={seed} STEPS={steps}\n")
}

/// The same as a case, as short as it was made.
fn case(seed: u64, steps: usize, outcome: &Outcome, invariant: u8) -> String {
    let mut said = String::new();
    let ops = history(seed, steps.min(outcome.trace.len()));
    let ops = shrunk(seed, ops, invariant);
    let again = run(seed, &ops);
    let _ = writeln!(said, "Shrunk to {} steps: {:?}", ops.len(), again.broken);
    for line in &again.trace {
        let _ = writeln!(said, "{line}");
    }
    let _ = writeln!(said, "\nfor reproductions.rs:\n    check({seed}, &[");
    for Op { what, number } in ops {
        let _ = writeln!(said, "        (What::{what:?}, {number:#x}),");
    }
    said + "    ]);\n"
}

/// Invariant 10, before all others: without it no other failure could be seen again.
#[test]
fn the_same_seed_twice_gives_the_same_trace() {
    for seed in [0, 1] {
        let [first, second] = [(); 2].map(|()| run(seed, &history(seed, STEPS / 2)));
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
            tell(&failure(seed, steps, &outcome, broken));
            panic!("{}", case(seed, steps, &outcome, broken.invariant));
        }
        if is_given {
            tell(&format!("seed {seed}: {steps} steps, {:016x}", outcome.hash));
        }
    }
}
