//! The storage of a node of several: the genesis document and the node's key come from whoever set the network up, and
//! neither is ever made here.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use devices::SigningKey;
use ledger::genesis::Genesis;
use ledger::note::Note;
use ledger::state::State;

use super::{Opened, StorageError, keep_checkpoint, open_ledger, sign};
use crate::data_dir::DataDir;
use crate::keys;
use crate::limits::NAMED_FILE_BYTES_MAX;

/// Opens the data directory of a node of several. A new one begins with the genesis document in `document`, and one that has
/// a document must have the same. The node's own key is `keys/{key_name}.pem` in it.
///
/// A validator's key need not be in the genesis document: a validator may have been added since.
///
/// # Errors
/// One sentence about what stands in the way.
pub fn open_network(root: &Path, document: &Path, key_name: &str) -> Result<Opened, StorageError> {
    let genesis = read_document(document)?;
    let directory = DataDir::open(root)?;
    // Before anything is written: a node without its key must not leave half a directory.
    let key = keys::read(&directory.key(key_name))?;
    match directory.genesis()? {
        None => directory.write_genesis(&genesis)?,
        Some(found) if found == genesis => {}
        Some(_) => {
            let (directory, document) = (directory.root().to_owned(), document.to_owned());
            return Err(StorageError::AnotherGenesis { directory, document });
        }
    }
    open_ledger(directory, genesis, key)
}

fn read_document(file: &Path) -> Result<Genesis, StorageError> {
    let broken = |what: String| StorageError::Document { file: file.to_owned(), what };
    let mut text = String::new();
    let open = File::open(file).map_err(|error| broken(error.to_string()))?;
    open.take(NAMED_FILE_BYTES_MAX + 1)
        .read_to_string(&mut text)
        .map_err(|error| broken(error.to_string()))?;
    if text.len() as u64 > NAMED_FILE_BYTES_MAX {
        return Err(broken(format!("it is larger than {NAMED_FILE_BYTES_MAX} bytes")));
    }
    Genesis::from_json(&text).map_err(|error| broken(error.to_string()))
}

/// The checkpoint at the start. A lone validator signs the log's end anew. Of several none can do that alone: the last one
/// that enough of them signed stands until the next block, and before there was any, one without signatures.
pub(super) fn checkpoint(
    directory: &DataDir,
    genesis: &Genesis,
    state: &State,
    key: &SigningKey,
) -> Result<String, StorageError> {
    if let [_lone] = genesis.validators.as_slice() {
        let checkpoint = sign(&state.checkpoint(), key)?;
        keep_checkpoint(directory, &checkpoint)?;
        return Ok(checkpoint);
    }
    match directory.checkpoint()? {
        Some(kept) if Note::parse(&kept).is_ok() => Ok(kept),
        _ => Ok(Note::unsigned(state.checkpoint().body()).to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ledger::genesis::Validator;
    use ledger::note::VerifierKey;

    /// A directory in which nodes' directories and the genesis document of four validators lie.
    struct Network {
        root: tempfile::TempDir,
        genesis: Genesis,
    }

    impl Network {
        fn new(network: &str) -> Network {
            let root = tempfile::tempdir().unwrap();
            let key = |seed: u8| SigningKey::from_seed([seed; 32]).public_key();
            let origin = format!("lamppost/{network}");
            let mut genesis = Genesis::devnet(network, &origin, key(1), key(8), key(9), 60, 0).unwrap();
            genesis.validators = ["city", "utility", "university", "operator"]
                .into_iter()
                .zip(1..)
                .map(|(name, seed)| Validator {
                    name: name.to_owned(),
                    vkey: VerifierKey::new(name, key(seed)).unwrap().to_string(),
                })
                .collect();
            genesis.validate().unwrap();
            std::fs::write(root.path().join("genesis.json"), genesis.to_json()).unwrap();
            Network { root, genesis }
        }

        /// Makes a data directory with this key.
        fn data(&self, key_name: &str, seed: u8) -> std::path::PathBuf {
            let root = self.root.path().join("data");
            let directory = DataDir::open(&root).unwrap();
            keys::write(&directory.key(key_name), &SigningKey::from_seed([seed; 32])).unwrap();
            root
        }

        fn open(&self, root: &Path, key_name: &str) -> Result<Opened, StorageError> {
            open_network(root, &self.root.path().join("genesis.json"), key_name)
        }
    }

    #[test]
    fn a_new_directory_begins_with_the_document_and_opens_again() {
        let network = Network::new("testnet");
        let root = network.data("validator", 1);
        for _ in 0..2 {
            let opened = network.open(&root, "validator").unwrap();
            assert_eq!((opened.genesis.hash(), opened.durable.height), (network.genesis.hash(), 0));
            assert!(Note::parse(&opened.checkpoint).is_err(), "nobody signed it yet: {}", opened.checkpoint);
        }
        assert_eq!(
            DataDir::look(&root).unwrap().checkpoint().unwrap(),
            None,
            "nothing is kept that is not signed"
        );
    }

    #[test]
    fn a_gateway_and_a_validator_that_was_added_open_too() {
        let network = Network::new("testnet");
        let root = network.data("gateway", 77);
        network.open(&root, "gateway").unwrap();
        let added = network.data("validator", 78);
        network.open(&added, "validator").unwrap();
    }

    #[test]
    fn another_document_than_the_directorys_is_refused() {
        let network = Network::new("testnet");
        let root = network.data("validator", 1);
        network.open(&root, "validator").unwrap();
        let other = Network::new("othernet");
        let Err(error) = other.open(&root, "validator") else { panic!("it is another network") };
        assert!(matches!(error, StorageError::AnotherGenesis { .. }), "{error}");
        network.open(&root, "validator").unwrap();
    }

    #[test]
    fn a_node_without_its_key_or_its_document_is_one_sentence_and_begins_nothing() {
        let network = Network::new("testnet");
        let root = network.root.path().join("data");
        let Err(error) = network.open(&root, "validator") else { panic!("there is no key") };
        assert!(matches!(error, StorageError::Key(_)), "{error}");
        assert_eq!(DataDir::look(&root).unwrap().genesis().unwrap(), None);
        let Err(error) = open_network(&root, &root.join("none.json"), "validator") else {
            panic!("no document")
        };
        assert!(error.to_string().contains("none.json"), "{error}");
    }
}
