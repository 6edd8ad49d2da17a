//! Where a pruned log begins: the small file whose replacement switches from the old log to the pruned one.

use std::fmt;
use std::str::FromStr;

use ledger::merkle::Hash;

/// The name of the base's file in the log's directory.
pub const BASE_FILE: &str = "base";
/// Its first line.
const FIRST_LINE: &str = "lamppost log base 1";

/// The block after which the log goes on whole. What was before it lies in three files beside: `HEIGHT.history` with
/// what was kept of each block, `HEIGHT.leaves` with the leaf hash of every entry, `HEIGHT.snapshot` with the state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Base {
    /// Height of the last block of the history, which closed an epoch.
    pub height: u64,
    /// Entries up to and with that block.
    pub entries: u64,
    /// Time of that block, Unix milliseconds.
    pub time_unix_milliseconds: u64,
    /// Number of the first segment.
    pub segment: u32,
    /// Root of the log over these entries.
    pub log_root: Hash,
}

impl Base {
    /// The file that keeps what stays of the pruned blocks.
    pub fn history(&self) -> String {
        format!("{}.history", self.height)
    }

    /// The file of leaf hashes, 32 bytes each.
    pub fn leaves(&self) -> String {
        format!("{}.leaves", self.height)
    }

    /// The file with the state after the base.
    pub fn snapshot(&self) -> String {
        format!("{}.snapshot", self.height)
    }

    /// The file of the first segment, which begins behind the base.
    pub fn first_segment(&self) -> String {
        format!("{:08}.from-{}.segment", self.segment, self.height.saturating_add(1))
    }

    fn body(&self) -> String {
        format!(
            "{FIRST_LINE}\nheight {}\nentries {}\ntime {}\nsegment {}\nlog-root {}\n",
            self.height,
            self.entries,
            self.time_unix_milliseconds,
            self.segment,
            hex::encode(self.log_root)
        )
    }
}

impl fmt::Display for Base {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let body = self.body();
        writeln!(out, "{body}crc32c {:08x}", crc32c::crc32c(body.as_bytes()))
    }
}

/// The text is no base, or was altered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it does not say where the log begins")]
pub struct NoBase;

impl FromStr for Base {
    type Err = NoBase;

    /// Reads what `Display` wrote, and nothing else.
    fn from_str(text: &str) -> Result<Base, NoBase> {
        let mut lines = text.lines().skip(1);
        let mut value = |name: &str| lines.next()?.strip_prefix(name)?.strip_prefix(' ');
        let mut read = || {
            let base = Base {
                height: value("height")?.parse().ok()?,
                entries: value("entries")?.parse().ok()?,
                time_unix_milliseconds: value("time")?.parse().ok()?,
                segment: value("segment")?.parse().ok()?,
                log_root: hex::decode(value("log-root")?).ok()?.try_into().ok()?,
            };
            (base.to_string() == text).then_some(base)
        };
        read().ok_or(NoBase)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_reads_back_and_an_altered_one_does_not() {
        let base = Base {
            height: 12,
            entries: 345,
            time_unix_milliseconds: 1_800_000_000_000,
            segment: 2,
            log_root: [0xab; 32],
        };
        let text = base.to_string();
        assert_eq!(text.parse(), Ok(base));
        for at in 0..text.len() {
            let mut bytes = text.clone().into_bytes();
            bytes[at] ^= 1;
            assert_eq!(String::from_utf8(bytes).unwrap().parse::<Base>(), Err(NoBase), "byte {at}");
        }
    }
}
