//! The state machine of an update. Takes messages and resets, gives what is wanted next; its only effects are those of
//! the two flashes and the bootloader that it was given.

use core::fmt;

use devices::manifest::Version;
use devices::{Manifest, ManifestError, PublicKey};
use embedded_storage::nor_flash::{NorFlash, NorFlashErrorKind};

use crate::bootloader::{Bootloader, BootloaderError};
use crate::image::{Slot, Written};
use crate::journal::Journal;
use crate::limits::{ATTEMPTS_MAX, CHUNK_BYTES, MARK_CHUNKS, TRIAL_BOOTS_MAX};
use crate::record::{Image, Phase, Record};

/// Why a manifest or a chunk is not taken. Nothing has been written then.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// It is no manifest, or not the publisher's.
    Manifest(ManifestError),
    /// The image is for another board.
    Board,
    /// The version is not above this one, which runs, was confirmed before, or is being received.
    NotAbove(Version),
    /// The version is not above this one, which was rolled back or given up.
    Rejected(Version),
    /// The image is longer than a slot.
    TooLong,
    /// The firmware that runs is on trial itself, and the download slot holds the one to go back to.
    OnTrial,
    /// No chunk is wanted, or another one.
    NotWanted,
    /// The chunk has not the length of its place.
    ChunkLength,
}

impl fmt::Display for Refusal {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Manifest(error) => error.fmt(out),
            Self::Board => out.write_str("the image is for another board"),
            Self::NotAbove(version) => write!(out, "the version is not above {version}"),
            Self::Rejected(version) => write!(out, "the version is not above {version}, which did not work"),
            Self::TooLong => out.write_str("the image is longer than a slot"),
            Self::OnTrial => out.write_str("the firmware that runs is still on trial"),
            Self::NotWanted => out.write_str("the chunk is not the one that is wanted"),
            Self::ChunkLength => out.write_str("the chunk has not the length of its place"),
        }
    }
}

/// Why the update does not go on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum UpdateError {
    /// What was offered is not taken.
    Refused(Refusal),
    /// The flash of the download slot does not answer.
    Download(NorFlashErrorKind),
    /// The flash of the record does not answer.
    State(NorFlashErrorKind),
    /// The bootloader's record does not answer.
    Bootloader(BootloaderError),
    /// The flash of the record is too small for two sectors, or for the marks of an image.
    NoRoom,
}

impl fmt::Display for UpdateError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(refusal) => refusal.fmt(out),
            Self::Download(error) => write!(out, "the download slot does not answer: {error:?}"),
            Self::State(error) => write!(out, "the update's record does not answer: {error:?}"),
            Self::Bootloader(error) => write!(out, "the bootloader does not answer: {error:?}"),
            Self::NoRoom => out.write_str("the flash is too small for the update's record"),
        }
    }
}

impl From<Refusal> for UpdateError {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<BootloaderError> for UpdateError {
    fn from(error: BootloaderError) -> Self {
        Self::Bootloader(error)
    }
}

/// Which firmware runs, and whose images it takes.
#[derive(Clone, Copy, Debug)]
pub struct About {
    /// The board's name, as manifests write it.
    pub board: &'static str,
    /// The version that runs.
    pub running: Version,
    /// Whose signature counts.
    pub publisher: PublicKey,
    /// Bytes of the longest image that the bootloader can swap in.
    pub image_bytes_max: u32,
}

/// Where an update stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum State {
    /// There has been none.
    Empty,
    /// So many chunks of all are written.
    Receiving {
        /// Of this version.
        version: Version,
        /// Chunks written.
        chunks: u32,
        /// Chunks in all.
        chunks_in_all: u32,
    },
    /// The image lies in the download slot, whole and verified.
    Ready {
        /// Its version.
        version: Version,
    },
    /// The image was handed to the bootloader and has not shown yet that it works.
    Trial {
        /// Its version.
        version: Version,
        /// Further swaps before it is rejected.
        boots_left: u32,
    },
    /// The last update works.
    Confirmed {
        /// Its version.
        version: Version,
    },
    /// The last update was rolled back, or never arrived whole. It is not tried again.
    Rejected {
        /// Its version.
        version: Version,
    },
}

/// What to do after a start.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Start {
    /// Work.
    Run,
    /// Work, and call [`Updater::healthy_session`] once the gateway has acknowledged something.
    RunOnTrial,
    /// Reset: the bootloader swaps the new image in once more.
    Reset,
}

/// The chunk that is wanted next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Wanted {
    /// Of this version.
    pub version: Version,
    /// Its place in the image, counted from 0.
    pub index: u32,
}

/// What became of a chunk.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Progress {
    /// It is written; another is wanted.
    Written,
    /// A power cut has torn what was there: the download goes on at the start of this sector.
    SectorAgain,
    /// The image is whole: [`Updater::install`] it.
    Ready,
    /// All chunks are there, and they are not the image that was signed: from the start again.
    WrongHash,
    /// The same for the last time: the version is given up.
    GivenUp,
}

