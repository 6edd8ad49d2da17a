//! Every bound of the ledger in one place, with the relations between them checked when it is compiled.

/// Transactions that one block holds at most.
pub const BLOCK_TRANSACTIONS_MAX: usize = 8_192;
/// Bytes of transactions that one block holds at most.
pub const BLOCK_BYTES_MAX: usize = 1_000_000;
/// Bytes of one log entry at most: tlog-tiles prefix an entry with a 16-bit length.
pub const ENTRY_BYTES_MAX: usize = 65_535;
/// Seconds that a record's time may lie ahead of the block's time.
pub const FUTURE_SECONDS_MAX: i64 = 300;
/// Seconds that a record's time may lie behind the block's time: 30 days.
pub const AGE_SECONDS_MAX: i64 = 30 * 86_400;
/// Envelopes that one device may have accepted in one epoch.
pub const ENVELOPES_PER_DEVICE_EPOCH_MAX: u32 = 100_000;
/// Counts under a device's highest one that may still arrive (contract: a 64-wide window).
pub const WINDOW_COUNTS: u32 = 64;

/// Characters of a network id at most.
pub const NETWORK_BYTES_MAX: usize = 32;
/// Bytes of a checkpoint's origin or of a validator's name at most.
pub const NAME_BYTES_MAX: usize = 128;
/// Validators of a network at most.
pub const VALIDATORS_MAX: usize = 64;
/// Changes of the validators that the state keeps at most.
pub const VALIDATOR_CHANGES_MAX: usize = 512;
/// Bytes of the document of the validators' changes at most.
pub const VALIDATORS_DOCUMENT_BYTES_MAX: usize = 16 * 1_024 * 1_024;
/// Bytes of one validator's approval of a change, as base64 on a line of that document, at most.
const APPROVAL_LINE_BYTES_MAX: usize = APPROVAL_BYTES_MAX.div_ceil(3) * 4 + 1;
/// Bytes of one approval at most: tag, array, a header with the key, the instruction with the longest name, signature.
const APPROVAL_BYTES_MAX: usize = 2 + 2 + 96 + 1 + 3 + (1 + 14 + 9 + 3 + NAME_BYTES_MAX + 34) + 66;
/// Times that one validator's misbehaviour is recorded at most: what more there is changes nobody's mind.
pub const MISBEHAVIOURS_PER_VALIDATOR_MAX: usize = 8;
/// Bytes of one record of misbehaviour in the state at most.
const MISBEHAVIOUR_BYTES_MAX: usize = 1 + 34 + 12 + 9 + 5 + 9;
/// Seconds of an epoch at most: 31 days.
pub const EPOCH_SECONDS_MAX: u64 = 31 * 86_400;

/// Quantities of one tariff at most.
pub const TARIFF_QUANTITIES_MAX: usize = 32;
/// Bytes of a quantity's full name at most: a SenML base name and a name of 32 each.
pub const QUANTITY_NAME_BYTES_MAX: usize = 64;
/// Bytes of a unit at most.
pub const UNIT_BYTES_MAX: usize = 16;
/// Micro-tokens that one record may cost at most: a thousand tokens.
pub const PRICE_MICROTOKENS_MAX: u64 = 1_000_000_000;
/// Records of one quantity that a device is paid for in one epoch, at most.
pub const PAID_RECORDS_MAX: u32 = 1_000_000;
/// The finest resolution of H3.
pub const CELL_RESOLUTION_MAX: u8 = 15;
/// Seconds of a quantity's expected interval at most: a day.
pub const INTERVAL_SECONDS_MAX: u32 = 86_400;
/// Seconds after which a record counts as late, at most: nothing older is accepted.
pub const LATE_AFTER_SECONDS_MAX: u32 = 30 * 86_400;
/// Versions of the tariff that the state keeps at most.
pub const TARIFF_VERSIONS_MAX: usize = 1_024;
/// The magnitude of a plausible value at most, so that sums of squares fit 128 bits.
pub const VALUE_MAX: u32 = 1_000_000_000;
/// Thousandths of a bound in the tariff at most: a thousand times.
pub const PERMILLE_MAX: u32 = 1_000_000;
/// Parts of an epoch whose means are compared with the neighbours': enough to see a drift, few enough to hold.
pub const SLOTS: usize = 6;
/// Records of a part of an epoch below which its mean is not compared.
pub const SLOT_RECORDS_MIN: u32 = 3;
/// Parts of an epoch that must be comparable before a device is compared at all.
pub const SLOTS_JUDGED_MIN: usize = 3;
/// Other devices below which there is no neighbourhood: a median of three stands one liar.
pub const NEIGHBOURS_MIN: usize = 3;
/// Records below which a series' texture is not judged.
pub const TEXTURE_RECORDS_MIN: u32 = 100;
/// Consecutive values that are hashed together to recognise a copied series.
pub const SHINGLE_VALUES: usize = 6;
/// Of these, how many must differ: a flat stretch is common to all.
pub const SHINGLE_DISTINCT_MIN: usize = 4;
/// Hashes of a series that are kept on average, however long the epoch.
pub const SAMPLES_MEAN: u64 = 16;
/// Hashes of a series that are kept at most.
pub const SAMPLES_MAX: usize = 24;
/// Hashes below which a series is not compared with others.
pub const SAMPLES_MIN: usize = 4;
/// One hash in so many that others sent before makes a series a copy: a copied half of a day is then found nearly always,
/// while honest sensors have less than one in a hundred in common.
pub const COPIED_ONE_IN: usize = 4;
/// Hashes that one original must explain before they count: a single one may be chance among many devices.
pub const SAMPLES_OF_ORIGINAL_MIN: usize = 2;
/// Lines of a statement that name a quantity outside the tariff; the rest are counted together.
pub const UNPRICED_LINES_MAX: usize = 16;

