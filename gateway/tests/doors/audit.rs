//! The audit: a clean directory passes, one altered byte anywhere in the log is found and named.

use std::fs;
use std::path::{Path, PathBuf};

use gateway::client::Client;
use gateway::commands::audit::{Progress, audit_directory, audit_node};
use gateway::http;
use ledger::genesis::Genesis;
use ledger::state::State;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use crate::node::{Node, data};

async fn city() -> TempDir {
    let mut node = Node::start(1).await;
    for value in ["1", "2.5", "-0.5"] {
        node.read("temp", "Cel", value).await;
    }
    node.settled().await;
    node.stop().await
}

fn segment(data: &Path) -> PathBuf {
    let mut segments: Vec<_> =
        fs::read_dir(data.join("log")).unwrap().map(|entry| entry.unwrap().path()).collect();
    segments.sort();
    segments.remove(0)
}

fn audit(data: &Path) -> Result<gateway::audit::Findings, String> {
    audit_directory(data, None, &mut Progress::new()).map_err(|error| format!("{error:#}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clean_directory_passes_and_its_figures_are_recomputed() {
    let directory = city().await;
    let findings = audit(&data(&directory)).unwrap();
    assert_eq!((findings.readings, findings.instructions), (3, 1));
    // An epoch's end may fall between the readings, and the last epoch is still open when the node stops.
    assert!((1_000..=3_000).contains(&findings.paid_microtokens), "{findings:?}");
    assert!(findings.statements >= 1 && findings.settled_epochs >= 1);
    assert_eq!(findings.issued_microtokens, 2_000_000_000_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_altered_byte_anywhere_in_the_log_is_found_with_its_file() {
    let directory = city().await;
    let data = data(&directory);
    let path = segment(&data);
    let good = fs::read(&path).unwrap();
    for at in (0..good.len()).step_by(7).chain([good.len() - 1]) {
        let mut bad = good.clone();
        bad[at] ^= 0x10;
        fs::write(&path, &bad).unwrap();
        let error = audit(&data).expect_err(&format!("byte {at} of {}", good.len()));
        assert!(error.contains(&path.display().to_string()), "byte {at}: {error}");
        assert!(!error.contains('\n'), "{error}");
    }
    fs::write(&path, &good).unwrap();
    audit(&data).unwrap();
}

/// Writes the checksums anew of the frame that holds a byte, as somebody would who knows the format.
fn mend_checksums(segment: &mut [u8], at: usize) {
    let start = segment[..at].windows(4).rposition(|window| window == b"LBLK").unwrap();
    let field = |from: usize| u32::from_be_bytes(segment[start + from..start + from + 4].try_into().unwrap());
    let payload = start + 24..start + 24 + field(12) as usize;
    let payload_checksum = crc32c::crc32c(&segment[payload]);
    segment[start + 16..start + 20].copy_from_slice(&payload_checksum.to_be_bytes());
    let header_checksum = crc32c::crc32c(&segment[start..start + 20]);
    segment[start + 20..start + 24].copy_from_slice(&header_checksum.to_be_bytes());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_altered_entry_with_mended_checksums_is_found_with_its_block_and_entry() {
    let directory = city().await;
    let data = data(&directory);
    let path = segment(&data);
    let good = fs::read(&path).unwrap();
    // Every envelope of the device says "temp", every seal "seal": alter what stands before and after each.
    let words = |word: &[u8]| {
        let found = good.windows(4).enumerate().filter(|(_, window)| *window == word);
        found.map(|(at, _)| at).collect::<Vec<_>>()
    };
    let (readings, seals) = (words(b"temp"), words(b"seal"));
    assert!(readings.len() == 3 && seals.len() >= 4);
    for at in readings
        .iter()
        .flat_map(|at| [at + 1, at + 40])
        .chain(seals.iter().flat_map(|at| [at + 5, at + 20, at + 40]))
    {
        let mut bad = good.clone();
        bad[at] ^= 1;
        mend_checksums(&mut bad, at);
        fs::write(&path, &bad).unwrap();
        let error = audit(&data).expect_err(&format!("byte {at}"));
        assert!(error.contains(&path.display().to_string()), "byte {at}: {error}");
    }
    // A word of a reading: the signature no longer holds, and block and entry are named.
    let mut bad = good.clone();
    bad[readings[1]] ^= 1;
    mend_checksums(&mut bad, readings[1]);
    fs::write(&path, &bad).unwrap();
    let error = audit(&data).unwrap_err();
    assert!(error.contains("block ") && error.contains("entry ") && error.contains("signature"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_was_cut_short_is_missed_by_the_checkpoint() {
    let directory = city().await;
    let data = data(&directory);
    let path = segment(&data);
    let good = fs::read(&path).unwrap();
    // The frames begin with their magic: cut before the last one, so that what is left is a log of whole blocks.
    let last = good.windows(4).rposition(|window| window == b"LBLK").unwrap();
    fs::write(&path, &good[..last]).unwrap();
    let error = audit(&data).unwrap_err();
    assert!(error.contains("the signed checkpoint promises"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_altered_genesis_document_or_checkpoint_is_found() {
    let directory = city().await;
    let data = data(&directory);
    for (file, from, to) in
        [("genesis.json", "\"1000\"", "\"9000\""), ("checkpoint", "lamppost/devnet\n", "lamppost/devnet2\n")]
    {
        let path = data.join(file);
        let good = fs::read_to_string(&path).unwrap();
        assert!(good.contains(from), "{file}: {good}");
        fs::write(&path, good.replacen(from, to, 1)).unwrap();
        audit(&data).expect_err(file);
        fs::write(&path, good).unwrap();
    }
    audit(&data).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_is_audited_by_its_tiles_alone() {
    let mut node = Node::start(1).await;
    // More than one full bundle of 256 entries: each reading has a seal of its own.
    for value in 0..140 {
        node.read("temp", "Cel", &value.to_string()).await;
    }
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (stop, stopped) = oneshot::channel::<()>();
    let serving = tokio::spawn(http::serve(listener, node.router.clone(), async move {
        let _sender_gone = stopped.await;
    }));
    let audited = tokio::task::spawn_blocking(move || {
        audit_node(&Client::new(&url).unwrap(), None, &mut Progress::new())
            .map_err(|error| format!("{error:#}"))
    });
    let findings = audited.await.unwrap().unwrap();
    assert_eq!((findings.readings, findings.instructions), (140, 1));
    assert!(findings.entries > 256);
    drop(stop);
    serving.await.unwrap();
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stored_state_that_holds_another_amount_is_named() {
    let directory = city().await;
    let data = data(&directory);
    assert_eq!(audit(&data).unwrap().stored_states, 1, "a node that stops stores its state");
    let genesis = Genesis::from_json(&fs::read_to_string(data.join("genesis.json")).unwrap()).unwrap();
    let snapshots = data.join("snapshots");
    let height = gateway::snapshot::heights(&snapshots).pop().unwrap();
    // The state of the beginning in the place of the end's: a start would believe it, its checksums are right.
    let beginning = State::genesis(&genesis).0;
    let bytes = gateway::snapshot::encode(genesis.hash(), height, &beginning.snapshot());
    fs::write(gateway::snapshot::path(&snapshots, height), bytes).unwrap();
    let error = audit(&data).unwrap_err();
    let named = error.contains(&format!("{height}.snapshot")) && error.contains("micro-tokens in and");
    assert!(named, "{error}");
}
