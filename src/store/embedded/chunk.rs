//! A chunk: some of one flow's measurements, as few bytes as they go into.
//!
//! Measurements of one flow are taken together, so most columns have the same times, which are kept once. Values are
//! mostly whole numbers, or whole numbers over one that their source divides by; those are kept as such, others as the
//! bits of their floats. Both, and the times, are then sequences of integers whose neighbours, or whose differences
//! or differences of differences, are near each other: what is left of them is put into as many bits as it needs
//! (Rice coding). Every float and every time comes back as it was, to the last bit.
//!
//! A version byte, then bits: the vectors of times, then the columns, by [`Measure::code`].

use crate::records::Millis;
use crate::records::quality::{Measure, Points};
use crate::store::StoreError;

/// The version of this layout.
const VERSION: u8 = 1;

/// The most times that one vector of a chunk has, so that a damaged one cannot ask for all memory.
pub(super) const ROWS_MAX: usize = 4_096;

/// One column as it is given: values in order of time.
pub(super) type Column<'a> = (Measure, &'a [(Millis, f64)]);

/// What whole numbers are over: of decimals; of milliseconds of audio at 48 kHz; of levels of 16 bits; of binary
/// fractions. The place is part of the layout.
const DIVISORS: [f64; 12] =
    [1.0, 10.0, 100.0, 1e3, 1e4, 1e5, 1e6, 48.0, 32_767.0, 64.0, 65_536.0, 4_294_967_296.0];
/// Stands for values that are none of these: the bits of their floats.
const AS_BITS: u64 = 15;
/// The width of what says which.
const DIVISOR_BITS: u32 = 4;
/// Whole numbers up to here are floats exactly.
const WHOLE_MAX: f64 = 9_007_199_254_740_992.0;

/// The width of a Rice parameter.
const RICE_BITS: u32 = 6;
/// Instead of a Rice parameter: every residual is 0.
const ALL_ZERO: u64 = 63;
/// A quotient so large stands for a whole word.
const ESCAPE: u32 = 24;

/// The bytes of a chunk: columns in the order of measures, each with 1 to [`ROWS_MAX`] values.
pub(super) fn encode(columns: &[Column<'_>]) -> Vec<u8> {
    let mut out = BitWriter::default();
    let vectors = vectors(columns);
    out.number(vectors.len() as u64);
    for (place, times) in vectors.iter().enumerate() {
        out.number(times.len() as u64);
        let within = if place == 0 { None } else { places_in(vectors[0], times) };
        if place > 0 {
            out.put(u64::from(within.is_some()), 1);
        }
        out.integers(&within.unwrap_or_else(|| times.iter().map(|(at, _)| at.0).collect::<Vec<i64>>()));
    }
    out.number(columns.len() as u64);
    for (measure, points) in columns {
        out.put(u64::from(measure.code()), 8);
        let vector = vectors.iter().position(|times| same_times(times, points)).unwrap_or_default();
        out.put(u64::from(vector > 0), 1);
        if vector > 0 {
            out.number(vector as u64);
        }
        let (divisor, integers) = integers_of(points);
        out.put(divisor, DIVISOR_BITS);
        out.integers(&integers);
    }
    out.finish()
}

/// The columns of a chunk.
///
/// # Errors
/// [`StoreError::Corrupt`] where these are not the bytes of one.
pub(super) fn decode(bytes: &[u8]) -> Result<Vec<(Measure, Points)>, StoreError> {
    match bytes.split_first() {
        Some((&VERSION, packed)) => read(packed)
            .ok_or_else(|| StoreError::Corrupt("a chunk of measurements does not unpack".to_owned())),
        _ => Err(StoreError::Corrupt("a chunk of measurements has an unknown version".to_owned())),
    }
}

fn read(packed: &[u8]) -> Option<Vec<(Measure, Points)>> {
    let mut bits = BitReader::new(packed);
    let mut vectors: Vec<Vec<Millis>> = Vec::new();
    for place in 0..bits.count(Measure::all().count())? {
        let rows = bits.count(ROWS_MAX)?;
        let within = place > 0 && bits.get(1) == 1;
        let integers = bits.integers(rows)?;
        let times: Option<Vec<Millis>> = if within {
            let first = &vectors[0];
            integers.iter().map(|place| first.get(usize::try_from(*place).ok()?).copied()).collect()
        } else {
            Some(integers.into_iter().map(Millis).collect())
        };
        vectors.push(times?);
    }
    let mut columns: Vec<(Measure, Points)> = Vec::new();
    for _ in 0..bits.count(Measure::all().count())? {
        let measure = Measure::of_code(u8::try_from(bits.get(8)).ok()?)?;
        if columns.last().is_some_and(|(before, _)| *before >= measure) {
            return None;
        }
        let vector = if bits.get(1) == 1 { usize::try_from(bits.number()?).ok()? } else { 0 };
        let times = vectors.get(vector)?;
        let divisor = bits.get(DIVISOR_BITS);
        let integers = bits.integers(times.len())?;
        let values = values_of(divisor, &integers)?;
        columns.push((measure, times.iter().copied().zip(values).collect()));
    }
    bits.is_at_end().then_some(columns)
}

/// The different vectors of times, the longest first: the others are mostly parts of it.
fn vectors<'a>(columns: &[Column<'a>]) -> Vec<&'a [(Millis, f64)]> {
    let mut vectors: Vec<&[(Millis, f64)]> = Vec::new();
    for (_, points) in columns {
        if !vectors.iter().any(|times| same_times(times, points)) {
            vectors.push(points);
        }
    }
    vectors.sort_by_key(|times| std::cmp::Reverse(times.len()));
    vectors
}

