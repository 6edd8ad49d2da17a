//! What the node tells about itself: Prometheus metrics, every queue's depth and bound among them, and log lines.

mod agreement;
#[cfg(feature = "bft")]
mod link;

use std::io::IsTerminal as _;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use devices::Refusal;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};
use tracing_subscriber::EnvFilter;

use crate::alerts::Kind;
use crate::pulse::{Counts, Recent};

pub use agreement::AgreementMetrics;
#[cfg(feature = "bft")]
pub use link::LinkMetrics;

/// One label and its value.
type Label = Vec<(&'static str, &'static str)>;

/// The queues whose depth and bound are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Queue {
    /// Raw envelopes that wait for admission.
    Intake,
    /// Envelopes in verification batches.
    Verify,
    /// Verified transactions that wait for a block.
    Batch,
    /// Acks and refusal notices that wait for the broker.
    Outbound,
    /// Entries that are durable and not in the index yet.
    Index,
}

impl Queue {
    /// All queues, in the order in which an envelope passes them.
    pub const ALL: [Queue; 5] = [Queue::Intake, Queue::Verify, Queue::Batch, Queue::Outbound, Queue::Index];

    /// The queue's name in the metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Queue::Intake => "intake",
            Queue::Verify => "verify",
            Queue::Batch => "batch",
            Queue::Outbound => "outbound",
            Queue::Index => "index",
        }
    }
}

/// All counters and gauges of the node.
#[derive(Debug)]
pub struct Telemetry {
    registry: Registry,
    refused: Family<Label, Counter>,
    queue_depth: Family<Label, Gauge>,
    queue_bound: Family<Label, Gauge>,
    alert: Family<Label, Gauge>,
    devices_by_status: Family<Label, Gauge>,
    envelope_durable_seconds: Family<Label, Gauge<f64, AtomicU64>>,
    /// Envelopes that arrived, by any way.
    pub received: Counter,
    /// Envelopes that entered the ledger.
    pub accepted_envelopes: Counter,
    /// Records in those envelopes.
    pub accepted_records: Counter,
    /// Instructions that entered the ledger.
    pub accepted_instructions: Counter,
    /// Instructions that were refused.
    pub refused_instructions: Counter,
    /// Times that intake had to wait because a queue was full.
    pub intake_waits: Counter,
    /// Refusal notices that were not sent because a device got too many of them.
    pub notices_withheld: Counter,
    /// Outgoing messages that were dropped because the broker did not take them; acks are repeated, so none is lost.
    pub outbound_dropped: Counter,
    /// Acks published.
    pub acks: Counter,
    /// Signatures that were verified.
    pub signatures: Counter,
    /// Times the connection to an external broker was lost or could not be made.
    pub broker_reconnects: Counter,
    /// Connections to the embedded broker that were closed because the client broke its rules.
    pub mqtt_violations: Counter,
    /// Sessions that were opened.
    pub sign_ins: Counter,
    /// Attempts to sign in that were refused.
    pub sign_ins_refused: Counter,
    /// Connections to the embedded broker.
    pub connections: Gauge,
    /// Height of the last durable block.
    pub height: Gauge,
    /// Entries in the log.
    pub log_size: Gauge,
    /// Bytes written to the log since start.
    pub log_bytes: Counter,
    /// 1 while the disk is full and nothing is accepted.
    pub disk_full: Gauge,
    /// Free bytes where the data directory lies.
    pub disk_free_bytes: Gauge,
    /// Enrolled devices.
    pub devices: Gauge,
    /// What the reward pool holds, micro-tokens.
    pub pool_microtokens: Gauge,
    /// What the treasury holds, micro-tokens.
    pub treasury_microtokens: Gauge,
    /// Times a value could not be written to the index; the next start rebuilds it.
    pub index_errors: Counter,
    /// Seconds from a block's execution until it was durable.
    pub block_seconds: Histogram,
    /// Transactions of a block.
    pub block_transactions: Histogram,
    /// How several validators agree; nothing where one alone decides.
    pub agreement: AgreementMetrics,
    /// How this end of the link between gateways and validators stands; nothing where one node does everything.
    #[cfg(feature = "bft")]
    pub link: LinkMetrics,
}

impl Default for Telemetry {
    fn default() -> Telemetry {
        Telemetry::new()
    }
}

