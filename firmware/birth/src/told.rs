//! Why a board started: what its chip says, put together with what the last life left.

use node::{Birth, Reset};

use crate::keepsake::{Ending, Keepsake};

/// What the chip itself says of its last reset.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Told {
    /// Nothing: then what survived in memory has to say it.
    Nothing,
    /// Power came, or was too low for a while.
    Power,
    /// Somebody pulled the reset pin.
    Pin,
    /// The watchdog was not fed.
    Watchdog,
    /// The program asked for it.
    Software,
    /// Something else.
    Other,
}

impl Told {
    /// Puts both together. A panic's own words count most: a panic resets the board by software.
    ///
    /// Where the chip says nothing, memory that kept nothing means that power came, and memory of a life that ran on
    /// means the button.
    pub fn birth(self, before: Option<Keepsake>, firmware: &'static str) -> Birth {
        let ending = before.map(|keepsake| keepsake.ending);
        let (reset, last_words) = match (ending, self) {
            (Some(Ending::Panicked(words)), _) => (Reset::Panic, Some(words)),
            (_, Told::Watchdog) | (Some(Ending::Starved), Told::Nothing) => (Reset::Watchdog, None),
            (_, Told::Software) | (Some(Ending::Restarted), Told::Nothing) => (Reset::Software, None),
            (_, Told::Power) | (None, Told::Nothing) => (Reset::PowerOn, None),
            (_, Told::Pin) | (Some(Ending::Running), Told::Nothing) => (Reset::Button, None),
            (_, Told::Other) => (Reset::Other, None),
        };
        Birth { reset, last_words, firmware }
    }
}
