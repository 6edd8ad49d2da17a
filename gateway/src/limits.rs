//! Every bound of the gateway, in one place, related to each other by assertions the compiler checks.

use std::time::Duration;

/// Devices of which the last command is kept, and published again to a broker that comes back: 40 MB at most.
pub const COMMANDED_DEVICES_MAX: usize = 100_000;
/// Messages of `proof` topics that are kept until somebody asks for them.
pub const KEY_OFFERS_MAX: usize = 256;
/// Raw envelopes that wait for admission. When it is full, intake waits and says so in a metric.
pub const INTAKE_MAX: usize = 16_384;
/// Envelopes that one verification batch holds at most; batches of 1024 cost half of batches of 64 a signature.
pub const VERIFY_BATCH_MAX: usize = 1_024;
/// Verification batches that are under way at once, for each worker thread.
pub const VERIFY_BATCHES_PER_WORKER: usize = 2;
/// Worker threads of the verifier at most.
pub const VERIFY_WORKERS_MAX: usize = 64;

/// Device keys whose points are kept, of devices that sent since the start: 192 bytes each, and some to find it by.
pub const KEYS_CACHED_MAX: u32 = 1 << 20;

/// Transactions that close a block: fewer than the ledger allows, because whoever reads the state waits while a block is
/// executed.
pub const BLOCK_TRANSACTIONS_MAX: usize = 2_048;
/// Bytes of transactions that close a block.
pub const BLOCK_BYTES_MAX: usize = ledger::limits::BLOCK_BYTES_MAX;
/// A verified transaction waits for its block no longer than this.
pub const BLOCK_AGE_MAX_MILLISECONDS: u64 = 10;
/// Verified transactions that wait for a block.
pub const BATCH_MAX: usize = 4 * BLOCK_TRANSACTIONS_MAX;
/// Bytes of verified transactions that wait for a block of several validators.
pub const POOL_BYTES_MAX: usize = 16 * BLOCK_BYTES_MAX;

/// Bytes of a firmware image that is signed or published at most: more flash than any chip in sight has.
pub const FIRMWARE_IMAGE_BYTES_MAX: u64 = 16 << 20;
/// Messages of a firmware image that are under way to a broker at once.
pub const FIRMWARE_IN_FLIGHT_MAX: u16 = 64;
/// How long a broker may take to confirm one of them.
pub const FIRMWARE_PATIENCE: Duration = Duration::from_secs(30);

/// Devices whose newest ack waits for the broker, and refusals that do.
pub const OUTBOUND_MAX: usize = 65_536;
/// Refusal notices a device gets in a second at most; the rest is counted, not sent.
pub const REFUSED_NOTICES_PER_DEVICE_SECOND_MAX: u32 = 32;
/// Devices whose refusal notices are rate-limited one by one; beyond, they share one bucket.
pub const REFUSED_NOTICE_DEVICES_MAX: usize = 65_536;
/// How often the node's counters are remembered, to tell what happened lately.
pub const PULSE_INTERVAL: Duration = Duration::from_secs(5);
/// How far back what happened lately reaches; so many beats are kept as the interval goes into it, and two.
pub const PULSE_WINDOW: Duration = Duration::from_secs(5 * 60);
/// Fewer refused envelopes than this within the pulse's window are no spike.
pub const ALERT_REFUSED_MIN: u64 = 50;
/// Nor is a smaller share of what arrived, in thousandths.
pub const ALERT_REFUSED_PERMILLE: u64 = 100;
/// Seconds after an epoch's end without its block after which the height counts as stuck.
pub const ALERT_STUCK_SECONDS: u64 = 30;
/// Free bytes above the reserve below which the disk counts as nearly full.
pub const ALERT_DISK_BYTES: u64 = 1024 * 1024 * 1024;
/// Days over which what the pool pays out is averaged.
pub const PAYOUT_DAYS: u32 = 7;
/// A pool that lasts for less, as it is paid out, is running out: a week.
pub const ALERT_POOL_SECONDS: u64 = 7 * 86_400;
/// So is a treasury, where it and the pool together last for less: thirty days.
pub const ALERT_TREASURY_SECONDS: u64 = 30 * 86_400;
/// Refused readings of each reason that are kept for the operator to look at, the newest.
pub const REFUSED_SAMPLES_PER_REASON_MAX: usize = 32;
/// Devices whose finally refused sequences are remembered until they restart (they are volatile).
pub const SETTLED_OVERLAY_DEVICES_MAX: usize = 65_536;

