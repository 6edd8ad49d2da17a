//! A random crowd: devices, people, and what they ask for next. Mostly what is allowed as the ledger stands.

use crate::city::asking::{accept, at, claim, correct, enrol, issue, offer, revoke, rotate, transfer};
use crate::city::{Transaction, account, instruction_with, operator, treasury};
use devices::cbor::Writer;
use devices::decimal::Decimal;
use devices::identity::{DeviceId, PublicKey, SigningKey};
use devices::reading::{SignedReading, VerifiedReading};
use devices::senml::{Base, Record, Value, encode_pack};
use devices::sequence::Sequence;
use devices::sign_reading;
use ledger::account::AccountId;
use ledger::genesis::Genesis;
use ledger::instruction::Instruction;
use ledger::registry::{Device, Position};
use ledger::state::State;
use ledger::tariff::Tariff;
use ledger::transaction::VerifiedTransaction;
use std::collections::BTreeMap;

const NETWORK: &str = "devnet";
/// Keys that devices may get, by enrolment and by rotation.
const DEVICES: usize = 600;
/// How many of them may be in use at the beginning; one more for so many transactions.
const DEVICES_FIRST: u64 = 150;
const TRANSACTIONS_PER_DEVICE: u64 = 2_500;
const PEOPLE: usize = 40;
/// One of so many readings is really signed, and its signature checked.
const SIGNED_ONE_IN: u64 = 400;
/// How often somebody who fits is looked for before anyone will do.
const LOOKS: usize = 12;

/// SplitMix64 (Steele, Lea and Flood 2014).
pub struct Chance(u64);

impl Chance {
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub fn below(&mut self, end: u64) -> u64 {
        self.number() % end.max(1)
    }

    fn place(&mut self, length: usize) -> usize {
        self.below(length as u64) as usize
    }

    fn one_in(&mut self, many: u64) -> bool {
        self.below(many) == 0
    }
}

struct Sender {
    key: SigningKey,
    public_key: PublicKey,
    kid: DeviceId,
    boot: u32,
    count: u32,
    /// What its sensor shows, in tenths: a walk.
    tenths: i128,
}

/// Everybody.
pub struct Crowd {
    pub chance: Chance,
    senders: Vec<Sender>,
    /// The senders that the registry knows.
    used: usize,
    /// The people, then the operator and the treasury.
    people: Vec<SigningKey>,
    accounts: BTreeMap<AccountId, usize>,
    counters: Vec<u64>,
    pool: AccountId,
    asked: u64,
}

impl Crowd {
    pub fn new(seed: u64, genesis: &Genesis) -> Crowd {
        let key = |kind: u8, number: usize| {
            let mut seed = [kind; 32];
            seed[..8].copy_from_slice(&(number as u64).to_be_bytes());
            SigningKey::from_seed(seed)
        };
        let sender = |number| {
            let key = key(1, number);
            let (public_key, kid) = (key.public_key(), key.kid());
            Sender { key, public_key, kid, boot: 1, count: 0, tenths: 150 + number as i128 % 60 }
        };
        let mut people: Vec<SigningKey> = (0..PEOPLE).map(|number| key(2, number)).collect();
        people.extend([operator(), treasury()]);
        let accounts = people.iter().enumerate().map(|(at, key)| (account(key), at)).collect();
        Crowd {
            chance: Chance(seed),
            senders: (0..DEVICES).map(sender).collect(),
            used: 0,
            counters: vec![0; people.len()],
            people,
            accounts,
            pool: AccountId::pool(&genesis.network),
            asked: 0,
        }
    }

    /// The next transaction, by somebody, as the ledger stands in the middle of a block of this time.
    pub fn next(&mut self, state: &State, time_unix_milliseconds: u64) -> Transaction {
        self.asked += 1;
        if self.used == 0 || self.chance.one_in(10) {
            self.instruction(state)
        } else {
            self.reading(state, time_unix_milliseconds)
        }
    }

