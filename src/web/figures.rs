//! Numbers as people read them, and small pictures of rows of numbers.

use std::fmt::Write as _;

/// A number with a thin space between groups of three digits.
pub(super) fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3 * 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push('\u{2009}');
        }
        text.push(digit);
    }
    text
}

/// The outline of steps over a ground line, one unit wide each, as the `d` of a path; nothing is drawn where there is no
/// value. The greatest value is as high as the picture, but for a margin.
pub(super) fn spark(values: &[Option<usize>], height: usize) -> String {
    let most = values.iter().flatten().max().copied().unwrap_or(0).max(1);
    let top = |value: usize| height - value * (height - height / 8) / most;
    let mut path = String::new();
    let mut is_open = false;
    for (x, value) in values.iter().enumerate() {
        // Writing to a string cannot fail.
        let _ = match (value, is_open) {
            (Some(value), false) => write!(path, "M{x} {height}V{}H{}", top(*value), x + 1),
            (Some(value), true) => write!(path, "V{}H{}", top(*value), x + 1),
            (None, true) => write!(path, "V{height}Z"),
            (None, false) => Ok(()),
        };
        is_open = value.is_some();
    }
    if is_open {
        let _ = write!(path, "V{height}Z");
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_numbers_have_thin_spaces() {
        let check = |number: usize, text: &str| assert_eq!(grouped(number).replace('\u{2009}', "_"), text);
        check(0, "0");
        check(999, "999");
        check(1_284, "1_284");
        check(12_345_678, "12_345_678");
    }

    #[test]
    fn a_spark_has_gaps_where_nothing_is_known() {
        assert_eq!(spark(&[Some(0), Some(4), None, Some(2)], 40), "M0 40V40H1V5H2V40ZM3 40V23H4V40Z");
        assert_eq!(spark(&[None, None], 40), "");
    }
}