/// Enrolments of virtual devices that wait for their answers at once.
pub const CITY_ENROLMENTS_MAX: usize = 1_024;

/// The last events, kept for readers of the event stream that are slow or were away.
pub const EVENTS_MAX: usize = 4_096;

/// A log segment is closed after the block that takes it beyond this.
pub const SEGMENT_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// A frame of the log holds at most this: the largest block with its length prefixes and its seal.
pub const FRAME_BYTES_MAX: usize = BLOCK_BYTES_MAX + 8 * BLOCK_TRANSACTIONS_MAX + 64 * 1024;
/// Bytes of a block that one message between validators carries.
pub const PART_BYTES_MAX: usize = 256 * 1024;
/// Parts of one block at most, its end among them.
pub const PARTS_MAX: u64 = (FRAME_BYTES_MAX / PART_BYTES_MAX) as u64 + 2;
/// Streams of parts that a validator has with this node at once.
pub const STREAMS_PER_VALIDATOR_MAX: usize = 4;
/// How long a proposer has before the others vote for no block, in the first round of a height.
pub const PROPOSE_TIMEOUT: Duration = Duration::from_millis(1_000);
/// How much longer for each device, where the block closes an epoch: made once and judged once, with room to spare.
pub const SETTLEMENT_PER_DEVICE: Duration = Duration::from_micros(20);
/// A height that begins so shortly before an epoch's end may close it.
pub const SETTLEMENT_SOON_MILLISECONDS: u64 = 2_000;
/// How much longer in each further round.
pub const PROPOSE_TIMEOUT_STEP: Duration = Duration::from_millis(500);
/// How long votes that disagree are waited for.
pub const VOTE_TIMEOUT: Duration = Duration::from_millis(500);
/// The longest of these, however many rounds there were.
pub const ROUND_TIMEOUT_MAX: Duration = Duration::from_secs(10);
/// How often validators tell one another how far they are.
pub const SYNC_STATUS_INTERVAL: Duration = Duration::from_secs(1);
/// How long blocks that were asked for are waited for.
pub const SYNC_TIMEOUT: Duration = Duration::from_secs(10);
/// Connections of the engine's network with one address: several validators may stand behind it.
pub const CONNECTIONS_PER_ADDRESS_MAX: usize = 64;
/// Peers that a validator publishes to without asking whether they have it already, at least; fewer where there are fewer.
pub const MESH_MIN: usize = 6;
/// The same, at most: what one sends goes out so often, and a large network passes it on.
pub const MESH_MAX: usize = 12;
/// Looks at the agreement after which a peer that is connected and does not say what it wants is disconnected.
pub const DEAF_LOOKS: u32 = 3;
/// Looks after which it is connected to anew.
pub const APART_LOOKS: u32 = 1;
/// Questions to the engine that wait.
pub const ENGINE_REQUESTS_MAX: usize = 64;
/// How long a gateway gathers transactions for a batch.
pub const BATCH_AGE_MAX_MILLISECONDS: u64 = 20;
/// How often the agreement is looked at where nothing happens.
pub const AGREEMENT_LOOK: Duration = Duration::from_secs(1);
/// How long the engine may take to say that it is there.
pub const ENGINE_PATIENCE: Duration = Duration::from_secs(5);
/// Signatures of a block below which no second core is worth its start.
pub const VERIFY_SHARE_MIN: usize = 64;
/// Sizes of the log whose checkpoints' signatures are gathered at once.
pub const CHECKPOINTS_GATHERED_MAX: usize = 64;
/// Blocks of heights to come that are kept until their turn.
pub const BLOCKS_AHEAD_MAX: usize = 8;
/// Blocks of one height that are kept executed: one a round, and rounds are few.
pub const BLOCKS_JUDGED_MAX: usize = 8;
/// What was said of blocks of one height, by so many proposers in so many rounds, at most.
pub const BLOCKS_SEEN_MAX: usize = 64;
/// Milliseconds that a proposed block's time may lie ahead of this node's clock.
pub const BLOCK_AHEAD_MAX_MILLISECONDS: u64 = 10_000;
/// How long validators rest when there is nothing to decide, at most.
pub const REST_MAX_MILLISECONDS: u64 = 10_000;
/// Bytes that name a stream of parts: height, round and a number of its sender's.
pub const STREAM_ID_BYTES: usize = 20;
/// Blocks that a validator sends a node that is behind at once.
pub const SYNC_BLOCKS_MAX: usize = 64;
/// Bytes of blocks that it sends at once; a single block may be larger.
pub const SYNC_BYTES_MAX: usize = 4 * 1024 * 1024;
/// What stays of a pruned block holds at most this: the statements of every device, where it closed an epoch.
pub const HISTORY_FRAME_BYTES_MAX: usize = 1024 * 1024 * 1024;
/// Bytes that stay free on the disk unless somebody says otherwise.
pub const DISK_RESERVE_BYTES: u64 = 64 * 1024 * 1024;
/// Free bytes above the reserve with which a node that stopped for a full disk goes on.
pub const DISK_RESUME_BYTES: u64 = 2 * LOG_RESERVE_BYTES;
/// How often a node that stopped for a full disk looks for room: no system tells when there is some.
pub const DISK_LOOK: Duration = Duration::from_millis(250);
/// Bytes that the log reserves at once behind its end, so that a block that is executed can also be written.
pub const LOG_RESERVE_BYTES: u64 = 4 * 1024 * 1024;
/// Log bytes after which a snapshot of the state is written.
pub const SNAPSHOT_LOG_BYTES: u64 = 64 * 1024 * 1024;
/// Blocks after which a snapshot of the state is written, even when they are small.
pub const SNAPSHOT_BLOCKS: u64 = 20_000;
/// Snapshots that are kept.
pub const SNAPSHOTS_KEPT: usize = 2;