fn same_times(a: &[(Millis, f64)], b: &[(Millis, f64)]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|((a, _), (b, _))| a == b)
}

/// Where the times of `part` are in `whole`, if all of them are.
fn places_in(whole: &[(Millis, f64)], part: &[(Millis, f64)]) -> Option<Vec<i64>> {
    let mut rest = whole.iter().enumerate();
    let place = |(at, _): &(Millis, f64)| {
        let (place, _) = rest.find(|(_, (other, _))| other == at)?;
        i64::try_from(place).ok()
    };
    part.iter().map(place).collect()
}

/// Values as integers, and what says how.
fn integers_of(points: &[(Millis, f64)]) -> (u64, Vec<i64>) {
    for (code, divisor) in (0..).zip(DIVISORS) {
        let whole: Option<Vec<i64>> = points.iter().map(|(_, value)| whole(*value, divisor)).collect();
        if let Some(whole) = whole {
            return (code, whole);
        }
    }
    (AS_BITS, points.iter().map(|(_, value)| value.to_bits().cast_signed()).collect())
}

/// The whole number that over `divisor` is exactly this value.
#[expect(clippy::cast_possible_truncation, reason = "within the whole numbers that are exact")]
#[expect(clippy::cast_precision_loss, reason = "within the whole numbers that are exact")]
fn whole(value: f64, divisor: f64) -> Option<i64> {
    let whole = (value * divisor).round();
    let is_exact = whole.abs() <= WHOLE_MAX && ((whole as i64) as f64 / divisor).to_bits() == value.to_bits();
    is_exact.then_some(whole as i64)
}

#[expect(clippy::cast_precision_loss, reason = "what was written was exact; what was not gives some float")]
fn values_of(code: u64, integers: &[i64]) -> Option<Vec<f64>> {
    if code == AS_BITS {
        return Some(integers.iter().map(|bits| f64::from_bits(bits.cast_unsigned())).collect());
    }
    let divisor = *DIVISORS.get(usize::try_from(code).ok()?)?;
    Some(integers.iter().map(|whole| *whole as f64 / divisor).collect())
}

/// A sequence of integers, told as what is left of it: the first values as they are, then the differences of the
/// order-th order from a typical one, over what all of them are multiples of.
struct Left {
    order: usize,
    first: Vec<i64>,
    typical: i64,
    step: u64,
    /// Each with its sign in the lowest bit.
    rest: Vec<u64>,
    /// How many of them have so many bits.
    widths: [u32; 65],
}

impl Left {
    /// What the differences of one order leave.
    fn of_order(integers: &[i64], order: usize) -> Left {
        let mut differences = integers.to_vec();
        let mut first = Vec::with_capacity(order);
        for _ in 0..order {
            first.push(differences[0]);
            for place in 1..differences.len() {
                differences[place - 1] = differences[place].wrapping_sub(differences[place - 1]);
            }
            differences.pop();
        }
        let typical = median(&differences);
        let mut step = 0;
        for difference in &mut differences {
            *difference = difference.wrapping_sub(typical);
            if step != 1 {
                step = common_divisor(step, difference.unsigned_abs());
            }
        }
        let step = step.max(1);
        let mut widths = [0; 65];
        let signed_last = |left: i64| {
            let left = if step > 1 { quotient(left, step) } else { left };
            let word = (left.cast_unsigned() << 1) ^ (left >> 63).cast_unsigned();
            widths[width(word)] += 1;
            word
        };
        let rest = differences.into_iter().map(signed_last).collect();
        Left { order, first, typical, step, rest, widths }
    }