/// One board's update.
pub struct Updater<D, S, B> {
    slot: Slot<D>,
    journal: Journal<S>,
    bootloader: B,
    about: About,
    next_chunk: u32,
    /// The bootloader has been told, or needs not be, that this image stays.
    is_kept: bool,
}

impl<D: NorFlash, S: NorFlash, B: Bootloader> Updater<D, S, B> {
    /// Finds where the update stands and settles what the reset has interrupted. `crashed` where neither the power
    /// nor a person has caused it. `state` is flash of two sectors at least, of which the first two are used.
    ///
    /// # Errors
    /// When a flash or the bootloader does not answer. The firmware that runs can work without an updater.
    pub fn start(
        about: About,
        download: D,
        state: S,
        bootloader: B,
        crashed: bool,
    ) -> Result<(Self, Start), UpdateError> {
        let (slot, journal) = (Slot::new(download), Journal::open(state)?);
        let mut updater = Updater { slot, journal, bootloader, about, next_chunk: 0, is_kept: false };
        let is_on_trial = updater.bootloader.is_on_trial()?;
        updater.is_kept = !is_on_trial;
        match updater.journal.record().phase {
            Phase::Trial { image } if !is_on_trial => {
                let start = updater.after_trial(image, crashed)?;
                return Ok((updater, start));
            }
            Phase::Receiving { image, from_chunk, .. } => {
                updater.next_chunk = (from_chunk + updater.journal.marks() * MARK_CHUNKS).min(chunks(image));
                if updater.next_chunk == chunks(image) {
                    updater.finish(image)?;
                }
            }
            Phase::Idle | Phase::Ready { .. } | Phase::Trial { .. } => {}
        }
        Ok((updater, if is_on_trial { Start::RunOnTrial } else { Start::Run }))
    }

    /// The trial is over, or has not begun, and this image runs.
    fn after_trial(&mut self, image: Image, crashed: bool) -> Result<Start, UpdateError> {
        // As long as the download slot holds it, it is not this image: the bootloader has put the old one back, or the
        // power went before it was asked to swap.
        if self.slot.holds(&image)? {
            if crashed || self.journal.marks() >= TRIAL_BOOTS_MAX {
                self.reject(image.version)?;
                return Ok(Start::Run);
            }
            self.swap()?;
            return Ok(Start::Reset);
        }
        if self.about.running == image.version {
            // It was kept, and the power went before that was written here.
            self.confirm(image.version)?;
        } else {
            self.reject(image.version)?;
        }
        Ok(Start::Run)
    }

    /// Where the update stands.
    pub fn state(&self) -> State {
        let record = self.journal.record();
        match record.phase {
            Phase::Receiving { image, .. } => State::Receiving {
                version: image.version,
                chunks: self.next_chunk,
                chunks_in_all: chunks(image),
            },
            Phase::Ready { image } => State::Ready { version: image.version },
            Phase::Trial { image } => State::Trial {
                version: image.version,
                boots_left: TRIAL_BOOTS_MAX.saturating_sub(self.journal.marks()),
            },
            // Each update's version is above all before it, so the higher of the two is the last.
            Phase::Idle => match (record.confirmed, record.rejected) {
                (confirmed, Some(version)) if confirmed < Some(version) => State::Rejected { version },
                (Some(version), _) => State::Confirmed { version },
                (None, _) => State::Empty,
            },
        }
    }

    /// The version that runs.
    pub fn running(&self) -> Version {
        self.about.running
    }