/// States whose leaves are kept for proofs of balances.
pub const LEAVES_KEPT: usize = 2;
/// Bytes of leaves that are gathered before they are written.
pub const LEAVES_BUFFER_BYTES: usize = 256 * 1024;

/// Cache of the index; sled's own default is a gigabyte.
pub const INDEX_CACHE_BYTES: u64 = 32 * 1024 * 1024;
/// Entries of the log that are durable and wait for the index: so far it may be behind. Beyond, blocks wait for it.
pub const INDEX_QUEUE_ENTRIES_MAX: usize = 262_144;
/// Pairs of a key and a number that the index keeps in memory until they are a run's worth.
pub const INDEX_FRESH_PAIRS: usize = 262_144;
/// Pairs up to which runs of the index are joined.
pub const INDEX_RUN_PAIRS: u64 = 4 * INDEX_FRESH_PAIRS as u64;
/// Pairs in one value of a run.
pub const INDEX_CHUNK_PAIRS: usize = 512;
/// Sums of a day that the index keeps in memory, of each kind, until they are a run's worth.
pub const INDEX_FRESH_DAYS: usize = 131_072;
/// Sums of a day up to which runs of the index are joined; those of one and the same day are joined beyond it.
pub const INDEX_RUN_DAYS: u64 = 8 * INDEX_FRESH_DAYS as u64;
/// Sums of a day in one value of a run.
pub const INDEX_CHUNK_DAYS: usize = 256;
/// Statements in one value of the index.
pub const INDEX_STATEMENTS_PER_VALUE: usize = 16;
/// Transfers in one value of the index.
pub const INDEX_TRANSFERS_PER_VALUE: usize = 64;
/// How long a closing index is waited for before it is said to be in use.
pub const INDEX_CLOSING_MAX: Duration = Duration::from_secs(10);
/// How often its lock is looked at meanwhile: sled gives no event for it.
pub const INDEX_CLOSING_LOOK: Duration = Duration::from_millis(5);
/// Statements that one device can have for one epoch: its owners' in turn.
pub const OWNERS_IN_AN_EPOCH_MAX: usize = 16;
/// Items that one query returns at most.
pub const QUERY_ITEMS_MAX: usize = 10_000;

