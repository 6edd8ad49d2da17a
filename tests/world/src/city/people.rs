//! Residents, their instructions and the answers to them.

use gateway::admit::{Arrival, Ticket};
use gateway::shared::{SubmitError, Submitted};
use ledger::instruction::Instruction;

use super::{City, Moment, NETWORK, Waiter};
use crate::checker::Violation;
use crate::resident::Role;
use crate::wishes::{self, Market};

impl City {
    fn market(&self) -> Market<'_> {
        Market {
            network: NETWORK,
            state: self.checker.durable(),
            sold: &self.sold,
            spare: &self.spare,
            owners: &self.owners,
        }
    }

    /// A resident asks again, or asks something new, or nothing.
    pub(super) fn resident_turn(&mut self, resident: usize) -> Result<(), Violation> {
        match &self.residents[resident].outstanding {
            Some(asked) if asked.ticket.is_some() => return Ok(()),
            Some(_) => {}
            None => {
                let enrols = self.residents[resident].role == Role::Operator
                    && self.sold.keys().any(|kid| self.checker.durable().device(*kid).is_none());
                if self.peace && !enrols {
                    return Ok(());
                }
                let mut chance = self.chance.clone();
                let wish = wishes::next(&self.market(), &self.residents[resident], &mut chance);
                self.chance = chance;
                let Some((instruction, is_right)) = wish else {
                    self.soon(3_000, Moment::Resident(resident));
                    return Ok(());
                };
                let word = if is_right { "asks" } else { "wrongly asks" };
                self.trace.note(self.now, format_args!("resident {resident} {word}: {}", instruction.name()));
                self.residents[resident].ask(NETWORK, instruction, is_right)?;
            }
        }
        let Some(bytes) = self.residents[resident].outstanding.as_ref().map(|asked| asked.bytes.clone())
        else {
            return Ok(());
        };
        let ticket = self.submit(bytes, Waiter::Resident(resident));
        if let Some(asked) = &mut self.residents[resident].outstanding {
            asked.ticket = ticket;
        }
        if ticket.is_none() {
            self.soon(2_000, Moment::Resident(resident));
        }
        Ok(())
    }

    /// Posts something and waits for the answer; `None` when nobody takes it.
    pub(super) fn submit(&mut self, bytes: Vec<u8>, waiter: Waiter) -> Option<Ticket> {
        let process = self.process.as_mut()?;
        let ticket = self.next_ticket;
        self.next_ticket += 1;
        if !process.take(Arrival { bytes, topic_kid: None, ticket: Some(ticket) }) {
            return None;
        }
        self.waiting.insert(ticket, waiter);
        Some(ticket)
    }

    /// The node is gone, and with it every answer that was under way.
    pub(super) fn hang_up(&mut self) {
        self.waiting.clear();
        for resident in 0..self.residents.len() {
            if let Some(asked) = &mut self.residents[resident].outstanding
                && asked.ticket.take().is_some()
            {
                self.soon(3_000, Moment::Resident(resident));
            }
        }
    }

    /// An answer came.
    pub(super) fn answered(
        &mut self,
        ticket: Ticket,
        answer: Result<Submitted, SubmitError>,
    ) -> Result<(), Violation> {
        if let Ok(submitted) = &answer {
            self.checker.promised(&submitted.id, submitted.index)?;
        }
        let Some(Waiter::Resident(resident)) = self.waiting.remove(&ticket) else { return Ok(()) };
        let Some(asked) = self.residents[resident].outstanding.take() else { return Ok(()) };
        let name = asked.instruction.name();
        let in_log = self.checker.holds(&asked.id);
        let carried_out = match &answer {
            Ok(_) => true,
            // Asked again after a crash that swallowed the answer.
            Err(SubmitError::Instruction { reason: "stale_counter", .. }) if in_log => true,
            Err(SubmitError::Instruction { reason, .. }) => {
                let signer = self.residents[resident].account;
                let excused = wishes::excuses(&self.market(), signer, &asked.instruction, reason);
                if asked.is_right && !excused {
                    return Err(format!("{name} is refused as {reason}, and nothing explains it"));
                }
                false
            }
            Err(error) => return Err(format!("{name} is answered: {error}")),
        };
        self.trace.note(self.now, format_args!("resident {resident} is answered {carried_out}: {name}"));
        if carried_out && !asked.is_right {
            return Err(format!("{name} is carried out, and is not right"));
        }
        if carried_out {
            self.follow(&asked.instruction);
        }
        self.soon(2_500, Moment::Resident(resident));
        Ok(())
    }

    /// What an instruction means outside the ledger.
    fn follow(&mut self, instruction: &Instruction) {
        if matches!(instruction, Instruction::RotateKey { .. }) {
            // The new board is switched on; the old one goes on talking for a while, as old boards do.
            self.soon(5_000, Moment::Connect(self.scenario.devices));
        }
    }
}
