//! A network's validators on a whole node: who decides and who is to is served, proven, and still there after a restart.

use std::time::Duration;

use axum::http::StatusCode;
use devices::SigningKey;
use gateway::backup::{backup, restore};
use gateway::data_dir::DataDir;
use ledger::checkpoint::Checkpoint;
use ledger::evidence::{Evidence, SignedVote};
use ledger::genesis::Genesis;
use ledger::handovers::Handovers;
use ledger::instruction::Instruction;
use ledger::note::{Note, VerifierKey};
use ledger::vote::{VoteKind, vote_bytes};

use crate::node::{Node, data};

const NAMES: [&str; 4] = ["city", "utility", "university", "operator"];

fn keys() -> [SigningKey; 4] {
    [101, 102, 103, 104].map(|seed| SigningKey::from_seed([seed; 32]))
}

async fn start() -> (Node, [SigningKey; 4]) {
    let keys = keys();
    let validators: Vec<_> = NAMES.into_iter().zip(&keys).collect();
    (Node::of_several(&validators).await, keys)
}

fn leave(name: &str) -> Instruction {
    Instruction::RemoveValidator { version: 0, name: name.to_owned() }
}

/// Waits until the validators are those of this version.
async fn changed(node: &Node, version: u64) -> serde_json::Value {
    let mut events = node.shared().watch(None);
    loop {
        let said = node.get("/api/v1/validators").await.json();
        if said["version"] == version {
            return said;
        }
        let told = tokio::time::timeout(Duration::from_secs(20), events.next()).await;
        told.expect("an epoch ends, and that is told");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn approvals_are_counted_until_a_change_is_agreed_on_and_takes_effect() {
    let (mut node, keys) = start().await;
    let said = node.get("/api/v1/validators").await.json();
    assert_eq!((&said["version"], &said["quorum"]), (&0.into(), &3.into()));
    assert_eq!(said["validators"][3]["name"], "operator");
    assert_eq!(said["validators"][3]["public_key"], keys[3].public_key().to_string());
    let harbour = VerifierKey::new("harbour", SigningKey::from_seed([105; 32]).public_key()).unwrap();
    let join = Instruction::AddValidator { version: 0, validator: harbour.clone() };
    node.instruct(&keys[0], &leave("city")).await;
    let id = node.instruct(&keys[1], &join).await;
    let entry = node.get(&format!("/api/v1/transactions/{id}")).await.json();
    assert_eq!(
        (&entry["name"], &entry["arguments"]["vkey"]),
        (&"add_validator".into(), &harbour.to_string().into())
    );
    let said = node.get("/api/v1/validators").await.json();
    assert_eq!(said["proposed"][1]["change"], "add_validator");
    assert_eq!(said["proposed"][1]["vkey"], harbour.to_string());
    assert_eq!(said["proposed"][1]["approved_by"][0], "utility");
    // The operator of the network is no validator.
    let operator = node.operator.clone();
    let refused = node.refused(&operator, &join).await;
    assert_eq!(refused.json()["reason"], "not_validator");
    refused.problem(StatusCode::UNPROCESSABLE_ENTITY);
    node.instruct(&keys[0], &join).await;
    node.instruct(&keys[2], &join).await;
    let said = changed(&node, 1).await;
    assert_eq!(said["validators"][4]["vkey"], harbour.to_string());
    assert_eq!((said["quorum"].as_u64(), said["scheduled"].is_null()), (Some(4), true));
    let genesis = Genesis::from_json(node.get("/genesis").await.text()).unwrap();
    let document = node.get("/validators").await;
    assert_eq!(document.content_type(), "text/plain; charset=utf-8");
    let handovers = Handovers::parse(document.text(), &genesis).unwrap();
    assert!(handovers.present().contains(harbour.key()));
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_and_its_backup_know_who_may_have_signed() {
    let (mut node, keys) = start().await;
    for key in &keys[..3] {
        node.instruct(key, &leave("operator")).await;
    }
    changed(&node, 1).await;
    // Behind the block with which the change took effect those before it have no say.
    node.read("temp", "Cel", "21.5").await;
    // The newest checkpoint as those who stay would have signed it.
    let body = Checkpoint::parse(&node.shared().still().checkpoint().body()).unwrap();
    let directory = node.stop().await;
    let root = data(&directory);
    let genesis = DataDir::look(&root).unwrap().genesis().unwrap().unwrap();
    let handovers = DataDir::look(&root).unwrap().handovers(&genesis).unwrap();
    assert_eq!(handovers.present().len(), 3);
    let sign = |signers: &[usize]| {
        let mut note = Note::unsigned(body.body());
        signers.iter().for_each(|at| note.sign(NAMES[*at], &keys[*at]).unwrap());
        DataDir::look(&root).unwrap().write_checkpoint(&note.to_string()).unwrap();
    };
    let copy = directory.path().join("copy");
    // Enough of genesis, but one of them has left.
    sign(&[0, 1, 3]);
    assert!(backup(&root, &copy, false, &mut |_, _| ()).is_err());
    sign(&[0, 1, 2]);
    let manifest = backup(&root, &copy, false, &mut |_, _| ()).unwrap();
    assert!(manifest.files.contains_key("validators"));
    let back = directory.path().join("back");
    restore(&copy, &back, &mut |_, _| ()).unwrap();
    assert_eq!(DataDir::look(&back).unwrap().handovers(&genesis).unwrap(), handovers);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_contradiction_is_on_record_with_both_signatures() {
    let (mut node, keys) = start().await;
    let genesis = Genesis::from_json(node.get("/genesis").await.text()).unwrap();
    let vote = |value| {
        let message = vote_bytes(&genesis.hash(), VoteKind::Precommit, 5, 1, value);
        SignedVote { value, signature: keys[2].sign(&message) }
    };
    let evidence = Box::new(Evidence::Votes {
        validator: keys[2].public_key(),
        kind: VoteKind::Precommit,
        height: 5,
        round: 1,
        first: vote(Some([1; 32])),
        second: vote(None),
    });
    let id = node.instruct(&keys[0], &Instruction::ReportMisbehaviour { evidence }).await;
    let entry = node.get(&format!("/api/v1/transactions/{id}")).await.json();
    let arguments = &entry["arguments"];
    assert_eq!(arguments["misbehaviour"], "precommits");
    assert_eq!(arguments["statements"][0]["value"], hex::encode([1; 32]));
    assert!(arguments["statements"][1]["value"].is_null());
    let said = node.get("/api/v1/validators").await.json();
    let shown = &said["misbehaviours"][0];
    assert_eq!(
        (&shown["name"], &shown["height"], &shown["round"]),
        (&"university".into(), &5.into(), &1.into())
    );
    assert_eq!(shown["entry_index"], entry["index"]);
    assert_eq!(node.get(&format!("/transactions/{id}")).await.status, StatusCode::OK);
    node.stop().await;
}