/// MQTT connections to the embedded broker.
pub const CONNECTIONS_MAX: usize = 10_000;
/// Bytes of one MQTT packet's payload: above the envelope's bound, so that an oversized one is refused with a reason.
pub const MQTT_PAYLOAD_BYTES_MAX: usize = 16 * 1024;
/// Longest packet that MQTT itself allows: what a client of an external broker must be able to read past.
pub const MQTT_PACKET_BYTES_MAX: usize = 268_435_460;
/// Seconds a new connection has for its CONNECT packet.
pub const CONNECT_SECONDS_MAX: u64 = 10;
/// Shortest wait before the next attempt to reach an external broker.
pub const RECONNECT_MILLISECONDS_MIN: u64 = 250;
/// Longest wait before the next attempt to reach an external broker.
pub const RECONNECT_MILLISECONDS_MAX: u64 = 30_000;
/// Acks and refusals that an external broker has not acknowledged: few, so that a busy broker takes fewer and newer ones.
pub const EXTERNAL_INFLIGHT_MAX: u16 = 64;
/// Acks and refusals that are handed to an external broker's link at once.
pub const EXTERNAL_BURST_MAX: usize = 16;

/// Transactions of one batch that a gateway submits to validators.
pub const LINK_BATCH_TRANSACTIONS_MAX: usize = 1_024;
/// Bytes of one such batch with its signature: several fit into a block.
pub const LINK_BATCH_BYTES_MAX: usize = 256 * 1024;
/// Bytes of a batch that are not its transactions': the signed word, two arrays and the heads of the byte strings.
pub const LINK_BATCH_OVERHEAD_BYTES: usize = 1 + 3 + devices::limits::GATEWAY_BATCH_BYTES_MAX + 3;
/// Bytes of a block's certificate: some hundred for each of the most validators.
pub const LINK_CERTIFICATE_BYTES_MAX: usize = 16 * 1024;
/// Bytes of a signed checkpoint.
pub const LINK_CHECKPOINT_BYTES_MAX: usize = 64 * 1024;
/// Bytes of one message to a validator.
pub const LINK_TO_VALIDATOR_BYTES_MAX: usize = LINK_BATCH_BYTES_MAX + 64;
/// Bytes of one message to a gateway.
pub const LINK_TO_GATEWAY_BYTES_MAX: usize = FRAME_BYTES_MAX + LINK_CERTIFICATE_BYTES_MAX + 64;
/// Gateways that one validator admits.
pub const LINK_GATEWAYS_MAX: usize = 256;
/// Handshakes that a validator has under way at once; a connection beyond them is closed.
pub const LINK_HANDSHAKES_MAX: usize = 64;
/// How long connecting may take, and the handshake with the first message after it.
pub const LINK_HANDSHAKE_PATIENCE: Duration = Duration::from_secs(5);
/// How often either side says something, if only that it is there.
pub const LINK_PULSE: Duration = Duration::from_secs(1);
/// A connection on which nothing came for so long is closed.
pub const LINK_SILENCE_MAX: Duration = Duration::from_secs(10);
/// How long a message that has begun may take, either way.
pub const LINK_MESSAGE_PATIENCE: Duration = Duration::from_secs(30);
/// Answers that wait to be written to one gateway; while there are as many, nothing more of it is read.
pub const LINK_ANSWERS_MAX: usize = 64;
/// Transactions of one gateway that were taken and wait for the validator's intake.
pub const LINK_WAITING_TRANSACTIONS_MAX: usize = 8_192;
/// Their bytes.
pub const LINK_WAITING_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Batches of one gateway that are remembered, so that none is handed on twice.
pub const LINK_REMEMBERED_BATCHES_MAX: usize = 4_096;
/// How long a batch is remembered: what is not final after that may be handed on again.
pub const LINK_REMEMBERED_MILLISECONDS: u64 = 20_000;
/// When a gateway that found no room may try again.
pub const LINK_FULL_RETRY_MILLISECONDS: u64 = 250;
/// Shortest wait before the next attempt to reach a validator.
pub const LINK_RECONNECT_MILLISECONDS_MIN: u64 = 100;
/// Longest wait before the next attempt to reach a validator.
pub const LINK_RECONNECT_MILLISECONDS_MAX: u64 = 2_000;
/// A connection that lasted longer than this was a good one: the next attempt does not wait longer for it.
pub const LINK_GOOD_MILLISECONDS: u64 = 2_000;
/// Batches in a gateway's durable outbox. When it is full, intake waits.
pub const OUTBOX_BATCHES_MAX: usize = 4_096;
/// Their bytes.
pub const OUTBOX_BYTES_MAX: u64 = 256 * 1024 * 1024;
/// Sequences that are set aside in one write of the outbox's counter.
pub const OUTBOX_SEQUENCES_AHEAD: u64 = 1_024;
/// Batches that are at validators and not final; the rest wait in the outbox.
pub const LINK_UNDER_WAY_MAX: usize = 64;
/// Messages that wait to be written to one validator.
pub const LINK_OUTGOING_MAX: usize = 2 * LINK_UNDER_WAY_MAX;
/// A batch that is not final after so long goes to more validators.
pub const LINK_FINAL_PATIENCE_MILLISECONDS: u64 = 3_000;
/// The patience doubles with every attempt, up to this.
pub const LINK_FINAL_PATIENCE_MILLISECONDS_MAX: u64 = 30_000;
/// Longest pause that a validator can ask for.
pub const LINK_PAUSE_MILLISECONDS_MAX: u64 = 10_000;
/// How long a validator is left alone that could not be told something, or says that a batch is no batch.
pub const LINK_REFUSED_PAUSE_MILLISECONDS: u64 = 1_000;
/// Blocks and checkpoints that were followed and wait for the host.
pub const LINK_FOLLOWED_MAX: usize = 16;
/// A validator that gives no block for so long while others have some is followed no more.
pub const LINK_BEHIND_MILLISECONDS: u64 = 2_000;
/// How long a validator is avoided that was behind, had pruned the block, or gave one that does not hold.
pub const LINK_AVOIDED_MILLISECONDS: u64 = 60_000;

