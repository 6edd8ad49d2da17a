//! What residents ask for, chosen from what is durable so that a fault-free node would carry it out; and now and then
//! something that must be refused.

use std::collections::BTreeMap;

use devices::{DeviceId, Possession, PublicKey, SigningKey};
use ledger::account::AccountId;
use ledger::instruction::Instruction;
use ledger::registry::{Device, Position};
use ledger::state::State;

use crate::chance::Chance;
use crate::resident::{Resident, Role};

/// A device as it left the factory: what claiming or replacing it needs.
#[derive(Clone)]
pub struct Sold {
    /// Its key.
    pub key: SigningKey,
    /// The owner whom it was sold to, by number.
    pub owner: usize,
    /// Whether the operator enrols it with its owner, or the owner claims it later.
    pub enrolled_with_owner: bool,
    /// Where it stands, where that is known.
    pub position: Option<Position>,
}

/// What those who wish know of the city.
pub struct Market<'a> {
    /// The network's id.
    pub network: &'a str,
    /// What is durable.
    pub state: &'a State,
    /// Every device.
    pub sold: &'a BTreeMap<DeviceId, Sold>,
    /// The key that one device in the city may get in its key's place.
    pub spare: &'a SigningKey,
    /// The owners' accounts, by number.
    pub owners: &'a [AccountId],
}

/// An instruction, and whether it is right.
pub type Wish = (Instruction, bool);

/// The next wish of a resident; nothing at times.
pub fn next(market: &Market<'_>, resident: &Resident, chance: &mut Chance) -> Option<Wish> {
    match resident.role {
        Role::Operator => operator(market, chance),
        Role::Treasury => {
            let to = chance.one_of(market.owners)?;
            let wrong = Instruction::Issue { to: market.state.supply(), amount_microtokens: 1 };
            let amount_microtokens = chance.within(1, 5_000_000);
            Some(if chance.happens(100) {
                (wrong, false)
            } else {
                (Instruction::Issue { to, amount_microtokens }, true)
            })
        }
        Role::Owner(number) => owner(market, resident.account, number, chance),
    }
}

fn operator(market: &Market<'_>, chance: &mut Chance) -> Option<Wish> {
    let state = market.state;
    let missing = market.sold.iter().find(|(kid, _)| state.device(**kid).is_none());
    if let Some((_, sold)) = missing {
        let owner = if sold.enrolled_with_owner { market.owners.get(sold.owner).copied() } else { None };
        return Some((enrolment(sold.key.public_key(), owner, sold.position), true));
    }
    match chance.below(10) {
        0 => {
            let (kid, _) = pick(market, chance, |device| !device.is_retired())?;
            // One: a city without devices has nothing to show.
            let none_is = !state.devices().any(|(_, device)| device.is_revoked());
            none_is.then(|| (Instruction::RevokeDevice { kid, why: "broken glass".to_owned() }, true))
        }
        1 => {
            let (_, device) = pick(market, chance, |_| true)?;
            Some((enrolment(device.public_key, None, None), false))
        }
        2 | 3 => set_tariff(state, chance),
        4..=6 => correction(market, chance),
        _ => None,
    }
}

fn enrolment(public_key: PublicKey, owner: Option<AccountId>, position: Option<Position>) -> Instruction {
    Instruction::Enrol { public_key, owner, position }
}

fn set_tariff(state: &State, chance: &mut Chance) -> Option<Wish> {
    if state.tariffs().is_full() {
        return None;
    }
    let newest = state.tariffs().versions().next_back()?;
    let mut tariff = newest.tariff.clone();
    tariff.version += 1;
    for quantity in &mut tariff.quantities {
        quantity.price_microtokens = chance.within(0, 3_000);
        quantity.paid_records_max = chance.within(1, 50) as u32;
    }
    tariff.cell_budget_microtokens = chance.within(10_000, 500_000);
    if chance.happens(200) {
        tariff.version = newest.tariff.version;
        return Some((Instruction::SetTariff { tariff }, false));
    }
    state.tariffs().pending().is_none().then_some((Instruction::SetTariff { tariff }, true))
}

fn correction(market: &Market<'_>, chance: &mut Chance) -> Option<Wish> {
    let (state, pool) = (market.state, market.state.pool());
    let owner = chance.one_of(market.owners)?;
    let rewarded = state.account(owner).map_or(0, |account| account.rewards_microtokens);
    let takeable = rewarded.min(u128::from(state.balance_microtokens(owner))) / 4;
    let entry_index = chance.below(state.log_size());
    let why = "counted wrongly".to_owned();
    let correct = |from, to, amount_microtokens| Instruction::Correct {
        entry_index,
        from,
        to,
        amount_microtokens,
        why,
    };
    if chance.happens(200) {
        let beyond = u64::try_from(rewarded).ok()?.checked_add(1_000_000_000)?;
        return Some((correct(owner, pool, beyond), false));
    }
    if takeable > 0 && chance.happens(600) {
        return Some((correct(owner, pool, u64::try_from(takeable).ok()?), true));
    }
    let givable = state.balance_microtokens(pool) / 1_000;
    (givable > 0).then(|| (correct(pool, owner, givable), true))
}

