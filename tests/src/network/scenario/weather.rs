//! A wire of 200 ms that loses two packets in a hundred.

use super::Stage;
use crate::network::Network;
use crate::network::judge::Verdict;
use crate::network::namespaces::Wire;
use std::time::Duration;

const DELAY_MILLISECONDS: u32 = 200;
const LOSS_PERCENT: u32 = 2;
/// How long a round of it lasts.
const SPELL: Duration = Duration::from_secs(12);

pub(super) fn slow_and_lossy(stage: &mut Stage) -> Option<Verdict> {
    let mut network = Network::new(Wire::Slow);
    network.machines()?;
    stage.rounds(network, |stage, network| {
        network.machines().expect("it was there before").weather(DELAY_MILLISECONDS, LOSS_PERCENT);
        let before = network.height();
        network.waits(SPELL);
        network.goes_on(1);
        let made = network.height() - before;
        stage.note(format!(
            "{made} blocks in {} s of {DELAY_MILLISECONDS} ms and {LOSS_PERCENT} %",
            SPELL.as_secs()
        ));
        network.machines().expect("it was there before").weather(0, 0);
        network.goes_on(2);
    })
}
