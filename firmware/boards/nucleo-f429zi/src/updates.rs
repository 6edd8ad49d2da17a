//! Update over the air on this board: embassy-boot's two slots, and visits to the broker.
use core::cell::Cell;

use devices::manifest::Version;
use devices::{IdentityPage, PublicKey};
use embassy_boot::{BlockingFirmwareState, FirmwareUpdaterError, State};
use embassy_net::Stack;
use embassy_net::tcp::TcpSocket;
use embassy_time::{Duration, Timer, with_timeout};
use embedded_storage::nor_flash::NorFlash;
use log::{error, info, warn};
use node::{Birth, Reset};
use static_cell::StaticCell;
use update::fetch::{Visit, VisitBuffers, visit};
use update::{About, Bootloader, BootloaderError, Start, UpdateError, Updater};

use crate::storage::{ACTIVE_BYTES, BootFlash, DownloadFlash, UpdateFlash};

/// As manifests write it.
const BOARD: &str = "nucleo-f429zi";
const SETTLE_SECONDS: u64 = 10;
const VISIT_SECONDS: u64 = 3_600;
const CONNECT_MILLISECONDS_MAX: u64 = 5_000;
const SOCKET_SILENCE_SECONDS_MAX: u64 = 30;
const WORD_BYTES: usize = BootFlash::WRITE_SIZE;

/// embassy-boot's record of the two slots.
pub struct Slots(BlockingFirmwareState<'static, BootFlash>);

fn failed(error: FirmwareUpdaterError) -> BootloaderError {
    match error {
        FirmwareUpdaterError::Flash(kind) => BootloaderError::Flash(kind),
        FirmwareUpdaterError::Signature(_) | FirmwareUpdaterError::BadState => BootloaderError::State,
    }
}

impl Bootloader for Slots {
    fn is_on_trial(&mut self) -> Result<bool, BootloaderError> {
        self.0.get_state().map(|state| state == State::Swap).map_err(failed)
    }

    fn swap_at_reset(&mut self) -> Result<(), BootloaderError> {
        self.0.mark_updated().map_err(failed)
    }

    fn keep(&mut self) -> Result<(), BootloaderError> {
        self.0.mark_booted().map_err(failed)
    }
}

/// What updates this board.
pub type BoardUpdater = Updater<DownloadFlash, UpdateFlash, Slots>;

/// Finds where the last update stands; resets where the new image is to be swapped in once more. `None` where no publisher
/// is named on the identity page, or a flash does not answer: the firmware works without.
pub fn start(
    page: &IdentityPage,
    birth: &Birth,
    download: DownloadFlash,
    update: UpdateFlash,
    boot: BootFlash,
) -> Option<BoardUpdater> {
    let publisher = PublicKey::from_bytes(*page.publisher()?).ok()?;
    let running = running()?;
    static WORD: StaticCell<[u8; WORD_BYTES]> = StaticCell::new();
    let slots = Slots(BlockingFirmwareState::new(boot, WORD.init([0; WORD_BYTES])));
    let about = About { board: BOARD, running, publisher, image_bytes_max: ACTIVE_BYTES };
    // A firmware on trial never resets itself on purpose; and the panic of another image is told as a reset by software,
    // because its last words lie elsewhere in RAM.
    let crashed = !matches!(birth.reset, Reset::PowerOn | Reset::Button);
    match Updater::start(about, download, update, slots, crashed) {
        Ok((_, Start::Reset)) => cortex::end::restart(),
        Ok((updater, Start::Run | Start::RunOnTrial)) => {
            info!("firmware {running}, update: {:?}", updater.state());
            Some(updater)
        }
        Err(failure) => {
            error!("no updates: {failure}");
            None
        }
    }
}

/// The version that runs. `None` only where this crate's version is none, which the first build would show.
fn running() -> Option<Version> {
    env!("CARGO_PKG_VERSION").parse().ok()
}

/// Confirms what runs once the gateway has acknowledged something, and looks for something new every hour, for ever.
pub async fn keep_updated(
    mut updater: BoardUpdater,
    page: IdentityPage,
    stack: Stack<'static>,
    is_acknowledged: &'static Cell<bool>,
) -> ! {
    static BUFFERS: StaticCell<VisitBuffers> = StaticCell::new();
    let buffers = BUFFERS.init_with(VisitBuffers::new);
    loop {
        while !is_acknowledged.get() {
            Timer::after_secs(SETTLE_SECONDS).await;
        }
        match updater.healthy_session() {
            Ok(true) => info!("this firmware stays: {:?}", updater.state()),
            Ok(false) => {}
            Err(failure) => error!("{failure}"),
        }
        if let Err(failure) = look(&mut updater, &page, stack, buffers).await {
            error!("{failure}");
        }
        Timer::after_secs(VISIT_SECONDS).await;
    }
}

/// One visit; resets where it has brought a new image.
async fn look(
    updater: &mut BoardUpdater,
    page: &IdentityPage,
    stack: Stack<'static>,
    buffers: &mut VisitBuffers,
) -> Result<(), UpdateError> {
    let Some(broker) = page.broker() else { return Ok(()) };
    let (mut receive, mut transmit) = ([0; 1024], [0; 512]);
    let mut socket = TcpSocket::new(stack, &mut receive, &mut transmit);
    socket.set_timeout(Some(Duration::from_secs(SOCKET_SILENCE_SECONDS_MAX)));
    let limit = Duration::from_millis(CONNECT_MILLISECONDS_MAX);
    if !matches!(with_timeout(limit, socket.connect(broker)).await, Ok(Ok(()))) {
        warn!("no connection to the broker to look for firmware");
        return Ok(());
    }
    // Without a name of its own: the broker gives one.
    match visit(updater, page.network(), "", socket, buffers).await {
        Ok(Visit::NothingNew) => Ok(()),
        Ok(Visit::Ready) => {
            if updater.install()? {
                info!("the new firmware is tried after a reset");
                cortex::end::restart();
            }
            Ok(())
        }
        Err(failure) => {
            warn!("looking for firmware: {failure}");
            Ok(())
        }
    }
}