impl Telemetry {
    /// All at zero; every reason and every queue is shown from the start.
    pub fn new() -> Telemetry {
        let mut registry = Registry::with_prefix("lamppost");
        let block_seconds = Histogram::new(exponential_buckets(0.000_5, 2.0, 14));
        let block_transactions = Histogram::new(exponential_buckets(1.0, 2.0, 15));
        let refused = Family::default();
        registry.register("refused_envelopes", "Envelopes refused, by reason", refused.clone());
        let queue_depth = Family::default();
        registry.register("queue_depth", "Items in a queue", queue_depth.clone());
        let queue_bound = Family::default();
        registry.register("queue_bound", "Items that a queue holds at most", queue_bound.clone());
        let alert = Family::default();
        registry.register(
            "alert",
            "1 while something needs looking at, by kind; the operator's page says what to do",
            alert.clone(),
        );
        let devices_by_status = Family::default();
        registry.register(
            "devices_by_status",
            "Enrolled devices by status, when the metrics were asked for",
            devices_by_status.clone(),
        );
        let envelope_durable_seconds = Family::default();
        registry.register(
            "envelope_durable_seconds",
            "From the intake queue to the disk, of that share of the envelopes of the last minutes",
            envelope_durable_seconds.clone(),
        );
        let mut counter = |name: &str, help: &str| {
            let counter = Counter::default();
            registry.register(name, help, counter.clone());
            counter
        };
        let received = counter("received_envelopes", "Envelopes that arrived");
        let accepted_envelopes = counter("accepted_envelopes", "Envelopes that entered the ledger");
        let accepted_records = counter("accepted_records", "Records that entered the ledger");
        let accepted_instructions = counter("accepted_instructions", "Instructions that entered the ledger");
        let refused_instructions = counter("refused_instructions", "Instructions that were refused");
        let intake_waits = counter("intake_waits", "Times that intake waited because a queue was full");
        let notices_withheld =
            counter("refusal_notices_withheld", "Refusal notices withheld by the rate limit");
        let outbound_dropped = counter("outbound_dropped", "Outgoing messages that no broker took");
        let acks = counter("acks", "Acks published");
        let signatures = counter("signatures_verified", "Signatures verified");
        let broker_reconnects =
            counter("broker_reconnects", "Connections to the external broker lost or not made");
        let mqtt_violations =
            counter("mqtt_violations", "MQTT connections closed because the client broke the rules");
        let sign_ins = counter("sign_ins", "Sessions opened");
        let sign_ins_refused = counter("sign_ins_refused", "Attempts to sign in that were refused");
        let index_errors = counter("index_errors", "Writes to the index that failed");
        let log_bytes = counter("log_written_bytes", "Bytes written to the block log");
        let mut gauge = |name: &str, help: &str| {
            let gauge = Gauge::default();
            registry.register(name, help, gauge.clone());
            gauge
        };
        let connections = gauge("mqtt_connections", "Connections to the embedded broker");
        let height = gauge("height", "Height of the last durable block");
        let log_size = gauge("log_entries", "Entries in the log");
        let devices = gauge("devices", "Enrolled devices");
        let disk_full = gauge("disk_full", "1 while the disk is full and nothing is accepted");
        let disk_free_bytes = gauge("disk_free_bytes", "Free bytes where the data directory lies");
        let pool_microtokens = gauge("pool_microtokens", "Micro-tokens that the reward pool holds");
        let treasury_microtokens = gauge("treasury_microtokens", "Micro-tokens that the treasury holds");
        let help = "From a block's execution until it was durable";
        registry.register_with_unit("block_durable", help, Unit::Seconds, block_seconds.clone());
        registry.register("block_transactions", "Transactions of a block", block_transactions.clone());
        let agreement = AgreementMetrics::registered(&mut registry);
        #[cfg(feature = "bft")]
        let link = LinkMetrics::registered(&mut registry, queue_depth.clone(), queue_bound.clone());
        let telemetry = Telemetry {
            registry,
            refused,
            queue_depth,
            queue_bound,
            alert,
            devices_by_status,
            envelope_durable_seconds,
            received,
            accepted_envelopes,
            accepted_records,
            accepted_instructions,
            refused_instructions,
            intake_waits,
            notices_withheld,
            outbound_dropped,
            acks,
            signatures,
            broker_reconnects,
            sign_ins,
            sign_ins_refused,
            mqtt_violations,
            connections,
            height,
            log_size,
            log_bytes,
            disk_full,
            disk_free_bytes,
            devices,
            pool_microtokens,
            treasury_microtokens,
            index_errors,
            block_seconds,
            block_transactions,
            agreement,
            #[cfg(feature = "bft")]
            link,
        };
        for reason in Refusal::ALL {
            telemetry.refused(reason, 0);
        }
        for kind in Kind::ALL {
            telemetry.alert(kind, false);
        }
        telemetry
    }

    /// Counts refused envelopes.
    pub fn refused(&self, reason: Refusal, envelopes: u64) {
        self.refused.get_or_create(&vec![("reason", reason.as_str())]).inc_by(envelopes);
    }