    /// About how many bits it takes.
    fn cost(&self) -> usize {
        let first: usize = self.first.iter().map(|value| width(value.unsigned_abs()) + 3).sum();
        let head = first + width(self.typical.unsigned_abs()) + width(self.step);
        head + self.widths.iter().enumerate().map(|(width, many)| width * *many as usize).sum::<usize>()
    }

    /// The Rice parameter that takes the fewest bits, as far as the widths tell.
    fn rice(&self) -> usize {
        let widest = self.widths.iter().rposition(|many| *many > 0).unwrap_or_default();
        let bits = |rice: usize, width: usize| match width.saturating_sub(rice) {
            0 => 2 + 2 * rice,
            // Twice the mean quotient of words so wide, twice the end of it, twice the rest.
            above @ 1..=4 => (3 << (above - 1)) + 1 + 2 * rice,
            _ => 2 * (ESCAPE as usize + 64),
        };
        let cost = |rice: &usize| -> usize {
            self.widths.iter().enumerate().map(|(width, many)| bits(*rice, width) * *many as usize).sum()
        };
        (0..=widest.min(62)).min_by_key(cost).unwrap_or_default()
    }
}

fn median(values: &[i64]) -> i64 {
    let mut values = values.to_vec();
    let middle = values.len() / 2;
    if values.is_empty() { 0 } else { *values.select_nth_unstable(middle).1 }
}

fn common_divisor(mut a: u64, mut b: u64) -> u64 {
    while b > 0 {
        (a, b) = (b, a % b);
    }
    a
}

/// A multiple of `step` over it, its sign kept.
fn quotient(multiple: i64, step: u64) -> i64 {
    let size = (multiple.unsigned_abs() / step).cast_signed();
    if multiple < 0 { size.wrapping_neg() } else { size }
}

/// The bits of a word, without zeroes before it.
fn width(word: u64) -> usize {
    (u64::BITS - word.leading_zeros()) as usize
}

/// Bits one behind the other, the highest of each byte first.
#[derive(Default)]
struct BitWriter {
    bytes: Vec<u8>,
    /// Bits that make no byte yet.
    part: u128,
    part_bits: u32,
}

impl BitWriter {
    /// The lowest `count` bits of a word.
    fn put(&mut self, word: u64, count: u32) {
        let word = if count < u64::BITS { word & ((1 << count) - 1) } else { word };
        self.part = (self.part << count) | u128::from(word);
        self.part_bits += count;
        while self.part_bits >= 8 {
            self.part_bits -= 8;
            self.bytes.push(u8::try_from((self.part >> self.part_bits) & 0xff).unwrap_or_default());
        }
        self.part &= (1 << self.part_bits) - 1;
    }

    /// A number, the smaller the shorter.
    fn number(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.put(number | 0x80, 8);
            number >>= 7;
        }
        self.put(number, 8);
    }

    fn signed(&mut self, number: i64) {
        self.number((number.cast_unsigned() << 1) ^ (number >> 63).cast_unsigned());
    }

    fn integers(&mut self, integers: &[i64]) {
        let orders = 0..=2.min(integers.len() - 1);
        let Some(left) = orders.map(|order| Left::of_order(integers, order)).min_by_key(Left::cost) else {
            return;
        };
        self.put(left.order as u64, 2);
        left.first.iter().for_each(|value| self.signed(*value));
        self.signed(left.typical);
        if left.rest.iter().all(|word| *word == 0) {
            self.put(ALL_ZERO, RICE_BITS);
            return;
        }
        let rice = left.rice();
        self.put(rice as u64, RICE_BITS);
        self.put(u64::from(left.step > 1), 1);
        if left.step > 1 {
            self.number(left.step);
        }
        for word in &left.rest {
            let ones = word >> rice;
            if ones < u64::from(ESCAPE) {
                let ones = u32::try_from(ones).unwrap_or_default();
                self.put(((1 << ones) - 1) << 1, ones + 1);
                self.put(*word, u32::try_from(rice).unwrap_or_default());
            } else {
                self.put((1 << ESCAPE) - 1, ESCAPE);
                self.put(*word, 64);
            }
        }
    }

    fn finish(mut self) -> Vec<u8> {
        if self.part_bits > 0 {
            self.put(0, 8 - self.part_bits);
        }
        self.bytes.insert(0, VERSION);
        self.bytes
    }
}

