//! Whose a device was when: the present owner and the former ones, so that what was read before an acceptance pays who
//! owned the device then, however late it arrives.

use crate::account::AccountId;
use crate::encoding::{Read, Written, array_of, read_account, read_option, write_account, write_option};
use crate::limits::{FORMER_OWNER_SECONDS, FORMER_OWNERS_MAX};
use alloc::boxed::Box;
use alloc::vec::Vec;
use devices::cbor::{DecodeError, Reader, Writer};

/// The owners of a device. A device without an owner can get one, but one with an owner always keeps one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ownership {
    present: Option<AccountId>,
    /// Oldest first; their times never decrease. None take no memory of their own.
    former: Box<[FormerOwner]>,
}

/// Somebody who owned a device until another accepted it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FormerOwner {
    /// Who.
    pub owner: AccountId,
    /// Time of the block in which the next owner accepted, in whole Unix seconds: what was read in an earlier second is
    /// still this owner's.
    pub until_unix_seconds: u64,
}

impl Ownership {
    /// The ownership that enrolment gives.
    #[must_use]
    pub fn of(owner: Option<AccountId>) -> Self {
        Self { present: owner, former: Box::default() }
    }

    /// Who owns the device now.
    #[must_use]
    pub fn present(&self) -> Option<AccountId> {
        self.present
    }

    /// Who owned it before, oldest first, as far back as records are still accepted.
    #[must_use]
    pub fn former(&self) -> &[FormerOwner] {
        &self.former
    }

    /// Whose a record is that is accepted now and was read in this Unix second. A record without a time of its own was
    /// read when it was accepted: the caller gives the block's time in whole seconds. The second of an acceptance itself
    /// goes by the order of arrival, and so to who owns the device when the record is accepted.
    ///
    /// ```
    /// use ledger::{account::AccountId, ownership::Ownership};
    /// let (seller, buyer) = (AccountId::from_bytes([1; 32]), AccountId::from_bytes([2; 32]));
    /// let mut ownership = Ownership::of(Some(seller));
    /// assert!(ownership.pass_to(buyer, 1_000));
    /// assert_eq!(ownership.owner_at(999), Some(seller));
    /// assert_eq!(ownership.owner_at(1_000), Some(buyer));
    /// ```
    #[must_use]
    pub fn owner_at(&self, read_unix_seconds: i64) -> Option<AccountId> {
        let before = |former: &&FormerOwner| match u64::try_from(read_unix_seconds) {
            Ok(read) => read < former.until_unix_seconds,
            Err(_) => true,
        };
        self.former.iter().find(before).map(|former| former.owner).or(self.present)
    }

    /// Whether another owner could be noted at this time without forgetting one whose records are still accepted.
    #[must_use]
    pub fn can_pass(&self, unix_seconds: u64) -> bool {
        self.remembered(unix_seconds).count() < FORMER_OWNERS_MAX
    }

    /// Gives the device to `owner` from this Unix second on; says no, and changes nothing, when too many owners would
    /// have to be remembered. A device without an owner has always been its first owner's.
    pub fn pass_to(&mut self, owner: AccountId, unix_seconds: u64) -> bool {
        let Some(former) = self.present else {
            self.present = Some(owner);
            return true;
        };
        if !self.can_pass(unix_seconds) {
            return false;
        }
        let former = FormerOwner { owner: former, until_unix_seconds: unix_seconds };
        self.former = self.remembered(unix_seconds).copied().chain([former]).collect();
        self.present = Some(owner);
        true
    }

    /// The former owners of whom records may still arrive.
    fn remembered(&self, unix_seconds: u64) -> impl Iterator<Item = &FormerOwner> {
        let recent = move |former: &&FormerOwner| {
            former.until_unix_seconds.saturating_add(FORMER_OWNER_SECONDS) >= unix_seconds
        };
        self.former.iter().filter(recent)
    }

    /// Writes `[present / null, [[owner, until]…]]`.
    pub(crate) fn write(&self, writer: &mut Writer<'_>) -> Written {
        writer.array_header(2)?;
        write_option(writer, self.present, write_account)?;
        writer.array_header(self.former.len())?;
        self.former.iter().try_for_each(|former| {
            writer.array_header(2)?;
            write_account(writer, former.owner)?;
            writer.unsigned(former.until_unix_seconds)
        })
    }

    /// Reads what [`Self::write`] wrote.
    pub(crate) fn read(reader: &mut Reader<'_>) -> Read<Self> {
        array_of(reader, 2)?;
        let present = read_option(reader, read_account)?;
        let count = reader.array_header()?;
        if count > FORMER_OWNERS_MAX || (present.is_none() && count > 0) {
            return Err(DecodeError::OutOfRange);
        }
        let mut former: Vec<FormerOwner> = Vec::with_capacity(count);
        for _ in 0..count {
            array_of(reader, 2)?;
            let owner = read_account(reader)?;
            let until_unix_seconds = reader.unsigned()?;
            if former.last().is_some_and(|last| last.until_unix_seconds > until_unix_seconds) {
                return Err(DecodeError::OutOfRange);
            }
            former.push(FormerOwner { owner, until_unix_seconds });
        }
        Ok(Self { present, former: former.into() })
    }
}
