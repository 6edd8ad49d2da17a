//! Instructions in words: what each asks, and its arguments by name.

use ledger::instruction::Instruction;
use ledger::token::Tokens;

/// What an instruction asks, in one sentence.
pub fn sentence(instruction: &Instruction) -> String {
    let tokens = |amount: &u64| format!("{} tokens", Tokens(*amount));
    match instruction {
        Instruction::Enrol { public_key, owner: Some(owner), .. } => {
            format!("Admits device {} to the network; {owner} owns it.", public_key.kid())
        }
        Instruction::Enrol { public_key, owner: None, .. } => {
            format!("Admits device {} to the network; what it earns waits for an owner.", public_key.kid())
        }
        Instruction::Claim { kid, .. } => {
            format!("Takes device {kid}, which nobody owned, with the device's own signature for it.")
        }
        Instruction::TransferDevice { kid, to: Some(to) } => {
            format!("Offers device {kid} to {to}, who owns it once they accept.")
        }
        Instruction::TransferDevice { kid, to: None } => format!("Withdraws the offer of device {kid}."),
        Instruction::AcceptDevice { kid } => {
            format!("Accepts device {kid}: what it reads from this block on is the signer's.")
        }
        Instruction::RotateKey { kid, new_key, .. } => {
            format!("Gives device {kid} a new key: it goes on as {}.", new_key.kid())
        }
        Instruction::RevokeDevice { kid, why } => {
            format!("Ends the service of device {kid} for good: {why}")
        }
        Instruction::Transfer { to, amount_microtokens, memo: None } => {
            format!("Pays {} to {to}.", tokens(amount_microtokens))
        }
        Instruction::Transfer { to, amount_microtokens, memo: Some(memo) } => {
            format!("Pays {} to {to}: {memo}", tokens(amount_microtokens))
        }
        Instruction::Issue { to, amount_microtokens } => {
            format!("Makes {} new and gives them to {to}.", tokens(amount_microtokens))
        }
        Instruction::Correct { entry_index, from, to, amount_microtokens, why } => {
            let amount = tokens(amount_microtokens);
            format!("Sets entry {entry_index} right: {amount} go from {from} to {to}, because: {why}")
        }
        Instruction::SetTariff { tariff } => {
            format!("Announces version {} of the tariff, in force from the next epoch on.", tariff.version)
        }
        Instruction::AddValidator { validator, .. } => {
            format!("Approves that {} joins the validators.", validator.name())
        }
        Instruction::RemoveValidator { name, .. } => {
            format!("Approves that {name} leaves the validators.")
        }
        Instruction::ReportMisbehaviour { evidence } => {
            let (height, _) = evidence.place();
            format!("Shows that the validator {} contradicted itself at {height}.", evidence.validator())
        }
    }
}

/// The arguments by name, as text, in order.
pub fn arguments(instruction: Instruction) -> Vec<(String, String)> {
    let named = |name: &str, text: String| (name.to_owned(), text);
    let tokens = |amount| format!("{} tokens", Tokens(amount));
    match instruction {
        Instruction::Enrol { public_key, owner, position } => {
            let mut arguments = vec![
                named("device", public_key.kid().to_string()),
                named("public key", public_key.to_string()),
            ];
            arguments.extend(owner.map(|owner| named("owner", owner.to_string())));
            arguments.extend(position.map(|position| named("position", position.to_string())));
            arguments
        }
        Instruction::Claim { kid, position, .. } => {
            vec![named("device", kid.to_string()), named("position", position.to_string())]
        }
        Instruction::TransferDevice { kid, to } => {
            let to = to.map_or_else(|| "nobody: the offer is withdrawn".to_owned(), |to| to.to_string());
            vec![named("device", kid.to_string()), named("offered to", to)]
        }
        Instruction::AcceptDevice { kid } => vec![named("device", kid.to_string())],
        Instruction::RotateKey { kid, new_key, .. } => vec![
            named("device", kid.to_string()),
            named("new device", new_key.kid().to_string()),
            named("new public key", new_key.to_string()),
        ],
        Instruction::RevokeDevice { kid, why } => {
            vec![named("device", kid.to_string()), named("why", why)]
        }
        Instruction::Correct { entry_index, from, to, amount_microtokens, why } => vec![
            named("corrects entry", entry_index.to_string()),
            named("from", from.to_string()),
            named("to", to.to_string()),
            named("amount", tokens(amount_microtokens)),
            named("why", why),
        ],
        Instruction::SetTariff { tariff } => {
            let mut arguments = vec![named("version", tariff.version.to_string())];
            let quantities = tariff.quantities.iter();
            arguments.extend(quantities.map(|quantity| {
                let price = Tokens(quantity.price_microtokens);
                named(&quantity.name, format!("{price} tokens a record, in {}", quantity.unit))
            }));
            arguments
        }
        Instruction::AddValidator { version, validator } => vec![
            named("validator", validator.name().to_owned()),
            named("verifier key", validator.to_string()),
            named("version of the validators", version.to_string()),
        ],
        Instruction::RemoveValidator { version, name } => {
            vec![named("validator", name), named("version of the validators", version.to_string())]
        }
        Instruction::ReportMisbehaviour { evidence } => {
            let (height, round) = evidence.place();
            vec![
                named("validator's key", evidence.validator().to_string()),
                named("signed twice", evidence.kind().to_string()),
                named("height or log size", height.to_string()),
                named("round", round.to_string()),
            ]
        }
        Instruction::Transfer { to, amount_microtokens, memo } => {
            let mut arguments =
                vec![named("to", to.to_string()), named("amount", tokens(amount_microtokens))];
            arguments.extend(memo.map(|memo| named("memo", memo)));
            arguments
        }
        Instruction::Issue { to, amount_microtokens } => {
            vec![named("to", to.to_string()), named("amount", tokens(amount_microtokens))]
        }
    }
}
