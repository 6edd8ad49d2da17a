//! What a device says of its firmware: a record named `firmware:VERSION` with the value true, in any envelope; mostly the
//! first after a start. It is signed as every reading is, and paid for by no tariff that does not name it.

use std::sync::LazyLock;

use devices::{DeviceId, Value};
use ledger::block::Entry;
use memchr::memmem::Finder;

/// How the record's name begins.
const NAME_BEGINS: &str = "firmware:";

/// Made once: to make it takes longer than to look through an entry.
static FINDER: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(NAME_BEGINS));

/// The device of an entry and the version that it says, if it says one.
///
/// ```
/// assert_eq!(gateway::firmware::said_in(b"no entry at all, though it has firmware: in it"), None);
/// ```
pub fn said_in(entry: &[u8]) -> Option<(DeviceId, String)> {
    // Hardly any entry says it, and most are only looked through for these bytes.
    FINDER.find(entry)?;
    let Entry::Reading(reading) = Entry::decode(entry)? else { return None };
    let pack = reading.pack();
    let version = pack.resolved().filter(|record| record.value == Value::Boolean(true)).find_map(|record| {
        let name = format!("{}{}", record.base_name, record.name);
        name.strip_prefix(NAME_BEGINS).filter(|version| !version.is_empty()).map(ToOwned::to_owned)
    });
    Some((reading.kid(), version?))
}
