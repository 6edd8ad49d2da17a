//! The leaf of the state that says who decides: present in networks that began with several validators.

use crate::encoding::{Read, Written, array_of, read_option, write_option};
use crate::instruction::read_key;
use crate::limits::VALIDATORS_MAX;
use crate::succession::{Misbehaviour, Succession};
use crate::validators::{ValidatorChange, Validators, read_validator, write_validator};
use alloc::vec::Vec;
use devices::cbor::{DecodeError, Reader, Writer};
use devices::identity::PublicKey;

/// Its first item.
pub(crate) const WORD: &str = "validators";

/// What the leaf says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValidatorsLeaf {
    /// Who decides the next height.
    pub validators: Validators,
    /// Which of them approves which change.
    pub approvals: Vec<(PublicKey, ValidatorChange)>,
    /// The change that was agreed on, and the epoch that begins with it.
    pub scheduled: Option<(u64, ValidatorChange)>,
    /// Whose contradictions were shown.
    pub misbehaviours: Vec<Misbehaviour>,
}

/// `["validators", version, [[name, key]…], [[key, change]…], [epoch, change] / null, [misbehaviour…]]`.
pub(crate) fn write_validators(writer: &mut Writer<'_>, succession: &Succession) -> Written {
    let validators = succession.present();
    writer.array_header(6)?;
    writer.text(WORD)?;
    writer.unsigned(validators.version())?;
    writer.array_header(validators.len())?;
    for validator in validators.keys() {
        writer.array_header(2)?;
        write_validator(writer, validator)?;
    }
    writer.array_header(succession.approvals().len())?;
    for approval in succession.approvals() {
        writer.array_header(2)?;
        writer.bytes(approval.validator().key().as_bytes())?;
        approval.change().write(writer)?;
    }
    write_option(writer, succession.scheduled(), |writer, scheduled| {
        writer.array_header(2)?;
        writer.unsigned(scheduled.from_epoch())?;
        scheduled.change().write(writer)
    })?;
    writer.array_header(succession.misbehaviours().len())?;
    succession.misbehaviours().iter().try_for_each(|misbehaviour| misbehaviour.write(writer))
}

pub(crate) fn read_validators(reader: &mut Reader<'_>) -> Read<ValidatorsLeaf> {
    array_of(reader, 6)?;
    if reader.text()? != WORD {
        return Err(DecodeError::Unexpected);
    }
    let version = reader.unsigned()?;
    let count = reader.array_header()?;
    if count > VALIDATORS_MAX {
        return Err(DecodeError::OutOfRange);
    }
    let keys = (0..count).map(|_| array_of(reader, 2).and_then(|()| read_validator(reader)));
    let validators = Validators::from_parts(version, keys.collect::<Read<_>>()?);
    let mut approvals = Vec::new();
    for _ in 0..reader.array_header()? {
        array_of(reader, 2)?;
        approvals.push((read_key(reader)?, ValidatorChange::read(reader)?));
    }
    let scheduled = read_option(reader, |reader| {
        array_of(reader, 2)?;
        Ok((reader.unsigned()?, ValidatorChange::read(reader)?))
    })?;
    let misbehaviours = (0..reader.array_header()?).map(|_| Misbehaviour::read(reader));
    Ok(ValidatorsLeaf {
        validators,
        approvals,
        scheduled,
        misbehaviours: misbehaviours.collect::<Read<_>>()?,
    })
}
