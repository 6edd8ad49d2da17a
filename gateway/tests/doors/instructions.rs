//! Instructions on a whole node: what they did is served, and still there for the judge and after a restart.

use std::fs;
use std::sync::Arc;

use axum::http::StatusCode;
use devices::{Possession, SigningKey};
use gateway::commands::audit::{Progress, audit_directory};
use gateway::host;
use gateway::storage::{self, Wanted};
use gateway::telemetry::Telemetry;
use ledger::account::AccountId;
use ledger::genesis::Genesis;
use ledger::handovers::Handovers;
use ledger::instruction::Instruction;
use ledger::receipt::Receipt;

use crate::node::{Node, data};

/// Gives the node's device another key, as its owner would; gives the old one.
async fn rotate(node: &mut Node) -> SigningKey {
    let (owner, new) = (node.owner.clone(), SigningKey::from_seed([77; 32]));
    let account = *AccountId::of(&owner.public_key()).as_bytes();
    let kid = node.device.kid();
    let proof = Possession::Rotation { replaced: kid, account }.sign(&new, "devnet").unwrap();
    node.instruct(&owner, &Instruction::RotateKey { kid, new_key: new.public_key(), proof }).await;
    std::mem::replace(&mut node.device, new)
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_rotation_old_receipts_hold_and_the_judge_and_a_restart_agree() {
    let mut node = Node::start(1).await;
    let first = node.read("temp", "Cel", "1").await;
    let refused = node.envelope("temp", "Cel", "2");
    let old = rotate(&mut node).await;
    let answer = node.post("application/cose", refused).await;
    answer.problem(StatusCode::FORBIDDEN);
    assert_eq!(answer.json()["reason"], "revoked");
    let second = node.read("temp", "Cel", "3").await;
    node.settled().await;
    let genesis = Genesis::from_json(node.get("/genesis").await.text()).unwrap();
    for (id, device) in [(first, &old), (second, &node.device)] {
        let entry = node.get(&format!("/api/v1/transactions/{id}")).await.json();
        assert_eq!(entry["kid"], device.kid().to_string());
        let receipt = node.get(&format!("/api/v1/transactions/{id}/receipt")).await;
        assert!(Receipt::parse(receipt.text()).unwrap().verify(&Handovers::of_genesis(&genesis)).is_ok());
    }
    let directory = node.stop().await;
    let findings = audit_directory(&data(&directory), None, &mut Progress::new()).unwrap();
    assert_eq!((findings.readings, findings.instructions), (2, 2));
    // Without its snapshots the node replays its own log, and finds the key where the instruction brought it.
    fs::remove_dir_all(data(&directory).join("snapshots")).unwrap();
    let opened = storage::open(&data(&directory), &Wanted { network: None, epoch_seconds: None }).unwrap();
    let ends = host::start(opened, Arc::new(Telemetry::new())).unwrap();
    {
        let state = ends.shared.state();
        let new = state.device(old.kid()).unwrap().replaced_by().unwrap();
        assert_eq!(state.device(new).unwrap().replaces(), Some(old.kid()));
    }
    drop(ends.stop);
    ends.finished.await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instruction_is_served_with_all_its_arguments_and_a_refused_one_with_its_word() {
    let mut node = Node::start(3_600).await;
    let (operator, owner, kid) = (node.operator.clone(), node.owner.clone(), node.device.kid());
    let offer = Instruction::TransferDevice { kid, to: Some(AccountId::of(&operator.public_key())) };
    let id = node.instruct(&owner, &offer).await;
    let said = node.get(&format!("/api/v1/transactions/{id}")).await.json();
    assert_eq!(
        (&said["name"], &said["arguments"]["device"]),
        (&"transfer_device".into(), &node.kid().into())
    );
    let pool = AccountId::pool("devnet");
    let to = AccountId::of(&owner.public_key());
    let why = "the first day was not counted".to_owned();
    let correction = Instruction::Correct { entry_index: 0, from: pool, to, amount_microtokens: 5, why };
    let id = node.instruct(&operator, &correction).await;
    let said = node.get(&format!("/api/v1/transactions/{id}")).await.json();
    assert_eq!(said["arguments"]["corrects"], 0);
    assert_eq!(said["arguments"]["why"], "the first day was not counted");
    let transfers = node.get(&format!("/api/v1/accounts/{to}/transfers")).await.json();
    assert_eq!(transfers[0]["reason"], "correct", "{transfers}");
    let page = node.get(&format!("/transactions/{id}")).await;
    assert!(page.text().contains("the first day was not counted"));
    let payload = Instruction::AcceptDevice { kid }.encode();
    let mut out = vec![0; 512];
    let length = devices::sign_instruction(&owner, "devnet", 1_000, &payload, true, &mut out).unwrap();
    let answer = node.post("application/cose", out[..length].to_vec()).await;
    answer.problem(StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(answer.json()["reason"], "not_offered");
}