    fn reading(&mut self, state: &State, time_unix_milliseconds: u64) -> Transaction {
        let place = match self.chance.below(400) {
            // A device that nobody enrolled.
            0 => DEVICES - 1,
            1..=8 => self.chance.place(self.used),
            _ => self.device(state, |device| !device.is_retired()),
        };
        let sequence = self.sequence(place);
        let pack = self.pack(place, time_unix_milliseconds / 1_000);
        let sender = &self.senders[place];
        if self.chance.one_in(SIGNED_ONE_IN) {
            let mut bytes = vec![0; 1_024];
            let length = sign_reading(&sender.key, NETWORK, sequence, &pack, &mut bytes).unwrap();
            bytes.truncate(length);
            let signed = SignedReading::decode(bytes).unwrap();
            return VerifiedTransaction::Reading(signed.verify(&sender.public_key, NETWORK).unwrap());
        }
        let signed = SignedReading::decode(unsigned(sender.kid, sequence, &pack)).unwrap();
        // Now and then one that was verified under a key that is not the device's.
        let key = if self.chance.one_in(300) { &self.senders[0].public_key } else { &sender.public_key };
        VerifiedTransaction::Reading(VerifiedReading::from_own_log(signed, key, NETWORK))
    }

    /// Mostly the next number; some are skipped, some repeated, and at times the device starts anew.
    fn sequence(&mut self, place: usize) -> Sequence {
        let (kind, step) = (self.chance.below(100), self.chance.below(80) as u32);
        let sender = &mut self.senders[place];
        let Sender { boot, count, .. } = *sender;
        match kind {
            0..=4 => Sequence { boot, count: count.saturating_sub(step) },
            5 => Sequence { boot: boot - 1, count: count + 1 },
            6 => {
                (sender.boot, sender.count) = (boot + 1, 0);
                Sequence { boot: boot + 1, count: 0 }
            }
            7..=10 => {
                sender.count += 1 + step % 8;
                Sequence { boot, count: sender.count }
            }
            _ => {
                sender.count += 1;
                Sequence { boot, count: sender.count }
            }
        }
    }

    fn pack(&mut self, place: usize, now: u64) -> Vec<u8> {
        let age = match self.chance.below(100) {
            0 => 31 * 86_400,
            1 => 3 * 86_400,
            2..=5 => self.chance.below(86_400),
            _ => self.chance.below(600),
        };
        let time = match self.chance.below(100) {
            0 => Some(now + 301 + self.chance.below(10_000)),
            1..=20 => None,
            _ => Some(now - age),
        };
        let (name, unit) =
            [("temp", "Cel"), ("temp", "Cel"), ("hum", "%RH"), ("noise", "dB"), ("wind", "m/s")][place % 5];
        let base = Base {
            version: None,
            name: Some(name),
            time: time.map(|time| u32::try_from(time).unwrap()),
            unit: Some(unit),
        };
        let many = 1 + self.chance.place(6);
        let records: Vec<Record<'_>> = (0..many)
            .map(|at| {
                let moved = i128::from(self.chance.below(11)) - 5;
                let wild = if self.chance.one_in(60) { 100_000 } else { 0 };
                let sender = &mut self.senders[place];
                sender.tenths = (sender.tenths + moved).clamp(10, 900);
                let value = match self.chance.one_in(80) {
                    true => Value::Boolean(moved > 0),
                    false => Value::Number(Decimal::new(sender.tenths + wild, -1).unwrap()),
                };
                Record { time_offset_seconds: Some(at as i32 - many as i32 + 1), ..Record::of(value) }
            })
            .collect();
        let mut bytes = vec![0; 512];
        let length = encode_pack(&base, &records, &mut bytes).unwrap();
        bytes.truncate(length);
        bytes
    }

    fn instruction(&mut self, state: &State) -> Transaction {
        let honest = !self.chance.one_in(6);
        let (signer, instruction) = match self.chance.below(100) {
            0..=4 => self.enrol(honest),
            5..=9 => self.claim(state, honest),
            10..=19 => self.offer(state, honest),
            20..=29 => self.accept(state, honest),
            30..=31 => self.rotate(state, honest),
            32..=33 => self.revoke(state, honest),
            34..=74 => self.transfer(state, honest),
            75..=80 => self.issue(honest),
            81..=97 => self.correct(state, honest),
            _ => self.set_tariff(state, honest),
        };
        let signer = if honest { signer } else { self.chance.place(self.people.len()) };
        // A refused counter is spent as well: it only has to grow. Now and then it does not.
        if !self.chance.one_in(200) {
            self.counters[signer] += 1;
        }
        instruction_with(&self.people[signer], self.counters[signer], &instruction.encode(), true)
    }

