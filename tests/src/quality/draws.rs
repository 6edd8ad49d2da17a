//! What the trials draw by chance: streams for one purpose each, ranges, and values around a mean; integers alone.

use crate::chance::Chance;

impl Chance {
    /// The stream for one purpose among many, named by numbers: what one purpose draws moves no other's.
    #[must_use]
    pub fn of(seed: u64, purpose: &[u64]) -> Self {
        let mix = |seed: u64, part: &u64| Self::new(seed ^ part.wrapping_mul(0x9e37_79b9_7f4a_7c15)).number();
        Self::new(purpose.iter().fold(seed, mix))
    }

    /// Any of `low..=high` alike; `low` when there is nothing between.
    pub fn between(&mut self, low: i64, high: i64) -> i64 {
        let width = u64::try_from(high.saturating_sub(low)).unwrap_or(0).saturating_add(1);
        low.saturating_add(i64::try_from(self.below(width)).unwrap_or(0))
    }

    /// About normal with mean 0 and this deviation: the sum of twelve even draws.
    pub fn normal(&mut self, deviation: i64) -> i64 {
        let sum: i64 = (0..12).map(|_| self.between(-1_000, 1_000)).sum();
        // Twelve draws of -1000..=1000 have a deviation of 2000.
        sum * deviation / 2_000
    }

    /// True in `permille` of a thousand cases.
    pub fn happens(&mut self, permille: i64) -> bool {
        self.between(0, 999) < permille
    }
}

#[cfg(test)]
mod tests {
    use super::Chance;

    #[test]
    fn one_purpose_gives_one_series_and_another_another() {
        let draws = |seed, purpose| {
            let mut chance = Chance::of(seed, &[1, purpose]);
            [chance.number(), chance.number()]
        };
        assert_eq!(draws(7, 2), draws(7, 2));
        assert_ne!(draws(7, 2), draws(8, 2));
        assert_ne!(draws(7, 2), draws(7, 3));
    }

    #[test]
    fn draws_keep_their_bounds_and_their_deviation() {
        let mut chance = Chance::new(1);
        assert!((0..1_000).all(|_| (-3..=3).contains(&chance.between(-3, 3))));
        let squares: i64 = (0..10_000).map(|_| chance.normal(100).pow(2)).sum();
        assert!((9_000..11_000).contains(&(squares / 10_000)), "{squares}");
    }
}
