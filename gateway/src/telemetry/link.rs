//! The metrics of the link between gateways and validators, of whichever end this node is.

use std::sync::atomic::Ordering;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::Label;
use crate::link::client::Client;
use crate::link::door::Door;
use crate::link::figures::Figure;
use crate::link::message::Reason;

/// All of them. A family without members is not exported, so a node shows those of its own end.
#[derive(Debug, Default)]
pub struct LinkMetrics {
    queue_depth: Family<Label, Gauge>,
    queue_bound: Family<Label, Gauge>,
    batches: Family<Label, Counter>,
    transactions: Family<Label, Counter>,
    blocks: Family<Label, Counter>,
    endings: Family<Label, Counter>,
    gateways: Family<Label, Gauge>,
    outbox_bytes: Family<Label, Gauge>,
}

impl LinkMetrics {
    pub(super) fn registered(
        registry: &mut Registry,
        queue_depth: Family<Label, Gauge>,
        queue_bound: Family<Label, Gauge>,
    ) -> LinkMetrics {
        let metrics = LinkMetrics { queue_depth, queue_bound, ..LinkMetrics::default() };
        registry.register(
            "link_batches",
            "Batches on the link, by what became of them",
            metrics.batches.clone(),
        );
        registry.register(
            "link_transactions",
            "Transactions of batches that this validator took",
            metrics.transactions.clone(),
        );
        registry.register(
            "link_blocks",
            "Blocks on the link, by what became of them",
            metrics.blocks.clone(),
        );
        registry.register(
            "link_connections_ended",
            "Connections that were lost, turned away or closed for a broken rule",
            metrics.endings.clone(),
        );
        registry.register("link_gateways", "Gateways that this validator admits", metrics.gateways.clone());
        registry.register(
            "outbox_bytes",
            "Bytes of batches that are not final",
            metrics.outbox_bytes.clone(),
        );
        metrics
    }

    /// States how a validator's door stands. Its queue is that of the gateway that has the most waiting.
    pub fn show_door(&self, door: &Door) {
        let (figures, gateways) = (door.figures(), door.status());
        let fullest = gateways.iter().max_by_key(|gateway| gateway.transactions_waiting);
        if let Some(fullest) = fullest {
            self.queue("door", fullest.transactions_waiting, fullest.transactions_waiting_max);
        }
        let connected = gateways.iter().filter(|gateway| gateway.is_connected).count();
        set(&self.gateways, "state", "connected", connected);
        set(&self.gateways, "state", "away", gateways.len() - connected);
        count(&self.batches, "result", "taken", &figures.batches_taken);
        count(&self.batches, "result", "repeated", &figures.batches_repeated);
        self.refused(&figures.batches_refused);
        count(&self.transactions, "result", "taken", &figures.transactions_taken);
        count(&self.blocks, "result", "given", &figures.blocks_given);
        count(&self.endings, "cause", "turned_away", &figures.turned_away);
        count(&self.endings, "cause", "violation", &figures.violations);
    }

    /// States how a gateway's client stands.
    pub fn show_client(&self, client: &Client) {
        let (figures, status) = (client.figures(), client.status());
        self.queue("outbox", status.outbox.batches, status.outbox_batches_max);
        self.queue("under_way", status.under_way, status.under_way_max);
        let bytes = usize::try_from(status.outbox.bytes).unwrap_or(usize::MAX);
        set(&self.outbox_bytes, "queue", "outbox", bytes);
        count(&self.batches, "result", "sent", &figures.batches_sent);
        count(&self.batches, "result", "taken", &figures.batches_taken);
        count(&self.batches, "result", "given_up", &figures.batches_given_up);
        self.refused(&figures.batches_refused);
        count(&self.blocks, "result", "followed", &figures.blocks_followed);
        count(&self.blocks, "result", "refused", &figures.blocks_refused);
        count(&self.endings, "cause", "lost", &figures.reconnects);
    }

    fn refused(&self, batches: &[Figure; Reason::ALL.len()]) {
        let by_reason = Reason::ALL.iter().zip(batches);
        by_reason.for_each(|(reason, figure)| count(&self.batches, "result", reason.as_str(), figure));
    }

    fn queue(&self, name: &'static str, depth: usize, bound: usize) {
        set(&self.queue_depth, "queue", name, depth);
        set(&self.queue_bound, "queue", name, bound);
    }
}

fn set(family: &Family<Label, Gauge>, label: &'static str, value: &'static str, number: usize) {
    family.get_or_create(&vec![(label, value)]).set(i64::try_from(number).unwrap_or(i64::MAX));
}

fn count(family: &Family<Label, Counter>, label: &'static str, value: &'static str, figure: &Figure) {
    family.get_or_create(&vec![(label, value)]).inner().store(figure.get(), Ordering::Relaxed);
}
