//! What a board does that has no identity: it says so and blinks, for ever.

use core::fmt::Display;

use birth::blink::NO_IDENTITY;
use embassy_futures::join::join;
use embassy_time::Timer;
use log::error;

const COMPLAINT_SECONDS: u64 = 10;

/// Says again and again why the board does nothing, since somebody may look at the console only then, and blinks for
/// those who have no console. `advice` says what to do; `light` turns the light on and off.
pub async fn lament(failure: impl Display, advice: impl Display, mut light: impl FnMut(bool)) -> ! {
    let saying = async {
        loop {
            error!("{failure}: {advice}");
            Timer::after_secs(COMPLAINT_SECONDS).await;
        }
    };
    let blinking = async {
        let mut step = 0_u32;
        loop {
            let (is_lit, milliseconds) = NO_IDENTITY.step(step);
            light(is_lit);
            Timer::after_millis(milliseconds.into()).await;
            step = step.wrapping_add(1);
        }
    };
    join(saying, blinking).await.0
}
