//! How the node stands: what needs looking at, what arrives, how long it takes, what waits, what rewards are paid from.

use askama::Template;

use super::Rooms;
use crate::marks::{Age, Link};
use crate::pages::Shell;
use crate::pages::agreement::AgreementPart;
use crate::view::{Desk, Queue, REFUSAL_REASONS};
use crate::{moments, numbers, quantities, reasons};

/// The operator's first page.
#[derive(Debug, Template)]
#[template(path = "operator.html")]
pub struct DeskPage {
    shell: Shell,
    desk: Desk,
    agreement: Option<AgreementPart>,
    rooms: Rooms,
}

crate::pages::is_a_page!(DeskPage);

/// A reason for which envelopes were refused.
struct RefusedRow {
    reason: &'static str,
    meaning: &'static str,
    lately: u64,
    since_start: u64,
}

impl DeskPage {
    /// The page of what the view answered.
    pub fn new(mut desk: Desk) -> Self {
        let network = std::mem::take(&mut desk.network);
        Self {
            agreement: AgreementPart::of(&network),
            shell: Shell::new("Operator", "/operator", network, true),
            desk,
            rooms: Rooms::at("/operator"),
        }
    }

    /// `the last 5 min`, or since when the node has counted.
    fn lately(&self) -> String {
        format!("the last {}", moments::duration(self.desk.recent.seconds))
    }

    fn pace(&self) -> String {
        let recent = &self.desk.recent;
        quantities::a_second(recent.accepted.envelopes, recent.seconds).unwrap_or_else(|| "0.0".to_owned())
    }

    /// What stands under the pace: what arrived and was refused, or why nothing was accepted.
    fn pace_note(&self) -> String {
        let recent = &self.desk.recent;
        let refused = recent.refused.total();
        match (recent.accepted.envelopes, recent.received) {
            _ if recent.seconds == 0 => "the node has only just started".to_owned(),
            (0, _) if self.desk.disk.full => "the disk is full: nothing is accepted".to_owned(),
            (0, 0) => format!("nothing arrived in {}", self.lately()),
            (0, received) => format!(
                "{} in {}, none accepted: {} refused",
                numbers::counted(received, "arrived", "arrived"),
                self.lately(),
                numbers::grouped(refused)
            ),
            (accepted, _) => format!(
                "{} with {} in {}; {} refused",
                numbers::counted(accepted, "envelope", "envelopes"),
                numbers::counted(recent.accepted.records, "record", "records"),
                self.lately(),
                numbers::grouped(refused)
            ),
        }
    }

    fn delay(&self, microseconds: &Option<u64>) -> String {
        microseconds.map_or_else(|| "not known".to_owned(), quantities::delay)
    }

    fn delay_note(&self) -> String {
        match self.desk.recent.delay_half_microseconds {
            Some(_) => "from the intake queue on".to_owned(),
            None => format!("no envelope came to the disk in {}", self.lately()),
        }
    }

    /// For how long something lasts, or why that is not known.
    fn runway(&self, seconds: &Option<u64>) -> String {
        let over = moments::duration(self.desk.paid_over_seconds);
        match seconds {
            Some(seconds) => format!("lasts {} at what the last {over} paid", moments::duration(*seconds)),
            None => format!("no statement was paid anything in the last {over}, so it lasts"),
        }
    }

    fn refused_rows(&self) -> Vec<RefusedRow> {
        let named = REFUSAL_REASONS.into_iter().zip(reasons::REFUSAL_MEANINGS);
        let counted = named.zip(self.desk.recent.refused.0).zip(self.desk.refused_since_start.0);
        let row =
            |(((reason, meaning), lately), since_start)| RefusedRow { reason, meaning, lately, since_start };
        counted.map(row).filter(|row| row.since_start > 0).collect()
    }

    fn never_refused(&self) -> String {
        let named = REFUSAL_REASONS.into_iter().zip(self.desk.refused_since_start.0);
        named.filter(|(_, count)| *count == 0).map(|(reason, _)| reason).collect::<Vec<_>>().join(", ")
    }

    /// What a queue holds.
    fn holds(&self, queue: &Queue) -> &'static str {
        match queue.name.as_str() {
            "intake" => "envelopes that wait to be looked at",
            "verify" => "envelopes whose signatures are being verified",
            "batch" => "verified envelopes that wait for their block",
            "outbound" => "acks and notices that wait for the broker",
            "index" => "entries that are durable and not yet in the index",
            _ => "",
        }
    }

    fn block_age(&self) -> Age {
        let network = &self.shell.network;
        Age { now_milliseconds: network.now_milliseconds, then_milliseconds: network.last_block_milliseconds }
    }

    fn free(&self) -> String {
        quantities::bytes(self.desk.disk.free_bytes)
    }

    fn reserve(&self) -> String {
        quantities::bytes(self.desk.disk.reserve_bytes)
    }
}
