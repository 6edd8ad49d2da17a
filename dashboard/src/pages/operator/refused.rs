//! The last refused envelopes of each reason: whose, when, how large.

use askama::Template;

use super::Rooms;
use crate::marks::{Age, Integer, Link};
use crate::numbers;
use crate::pages::Shell;
use crate::reasons;
use crate::view::{REFUSAL_REASONS, RefusedSample, RefusedSamples};

/// The page of refused envelopes.
#[derive(Debug, Template)]
#[template(path = "operator_refused.html")]
pub struct RefusedPage {
    shell: Shell,
    rooms: Rooms,
    kept_max: usize,
    total: u64,
    reasons: Vec<Reason>,
}

crate::pages::is_a_page!(RefusedPage);

/// A reason and the last envelopes that it was given for.
#[derive(Debug)]
struct Reason {
    word: &'static str,
    meaning: &'static str,
    since_start: u64,
    samples: Vec<RefusedSample>,
    /// How many different devices the samples name.
    kids: usize,
}

impl Reason {
    /// What the samples say together.
    fn summary(&self) -> String {
        let shown = numbers::counted(self.samples.len(), "envelope", "envelopes");
        match self.kids {
            0 => format!("The last {shown}; none names a device."),
            kids => format!("The last {shown}, of {}.", numbers::counted(kids, "kid", "kids")),
        }
    }
}

impl RefusedPage {
    /// The page of what the view answered.
    pub fn new(answer: RefusedSamples) -> Self {
        let named = REFUSAL_REASONS.into_iter().zip(reasons::REFUSAL_MEANINGS);
        let counted = named.zip(answer.since_start.0).zip(answer.samples);
        let reason = |(((word, meaning), since_start), samples): (_, Vec<RefusedSample>)| {
            let mut kids: Vec<&String> = samples.iter().filter_map(|sample| sample.kid.as_ref()).collect();
            kids.sort_unstable();
            kids.dedup();
            let kids = kids.len();
            Reason { word, meaning, since_start, samples, kids }
        };
        Self {
            shell: Shell::new("Refused envelopes", "/operator/refused", answer.network, true),
            rooms: Rooms::at("/operator/refused"),
            kept_max: answer.kept_max,
            total: answer.since_start.total(),
            reasons: counted.map(reason).collect(),
        }
    }

    fn age(&self, then_milliseconds: impl Integer) -> Age {
        let now_milliseconds = self.shell.network.now_milliseconds;
        Age { now_milliseconds, then_milliseconds: then_milliseconds.value() }
    }

    /// The reasons that never applied, in words.
    fn never(&self) -> String {
        let never = self.reasons.iter().filter(|reason| reason.samples.is_empty());
        never.map(|reason| reason.word).collect::<Vec<_>>().join(", ")
    }
}
