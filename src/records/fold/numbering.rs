//! CommIds are unique: which second each life of a room's name owns (rule 8 of `docs/records.md`).

/// One life that wants a second of its room's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// The second it wants: that of its creation, or the one its imported id names.
    pub second: i64,
    /// An imported id stays as it is.
    pub fixed: bool,
}

/// The second each claim gets. `claims` are the lives of one room's name, in the order of their creation (ties
/// by source, then instance); of two that want one second, the later takes the next that is free.
pub fn seconds(claims: &[Claim]) -> Vec<i64> {
    let fixed: Vec<i64> = claims.iter().filter(|claim| claim.fixed).map(|claim| claim.second).collect();
    let mut last_given = i64::MIN;
    claims
        .iter()
        .map(|claim| {
            if claim.fixed {
                return claim.second;
            }
            let mut second = claim.second.max(last_given.saturating_add(1));
            while fixed.contains(&second) {
                second += 1;
            }
            last_given = second;
            second
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_later_of_two_takes_the_next_free_second() {
        let check = |claims: &[(i64, bool)], expected: &[i64]| {
            let claims: Vec<Claim> = claims.iter().map(|&(second, fixed)| Claim { second, fixed }).collect();
            assert_eq!(seconds(&claims), expected, "{claims:?}");
        };
        check(&[], &[]);
        check(&[(5, false), (9, false)], &[5, 9]);
        check(&[(5, false), (5, false), (6, false), (9, false)], &[5, 6, 7, 9]);
        check(&[(5, false), (5, true), (5, false)], &[6, 5, 7]);
    }
}
