//! Chance from one seed: SplitMix64 (Steele, Lea and Flood, 2014), the same numbers on every machine and for ever.

/// A stream of numbers that looks random and is not.
#[derive(Clone, Debug)]
pub struct Chance {
    state: u64,
}

impl Chance {
    /// The stream of a seed.
    pub fn of(seed: u64) -> Chance {
        // Neighbouring seeds must not give neighbouring streams.
        let mut chance = Chance { state: seed ^ 0x6c61_6d70_706f_7374 };
        chance.bits();
        chance
    }

    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.state;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }

    /// A number below `bound`; 0 when the bound is 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        // The high half of a 128-bit product; the bias is below 2^-32 for the small bounds in use.
        ((u128::from(self.bits()) * u128::from(bound)) >> 64) as u64
    }

    /// A number in `from..=to`.
    pub fn within(&mut self, from: u64, to: u64) -> u64 {
        from + self.below(to.saturating_sub(from).saturating_add(1))
    }

    /// A place in a list of `length` items.
    pub fn place(&mut self, length: usize) -> usize {
        self.below(length as u64) as usize
    }

    /// Whether something that happens `permille` times in a thousand happens now.
    pub fn happens(&mut self, permille: u64) -> bool {
        self.below(1_000) < permille
    }

    /// One of these.
    pub fn one_of<T: Copy>(&mut self, items: &[T]) -> Option<T> {
        let place = self.place(items.len());
        items.get(place).copied()
    }

    /// 32 bytes, for keys.
    pub fn bytes(&mut self) -> [u8; 32] {
        let mut bytes = [0; 32];
        for chunk in bytes.chunks_exact_mut(8) {
            chunk.copy_from_slice(&self.bits().to_be_bytes());
        }
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_numbers_for_ever() {
        let mut chance = Chance::of(1);
        let first: Vec<u64> = (0..3).map(|_| chance.below(1_000_000)).collect();
        assert_eq!(first, [607_636, 399_739, 645_045], "what a seed means must not change");
        assert_ne!(Chance::of(1).bits(), Chance::of(2).bits());
        let mut chance = Chance::of(7);
        assert!((0..1_000).all(|_| (5..=9).contains(&chance.within(5, 9))));
        assert_eq!((chance.below(0), chance.one_of::<u8>(&[])), (0, None));
    }
}
