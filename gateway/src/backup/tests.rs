//! The backup's claims: what was there is there again, nothing is overwritten, and nothing altered is restored.

use std::os::unix::fs::PermissionsExt;

use tempfile::TempDir;

use super::*;
use crate::storage::{self, Wanted};

const WANTED: Wanted = Wanted { network: None, epoch_seconds: None };

struct World(TempDir);

impl World {
    fn new() -> World {
        let world = World(tempfile::tempdir().unwrap());
        drop(storage::open(&world.at("data"), &WANTED).unwrap());
        world
    }

    fn at(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn backup(&self, to: &str, with_keys: bool) -> Result<Manifest, BackupError> {
        backup(&self.at("data"), &self.at(to), with_keys, &mut |_, _| ())
    }

    fn restore(&self, from: &str, to: &str) -> Result<Manifest, BackupError> {
        restore(&self.at(from), &self.at(to), &mut |_, _| ())
    }
}

#[test]
fn what_was_backed_up_is_restored_and_opens() {
    let world = World::new();
    let opened = storage::open(&world.at("data"), &WANTED).unwrap();
    let command = "commands/be5de2f4bcdc383a.cose";
    fs::create_dir_all(world.at("data/commands")).unwrap();
    fs::write(world.at("data").join(command), b"an owner's word").unwrap();
    let mut heard = 0;
    let made = backup(&world.at("data"), &world.at("copy"), true, &mut |bytes, of| {
        assert!(bytes <= of);
        heard = bytes;
    });
    let made = made.unwrap();
    assert!(heard > 0);
    assert_eq!((made.height, made.log_size), (opened.durable.height, opened.durable.log_size));
    let state = opened.state.clone();
    drop(opened);
    assert_eq!(world.restore("copy", "again").unwrap(), made);
    assert_eq!(storage::open(&world.at("again"), &WANTED).unwrap().state, state);
    assert_eq!(fs::read(world.at("again").join(command)).unwrap(), b"an owner's word");
    let mode = fs::metadata(world.at("again/keys/validator.pem")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn nothing_is_overwritten() {
    let world = World::new();
    world.backup("copy", true).unwrap();
    assert!(matches!(world.backup("copy", true), Err(BackupError::Exists(_))));
    assert!(matches!(world.restore("copy", "data"), Err(BackupError::Exists(_))));
    fs::write(world.at("file"), "a file").unwrap();
    assert!(matches!(world.backup("file", true), Err(BackupError::Exists(_))));
    assert!(matches!(world.restore("copy", "file"), Err(BackupError::Exists(_))));
    assert_eq!(fs::read(world.at("file")).unwrap(), b"a file");
    fs::create_dir(world.at("empty")).unwrap();
    world.restore("copy", "empty").unwrap();
}

#[test]
fn a_backup_without_keys_has_none_and_says_so_when_it_is_started() {
    let world = World::new();
    let made = world.backup("copy", false).unwrap();
    assert!(!made.keys && made.files.keys().all(|name| !name.ends_with(".pem")));
    world.restore("copy", "again").unwrap();
    let Err(error) = storage::open(&world.at("again"), &WANTED) else { panic!("there is no validator key") };
    assert!(error.to_string().contains("validator.pem"), "{error}");
    fs::copy(world.at("data/keys/validator.pem"), world.at("again/keys/validator.pem")).unwrap();
    storage::open(&world.at("again"), &WANTED).unwrap();
}

#[test]
fn one_altered_byte_anywhere_is_not_restored() {
    let world = World::new();
    let made = world.backup("copy", true).unwrap();
    for name in made.files.keys() {
        let file = world.at("copy").join(name);
        let whole = fs::read(&file).unwrap();
        for at in (0..whole.len()).step_by(whole.len().div_ceil(9)) {
            let mut bytes = whole.clone();
            bytes[at] ^= 1;
            fs::write(&file, bytes).unwrap();
            let error = world.restore("copy", "again").unwrap_err();
            assert!(error.to_string().contains(name), "{error}");
            assert!(!world.at("again").exists() && !world.at("again.restoring").exists());
        }
        fs::write(&file, whole).unwrap();
    }
    fs::write(world.at("copy/log/00000002.segment"), "a stranger").unwrap();
    assert!(matches!(world.restore("copy", "again"), Err(BackupError::Altered(..))));
}

#[test]
fn a_list_that_was_made_to_fit_an_altered_log_does_not_help() {
    let world = World::new();
    world.backup("copy", true).unwrap();
    let other = World::new();
    other.backup("copy", true).unwrap();
    // Another ledger's log, with a list that says it belongs here.
    let name = "log/00000001.segment";
    let (ours, theirs) = (world.at("copy").join(BACKUP_FILE), other.at("copy").join(BACKUP_FILE));
    fs::copy(other.at("copy").join(name), world.at("copy").join(name)).unwrap();
    let read = |file: &Path| serde_json::from_slice::<Manifest>(&fs::read(file).unwrap()).unwrap();
    let mut manifest = read(&ours);
    manifest.files.insert(name.into(), read(&theirs).files[name].clone());
    fs::write(&ours, serde_json::to_string(&manifest).unwrap()).unwrap();
    assert!(matches!(world.restore("copy", "again"), Err(BackupError::Log(LogError::Foreign { .. }))));
}

#[test]
fn a_backup_is_no_data_directory_and_a_data_directory_no_backup() {
    let world = World::new();
    world.backup("copy", true).unwrap();
    let Err(error) = storage::open(&world.at("copy"), &WANTED) else { panic!("a backup is not served") };
    assert!(error.to_string().contains("lamppost restore"), "{error}");
    assert!(matches!(world.restore("data", "again"), Err(BackupError::NoBackup(_))));
    assert!(matches!(world.restore("nowhere", "again"), Err(BackupError::NoBackup(_))));
}

#[test]
fn a_path_that_leads_out_of_the_backup_is_refused() {
    let world = World::new();
    world.backup("copy", true).unwrap();
    let file = world.at("copy").join(BACKUP_FILE);
    let mut manifest: Manifest = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    let entry = manifest.files["format"].clone();
    manifest.files.insert("../escaped".into(), entry);
    fs::write(&file, serde_json::to_string(&manifest).unwrap()).unwrap();
    assert!(world.restore("copy", "again").unwrap_err().to_string().contains("leads out"));
    assert!(!world.at("escaped").exists());
}

#[test]
fn a_torn_end_is_left_out_of_the_copy() {
    let world = World::new();
    let segment = world.at("data/log/00000001.segment");
    let whole = fs::read(&segment).unwrap();
    let torn = [&whole[..], &whole[64..100]].concat();
    fs::write(&segment, torn).unwrap();
    world.backup("copy", true).unwrap();
    assert_eq!(fs::read(world.at("copy/log/00000001.segment")).unwrap(), whole);
}
