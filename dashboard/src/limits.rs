//! Every bound of the pages: how many rows a page asks for, so that none grows beyond 60 KB.

/// Devices on one page of the home list.
pub const HOME_DEVICES_MAX: usize = 40;
/// Readings a device's page asks for.
pub const READINGS_MAX: usize = 48;
/// Readings that a chart asks the API for: as many as it gives.
pub const API_READINGS_MAX: usize = 10_000;
/// Rows of the readings table: one envelope may hold measurements of many times.
pub const READING_ROWS_MAX: usize = 48;
/// Charts (and table columns) of a device's page.
pub const SERIES_MAX: usize = 6;
/// Statements written out on a device's page.
pub const DEVICE_STATEMENTS_MAX: usize = 2;
/// Statements on one page of their list.
pub const STATEMENTS_MAX: usize = 40;
/// Devices on an account's page.
pub const ACCOUNT_DEVICES_MAX: usize = 20;
/// Transfers on an account's page.
pub const ACCOUNT_TRANSFERS_MAX: usize = 20;
/// Statements on an account's page.
pub const ACCOUNT_STATEMENTS_MAX: usize = 15;
/// Transfers on a transaction's page.
pub const TRANSACTION_TRANSFERS_MAX: usize = 25;
/// Entries on one page of a block.
pub const BLOCK_ENTRIES_MAX: usize = 60;
/// Characters of a name that came from outside.
pub const NAME_CHARACTERS_MAX: usize = 40;
/// Characters of an instruction's argument (a memo may be long).
pub const ARGUMENT_CHARACTERS_MAX: usize = 400;
/// Longest path segment that is looked up at all.
pub const PATH_SEGMENT_BYTES_MAX: usize = 128;
/// Characters that are searched for.
pub const SEARCH_CHARACTERS_MAX: usize = 128;
/// Cells drawn on the map's page; where there are more, larger cells are drawn.
pub const MAP_CELLS_MAX: usize = 120;
/// Points of the coasts on it.
pub const COAST_POINTS_MAX: usize = 1_500;
/// Cells written out beside the map.
pub const MAP_ROWS_MAX: usize = 20;
/// Devices of a cell that are listed.
pub const CELL_DEVICES_MAX: usize = 40;
/// Versions of firmware that are listed, the most common first.
pub const FIRMWARE_VERSIONS_MAX: usize = 20;
/// Silent devices on one page of the fleet.
pub const FLEET_DEVICES_MAX: usize = 40;
/// Accounts whose pay a rehearsed tariff changes most, that are listed.
pub const REHEARSED_PAYEES_MAX: usize = 40;
/// Bytes of a proposed tariff's form: JSON as forms send it takes up to three times its size.
pub const PROPOSAL_BYTES_MAX: usize = 256 * 1024;
/// Epochs' ends that an auditor is shown.
pub const AUDIT_ENDS_MAX: usize = 12;
/// Devices on one page of an owner's home.
pub const MINE_DEVICES_MAX: usize = 25;
/// Days of an owner's bars.
pub const MINE_DAYS: u32 = 30;
/// Days that today is compared with.
pub const MEAN_DAYS: u32 = 7;
/// Devices that need attention, on an owner's home.
pub const MINE_ALERTS_MAX: usize = 8;
/// Devices that are offered to an owner, on their home.
pub const MINE_OFFERS_MAX: usize = 8;
/// Transfers on one page of an owner's payouts.
pub const PAYOUTS_MAX: usize = 40;
/// Characters of what was typed that a page shows again.
pub const TYPED_CHARACTERS_MAX: usize = 200;
/// No page is larger than this before it is packed.
pub const PAGE_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Packing less than this gains nothing.
pub const PACKED_BYTES_MIN: usize = 1_024;

const _: () = assert!(MEAN_DAYS < MINE_DAYS, "the mean's days are among the bars");
const _: () = assert!(READING_ROWS_MAX >= READINGS_MAX, "every reading asked for has a row");