const _: () = assert!(VERIFY_BATCH_MAX <= INTAKE_MAX);
const _: () = assert!(VERIFY_BATCH_MAX <= BATCH_MAX);
const _: () = assert!(BLOCK_TRANSACTIONS_MAX <= ledger::limits::BLOCK_TRANSACTIONS_MAX);
const _: () = assert!(BLOCK_TRANSACTIONS_MAX + VERIFY_BATCH_MAX <= BATCH_MAX);
const _: () = assert!(MQTT_PAYLOAD_BYTES_MAX > devices::limits::ENVELOPE_BYTES_MAX);
const _: () = assert!((FRAME_BYTES_MAX as u64) < SEGMENT_BYTES_MAX);
const _: () = assert!((FRAME_BYTES_MAX as u64) < LOG_RESERVE_BYTES);
const _: () = assert!(STUCK_AFTER.as_millis() as u64 > REST_MAX_MILLISECONDS, "rest is no standstill");
const _: () = assert!(RECONNECT_MILLISECONDS_MIN < RECONNECT_MILLISECONDS_MAX);
const _: () = assert!(EVENT_STREAMS_MAX < HTTP_CONNECTIONS_MAX);
const _: () =
    assert!(LINK_BATCH_BYTES_MAX > LINK_BATCH_OVERHEAD_BYTES + devices::limits::INSTRUCTION_BYTES_MAX + 3);