/// Reads what [`BitWriter`] wrote. Behind the end there are zeroes, and [`BitReader::is_inside`] is false.
struct BitReader {
    /// With zeroes behind, so that a word can be read anywhere.
    bytes: Vec<u8>,
    bits: usize,
    at: usize,
}

impl BitReader {
    fn new(bytes: &[u8]) -> BitReader {
        let bits = bytes.len() * 8;
        BitReader { bytes: [bytes, &[0; 16]].concat(), bits, at: 0 }
    }

    fn is_inside(&self) -> bool {
        self.at <= self.bits
    }

    /// Only bits that fill the last byte are left.
    fn is_at_end(&self) -> bool {
        self.is_inside() && self.bits - self.at < 8
    }

    /// The next 64 bits.
    fn word(&self) -> u64 {
        let byte = self.at / 8;
        let bytes = self.bytes.get(byte..byte + 9).and_then(|bytes| bytes.first_chunk::<9>());
        let Some([high @ .., low]) = bytes else { return 0 };
        let shift = self.at % 8;
        (u64::from_be_bytes(*high) << shift) | (u64::from(*low) << shift >> 8)
    }

    fn get(&mut self, count: u32) -> u64 {
        let word = self.word();
        self.at += count as usize;
        if count == 0 { 0 } else { word >> (u64::BITS - count) }
    }

    fn number(&mut self) -> Option<u64> {
        let mut number = 0;
        for shift in (0..u64::BITS).step_by(7) {
            let byte = self.get(8);
            number |= (byte & 0x7f) << shift;
            if byte < 0x80 {
                return self.is_inside().then_some(number);
            }
        }
        None
    }

    fn signed(&mut self) -> Option<i64> {
        self.number().map(signed)
    }

    /// A number from 1 to `most`.
    fn count(&mut self, most: usize) -> Option<usize> {
        let count = usize::try_from(self.number()?).ok()?;
        (1..=most).contains(&count).then_some(count)
    }

    /// A sequence of so many integers.
    fn integers(&mut self, count: usize) -> Option<Vec<i64>> {
        let order = usize::try_from(self.get(2)).ok().filter(|order| *order <= 2 && *order < count)?;
        let mut first = [0; 2];
        for value in &mut first[..order] {
            *value = self.signed()?;
        }
        let typical = self.signed()?;
        let rice = self.get(RICE_BITS);
        let mut integers = if rice == ALL_ZERO {
            vec![typical; count - order]
        } else {
            let step = if self.get(1) == 1 { self.number()?.cast_signed() } else { 1 };
            let rice = u32::try_from(rice).ok()?;
            let mut rest = Vec::with_capacity(count);
            for _ in order..count {
                let left = signed(self.rice(rice));
                rest.push(left.wrapping_mul(step).wrapping_add(typical));
            }
            rest
        };
        for first in first[..order].iter().rev() {
            let mut sum = *first;
            for integer in &mut integers {
                (*integer, sum) = (sum, sum.wrapping_add(*integer));
            }
            integers.push(sum);
        }
        self.is_inside().then_some(integers)
    }

    fn rice(&mut self, rice: u32) -> u64 {
        let ones = self.word().leading_ones();
        if ones >= ESCAPE {
            self.at += ESCAPE as usize;
            return self.get(64);
        }
        self.at += ones as usize + 1;
        (u64::from(ones) << rice) | self.get(rice)
    }
}

