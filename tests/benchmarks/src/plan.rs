//! What is measured, in what order, and what each figure should reach.

/// A kind of measurement: a `lamppost bench` command.
pub struct Bench {
    /// Its name on the command line and in the tables.
    pub name: &'static str,
    /// The words behind `lamppost bench`.
    pub words: &'static [&'static str],
    /// Directory that its runs share, where making one takes longer than measuring.
    pub kept: Option<&'static str>,
    /// Runs at most: one that takes over a minute is not repeated as often.
    pub runs_max: usize,
    /// One sentence.
    pub what: &'static str,
    /// What of it stands in the table.
    pub rows: &'static [Row],
}

/// A figure in the table.
pub struct Row {
    /// What it is.
    pub label: &'static str,
    /// Where it stands in the measurement's JSON.
    pub at: &'static str,
    /// Its unit.
    pub unit: &'static str,
    /// What it should reach.
    pub goal: Goal,
}

/// What a figure should reach.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Goal {
    /// This or more.
    AtLeast(f64),
    /// This or less.
    AtMost(f64),
    /// This share of the median of `ingest`, or more.
    OfIngest(f64),
    /// Said beside the others.
    None,
}

use Goal::{AtLeast, AtMost, OfIngest};

const fn row(label: &'static str, at: &'static str, unit: &'static str, goal: Goal) -> Row {
    Row { label, at, unit, goal }
}

