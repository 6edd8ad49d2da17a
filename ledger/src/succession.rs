//! The validators as the state keeps them: how they came to be, which change is approved or agreed on, and whose
//! misbehaviour was shown.

use crate::approval::Approval;
use crate::encoding::{Read, Written, array_of, read_option, write_option};
use crate::evidence::{Evidence, MisbehaviourKind};
use crate::genesis::Genesis;
use crate::handovers::Handovers;
use crate::instruction::read_key;
use crate::limits::MISBEHAVIOURS_PER_VALIDATOR_MAX;
use crate::validators::{ValidatorChange, Validators};
use alloc::vec::Vec;
use devices::cbor::{Reader, Writer};
use devices::identity::PublicKey;

/// A change that more than two thirds of the present validators approved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScheduledChange {
    change: ValidatorChange,
    from_epoch: u64,
    approvals: Vec<Vec<u8>>,
}

impl ScheduledChange {
    /// What changes.
    #[must_use]
    pub fn change(&self) -> &ValidatorChange {
        &self.change
    }

    /// The epoch that begins with it: the block that settles the one before is the last of those before the change.
    #[must_use]
    pub fn from_epoch(&self) -> u64 {
        self.from_epoch
    }
}

/// That a validator contradicted itself, as it was shown to the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Misbehaviour {
    /// Whose key signed both statements.
    pub validator: PublicKey,
    /// What was done twice.
    pub kind: MisbehaviourKind,
    /// The height; of two checkpoints the log's size that both speak of.
    pub height: u64,
    /// The round; 0 of two checkpoints.
    pub round: u32,
    /// The log entry with the evidence.
    pub entry_index: u64,
}

impl Misbehaviour {
    /// Whether the evidence shows this very misbehaviour.
    #[must_use]
    pub fn is_shown_by(&self, evidence: &Evidence) -> bool {
        (&self.validator, self.kind, (self.height, self.round))
            == (evidence.validator(), evidence.kind(), evidence.place())
    }

    pub(crate) fn write(&self, writer: &mut Writer<'_>) -> Written {
        writer.array_header(5)?;
        writer.bytes(self.validator.as_bytes())?;
        writer.text(self.kind.as_str())?;
        writer.unsigned(self.height)?;
        writer.unsigned(self.round.into())?;
        writer.unsigned(self.entry_index)
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Read<Self> {
        array_of(reader, 5)?;
        Ok(Self {
            validator: read_key(reader)?,
            kind: MisbehaviourKind::read(reader)?,
            height: reader.unsigned()?,
            round: reader.unsigned_32()?,
            entry_index: reader.unsigned()?,
        })
    }
}

/// Who decides, who decided, and who is to decide.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Succession {
    handovers: Handovers,
    /// Of the present version, in the order in which they came; one a validator.
    approvals: Vec<Approval>,
    scheduled: Option<ScheduledChange>,
    misbehaviours: Vec<Misbehaviour>,
}

impl Succession {
    pub(crate) fn of_genesis(genesis: &Genesis) -> Self {
        Self {
            handovers: Handovers::of_genesis(genesis),
            approvals: Vec::new(),
            scheduled: None,
            misbehaviours: Vec::new(),
        }
    }

    pub(crate) fn handovers(&self) -> &Handovers {
        &self.handovers
    }

    pub(crate) fn present(&self) -> &Validators {
        self.handovers.present()
    }

    pub(crate) fn approvals(&self) -> &[Approval] {
        &self.approvals
    }

    pub(crate) fn scheduled(&self) -> Option<&ScheduledChange> {
        self.scheduled.as_ref()
    }

    pub(crate) fn misbehaviours(&self) -> &[Misbehaviour] {
        &self.misbehaviours
    }

    /// Whether the network began with one validator, which decides alone for good: its state keeps nothing of all this.
    pub(crate) fn is_lone(&self) -> bool {
        self.handovers.version(0).is_none_or(|first| first.len() <= 1)
    }

    /// Takes a validator's word in the place of its earlier one; with enough of them the change takes effect when the
    /// running epoch ends.
    pub(crate) fn approve(&mut self, approval: Approval, running_epoch: u64) {
        let change = approval.change().clone();
        self.approvals.retain(|other| other.validator() != approval.validator());
        self.approvals.push(approval);
        let agreeing = self.approvals.iter().filter(|approval| *approval.change() == change);
        let approvals: Vec<Vec<u8>> = agreeing.map(|approval| approval.envelope().to_vec()).collect();
        if approvals.len() >= self.present().quorum() {
            let from_epoch = running_epoch.saturating_add(1);
            self.scheduled = Some(ScheduledChange { change, from_epoch, approvals });
            // The other words are about validators that will no longer be those.
            self.approvals.clear();
        }
    }