/// A number whose sign is in its lowest bit.
fn signed(word: u64) -> i64 {
    (word >> 1).cast_signed() ^ (word & 1).cast_signed().wrapping_neg()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::sample::{select, subsequence};

    use super::*;

    /// As bits, since no NaN is equal to itself.
    fn bits(columns: &[(Measure, Points)]) -> Vec<(Measure, Vec<(Millis, u64)>)> {
        let points = |points: &Points| points.iter().map(|(at, value)| (*at, value.to_bits())).collect();
        columns.iter().map(|(measure, column)| (*measure, points(column))).collect()
    }

    fn packed(columns: &[(Measure, Points)]) -> Vec<u8> {
        let columns: Vec<Column<'_>> =
            columns.iter().map(|(measure, points)| (*measure, &points[..])).collect();
        encode(&columns)
    }

    /// Numbers as sources make them, and any others.
    fn value() -> impl Strategy<Value = f64> {
        prop_oneof![
            4 => (-1_000_000..1_000_000_i32, select(&DIVISORS[..])).prop_map(|(whole, over)| f64::from(whole) / over),
            1 => any::<u64>().prop_map(f64::from_bits),
            1 => select(vec![0.0, -0.0, f64::NAN, -f64::NAN, f64::INFINITY, f64::NEG_INFINITY, f64::MIN_POSITIVE, 5e-324,
                f64::MAX, f64::MIN, 9_007_199_254_740_992.0, 9_007_199_254_740_994.0]),
        ]
    }

    fn times() -> impl Strategy<Value = Vec<i64>> {
        prop_oneof![
            3 => (0..2_000_000_000_000_i64, prop::collection::vec(1_950..2_050_i64, 1..300)).prop_map(|(first, steps)| {
                steps.iter().scan(first, |at, step| { *at += step; Some(*at) }).collect()
            }),
            1 => prop::collection::btree_set(any::<i64>(), 1..40).prop_map(|times| times.into_iter().collect()),
        ]
    }

    /// Columns of the same times, of parts of them, and of others.
    fn columns() -> impl Strategy<Value = Vec<(Measure, Points)>> {
        let measures: Vec<Measure> = Measure::all().collect();
        let some = 1..=measures.len();
        (subsequence(measures, some), times()).prop_flat_map(|(measures, common)| {
            let column = |measure: Measure| {
                let common = common.clone();
                let most = common.len();
                let part = subsequence(common.clone(), 1..=most);
                let times = prop_oneof![3 => Just(common), 1 => part, 1 => times()];
                times.prop_flat_map(move |times| {
                    let values = prop::collection::vec(value(), times.len());
                    let pair = |(at, value): (i64, f64)| (Millis(at), value);
                    values.prop_map(move |values| {
                        (measure, times.iter().copied().zip(values).map(pair).collect())
                    })
                })
            };
            measures.into_iter().map(column).collect::<Vec<_>>()
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases * 2, ..ProptestConfig::default() })]

        #[test]
        fn every_series_comes_back_bit_for_bit(columns in columns()) {
            let again = decode(&packed(&columns)).unwrap();
            prop_assert_eq!(bits(&again), bits(&columns));
        }

        #[test]
        fn integers_come_back(integers in prop_oneof![
            prop::collection::vec(any::<i64>(), 1..100),
            prop::collection::vec((-9..9_i64).prop_map(|n| n * 480), 1..100),
            prop::collection::vec(select(vec![0, i64::MIN, i64::MAX, 1]), 1..50),
        ]) {
            let mut out = BitWriter::default();
            out.integers(&integers);
            let bytes = out.finish();
            prop_assert_eq!(BitReader::new(&bytes[1..]).integers(integers.len()), Some(integers));
        }

        #[test]
        fn damaged_chunks_are_refused_or_read_but_never_panic(
            mut garbage in prop::collection::vec(any::<u8>(), 0..300), columns in columns(), at in any::<prop::sample::Index>(), flip in 1..=u8::MAX,
        ) {
            if let Some(first) = garbage.first_mut() {
                *first = VERSION;
            }
            let _ = decode(&garbage);
            let mut bytes = packed(&columns);
            let at = at.index(bytes.len());
            bytes[at] ^= flip;
            let _ = decode(&bytes);
            bytes.truncate(at);
            prop_assert!(decode(&bytes).is_err());
        }
    }

    #[test]
    fn another_version_is_refused() {
        assert!(
            matches!(decode(&[2, 1, 1]), Err(StoreError::Corrupt(why)) if why.contains("unknown version"))
        );
        assert!(matches!(decode(&[]), Err(StoreError::Corrupt(_))));
    }

    #[test]
    fn what_does_not_change_takes_no_room() {
        let points: Points = (0..ROWS_MAX as i64).map(|n| (Millis(2_000 * n), 640.0)).collect();
        let bytes = packed(&[(Measure::of_name("bigvWidth").unwrap(), points)]);
        assert!(bytes.len() < 24, "{}", bytes.len());
    }
}