    /// The board's name, which stands in the topics.
    pub fn board(&self) -> &'static str {
        self.about.board
    }

    /// The chunk to fetch, if one is wanted.
    pub fn wants(&self) -> Option<Wanted> {
        match self.journal.record().phase {
            Phase::Receiving { image, .. } => Some(Wanted { version: image.version, index: self.next_chunk }),
            _ => None,
        }
    }

    /// Takes a manifest; returns whether it begins a download. One that is known already changes nothing.
    ///
    /// # Errors
    /// [`UpdateError::Refused`], or a flash that does not answer.
    pub fn take_manifest(&mut self, bytes: &[u8]) -> Result<bool, UpdateError> {
        let manifest = Manifest::verify(bytes, &self.about.publisher).map_err(Refusal::Manifest)?;
        if manifest.board != self.about.board {
            return Err(Refusal::Board.into());
        }
        let image =
            Image { version: manifest.version, bytes: manifest.image_bytes, hash: manifest.image_hash };
        let record = *self.journal.record();
        let highest = record.confirmed.max(Some(self.about.running)).filter(|it| image.version <= *it);
        if let Some(highest) = highest {
            return Err(Refusal::NotAbove(highest).into());
        }
        if let Some(rejected) = record.rejected.filter(|rejected| image.version <= *rejected) {
            return Err(Refusal::Rejected(rejected).into());
        }
        match record.phase {
            Phase::Trial { .. } => return Err(Refusal::OnTrial.into()),
            _ if !self.is_kept => return Err(Refusal::OnTrial.into()),
            Phase::Receiving { image: known, .. } | Phase::Ready { image: known } if known == image => {
                return Ok(false);
            }
            // Two manifests in turns must not make a board erase its flash for ever.
            Phase::Receiving { image: known, .. } | Phase::Ready { image: known }
                if image.version <= known.version =>
            {
                return Err(Refusal::NotAbove(known.version).into());
            }
            Phase::Idle | Phase::Receiving { .. } | Phase::Ready { .. } => {}
        }
        let bytes_max = self.about.image_bytes_max.min(self.slot.capacity_bytes());
        if image.bytes > bytes_max || chunks(image) / MARK_CHUNKS > Journal::<S>::MARKS_MAX {
            return Err(Refusal::TooLong.into());
        }
        self.journal.enter(Phase::Receiving { image, from_chunk: 0, attempts_left: ATTEMPTS_MAX })?;
        self.next_chunk = 0;
        Ok(true)
    }

    /// Takes the chunk that [`Updater::wants`]. When this returns, it stands in the flash.
    ///
    /// # Errors
    /// [`UpdateError::Refused`] for any other chunk, or a flash that does not answer.
    pub fn take_chunk(&mut self, index: u32, bytes: &[u8]) -> Result<Progress, UpdateError> {
        let Phase::Receiving { image, from_chunk, attempts_left } = self.journal.record().phase else {
            return Err(Refusal::NotWanted.into());
        };
        if index != self.next_chunk {
            return Err(Refusal::NotWanted.into());
        }
        if bytes.len() as u32 != (image.bytes - index * CHUNK_BYTES).min(CHUNK_BYTES) {
            return Err(Refusal::ChunkLength.into());
        }
        if let Written::Occupied { sector_chunk } = self.slot.write(index, bytes)? {
            // Written down before anything is erased: the marks speak of chunks that are about to go.
            self.journal.enter(Phase::Receiving { image, from_chunk: sector_chunk, attempts_left })?;
            self.next_chunk = sector_chunk;
            return Ok(Progress::SectorAgain);
        }
        self.next_chunk += 1;
        if self.next_chunk == chunks(image) {
            return self.finish(image);
        }
        if (self.next_chunk - from_chunk).is_multiple_of(MARK_CHUNKS) {
            self.journal.mark()?;
        }
        Ok(Progress::Written)
    }

    /// Every chunk is written: reads the whole image back.
    fn finish(&mut self, image: Image) -> Result<Progress, UpdateError> {
        if self.slot.holds(&image)? {
            self.journal.enter(Phase::Ready { image })?;
            return Ok(Progress::Ready);
        }
        let attempts_left = match self.journal.record().phase {
            Phase::Receiving { attempts_left, .. } => attempts_left.saturating_sub(1),
            _ => 0,
        };
        if attempts_left == 0 {
            self.reject(image.version)?;
            return Ok(Progress::GivenUp);
        }
        self.journal.enter(Phase::Receiving { image, from_chunk: 0, attempts_left })?;
        self.next_chunk = 0;
        Ok(Progress::WrongHash)
    }

    /// Hands an image that is ready to the bootloader; true where the board is to reset now.
    ///
    /// # Errors
    /// When a flash or the bootloader does not answer.
    pub fn install(&mut self) -> Result<bool, UpdateError> {
        let Phase::Ready { image } = self.journal.record().phase else { return Ok(false) };
        if !self.slot.holds(&image)? {
            // The flash has decayed meanwhile.
            self.reject(image.version)?;
            return Ok(false);
        }
        self.journal.enter(Phase::Trial { image })?;
        self.swap()?;
        Ok(true)
    }

    /// The mark comes first, so that no power cut makes room for one swap too many.
    fn swap(&mut self) -> Result<(), UpdateError> {
        self.journal.mark()?;
        Ok(self.bootloader.swap_at_reset()?)
    }

    /// The firmware that runs has sampled, connected and been acknowledged: it stays. True where that ended a trial.
    ///
    /// # Errors
    /// When a flash or the bootloader does not answer; then the next session tries again.
    pub fn healthy_session(&mut self) -> Result<bool, UpdateError> {
        if self.is_kept {
            return Ok(false);
        }
        // The bootloader first: a version that was confirmed here and given back there would be a version gone down.
        self.bootloader.keep()?;
        if let Phase::Trial { image } = self.journal.record().phase {
            self.confirm(image.version)?;
        }
        self.is_kept = true;
        Ok(true)
    }

    fn confirm(&mut self, version: Version) -> Result<(), UpdateError> {
        let record = *self.journal.record();
        let confirmed = record.confirmed.max(Some(version));
        self.journal.replace(Record { phase: Phase::Idle, confirmed, ..record })
    }

    fn reject(&mut self, version: Version) -> Result<(), UpdateError> {
        let record = *self.journal.record();
        let rejected = record.rejected.max(Some(version));
        self.journal.replace(Record { phase: Phase::Idle, rejected, ..record })
    }
}

fn chunks(image: Image) -> u32 {
    image.bytes.div_ceil(CHUNK_BYTES)
}
