//! What a device says of itself in records with the value true, in any envelope: `firmware:VERSION`, mostly in the first
//! after a start, and `config:COUNTER`, that it took its owner's command of this counter. They are signed as every reading
//! is, and paid for by no tariff that does not name them.

use std::sync::LazyLock;

use devices::{DeviceId, Value};
use ledger::block::Entry;
use memchr::memmem::Finder;

/// How the records' names begin.
const FIRMWARE: &str = "firmware:";
const CONFIRMED: &str = "config:";

/// Made once: to make it takes longer than to look through an entry.
static FIND_FIRMWARE: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(FIRMWARE));
static FIND_CONFIRMED: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(CONFIRMED));

/// The device of an entry and the version that it says, if it says one.
///
/// ```
/// assert_eq!(gateway::firmware::said_in(b"no entry at all, though it has firmware: in it"), None);
/// ```
pub fn said_in(entry: &[u8]) -> Option<(DeviceId, String)> {
    said(entry, &FIND_FIRMWARE, FIRMWARE).filter(|(_, version)| !version.is_empty())
}

/// The device of an entry and the counter of the command that it says it took, if it says so.
pub fn confirmed_in(entry: &[u8]) -> Option<(DeviceId, u64)> {
    let (kid, counter) = said(entry, &FIND_CONFIRMED, CONFIRMED)?;
    Some((kid, counter.parse().ok()?))
}

/// The device of an entry and how the name of a true record goes on that begins so; of several the last one's.
fn said(entry: &[u8], finder: &Finder<'_>, begins: &str) -> Option<(DeviceId, String)> {
    // Hardly any entry says it, and most are only looked through for these bytes.
    finder.find(entry)?;
    let Entry::Reading(reading) = Entry::decode(entry)? else { return None };
    let pack = reading.pack();
    let said = pack.resolved().filter(|record| record.value == Value::Boolean(true)).filter_map(|record| {
        let name = format!("{}{}", record.base_name, record.name);
        name.strip_prefix(begins).map(ToOwned::to_owned)
    });
    let last = said.last()?;
    Some((reading.kid(), last))
}
