//! A small disk of the test's own that can be filled up: a tmpfs in a private mount namespace where the machine allows
//! one; elsewhere a directory on the machine's disk, of which the node is told to keep all but a little free.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

/// Bytes of the tmpfs.
const TMPFS_BYTES: u64 = 96 * MEGABYTE;
/// What the node on it keeps free.
const TMPFS_RESERVE_BYTES: u64 = 24 * MEGABYTE;
/// On a shared disk: what the node may use before it stops, far more than others write meanwhile.
const SHARED_SLACK_BYTES: u64 = 2_048 * MEGABYTE;
const MEGABYTE: u64 = 1024 * 1024;

/// The disk.
#[derive(Debug)]
pub struct SmallDisk {
    root: TempDir,
    /// Holds the namespace open, where there is one.
    namespace: Option<Child>,
    /// What the node has to be told to keep free.
    pub reserve_bytes: u64,
}

impl SmallDisk {
    /// A disk with room.
    ///
    /// # Panics
    /// Where not even a temporary directory can be made.
    pub fn new() -> SmallDisk {
        let root = tempfile::tempdir().expect("a temporary directory can be made");
        if let Some(namespace) = mount(root.path()) {
            return SmallDisk { root, namespace: Some(namespace), reserve_bytes: TMPFS_RESERVE_BYTES };
        }
        println!("no mount namespace here: a shared disk and a large reserve take its place");
        let reserve_bytes = free_bytes(root.path()).saturating_sub(SHARED_SLACK_BYTES);
        SmallDisk { root, namespace: None, reserve_bytes }
    }

    /// Where the node that runs within is told to put its data.
    pub fn data(&self) -> PathBuf {
        self.root.path().join("data")
    }

    /// The same place as the test sees it.
    pub fn seen(&self) -> PathBuf {
        match &self.namespace {
            Some(holder) => {
                let inside = self.root.path().strip_prefix("/").unwrap_or(self.root.path());
                Path::new("/proc").join(holder.id().to_string()).join("root").join(inside)
            }
            None => self.root.path().to_owned(),
        }
    }

    /// What starts a program so that it sees the disk.
    pub fn starter(&self) -> Vec<String> {
        match &self.namespace {
            Some(holder) => {
                ["nsenter", "-t", &holder.id().to_string(), "-m", "--"].map(str::to_owned).to_vec()
            }
            None => Vec::new(),
        }
    }

    /// Takes all but `left` bytes of what the node may use.
    ///
    /// # Panics
    /// Where that cannot be done.
    pub fn fill(&self, left: u64) {
        let wanted = match self.namespace {
            Some(_) => free_bytes(&self.seen()).saturating_sub(left),
            None => 2 * SHARED_SLACK_BYTES,
        };
        let file = self.seen().join("filler");
        let taken = Command::new("fallocate").arg("-l").arg(wanted.to_string()).arg(file).status();
        assert!(taken.is_ok_and(|status| status.success()), "{wanted} bytes are taken");
    }

    /// Whether the disk is the test's alone, so that it may be filled to its last byte.
    pub fn is_private(&self) -> bool {
        self.namespace.is_some()
    }

    /// Takes every byte that is left, the reserve too.
    ///
    /// # Panics
    /// Where the disk is not the test's alone.
    pub fn fill_up(&self) {
        assert!(self.is_private(), "a shared disk is not filled up");
        let block = vec![0xaa; 4096];
        let mut file = fs::File::create(self.seen().join("last")).expect("an empty file takes no space");
        while std::io::Write::write_all(&mut file, &block).is_ok() {}
    }

    /// Gives all of it back.
    ///
    /// # Panics
    /// Where the disk was not filled.
    pub fn free(&self) {
        fs::remove_file(self.seen().join("filler")).expect("the filler is there");
        drop(fs::remove_file(self.seen().join("last")));
    }
}

impl Default for SmallDisk {
    fn default() -> SmallDisk {
        SmallDisk::new()
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        if let Some(holder) = &mut self.namespace {
            drop(holder.kill());
            drop(holder.wait());
        }
    }
}

/// A process in a mount namespace of its own with a tmpfs at `place`; none where the machine does not allow it.
fn mount(place: &Path) -> Option<Child> {
    let script = "mount -t tmpfs -o size=\"$1\" lamppost \"$0\" && echo mounted && exec cat";
    let mut holder = Command::new("unshare")
        .args(["-m", "sh", "-c", script])
        .arg(place)
        .arg(TMPFS_BYTES.to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    let mut said = String::new();
    let read = BufReader::new(holder.stdout.take()?).read_line(&mut said);
    if read.is_ok() && said.trim() == "mounted" {
        return Some(holder);
    }
    drop(holder.kill());
    drop(holder.wait());
    None
}

/// Free bytes where `place` lies. `df` would look for the mount in the test's own namespace; `stat` asks the place.
///
/// # Panics
/// Where `stat` is missing.
pub fn free_bytes(place: &Path) -> u64 {
    let output = Command::new("stat").args(["-f", "-c", "%a %S"]).arg(place).output().expect("stat runs");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut numbers =
        text.split_whitespace().map(|number| number.parse::<u64>().expect("stat prints numbers"));
    let (blocks, block_bytes) = (numbers.next().expect("blocks"), numbers.next().expect("bytes of a block"));
    blocks * block_bytes
}
