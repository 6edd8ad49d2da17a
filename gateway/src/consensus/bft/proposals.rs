//! Blocks that were proposed or voted for, on the disk until their height is decided: after a crash the engine repeats its
//! votes, and must find what it voted for. One file a block, its name says what was said of it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use arc_malachitebft_app_channel::app::types::core::Round;

use super::context::{Address, BlockId, Height};
use super::parts::Assembled;
use crate::data_dir::replace;
use crate::limits;

/// The directory of blocks that are not decided yet.
#[derive(Debug)]
pub struct Proposals {
    directory: PathBuf,
}

impl Proposals {
    /// In a directory, which must be there.
    pub fn of(directory: &Path) -> Proposals {
        Proposals { directory: directory.to_owned() }
    }

    /// Keeps a block; when this returns it outlives a loss of power.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn keep(&self, id: BlockId, block: &Assembled) -> io::Result<()> {
        let file = self.directory.join(name(id, block));
        if file.exists() {
            return Ok(());
        }
        replace(&file, &[&block.bytes])
    }

    /// Those of a height, in the order of their rounds. What cannot be read was never voted for.
    pub fn of_height(&self, height: Height) -> Vec<(BlockId, Assembled)> {
        let Ok(files) = fs::read_dir(&self.directory) else { return Vec::new() };
        let mut found: Vec<_> = files
            .filter_map(|file| {
                let file = file.ok()?;
                let (id, mut block) = parse(file.file_name().to_str()?)?;
                if block.height != height || file.metadata().ok()?.len() > limits::FRAME_BYTES_MAX as u64 {
                    return None;
                }
                block.bytes = fs::read(file.path()).ok()?;
                Some((id, block))
            })
            .collect();
        found.sort_by_key(|(id, block)| (block.round.as_i64(), *id));
        found
    }

    /// Removes what is decided; what stays behind is removed the next time.
    pub fn forget_below(&self, height: Height) {
        let Ok(files) = fs::read_dir(&self.directory) else { return };
        for file in files.filter_map(Result::ok) {
            let of = file.file_name().to_str().and_then(parse);
            if of.is_none_or(|(_, block)| block.height < height) {
                let _goes_the_next_time = fs::remove_file(file.path());
            }
        }
    }
}

fn name(id: BlockId, block: &Assembled) -> String {
    let Assembled { height, round, valid_round, proposer, .. } = block;
    let (round, valid_round) = (round.as_i64(), valid_round.as_i64());
    format!("{height}_{round}_{valid_round}_{proposer}_{id}.block")
}

fn parse(name: &str) -> Option<(BlockId, Assembled)> {
    let mut words = name.strip_suffix(".block")?.split('_');
    let height = Height(words.next()?.parse().ok()?);
    let mut round = || match words.next()?.parse::<i64>().ok()? {
        -1 => Some(Round::Nil),
        number => u32::try_from(number).ok().map(Round::new),
    };
    let (round, valid_round) = (round()?, round()?);
    let mut key = || -> Option<[u8; 32]> { hex::decode(words.next()?).ok()?.try_into().ok() };
    let (proposer, id) = (Address(key()?), BlockId(key()?));
    let block = Assembled { height, round, valid_round, proposer, bytes: Vec::new() };
    words.next().is_none().then_some((id, block))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(height: u64, round: u32) -> (BlockId, Assembled) {
        let (round, valid_round) = (Round::new(round), Round::Nil);
        let proposer = Address([3; 32]);
        let bytes = vec![1, 2, 3];
        (BlockId([9; 32]), Assembled { height: Height(height), round, valid_round, proposer, bytes })
    }

    #[test]
    fn what_was_voted_for_is_found_after_a_crash() {
        let directory = tempfile::tempdir().unwrap();
        let proposals = Proposals::of(directory.path());
        let (id, kept) = block(7, 2);
        proposals.keep(id, &kept).unwrap();
        proposals.keep(id, &kept).unwrap();
        assert_eq!(Proposals::of(directory.path()).of_height(Height(7)), [(id, kept)]);
        assert_eq!(proposals.of_height(Height(8)), []);
    }

    #[test]
    fn what_is_decided_and_what_is_no_block_goes() {
        let directory = tempfile::tempdir().unwrap();
        let proposals = Proposals::of(directory.path());
        for height in [6, 7, 8] {
            let (id, kept) = block(height, 0);
            proposals.keep(id, &kept).unwrap();
        }
        fs::write(directory.path().join("half.block.new"), "torn").unwrap();
        proposals.forget_below(Height(8));
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
        assert_eq!(proposals.of_height(Height(8)).len(), 1);
    }
}