const _: () = assert!(LINK_BATCH_BYTES_MAX < BLOCK_BYTES_MAX);
const _: () = assert!(LINK_BATCH_TRANSACTIONS_MAX <= LINK_WAITING_TRANSACTIONS_MAX);
const _: () = assert!(LINK_BATCH_BYTES_MAX <= LINK_WAITING_BYTES_MAX);
const _: () = assert!(LINK_CHECKPOINT_BYTES_MAX + 64 <= LINK_TO_GATEWAY_BYTES_MAX);
const _: () = assert!(LINK_UNDER_WAY_MAX <= LINK_REMEMBERED_BATCHES_MAX);
const _: () = assert!((OUTBOX_BATCHES_MAX * LINK_BATCH_BYTES_MAX) as u64 >= OUTBOX_BYTES_MAX);
// A gateway that submits once more reaches every validator before any of them has forgotten the first time.
const _: () = assert!(LINK_FINAL_PATIENCE_MILLISECONDS < LINK_REMEMBERED_MILLISECONDS);
const _: () = assert!(LINK_REMEMBERED_MILLISECONDS < LINK_FINAL_PATIENCE_MILLISECONDS_MAX);
const _: () = assert!(LINK_RECONNECT_MILLISECONDS_MIN < LINK_RECONNECT_MILLISECONDS_MAX);
const _: () = assert!(2 * LINK_PULSE.as_secs() < LINK_SILENCE_MAX.as_secs());

/// Epochs that the operator's page settles anew at once.
pub const DRY_RUN_PAGE_EPOCHS_MAX: u64 = 10;
/// Entries of the log that the page executes again for that; the command executes any number.
pub const DRY_RUN_PAGE_ENTRIES_MAX: u64 = 1_000_000;
/// For how long it does so at most, one page at a time.
pub const DRY_RUN_PAGE_DURATION_MAX: Duration = Duration::from_secs(20);
/// Epochs that one dry run of a tariff settles anew.
pub const DRY_RUN_EPOCHS_MAX: u64 = 1_000_000;
/// Bytes that are copied at once.
pub const COPY_BYTES: usize = 1024 * 1024;
/// Seconds that a command waits for a node's answer.
pub const CLIENT_SECONDS_MAX: u64 = 60;
/// Bytes of a node's answer that a command reads.
pub const CLIENT_ANSWER_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Bytes of a file that a person names on the command line (a proof, a genesis document, a key).
pub const NAMED_FILE_BYTES_MAX: u64 = 1024 * 1024;

/// How many times as long as a reckoning of the running epoch took it is not reckoned again for a later block: so it
/// takes a tenth of the time at most.
pub const PREVIEW_REST_FACTOR: u32 = 9;
/// Whoever asks for the running epoch waits for a reckoning that took no longer than this the last time; a longer one is
/// done meanwhile, and the last one answers.
pub const PREVIEW_WAIT_MAX: Duration = Duration::from_millis(5);
/// A count of devices by how they do that took longer than this (some ten thousand devices) is not made again for every
/// page, but rests as a reckoning does.
pub const DEVICE_COUNT_MAX: Duration = Duration::from_millis(1);

/// How long no block comes in a network of several validators before the height counts as stuck: many times what a round
/// takes, a dead proposer's included.
pub const STUCK_AFTER: Duration = Duration::from_secs(15);

/// Bytes of a node's configuration file at most.
pub const CONFIGURATION_BYTES_MAX: u64 = 256 * 1024;
/// Milliseconds between the beginnings of two blocks of several validators, where the file says nothing.
pub const BLOCK_MILLISECONDS_DEFAULT: u64 = 250;
/// The least that it may say: below, validators would do nothing but vote.
pub const BLOCK_MILLISECONDS_MIN: u64 = 10;
/// The most: a height without a block for longer counts as stuck.
pub const BLOCK_MILLISECONDS_MAX: u64 = 5_000;
/// Turns that are counted as missed of one block at most.
pub const MISSED_TURNS_COUNTED_MAX: u32 = 256;
/// Contradictions of validators that a page shows, the newest.
pub const MISBEHAVIOURS_SHOWN_MAX: usize = 32;
/// Nodes that `lamppost network run` starts on one machine at most.
pub const NODES_OF_A_DIRECTORY_MAX: usize = 32;
/// How long one of them may take to serve: a gateway enrols its virtual devices before.
pub const NODE_START_MAX: Duration = Duration::from_secs(120);
/// How long one may take to end before it is killed.
pub const NODE_STOP_MAX: Duration = Duration::from_secs(20);
/// What a gateway may bring in a second, where nobody says otherwise.
pub const GATEWAY_ENVELOPES_PER_SECOND: u64 = 5_000;

