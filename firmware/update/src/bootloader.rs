//! What an update asks of whoever swaps the two slots before the firmware runs.

use embedded_storage::nor_flash::NorFlashErrorKind;

/// Why the bootloader's own record cannot be read or written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BootloaderError {
    /// Its flash does not answer.
    Flash(NorFlashErrorKind),
    /// It refuses in the state it is in.
    State,
}

/// Two slots, one of which runs. A swap is a trial: unless the new image says that it is kept, the next reset, of
/// whatever cause, puts the old one back. Both survive power cuts. embassy-boot does so on boards.
pub trait Bootloader {
    /// Whether the image that runs now was swapped in and is not kept yet.
    ///
    /// # Errors
    /// [`BootloaderError`].
    fn is_on_trial(&mut self) -> Result<bool, BootloaderError>;

    /// Has the image in the download slot swapped in at the next reset.
    ///
    /// # Errors
    /// [`BootloaderError`].
    fn swap_at_reset(&mut self) -> Result<(), BootloaderError>;

    /// The image that runs stays.
    ///
    /// # Errors
    /// [`BootloaderError`].
    fn keep(&mut self) -> Result<(), BootloaderError>;
}
