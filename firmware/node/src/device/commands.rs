//! The owner's commands, carried out. What a command changes lies in the storage before it is in force, together with its
//! counter.
//!
//! # A new key
//! The ledger knows nothing of a new key's numbers, so what was accepted under the old key must never be signed by the new
//! one: it would be paid twice. The device therefore sees to it that nothing is in doubt when the key changes: asked for
//! its next key, it goes on sending until everything that it sent is settled, only then offers the key, and from then on
//! collects and sends nothing. What it holds when it is told to use the key was never sent under another.
//!
//! It does not wait for ever. Told to use the key when it is not prepared, after a reset in between or too late, it lets go
//! of everything that it may have sent under the old key: rather a reading less than one paid twice.

use core::fmt;

use devices::cose::SealError;
use devices::{Ack, Command, Configuration, KeyOffer, Order, Possession, Sequence, VerifiedCommand};
use embedded_storage::Storage;
use log::{error, info, warn};

use super::Device;
use crate::command::{self, Judged, RefusedCommand, Standing};
use crate::generation;
use crate::limits::{KEY_CHANGE_MILLISECONDS_MAX, REFUSED_COMMAND_MILLISECONDS};
use crate::orders::Orders;
use crate::sampler::Sensor;
use crate::settings::Settings;
use crate::threshold::Threshold;

/// A key that was asked for and is not in use yet.
#[derive(Clone, Copy, Debug)]
struct Change {
    generation: u32,
    /// Who asked, and by which command.
    account: [u8; 32],
    counter: u64,
    /// Until when the device is prepared for it.
    until_milliseconds: u64,
    /// Everything sent is settled, and nothing is sent any more.
    is_held: bool,
    /// It was published in this session.
    is_published: bool,
}

/// What commands leave in memory; the rest lies in the storage.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Obedience {
    change: Option<Change>,
    /// The highest number that was sent in this boot.
    highest_sent: Option<Sequence>,
    /// When a refusal of each reason was last told.
    refusal_told_at: [Option<u64>; RefusedCommand::ALL.len()],
}

impl Obedience {
    /// An envelope of this number is on its way.
    pub(super) fn sent(&mut self, sequence: Sequence) {
        self.highest_sent = self.highest_sent.max(Some(sequence));
    }

    /// A new session: what it offers is published again.
    pub(super) fn session_opened(&mut self) {
        if let Some(change) = &mut self.change {
            change.is_published = false;
        }
    }

    /// Whether nothing may be sent, because the key is about to change.
    pub(super) fn is_held(&mut self, now_milliseconds: u64) -> bool {
        if self.change.is_some_and(|change| now_milliseconds >= change.until_milliseconds) {
            warn!("the key was not changed in time: sending goes on under the old one");
            self.change = None;
        }
        self.change.is_some_and(|change| change.is_held)
    }

    /// When holding ends by itself.
    pub(super) fn wake_at(&self) -> Option<u64> {
        self.change.map(|change| change.until_milliseconds)
    }
}

/// Puts what a configuration asks for in the place of what the settings say: its decoder has taken no threshold that has
/// no place here. In place, because settings are large
/// for a stack.
pub(super) fn apply(configuration: &Configuration<'_>, settings: &mut Settings) {
    settings.sample_interval_milliseconds = u64::from(configuration.interval_seconds()) * 1_000;
    settings.batch_interval_milliseconds = u64::from(configuration.batch_seconds()) * 1_000;
    let mut asked = configuration.thresholds();
    for place in &mut settings.thresholds {
        *place = asked.next().and_then(|asked| Threshold::new(asked.name, asked.below, asked.above));
    }
}

impl<S: Storage<Error: fmt::Debug>, P: Sensor> Device<S, P> {
    /// A message came on the `down` topic.
    #[inline(never)]
    pub fn commanded(&mut self, now_milliseconds: u64, bytes: &[u8]) {
        let mut orders = match Orders::load(&mut self.storage) {
            Ok(orders) => orders,
            Err(_) => return error!("a command cannot be judged: the storage does not answer"),
        };
        let identity = self.reporter.identity();
        let standing = Standing {
            network: identity.network(),
            kid: identity.kid(),
            obeys: orders.account().or(identity.owner()),
            last_counter: orders.counter(),
        };
        let counter = match command::judge(bytes, &standing) {
            Ok(Judged::New(verified)) => {
                let counter = verified.command().counter;
                match self.obey(now_milliseconds, &verified, &mut orders) {
                    Ok(true) => {
                        info!("command {counter} is carried out: {}", verified.command().order.name())
                    }
                    Ok(false) => return error!("command {counter} cannot be kept, and changes nothing"),
                    Err(refused) => return self.refuse_command(now_milliseconds, refused),
                }
                counter
            }
            Ok(Judged::Known) => orders.counter(),
            Err(refused) => return self.refuse_command(now_milliseconds, refused),
        };
        // Said again in every session, for as long as the broker repeats the command.
        self.say(&format_args!("config:{counter}"), true);
    }