    /// Refused envelopes since start, in the order of `Refusal::ALL`.
    pub fn refused_counts(&self) -> [u64; 8] {
        Refusal::ALL.map(|reason| self.refused.get_or_create(&vec![("reason", reason.as_str())]).get())
    }

    /// The counters that tell what happens to envelopes.
    pub fn counts(&self) -> Counts {
        Counts {
            received: self.received.get(),
            accepted_envelopes: self.accepted_envelopes.get(),
            accepted_records: self.accepted_records.get(),
            refused: self.refused_counts(),
        }
    }

    /// States whether something needs looking at.
    pub fn alert(&self, kind: Kind, holds: bool) {
        self.alert.get_or_create(&vec![("kind", kind.as_str())]).set(holds.into());
    }

    /// States how many devices have a status.
    pub fn devices_by_status(&self, status: &'static str, devices: u64) {
        let devices = i64::try_from(devices).unwrap_or(i64::MAX);
        self.devices_by_status.get_or_create(&vec![("status", status)]).set(devices);
    }

    /// States how long envelopes took to the disk lately; not a number while there were none.
    pub fn delays(&self, recent: &Recent) {
        for (quantile, delay) in [("0.5", recent.delay_half), ("0.99", recent.delay_p99)] {
            let seconds = delay.as_ref().map_or(f64::NAN, Duration::as_secs_f64);
            self.envelope_durable_seconds.get_or_create(&vec![("quantile", quantile)]).set(seconds);
        }
    }

    /// A queue's depth and bound, as they were last stated.
    pub fn queue(&self, queue: Queue) -> (u64, u64) {
        let label = vec![("queue", queue.as_str())];
        let of = |family: &Family<Label, Gauge>| {
            u64::try_from(family.get_or_create(&label).get()).unwrap_or_default()
        };
        (of(&self.queue_depth), of(&self.queue_bound))
    }

    /// States a queue's bound once.
    pub fn queue_bound(&self, queue: Queue, items: usize) {
        let items = i64::try_from(items).unwrap_or(i64::MAX);
        self.queue_bound.get_or_create(&vec![("queue", queue.as_str())]).set(items);
        self.queue_depth(queue, 0);
    }

    /// States a queue's depth.
    pub fn queue_depth(&self, queue: Queue, items: usize) {
        let items = i64::try_from(items).unwrap_or(i64::MAX);
        self.queue_depth.get_or_create(&vec![("queue", queue.as_str())]).set(items);
    }

    /// The Prometheus (OpenMetrics) text.
    pub fn render(&self) -> String {
        let mut text = String::new();
        // Writing to a string cannot fail; were it to, an empty page says so to the scraper.
        if encode(&mut text, &self.registry).is_err() {
            text.clear();
        }
        text
    }
}

/// What is logged unless somebody says otherwise: virtual devices and the broker's clients are many and talk much.
const FILTER: &str = "info,node=warn,fleet=warn,rumqttd=off,rumqttc=error,sled=warn,arc_malachitebft=error,arc_malachitebft_network=off,arc_malachitebft_discovery=off,libp2p=off";

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum LogFormat {
    /// For people, on a terminal.
    #[default]
    Human,
    /// For machines: one JSON object a line.
    Json,
}

/// Starts writing log lines to stderr. `LAMPPOST_LOG` filters them as tracing's `EnvFilter` does.
pub fn start_logging(format: LogFormat) {
    let filter = EnvFilter::try_from_env("LAMPPOST_LOG").unwrap_or_else(|_| EnvFilter::new(FILTER));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let started = match format {
        LogFormat::Human => builder.with_target(false).with_ansi(std::io::stderr().is_terminal()).try_init(),
        LogFormat::Json => builder.json().try_init(),
    };
    // A test or an embedding program may have started its own; then lines go there.
    drop(started);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_and_queue_is_shown_before_anything_happened() {
        let telemetry = Telemetry::new();
        telemetry.queue_bound(Queue::Intake, 7);
        let text = telemetry.render();
        for reason in Refusal::ALL {
            assert!(
                text.contains(&format!("lamppost_refused_envelopes_total{{reason=\"{reason}\"}} 0")),
                "{text}"
            );
        }
        assert!(text.contains("lamppost_queue_bound{queue=\"intake\"} 7"), "{text}");
        assert!(text.contains("lamppost_queue_depth{queue=\"intake\"} 0"), "{text}");
    }

    #[test]
    fn a_refusal_is_counted_under_its_reason() {
        let telemetry = Telemetry::new();
        telemetry.refused(Refusal::Replayed, 3);
        assert_eq!(telemetry.refused_counts()[Refusal::Replayed.index()], 3);
    }
}