    const OPERATOR: usize = PEOPLE;
    const TREASURY: usize = PEOPLE + 1;

    fn person(&mut self) -> usize {
        self.chance.place(PEOPLE)
    }

    /// The next key, if more devices may come in; else one that is taken.
    fn new_key(&mut self) -> usize {
        let allowed = (DEVICES_FIRST + self.asked / TRANSACTIONS_PER_DEVICE).min(DEVICES as u64 - 1) as usize;
        if self.used < allowed {
            self.used += 1;
            return self.used - 1;
        }
        self.chance.place(self.used)
    }

    /// A device that fits, or after some looks any.
    fn device(&mut self, state: &State, fits: impl Fn(&Device) -> bool) -> usize {
        let mut place = 0;
        for _ in 0..LOOKS {
            place = self.chance.place(self.used.max(1));
            if state.device(self.senders[place].kid).is_some_and(&fits) {
                break;
            }
        }
        place
    }

    fn who(&self, id: Option<AccountId>) -> usize {
        id.and_then(|id| self.accounts.get(&id)).copied().unwrap_or(Self::OPERATOR)
    }

    fn owner(&self, state: &State, place: usize) -> usize {
        self.who(state.device(self.senders[place].kid).and_then(Device::owner))
    }

    /// One of a few streets, so that cells are shared and have neighbours.
    fn street(&mut self) -> Position {
        let (north, east) = (self.chance.below(6) as i32, self.chance.below(5) as i32);
        at(57_100_000 + north * 9_000, -2_100_000 + east * 9_000)
    }

    fn enrol(&mut self, honest: bool) -> (usize, Instruction) {
        let owner = (!self.chance.one_in(3)).then(|| self.person()).map(|at| account(&self.people[at]));
        let position = match (honest, self.chance.below(3)) {
            (true, 0) => None,
            (false, 0) => Some(at(0, 0)),
            (false, 1) => Some(at(91_000_000, 0)),
            _ => Some(self.street()),
        };
        let place = if honest { self.new_key() } else { self.chance.place(DEVICES - 1) };
        self.used = self.used.max(1);
        (Self::OPERATOR, enrol(&self.senders[place].key, owner, position))
    }

    fn claim(&mut self, state: &State, honest: bool) -> (usize, Instruction) {
        let place = self.device(state, |device| device.owner().is_none() && !device.is_retired());
        let (by, street) = (self.person(), self.street());
        let mut wish = claim(&self.senders[place].key, &self.people[by], street);
        if let Instruction::Claim { proof, .. } = &mut wish
            && !honest
        {
            proof[self.chance.place(64)] ^= 1;
        }
        (by, wish)
    }

    fn offer(&mut self, state: &State, honest: bool) -> (usize, Instruction) {
        let place = self.device(state, |device| device.owner().is_some() && !device.is_retired());
        let to = (honest || self.chance.one_in(2)).then(|| self.person());
        (self.owner(state, place), offer(&self.senders[place].key, to.map(|to| &self.people[to])))
    }

    fn accept(&mut self, state: &State, _honest: bool) -> (usize, Instruction) {
        let place = self.device(state, |device| device.offered_to().is_some());
        let offered = state.device(self.senders[place].kid).and_then(|device| device.offered_to());
        (self.who(offered), accept(&self.senders[place].key))
    }

    fn rotate(&mut self, state: &State, honest: bool) -> (usize, Instruction) {
        let place = self.device(state, |device| !device.is_retired());
        let by = if self.chance.one_in(2) { self.owner(state, place) } else { Self::OPERATOR };
        let new = if honest { self.new_key() } else { self.chance.place(DEVICES) };
        (by, rotate(&self.senders[place].key, &self.senders[new].key, &self.people[by]))
    }