    /// Keeps what the command asks, and then does it; false where it cannot be kept.
    #[inline(never)]
    fn obey(
        &mut self,
        now_milliseconds: u64,
        verified: &VerifiedCommand<'_>,
        orders: &mut Orders,
    ) -> Result<bool, RefusedCommand> {
        let Command { counter, order, .. } = *verified.command();
        orders.set_counter(counter);
        match order {
            Order::Configure(configuration) => {
                orders.set_configuration(&configuration);
                let is_kept = self.keep_orders(orders);
                if is_kept {
                    apply(&configuration, &mut self.settings);
                    self.settings_changed(now_milliseconds);
                }
                Ok(is_kept)
            }
            Order::HandOver(account) => {
                orders.set_account(&account);
                Ok(self.keep_orders(orders))
            }
            Order::RotateKey(generation) => {
                self.may_use(generation)?;
                let is_kept = self.keep_orders(orders);
                if is_kept {
                    self.obedience.change = Some(Change {
                        generation,
                        account: *verified.key().thumbprint().as_bytes(),
                        counter,
                        until_milliseconds: now_milliseconds.saturating_add(KEY_CHANGE_MILLISECONDS_MAX),
                        is_held: false,
                        is_published: false,
                    });
                }
                Ok(is_kept)
            }
            Order::UseKey(generation) => {
                self.may_use(generation)?;
                // The key first: with it this command names another device, and cannot be repeated.
                let is_used = self.use_key(now_milliseconds, generation);
                if is_used {
                    self.keep_orders(orders);
                }
                Ok(is_used)
            }
        }
    }

    fn keep_orders(&mut self, orders: &mut Orders) -> bool {
        orders.store(&mut self.storage).unwrap_or_else(|_| {
            error!("commands cannot be kept: the storage does not answer");
            false
        })
    }

    /// There is no way back to a key that another has replaced: the ledger takes none twice.
    fn may_use(&self, generation: u32) -> Result<(), RefusedCommand> {
        let identity = self.reporter.identity();
        if generation > identity.generation() && identity.key_of(generation).is_some() {
            Ok(())
        } else {
            Err(RefusedCommand::NoSuchKey)
        }
    }

    #[inline(never)]
    fn use_key(&mut self, now_milliseconds: u64, generation: u32) -> bool {
        let is_prepared = self.obedience.is_held(now_milliseconds)
            && self.obedience.change.is_some_and(|change| change.generation == generation);
        if !is_prepared && !self.let_go_of_what_was_sent() {
            return false;
        }
        if let Err(failure) = generation::advance(&mut self.storage, generation) {
            error!("{failure}");
            return false;
        }
        self.reporter.identity_mut().use_generation(generation);
        // Under the new key nothing is known of earlier numbers, and nothing was sent.
        self.obedience.change = None;
        self.obedience.highest_sent = None;
        info!("the device is now {}", self.identity().kid());
        true
    }

    /// Settles everything that may have been sent: all of earlier boots, of which that is not known, and what was sent in
    /// this one.
    fn let_go_of_what_was_sent(&mut self) -> bool {
        let earlier = self.reporter.next().boot.saturating_sub(1);
        let all_of_earlier_boots = Sequence { boot: earlier, count: u32::MAX };
        let highest =
            self.obedience.highest_sent.map_or(all_of_earlier_boots, |sent| sent.max(all_of_earlier_boots));
        match self.outbox.settle(&mut self.storage, &Ack { highest, window: u64::MAX, log_size: 0 }) {
            Ok(0) => true,
            Ok(count) => {
                warn!("{count} packs may have been sent under the old key, and are let go");
                self.counters.lost = self.counters.lost.saturating_add(count);
                true
            }
            Err(failure) => {
                error!("{failure}");
                false
            }
        }
    }

    /// Writes the key that was asked for, for the `proof` topic, into `out` and returns its length, once everything that
    /// was sent is settled; from then on nothing is sent. Say [`Self::key_offered`] once it is on its way.
    ///
    /// # Errors
    /// When the network's name is none.
    #[inline(never)]
    pub fn key_to_offer(
        &mut self,
        now_milliseconds: u64,
        out: &mut [u8],
    ) -> Result<Option<usize>, SealError> {
        // Also ends what was not done in time.
        let is_held = self.obedience.is_held(now_milliseconds);
        let has_settled = self.outbox.waiting() == u32::from(self.outbox.is_open());
        let Some(change) = &mut self.obedience.change else { return Ok(None) };
        if change.is_published || !(is_held || has_settled) {
            return Ok(None);
        }
        let identity = self.reporter.identity();
        let Some(key) = identity.key_of(change.generation) else { return Ok(None) };
        change.is_held = true;
        let rotation = Possession::Rotation { replaced: identity.kid(), account: change.account };
        let offer = KeyOffer {
            counter: change.counter,
            generation: change.generation,
            public_key: key.public_key(),
            proof: rotation.sign(&key, identity.network())?,
        };
        offer.sign(identity.key(), identity.network(), out).map(Some)
    }

    /// The offer is on its way.
    pub fn key_offered(&mut self) {
        if let Some(change) = &mut self.obedience.change {
            change.is_published = true;
            info!(
                "the key of generation {} is offered; nothing is sent until it is in use",
                change.generation
            );
        }
    }

    /// Changes nothing. Told in the next pack at most once an hour for each reason: whoever can publish could otherwise
    /// fill the outbox.
    fn refuse_command(&mut self, now_milliseconds: u64, refused: RefusedCommand) {
        warn!("a command is refused: {refused}");
        let place = RefusedCommand::ALL.iter().position(|reason| *reason == refused).unwrap_or(0);
        let told_at = &mut self.obedience.refusal_told_at[place];
        let is_due =
            told_at.is_none_or(|at| now_milliseconds.saturating_sub(at) >= REFUSED_COMMAND_MILLISECONDS);
        if is_due {
            *told_at = Some(now_milliseconds);
            self.say(&format_args!("refused_command:{refused}"), true);
        }
    }
}