/// Bytes of a transfer's memo at most.
pub const MEMO_BYTES_MAX: usize = 140;
/// Bytes of the reason that a revocation or a correction gives, at most.
pub const WHY_BYTES_MAX: usize = 280;

/// Former owners of a device that are remembered at once.
pub const FORMER_OWNERS_MAX: usize = 8;
/// Seconds for which a former owner is remembered: 31 days, longer than any record may be late.
pub const FORMER_OWNER_SECONDS: u64 = 31 * 86_400;

/// Signature lines of a note at most (C2SP signed-note: at least 16 must be accepted).
pub const NOTE_SIGNATURES_MAX: usize = 64;
/// Bytes of a signed checkpoint at most.
pub const CHECKPOINT_BYTES_MAX: usize = 16_384;
/// Bytes of a receipt at most: the entry in base64, 64 hashes and the checkpoint.
pub const RECEIPT_BYTES_MAX: usize = 128 * 1_024;

/// Bytes of a state proof at most: the leaf in base64, its path and the receipt of a seal.
pub const STATE_PROOF_BYTES_MAX: usize = 1_024 * 1_024;
/// Bytes of a consistency proof at most: the path and two signed checkpoints.
pub const CONSISTENCY_PROOF_BYTES_MAX: usize = 40 * 1_024;

/// Hashes of a full tile (C2SP tlog-tiles).
pub const TILE_WIDTH: u64 = 256;
/// Levels of a binary tree of at most 2^64 entries.
pub const TREE_LEVELS_MAX: u32 = 64;

const _: () = assert!(LATE_AFTER_SECONDS_MAX as i64 <= AGE_SECONDS_MAX);
const _: () = assert!(devices::limits::ENVELOPE_BYTES_MAX <= ENTRY_BYTES_MAX);
const _: () = assert!(devices::limits::INSTRUCTION_BYTES_MAX <= ENTRY_BYTES_MAX);
const _: () = assert!(devices::limits::INSTRUCTION_BYTES_MAX <= BLOCK_BYTES_MAX);
const _: () = assert!(FORMER_OWNER_SECONDS > AGE_SECONDS_MAX as u64, "a late record finds its owner");
const _: () = assert!(VALIDATORS_MAX <= NOTE_SIGNATURES_MAX);
const _: () = assert!(
    128 + VALIDATOR_CHANGES_MAX
        * (27 + crate::validators::quorum_of(VALIDATORS_MAX) * APPROVAL_LINE_BYTES_MAX)
        <= VALIDATORS_DOCUMENT_BYTES_MAX
);
// The leaf of the validators fits a state proof, in base64, whoever there ever was.
const _: () = assert!(
    ((VALIDATORS_MAX + VALIDATOR_CHANGES_MAX) * MISBEHAVIOURS_PER_VALIDATOR_MAX * MISBEHAVIOUR_BYTES_MAX
        + VALIDATORS_MAX * 4 * (NAME_BYTES_MAX + 64))
        * 4
        / 3
        + RECEIPT_BYTES_MAX
        <= STATE_PROOF_BYTES_MAX
);
// A device's reward for one epoch fits a u64 whatever the tariff says.
const _: () = assert!(
    (PRICE_MICROTOKENS_MAX as u128) * (PAID_RECORDS_MAX as u128) * (TARIFF_QUANTITIES_MAX as u128)
        <= u64::MAX as u128
);
// Base64 takes four characters for three bytes; a path has at most 65 lines of 45 bytes.
const _: () = assert!(ENTRY_BYTES_MAX / 3 * 4 + 8 + 65 * 45 + 64 + CHECKPOINT_BYTES_MAX <= RECEIPT_BYTES_MAX);
const _: () = assert!(65 * 45 + 64 + 2 * CHECKPOINT_BYTES_MAX <= CONSISTENCY_PROOF_BYTES_MAX);
const _: () = assert!(RECEIPT_BYTES_MAX < STATE_PROOF_BYTES_MAX);
// The window's bits are kept in a u64.
const _: () = assert!(WINDOW_COUNTS == u64::BITS);