    fn revoke(&mut self, state: &State, honest: bool) -> (usize, Instruction) {
        let place = self.device(state, |device| !device.is_retired());
        // Rarely, or none would be left.
        let by = if honest && self.chance.one_in(40) { self.owner(state, place) } else { self.person() };
        (by, revoke(&self.senders[place].key, if honest { "broken" } else { "" }))
    }

    fn amount(&mut self, held: u64, honest: bool) -> u64 {
        match honest {
            true => 1 + self.chance.below((held / 20).min(200_000) + 1),
            false => self.chance.number() >> self.chance.place(64),
        }
    }

    fn transfer(&mut self, state: &State, honest: bool) -> (usize, Instruction) {
        let mut from = self.person();
        for _ in 0..LOOKS {
            if state.balance_microtokens(account(&self.people[from])) > 1 {
                break;
            }
            from = self.chance.place(self.people.len());
        }
        let amount = self.amount(state.balance_microtokens(account(&self.people[from])), honest);
        let to = match self.chance.below(100) {
            0 => self.pool,
            1..=9 => AccountId::escrow(NETWORK, self.senders[0].kid),
            10..=19 if !honest => state.supply(),
            _ => account(&self.people[(from + 1 + self.chance.place(PEOPLE - 1)) % PEOPLE]),
        };
        (from, transfer(to, amount))
    }

    fn issue(&mut self, honest: bool) -> (usize, Instruction) {
        let (to, amount) = (self.person(), self.amount(20_000_000, honest));
        (Self::TREASURY, issue(account(&self.people[to]), amount))
    }

    fn correct(&mut self, state: &State, honest: bool) -> (usize, Instruction) {
        let person = account(&self.people[self.chance.place(PEOPLE)]);
        let entry = self.chance.below(if honest { state.log_size() } else { u64::MAX });
        let rewards = state.account(person).map_or(0, |account| account.rewards_microtokens);
        let held = u128::from(state.balance_microtokens(person));
        let back = u64::try_from(rewards.min(held)).unwrap_or(0);
        let wish = if back > 0 && self.chance.one_in(2) {
            correct(entry, person, self.pool, 1 + self.chance.below(back / 1_000 + 1), "counted twice")
        } else {
            let amount = self.amount(state.balance_microtokens(self.pool) / 1_000, honest);
            correct(entry, self.pool, person, amount, "was not counted")
        };
        (Self::OPERATOR, wish)
    }

    fn set_tariff(&mut self, state: &State, honest: bool) -> (usize, Instruction) {
        let newest = state.tariffs().versions().next_back();
        let mut tariff: Tariff = newest.map_or_else(|| state.tariff().clone(), |it| it.tariff.clone());
        tariff.version += if honest { 1 } else { self.chance.below(3) as u32 };
        tariff.cell_budget_microtokens = 200_000 + self.chance.below(2_000_000);
        for quantity in &mut tariff.quantities {
            quantity.price_microtokens = self.chance.below(4_000);
            quantity.paid_records_max = 20 + self.chance.below(200) as u32;
        }
        if !honest && self.chance.one_in(2) {
            tariff.quantities[0].price_microtokens = u64::MAX;
        }
        (Self::OPERATOR, Instruction::SetTariff { tariff })
    }
}

/// An envelope whose signature nobody has made: for what the replay of an own log takes as verified.
fn unsigned(kid: DeviceId, sequence: Sequence, pack: &[u8]) -> Vec<u8> {
    let mut protected = vec![0xa4, 0x01, 0x27, 0x03, 0x18, 0x70, 0x04, 0x48];
    protected.extend(kid.as_bytes());
    protected.extend([0x0f, 0xa1, 0x07, 0x48]);
    protected.extend(sequence.to_cti());
    let mut bytes = Vec::with_capacity(256);
    let mut writer = Writer::appending(&mut bytes);
    let written = writer
        .tag(18)
        .and_then(|()| writer.array_header(4))
        .and_then(|()| writer.bytes(&protected))
        .and_then(|()| writer.map_header(0))
        .and_then(|()| writer.bytes(pack))
        .and_then(|()| writer.bytes(&[0; 64]));
    written.unwrap();
    bytes
}