fn owner(market: &Market<'_>, account: AccountId, number: usize, chance: &mut Chance) -> Option<Wish> {
    let state = market.state;
    let unclaimed = market.sold.iter().find(|(kid, sold)| {
        let device = state.device(**kid);
        sold.owner == number && device.is_some_and(|device| device.owner().is_none() && !device.is_retired())
    });
    if let Some((kid, sold)) = unclaimed
        && chance.happens(400)
    {
        return claim(market, account, *kid, sold, chance);
    }
    let offered = state.devices().find(|(_, device)| device.offered_to() == Some(account));
    if let Some((kid, _)) = offered
        && chance.happens(600)
    {
        return Some((Instruction::AcceptDevice { kid }, true));
    }
    match chance.below(10) {
        0..=2 => offer(market, account, chance),
        3 => {
            let (kid, _) =
                pick(market, chance, |device| device.owner().is_some_and(|owner| owner != account))?;
            Some((Instruction::TransferDevice { kid, to: Some(account) }, false))
        }
        // One owner rotates a key: there is one to rotate to.
        4 if number == 0 => rotation(market, account, chance),
        5..=7 => payment(market, account, chance),
        _ => None,
    }
}

fn claim(
    market: &Market<'_>,
    account: AccountId,
    kid: DeviceId,
    sold: &Sold,
    chance: &mut Chance,
) -> Option<Wish> {
    let is_right = chance.happens(800);
    // A proof made for somebody else is worth nothing.
    let for_account = if is_right { *account.as_bytes() } else { [7; 32] };
    let proof = Possession::Claim { account: for_account }.sign(&sold.key, market.network).ok()?;
    let position = sold.position.unwrap_or(Position {
        latitude_microdegrees: 57_100_000 + chance.below(10_000) as i32,
        longitude_microdegrees: -2_100_000,
    });
    Some((Instruction::Claim { kid, position, proof }, is_right))
}

fn offer(market: &Market<'_>, account: AccountId, chance: &mut Chance) -> Option<Wish> {
    let (seconds, to) = (market.state.time_unix_milliseconds() / 1_000, chance.one_of(market.owners)?);
    let mine = |device: &Device| {
        device.owner() == Some(account)
            && !device.is_retired()
            && device.offered_to().is_none()
            && device.ownership.can_pass(seconds)
    };
    let (kid, _) = pick(market, chance, mine)?;
    Some((Instruction::TransferDevice { kid, to: Some(to) }, to != account))
}

fn rotation(market: &Market<'_>, account: AccountId, chance: &mut Chance) -> Option<Wish> {
    if market.state.device(market.spare.kid()).is_some() {
        return None;
    }
    let (kid, _) = pick(market, chance, |device| device.owner() == Some(account) && !device.is_retired())?;
    let new = market.spare;
    let rotation = Possession::Rotation { replaced: kid, account: *account.as_bytes() };
    let proof = rotation.sign(new, market.network).ok()?;
    Some((Instruction::RotateKey { kid, new_key: new.public_key(), proof }, true))
}

fn payment(market: &Market<'_>, account: AccountId, chance: &mut Chance) -> Option<Wish> {
    let (balance, to) = (market.state.balance_microtokens(account), chance.one_of(market.owners)?);
    if chance.happens(150) {
        let beyond = balance.saturating_add(1_000_000_000_000);
        return Some((Instruction::Transfer { to, amount_microtokens: beyond, memo: None }, false));
    }
    let amount_microtokens = balance / chance.within(4, 40);
    let memo = chance.happens(300).then(|| "for coffee".to_owned());
    (amount_microtokens > 0 && to != account)
        .then_some((Instruction::Transfer { to, amount_microtokens, memo }, true))
}

fn pick<'a>(
    market: &Market<'a>,
    chance: &mut Chance,
    fits: impl Fn(&Device) -> bool,
) -> Option<(DeviceId, &'a Device)> {
    let fitting: Vec<_> = market.state.devices().filter(|(_, device)| fits(device)).collect();
    chance.one_of(&fitting)
}

/// Whether a refusal of something that was right is explained by what became durable since it was asked.
pub fn excuses(market: &Market<'_>, signer: AccountId, instruction: &Instruction, reason: &str) -> bool {
    let state = market.state;
    let device = |kid: &DeviceId| state.device(*kid);
    match (instruction, reason) {
        (Instruction::Transfer { amount_microtokens, .. }, "insufficient_balance") => {
            state.balance_microtokens(signer) < *amount_microtokens
        }
        (
            Instruction::Correct { from, amount_microtokens, .. },
            "insufficient_balance" | "exceeds_rewards",
        ) => {
            let rewarded = state.account(*from).map_or(0, |account| account.rewards_microtokens);
            state.balance_microtokens(*from) < *amount_microtokens
                || rewarded < u128::from(*amount_microtokens)
        }
        (
            Instruction::Claim { kid, .. }
            | Instruction::TransferDevice { kid, .. }
            | Instruction::AcceptDevice { kid }
            | Instruction::RevokeDevice { kid, .. }
            | Instruction::RotateKey { kid, .. },
            "device_revoked" | "device_replaced",
        ) => device(kid).is_some_and(Device::is_retired),
        (Instruction::AcceptDevice { kid }, "not_offered") => {
            device(kid).is_some_and(|device| device.offered_to() != Some(signer))
        }
        (Instruction::RotateKey { kid, .. } | Instruction::TransferDevice { kid, .. }, "not_owner") => {
            device(kid).is_some_and(|device| device.owner() != Some(signer))
        }
        _ => false,
    }
}