    /// Whether a change takes effect with the block that begins this epoch.
    pub(crate) fn changes_with(&self, epoch: u64) -> bool {
        self.scheduled.as_ref().is_some_and(|scheduled| scheduled.from_epoch <= epoch)
    }

    /// The scheduled change takes effect behind a block after which the log has so many entries.
    pub(crate) fn hand_over(&mut self, log_size: u64) {
        if let Some(ScheduledChange { change, approvals, .. }) = self.scheduled.take() {
            let done = self.handovers.append(log_size, change, approvals);
            done.expect("a change is judged before it is approved, and one is scheduled at a time");
        }
    }

    /// Whether this very misbehaviour was shown before.
    pub(crate) fn knows(&self, evidence: &Evidence) -> bool {
        self.misbehaviours.iter().any(|known| known.is_shown_by(evidence))
    }

    /// Whether enough is known of this validator.
    pub(crate) fn knows_enough_of(&self, validator: &PublicKey) -> bool {
        let of_validator = self.misbehaviours.iter().filter(|known| known.validator == *validator);
        of_validator.count() >= MISBEHAVIOURS_PER_VALIDATOR_MAX
    }

    pub(crate) fn record(&mut self, misbehaviour: Misbehaviour) {
        self.misbehaviours.push(misbehaviour);
    }

    /// Everything of it, for a snapshot: what genesis says is left out.
    pub(crate) fn write(&self, writer: &mut Writer<'_>) -> Written {
        writer.array_header(4)?;
        writer.array_header(self.handovers.changes().count())?;
        for (size, approvals) in self.handovers.approvals() {
            writer.array_header(2)?;
            writer.unsigned(size)?;
            write_envelopes(writer, approvals.iter().map(Vec::as_slice))?;
        }
        write_envelopes(writer, self.approvals.iter().map(Approval::envelope))?;
        write_option(writer, self.scheduled.as_ref(), |writer, scheduled| {
            writer.array_header(2)?;
            writer.unsigned(scheduled.from_epoch)?;
            write_envelopes(writer, scheduled.approvals.iter().map(Vec::as_slice))
        })?;
        writer.array_header(self.misbehaviours.len())?;
        self.misbehaviours.iter().try_for_each(|misbehaviour| misbehaviour.write(writer))
    }

    /// Reads what [`Self::write`] wrote; every approval is judged again. `None` in the inner place says that one does not
    /// hold.
    pub(crate) fn read(reader: &mut Reader<'_>, genesis: &Genesis) -> Read<Option<Self>> {
        let mut succession = Self::of_genesis(genesis);
        array_of(reader, 4)?;
        let mut holds = true;
        for _ in 0..reader.array_header()? {
            array_of(reader, 2)?;
            let (size, approvals) = (reader.unsigned()?, read_envelopes(reader)?);
            holds = holds && succession.handovers.follow(size, approvals).is_ok();
        }
        for envelope in read_envelopes(reader)? {
            holds = holds && succession.approve_again(&envelope);
        }
        let scheduled = read_option(reader, |reader| {
            array_of(reader, 2)?;
            Ok((reader.unsigned()?, read_envelopes(reader)?))
        })?;
        if let Some((from_epoch, approvals)) = scheduled {
            let agreed = crate::approval::agreed(&approvals, succession.present(), &genesis.network);
            holds = holds && agreed.is_ok() && succession.approvals.is_empty();
            succession.scheduled =
                agreed.ok().map(|change| ScheduledChange { change, from_epoch, approvals });
        }
        for _ in 0..reader.array_header()? {
            succession.misbehaviours.push(Misbehaviour::read(reader)?);
        }
        Ok(holds.then_some(succession))
    }

    /// Whether an approval of a snapshot holds and is still waiting for others.
    fn approve_again(&mut self, envelope: &[u8]) -> bool {
        match Approval::verify(envelope, self.present(), self.handovers.network()) {
            // A validator's earlier word is not kept.
            Ok(approval) if self.approvals.iter().all(|other| other.validator() != approval.validator()) => {
                self.approve(approval, 0);
                self.scheduled.is_none()
            }
            _ => false,
        }
    }
}

fn write_envelopes<'e>(
    writer: &mut Writer<'_>,
    envelopes: impl ExactSizeIterator<Item = &'e [u8]>,
) -> Written {
    writer.array_header(envelopes.len())?;
    envelopes.into_iter().try_for_each(|envelope| writer.bytes(envelope))
}

fn read_envelopes(reader: &mut Reader<'_>) -> Read<Vec<Vec<u8>>> {
    (0..reader.array_header()?).map(|_| reader.bytes().map(<[u8]>::to_vec)).collect()
}