/// Seconds without an accepted reading after which a device counts as silent, where the operator says nothing else.
pub const SILENT_AFTER_SECONDS: u64 = 300;
/// The longest that the operator may say: what was measured earlier is not accepted any more.
pub const SILENT_AFTER_SECONDS_MAX: u64 = 30 * 86_400;

/// Refused envelopes of a device, those that came a second time not counted, below which nobody is alarmed.
pub const REFUSED_ALERT_ENVELOPES_MIN: u64 = 10;
/// A device's owner is told when more than one in so many of the envelopes that it sent was refused.
pub const REFUSED_ALERT_ONE_IN: u64 = 20;

/// HTTP connections that are open at once; more wait until one closes.
pub const HTTP_CONNECTIONS_MAX: usize = 4_096;
/// Seconds a client has for a request's head.
pub const HTTP_HEAD_SECONDS_MAX: u64 = 10;
/// Seconds within which a request is answered; event streams are excepted.
pub const HTTP_ANSWER_SECONDS_MAX: u64 = 30;
/// Seconds that open requests get when the node stops.
pub const HTTP_STOP_SECONDS_MAX: u64 = 2;
/// Bytes of a request's body.
pub const HTTP_BODY_BYTES_MAX: usize = devices::limits::INSTRUCTION_BYTES_MAX;
/// Queries that read the disk at once; more wait.
pub const HTTP_QUERIES_MAX: usize = 32;
/// Items of a list that are returned when a query does not say how many.
pub const QUERY_ITEMS_DEFAULT: usize = 1_000;
/// Cells that the API gives at once; where there are more, larger cells are given.
pub const MAP_CELLS_MAX: usize = 5_000;
/// Bytes of the operator's own map that are read at once.
pub const MAP_PIECE_BYTES_MAX: usize = 16 * 1024 * 1024;
/// For how long a page that was drawn answers others who renew the same one.
pub const REFRESH_MILLISECONDS: u64 = 1_000;
/// Pages that are kept for that long.
pub const REFRESHES_MAX: usize = 256;
/// Bytes of such a page.
pub const REFRESH_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Event streams that are open at once: a page keeps one open.
pub const EVENT_STREAMS_MAX: usize = 2_048;
/// Longest wait between two deliveries of an event stream that asks for few.
pub const EVENT_PAUSE_MILLISECONDS_MAX: u64 = 60_000;
/// Seconds between the comments that keep an idle event stream open.
pub const EVENT_KEEP_ALIVE_SECONDS: u64 = 15;

