//! Carries the node's effects out, in their order, with whatever hands it is lent: the host's real ones, or those of
//! a simulation. The order is what a crash tests, so it stands once and is the same for both.

use devices::{DeviceId, Refusal, Sequence};
use ledger::block::{Block, BlockResults};
use ledger::state::State;

use crate::admit::{Candidate, Ticket};
use crate::log::Position;
use crate::mqtt::Outbound;
use crate::node::{Effect, Input, Node};
use crate::shared::{Event, SubmitError, Submitted};

/// What effects are carried out with.
pub trait Hands {
    /// Why the node has to stop.
    type Error;

    /// The time of day, Unix milliseconds.
    fn now_unix_milliseconds(&mut self) -> u64;

    /// Whether the disk has room for another block; asked before every input, so also between two blocks.
    ///
    /// # Errors
    /// When the log can take no blocks at all.
    fn has_room(&mut self) -> Result<bool, Self::Error>;

    /// Has these verified; the verdicts come back as an input of their own.
    fn verify(&mut self, candidates: Vec<Candidate>);

    /// Writes a block to the log. When this returns, the block outlives a loss of power.
    ///
    /// # Errors
    /// When the block is not known to be on the disk: then nobody may hear of it.
    fn write(&mut self, block: &Block) -> Result<Position, Self::Error>;

    /// Keeps what is derived from a block that is on the disk at `position`: rows, index, checkpoint.
    ///
    /// # Errors
    /// When the node cannot go on without it.
    fn derive(
        &mut self,
        state: &State,
        position: Position,
        block: &Block,
        results: &BlockResults,
    ) -> Result<(), Self::Error>;

    /// Sends a message to the broker.
    fn publish(&mut self, message: Outbound);

    /// Answers somebody who waits.
    fn answer(&mut self, ticket: Ticket, answer: Result<Submitted, SubmitError>);

    /// Counts a refused reading: its device and number where they are known, whether the registry knows the device, and
    /// the reason.
    fn refused(&mut self, kid: Option<DeviceId>, sequence: Option<Sequence>, known: bool, reason: Refusal);

    /// Counts a notice that the rate limit held back.
    fn withheld(&mut self);

    /// Counts a refused instruction.
    fn instruction_refused(&mut self);

    /// Tells those who watch.
    fn tell(&mut self, event: Event);
}

/// Gives the node one input and carries out what follows from it.
///
/// # Errors
/// When a block could not be written, or what is derived from it could not be kept: the node must stop, for its state
/// is ahead of the disk.
pub fn step<H: Hands>(
    node: &mut Node,
    state: &mut State,
    hands: &mut H,
    input: Input,
) -> Result<(), H::Error> {
    let has_room = hands.has_room()?;
    let now = hands.now_unix_milliseconds();
    let mut effects = Vec::new();
    if has_room != node.has_room() {
        effects = node.step(state, now, Input::Room(has_room));
    }
    if effects.is_empty() {
        effects = node.step(state, now, input);
        return carry_out(node, state, hands, effects);
    }
    carry_out(node, state, hands, effects)?;
    step(node, state, hands, input)
}

/// Closes whatever waits into blocks, for a node that stops. What finds no room stays: it was promised to nobody.
///
/// # Errors
/// As [`step`].
pub fn flush<H: Hands>(node: &mut Node, state: &mut State, hands: &mut H) -> Result<(), H::Error> {
    // The node is told first how the disk is now: only a node that knows of room makes blocks.
    step(node, state, hands, Input::Tick)?;
    while node.batched() > 0 && node.has_room() {
        let now = hands.now_unix_milliseconds();
        let effects = node.flush(state, now);
        carry_out(node, state, hands, effects)?;
    }
    Ok(())
}

fn carry_out<H: Hands>(
    node: &mut Node,
    state: &mut State,
    hands: &mut H,
    effects: Vec<Effect>,
) -> Result<(), H::Error> {
    for effect in effects {
        match effect {
            Effect::Commit(commit) => {
                let (block, results) = *commit;
                let position = hands.write(&block)?;
                hands.derive(state, position, &block, &results)?;
                // Acks, answers and events: only now, because a device forgets what is acknowledged.
                step(node, state, hands, Input::Durable)?;
            }
            Effect::Verify(candidates) => hands.verify(candidates),
            Effect::Publish(message) => hands.publish(message),
            Effect::Answer(ticket, answer) => hands.answer(ticket, answer),
            Effect::Refused { kid, sequence, known, reason } => hands.refused(kid, sequence, known, reason),
            Effect::Withheld => hands.withheld(),
            Effect::InstructionRefused => hands.instruction_refused(),
            Effect::Tell(event) => hands.tell(event),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
