//! Every bound of the store, with the assertions that relate them.

/// Bytes of the largest page.
pub const PAGE_BYTES_MAX: usize = 512;
/// Bytes for one page as it lies in flash: its number, and room for the largest word of a flash.
pub(crate) const BUFFER_BYTES: usize = PAGE_BYTES_MAX + 64;
/// Bytes that lie before each page in flash, beside its number: lengths and checksums of sequential-storage.
pub(crate) const ITEM_OVERHEAD_BYTES: usize = 8;
/// Bytes of a page's number.
pub(crate) const NUMBER_BYTES: usize = 2;
/// Percent of the flash, without the sector that is kept erased, that may be taken by all pages together. What is left is
/// what can be written between two erasures.
pub const FILL_PERCENT_MAX: usize = 60;

const _: () = assert!(FILL_PERCENT_MAX < 100);
