//! Carries the node's effects out, in their order, with whatever hands it is lent: the host's real ones, or those of
//! a simulation. The order is what a crash tests, so it stands once and is the same for both.

use std::ops::{Deref, DerefMut};

use devices::{Ack, DeviceId, RefusedNotice};
use ledger::block::{Block, BlockResults};
use ledger::state::State;

use crate::admit::{Candidate, Ticket};
use crate::log::Position;
use crate::node::{Effect, Input, Node};
use crate::refusals::RefusedReading;
use crate::shared::{Event, SubmitError, Submitted};

/// Where the state is kept, for this node that changes it and for others that read it meanwhile.
pub trait Kept {
    /// The state, to look at. Nothing is in it that is not on the disk.
    fn read(&self) -> impl Deref<Target = State>;

    /// The state, to execute a block on. Nobody reads until it is given back.
    fn write(&self) -> impl DerefMut<Target = State>;
}

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
        block: Block,
        results: BlockResults,
    ) -> Result<(), Self::Error>;

    /// Tells devices what is settled.
    fn acknowledge(&mut self, acks: Vec<(DeviceId, Ack)>);

    /// Tells a device what was refused.
    fn notify(&mut self, kid: DeviceId, notice: RefusedNotice);

    /// Answers somebody who waits.
    fn answer(&mut self, ticket: Ticket, answer: Result<Submitted, SubmitError>);

    /// Counts a refused reading.
    fn refused(&mut self, refused: RefusedReading);

    /// Counts a notice that the rate limit held back.
    fn withheld(&mut self);

    /// Counts a refused instruction.
    fn instruction_refused(&mut self);

    /// Tells those who watch.
    fn tell(&mut self, event: Event);
}

/// Gives the node one input and carries out what follows from it, the blocks that are due included.
///
/// # Errors
/// When a block could not be written, or what is derived from it could not be kept: the node must stop, for its state
/// is ahead of the disk.
pub fn step<K: Kept, H: Hands>(
    node: &mut Node,
    state: &K,
    hands: &mut H,
    input: Input,
) -> Result<(), H::Error> {
    look_for_room(node, state, hands)?;
    let now = hands.now_unix_milliseconds();
    let effects = node.step(&state.read(), now, input);
    carry_out(hands, effects);
    while node.is_due(&state.read(), hands.now_unix_milliseconds()) {
        make_block(node, state, hands)?;
        look_for_room(node, state, hands)?;
    }
    Ok(())
}

/// Closes whatever waits into blocks, for a node that stops. What finds no room stays: it was promised to nobody.
///
/// # Errors
/// As [`step`].
pub fn flush<K: Kept, H: Hands>(node: &mut Node, state: &K, hands: &mut H) -> Result<(), H::Error> {
    // The node is told first how the disk is now: only a node that knows of room makes blocks.
    step(node, state, hands, Input::Tick)?;
    while node.batched() > 0 && node.has_room() {
        make_block(node, state, hands)?;
        look_for_room(node, state, hands)?;
    }
    Ok(())
}

/// Before every input and between two blocks: only a node that knows of room makes one.
fn look_for_room<K: Kept, H: Hands>(node: &mut Node, state: &K, hands: &mut H) -> Result<(), H::Error> {
    let has_room = hands.has_room()?;
    if has_room != node.has_room() {
        let now = hands.now_unix_milliseconds();
        let effects = node.step(&state.read(), now, Input::Room(has_room));
        carry_out(hands, effects);
    }
    Ok(())
}

/// The one order in which a block comes to be. The state is held from the block's execution until it is on the disk, so
/// that whoever reads sees only what is durable, and no longer.
fn make_block<K: Kept, H: Hands>(node: &mut Node, state: &K, hands: &mut H) -> Result<(), H::Error> {
    let now = hands.now_unix_milliseconds();
    let mut effects = Vec::new();
    let mut changing = state.write();
    let made = node.make_block(&mut changing, now, &mut effects);
    carry_out(hands, effects);
    let Some((block, results)) = made else { return Ok(()) };
    let position = hands.write(&block)?;
    drop(changing);
    let state = state.read();
    hands.derive(&state, position, block, results)?;
    // Acks, answers and events: only now, because a device forgets what is acknowledged.
    let effects = node.durable(&state);
    drop(state);
    carry_out(hands, effects);
    Ok(())
}

/// Carries effects out in their order.
pub fn carry_out<H: Hands>(hands: &mut H, effects: Vec<Effect>) {
    for effect in effects {
        match effect {
            Effect::Verify(candidates) => hands.verify(candidates),
            Effect::Acknowledge(acks) => hands.acknowledge(acks),
            Effect::Notify(kid, notice) => hands.notify(kid, notice),
            Effect::Answer(ticket, answer) => hands.answer(ticket, answer),
            Effect::Refused(refused) => hands.refused(refused),
            Effect::Withheld => hands.withheld(),
            Effect::InstructionRefused => hands.instruction_refused(),
            Effect::Tell(event) => hands.tell(event),
        }
    }
}

#[cfg(test)]
mod tests;
