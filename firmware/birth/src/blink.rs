//! How a light says what is wrong: short flashes to count, and a pause.

/// So many short flashes, then a pause, again and again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Pattern {
    flashes: u32,
}

/// Milliseconds of a flash, and of the dark between two.
const FLASH_MILLISECONDS: u32 = 150;
/// Milliseconds of the dark after the last flash: long enough that nobody counts over it.
const PAUSE_MILLISECONDS: u32 = 1_500;

/// There is no identity page, or it is damaged.
pub const NO_IDENTITY: Pattern = Pattern { flashes: 3 };

impl Pattern {
    /// Whether the light is on in step `step` of the pattern, and the milliseconds that the step takes.
    ///
    /// ```
    /// let shown: Vec<_> = (0..6).map(|step| birth::blink::NO_IDENTITY.step(step)).collect();
    /// assert_eq!(shown, [(true, 150), (false, 150), (true, 150), (false, 150), (true, 150), (false, 1500)]);
    /// ```
    pub fn step(self, step: u32) -> (bool, u32) {
        let step = step % (2 * self.flashes);
        let is_last = step + 1 == 2 * self.flashes;
        (step.is_multiple_of(2), if is_last { PAUSE_MILLISECONDS } else { FLASH_MILLISECONDS })
    }
}
