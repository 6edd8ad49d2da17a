//! Carrying out what validators ask for: that one of them joins or leaves, and that one of them contradicted itself.

use crate::approval::Approval;
use crate::evidence::Evidence;
use crate::execute::BlockBuilder;
use crate::instruction::InstructionRefusal;
use crate::instructions::Done;
use crate::note::VerifierKey;
use crate::succession::Misbehaviour;
use crate::validators::{ChangeError, ValidatorChange};
use alloc::sync::Arc;
use devices::identity::PublicKey;

impl BlockBuilder<'_> {
    /// A present validator approves a change of the validators of this version, with these bytes.
    pub(crate) fn approve_change(
        &mut self,
        signer: &PublicKey,
        envelope: &[u8],
        version: u64,
        change: ValidatorChange,
    ) -> Done {
        let validator = self.present_validator(signer)?.clone();
        let succession = &self.state.succession;
        if succession.present().version() != version {
            return Err(InstructionRefusal::ValidatorsVersion);
        }
        if succession.scheduled().is_some() {
            return Err(InstructionRefusal::ChangeScheduled);
        }
        succession.present().allow(&change)?;
        let by_signer =
            |approval: &&Approval| *approval.validator() == validator && *approval.change() == change;
        if succession.approvals().iter().any(|approval| by_signer(&approval)) {
            return Err(InstructionRefusal::AlreadyApproved);
        }
        if succession.handovers().is_full() {
            return Err(InstructionRefusal::TooManyChanges);
        }
        let epoch = self.state.epoch;
        let approval = Approval::carried_out(validator, change, envelope);
        Arc::make_mut(&mut self.state.succession).approve(approval, epoch);
        Ok(())
    }

    /// A present validator shows that one of now or of before contradicted itself.
    pub(crate) fn report_misbehaviour(
        &mut self,
        signer: &PublicKey,
        evidence: &Evidence,
        index: u64,
    ) -> Done {
        self.present_validator(signer)?;
        let (succession, constants) = (&self.state.succession, &self.state.constants);
        if succession.handovers().known(evidence.validator()).is_none() {
            return Err(InstructionRefusal::NeverValidator);
        }
        let judged = evidence.verify(&constants.genesis_hash, &constants.origin);
        let validator = judged.map_err(|_| InstructionRefusal::EvidenceInvalid)?;
        if succession.knows(evidence) {
            return Err(InstructionRefusal::AlreadyReported);
        }
        if succession.knows_enough_of(&validator) {
            return Err(InstructionRefusal::TooManyReports);
        }
        let (height, round) = evidence.place();
        let kind = evidence.kind();
        let misbehaviour = Misbehaviour { validator, kind, height, round, entry_index: index };
        Arc::make_mut(&mut self.state.succession).record(misbehaviour);
        Ok(())
    }

    /// The signer as one of the present validators, of a network that began with several.
    fn present_validator(&self, signer: &PublicKey) -> Result<&VerifierKey, InstructionRefusal> {
        let succession = &self.state.succession;
        let validator = succession.present().get(signer).ok_or(InstructionRefusal::NotValidator)?;
        if succession.is_lone() { Err(InstructionRefusal::LoneValidator) } else { Ok(validator) }
    }
}

impl From<ChangeError> for InstructionRefusal {
    fn from(error: ChangeError) -> Self {
        match error {
            ChangeError::Taken => Self::ValidatorTaken,
            ChangeError::Unknown => Self::UnknownValidator,
            ChangeError::Last => Self::LastValidator,
            ChangeError::TooMany => Self::TooManyValidators,
        }
    }
}