/// How long a sign-in challenge, and a passkey ceremony under way, may be answered.
pub const CHALLENGE_MILLISECONDS: u64 = 2 * 60 * 1_000;
/// Challenges that wait for their answers.
pub const CHALLENGES_MAX: usize = 4_096;
/// Passkey ceremonies under way, of each kind.
pub const CEREMONIES_MAX: usize = 1_024;
/// How long the one-time link of `lamppost login` opens a session.
pub const LINK_MILLISECONDS: u64 = 10 * 60 * 1_000;
/// How long the one-time link of a node's first run opens a session.
pub const FIRST_LINK_MILLISECONDS: u64 = 60 * 60 * 1_000;
/// One-time links that wait to be used.
pub const LINKS_MAX: usize = 1_024;
/// A session that nobody used for so long has ended.
pub const SESSION_IDLE_MILLISECONDS: u64 = 12 * 60 * 60 * 1_000;
/// A session ends after so long, however it is used.
pub const SESSION_MILLISECONDS: u64 = 30 * 24 * 60 * 60 * 1_000;
/// How old the moment of a session's last use may be on the disk.
pub const SESSION_SEEN_MILLISECONDS: u64 = 5 * 60 * 1_000;
/// Sessions of accounts that the ledger knows; the one that was used longest ago makes room.
pub const SESSIONS_MAX: usize = 8_192;
/// Sessions of accounts that the ledger does not know yet: anybody can make such an account.
pub const SESSIONS_OF_STRANGERS_MAX: usize = 1_024;
/// Sessions of one account.
pub const SESSIONS_OF_ACCOUNT_MAX: usize = 16;
/// Characters of a browser's own name that are kept.
pub const USER_AGENT_CHARACTERS_MAX: usize = 120;
/// Passkeys in all.
pub const PASSKEYS_MAX: usize = 8_192;
/// Passkeys of one account.
pub const PASSKEYS_OF_ACCOUNT_MAX: usize = 8;
/// Characters of a passkey's name.
pub const PASSKEY_NAME_CHARACTERS_MAX: usize = 40;
/// Bytes of the file of sessions and passkeys.
pub const SIGN_IN_FILE_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Attempts to sign in that one address has at once.
pub const ATTEMPTS_OF_ADDRESS: u64 = 60;
/// Milliseconds after which an address has one attempt more.
pub const ATTEMPT_OF_ADDRESS_MILLISECONDS: u64 = 1_000;
/// Addresses whose attempts are counted one by one; beyond, they share one bucket.
pub const ADDRESSES_COUNTED_MAX: usize = 16_384;
/// Sign-ins that one account has at once.
pub const SIGN_INS_OF_ACCOUNT: u64 = 30;
/// Milliseconds after which an account has one sign-in more.
pub const SIGN_IN_OF_ACCOUNT_MILLISECONDS: u64 = 10_000;
/// Accounts whose sign-ins are counted one by one; beyond, they share one bucket.
pub const ACCOUNTS_COUNTED_MAX: usize = 16_384;
/// Characters of an address's query that are looked at.
pub const QUERY_BYTES_MAX: usize = 256;
/// Cookies of our name that are looked at in one request.
pub const COOKIES_MAX: usize = 4;

const _: () = assert!(SESSION_SEEN_MILLISECONDS < SESSION_IDLE_MILLISECONDS);
const _: () = assert!(SESSION_IDLE_MILLISECONDS < SESSION_MILLISECONDS);
const _: () = assert!(CHALLENGE_MILLISECONDS < LINK_MILLISECONDS);
const _: () =
    assert!(SESSIONS_OF_ACCOUNT_MAX < SESSIONS_OF_STRANGERS_MAX && SESSIONS_OF_STRANGERS_MAX < SESSIONS_MAX);
const _: () = assert!(DRY_RUN_PAGE_DURATION_MAX.as_secs() < HTTP_ANSWER_SECONDS_MAX);
// A passkey takes some two kilobytes of the file, a session half of one.
const _: () = assert!(
    ((PASSKEYS_MAX * 2_048 + (SESSIONS_MAX + SESSIONS_OF_STRANGERS_MAX) * 1_024) as u64)
        < SIGN_IN_FILE_BYTES_MAX
);

/// Statements that an audit keeps, the newest, to compare them with what a node says.
pub const AUDIT_STATEMENTS_MAX: usize = 100_000;
/// Accounts whose balances an audit asks a node for.
pub const AUDIT_ACCOUNTS_MAX: usize = 10_000;
/// Entries whose signatures an audit verifies together, on all cores: so many that a device has several among them.
pub const AUDIT_WINDOW_ENTRIES: usize = 32_768;
/// Their bytes.
pub const AUDIT_WINDOW_BYTES: usize = 16 * 1024 * 1024;
/// Windows that are verified, or wait for it, while the one before them is executed.
pub const AUDIT_WINDOWS_AHEAD: usize = 2;
/// Signatures of a window in one batch. More share a sum than in a node, because those of one device stand together.
pub const AUDIT_BATCH_MAX: usize = 2_048;