/// Everything that is measured.
pub const BENCHES: &[Bench] = &[
    Bench {
        name: "ingest",
        words: &["ingest"],
        kept: None,
        runs_max: usize::MAX,
        what: "envelopes of one reading of 10,000 devices, in process: verified, applied, durable, acknowledged",
        rows: &[
            row("a second", "/value", "", AtLeast(100_000.0)),
            row("of batch verification alone, in the same run", "/ratio", "", AtLeast(0.7)),
            row("CPU", "/details/CPU/value", "µs", Goal::None),
            row("latency at half, p50", "/details/latency_p50_at_half/value", "ms", Goal::None),
            row("latency at half, p99", "/details/latency_p99_at_half/value", "ms", Goal::None),
            row(
                "written to the log, times the envelopes' bytes",
                "/details/written_to_the_log/value",
                "",
                AtMost(1.15),
            ),
            row(
                "written in all, times the envelopes' bytes",
                "/details/written_in_all/value",
                "",
                Goal::None,
            ),
            row("peak memory of the node", "/details/peak_RSS_of_the_node/value", "MB", Goal::None),
        ],
    },
    Bench {
        name: "mqtt",
        words: &["mqtt"],
        kept: None,
        runs_max: usize::MAX,
        what: "the same through the embedded broker, QoS 1, the loader on the same cores",
        rows: &[
            row("a second", "/value", "", AtLeast(50_000.0)),
            row("of the same broker with a subscriber that only counts", "/ratio", "", Goal::None),
            row("CPU of broker and node", "/details/CPU_of_the_node/value", "µs", Goal::None),
            row(
                "publish to ack at half, p50",
                "/details/publish_to_ack_p50_at_half/value",
                "ms",
                AtMost(30.0),
            ),
            row(
                "publish to ack at half, p99",
                "/details/publish_to_ack_p99_at_half/value",
                "ms",
                AtMost(250.0),
            ),
            row("peak memory of broker and node", "/details/peak_RSS_of_the_node/value", "MB", Goal::None),
        ],
    },
    Bench {
        name: "mqtt-10",
        words: &["mqtt", "--records", "10"],
        kept: None,
        runs_max: usize::MAX,
        what: "the same with ten readings an envelope",
        rows: &[
            row("readings a second", "/details/readings/value", "", AtLeast(400_000.0)),
            row("envelopes a second", "/value", "", Goal::None),
            row("of the same broker with a subscriber that only counts", "/ratio", "", Goal::None),
        ],
    },
    Bench {
        name: "mosquitto",
        words: &["mqtt", "--broker", "external"],
        kept: None,
        runs_max: usize::MAX,
        what: "the same through a mosquitto on the same cores",
        rows: &[
            row("a second", "/value", "", Goal::None),
            row("of what a bare subscriber receives, in the same run", "/ratio", "", AtLeast(0.9)),
            row("CPU of the node", "/details/CPU_of_the_node/value", "µs", Goal::None),
            row("CPU of mosquitto", "/details/CPU_of_mosquitto/value", "µs", Goal::None),
        ],
    },
    Bench {
        name: "settlement",
        words: &["settlement", "--devices", "1000000", "--epoch", "40"],
        kept: Some("settlement"),
        runs_max: usize::MAX,
        what: "the end of an epoch in which 1,000,000 devices sent, while half of the load goes on",
        rows: &[
            row("rewards a second", "/value", "", AtLeast(1_000_000.0)),
            row("seconds in all", "/details/took/value", "s", Goal::None),
            row(
                "intake's p99 meanwhile, times that before",
                "/details/latency_p99_times_before/value",
                "",
                AtMost(2.0),
            ),
            row("peak memory of the node", "/details/peak_RSS_of_the_node/value", "MB", Goal::None),
        ],
    },
    Bench {
        name: "audit",
        words: &["audit"],
        kept: None,
        runs_max: usize::MAX,
        what: "everything recomputed from genesis",
        rows: &[
            row("transactions a second", "/value", "", Goal::None),
            row("of batch verification alone, in the same run", "/ratio", "", AtLeast(0.7)),
            row("peak memory", "/details/peak_RSS/value", "MB", Goal::None),
        ],
    },
    Bench {
        name: "store",
        words: &["store", "--seconds", "3"],
        kept: None,
        runs_max: usize::MAX,
        what: "blocks of 1,024 transactions through the log, one durable write each",
        rows: &[
            row("transactions a second", "/value", "", Goal::None),
            row("of bare appends of the same bytes", "/ratio", "", Goal::None),
        ],
    },
    Bench {
        name: "million",
        words: &["ingest", "--devices", "1000000", "--epoch", "86400"],
        kept: Some("million"),
        runs_max: usize::MAX,
        what: "ingest with 1,000,000 enrolled devices that take turns",
        rows: &[
            row("a second", "/value", "", OfIngest(0.9)),
            row("peak memory of the node", "/details/peak_RSS_of_the_node/value", "MB", AtMost(1_000.0)),
        ],
    },
    Bench {
        name: "idle",
        words: &["idle", "--devices", "12", "--seconds", "8"],
        kept: None,
        runs_max: usize::MAX,
        what: "`lamppost up` with its twelve virtual devices",
        rows: &[
            row("memory", "/value", "MB", AtMost(60.0)),
            row("CPU", "/details/CPU/value", "% of a core", AtMost(1.0)),
        ],
    },
    Bench {
        name: "open-pages",
        words: &["open-pages", "--pages", "1000", "--devices", "12", "--seconds", "8"],
        kept: None,
        runs_max: usize::MAX,
        what: "a thousand open pages of `lamppost up` with its twelve virtual devices",
        rows: &[
            row("CPU that they cost", "/value", "% of a core", Goal::None),
            row("CPU without them", "/details/CPU_without_them/value", "% of a core", Goal::None),
            row("refreshes a second", "/details/refreshes/value", "", Goal::None),
            row("a refresh, p99", "/details/refresh_p99/value", "ms", Goal::None),
            row("memory", "/details/RSS/value", "MB", Goal::None),
        ],
    },
    Bench {
        name: "start",
        words: &["start", "--transactions", "10000000"],
        kept: Some("long"),
        runs_max: usize::MAX,
        what: "from kill -9 to the ready line, 10,000,000 transactions in the log",
        rows: &[
            row("start", "/value", "s", AtMost(10.0)),
            row("peak memory of the start", "/details/peak_RSS_of_the_start/value", "MB", Goal::None),
        ],
    },
    Bench {
        name: "query",
        words: &["query", "--transactions", "10000000"],
        kept: Some("long"),
        runs_max: usize::MAX,
        what: "HTTP queries during full ingest, 10,000,000 transactions in the log",
        rows: &[
            row("device, p99", "/details/device_p99/value", "ms", AtMost(20.0)),
            row("statements, p99", "/details/statements_p99/value", "ms", AtMost(20.0)),
            row("transaction, p99", "/details/transaction_p99/value", "ms", AtMost(20.0)),
            row("readings, p99", "/details/readings_p99/value", "ms", Goal::None),
            row("ingest meanwhile, a second", "/details/ingest_meanwhile/value", "", Goal::None),
        ],
    },
    Bench {
        name: "pages",
        words: &["pages", "--transactions", "10000000"],
        kept: Some("long"),
        runs_max: usize::MAX,
        what: "pages during full ingest, seven readers at once, 10,000,000 transactions in the log",
        rows: &[
            row("the slowest page, p99", "/value", "ms", AtMost(50.0)),
            row("home, p99", "/details/home_p99/value", "ms", AtMost(50.0)),
            row("device, p99", "/details/device_p99/value", "ms", AtMost(50.0)),
            row("account, p99", "/details/account_p99/value", "ms", AtMost(50.0)),
            row("ingest meanwhile, a second", "/details/ingest_meanwhile/value", "", Goal::None),
        ],
    },
    Bench {
        name: "overload",
        words: &["overload", "--seconds", "60"],
        kept: None,
        runs_max: 1,
        what: "twice the maximum offered for 60 s, through the embedded broker (one run)",
        rows: &[
            row("seconds until latency is normal again", "/value", "s", AtMost(5.0)),
            row("acknowledged and lost", "/details/acknowledged_and_lost/value", "", AtMost(0.0)),
            row("taken a second meanwhile", "/details/taken_a_second_meanwhile/value", "", Goal::None),
            row("memory before", "/details/RSS_before/value", "MB", Goal::None),
            row("peak memory meanwhile", "/details/peak_RSS_meanwhile/value", "MB", Goal::None),
        ],
    },
];
