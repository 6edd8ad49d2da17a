//! The emulated board by itself, without broker or node: what it says of its own life, and what it keeps.

mod broker;
mod debugger;

use broker::Broker;

use devices::IdentityPage;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::Duration;
use tempfile::TempDir;
use xtask::firmware::elf::Elf;
use xtask::firmware::{signature, stack};
use xtask::qemu::{Bench, Board, Store};

/// An emulated board on a busy machine takes its time.
const PATIENCE: Duration = Duration::from_secs(120);
/// `udf #0`: no instruction, so that executing it faults.
const NO_INSTRUCTION: [u8; 2] = [0x00, 0xde];
/// `cpsie i; b .`: hangs, with interrupts on.
const HANG: [u8; 4] = [0x62, 0xb6, 0xfe, 0xe7];
/// What the board paints its free RAM with at start, and where its RAM ends.
const PAINT: [u8; 4] = 0xdead_5a5b_u32.to_le_bytes();
const RAM_END: u32 = 0x2001_0000;
/// What the board says once it is up.
const STARTED: &str = "started by ";

fn firmware() -> PathBuf {
    static FIRMWARE: OnceLock<PathBuf> = OnceLock::new();
    FIRMWARE.get_or_init(|| xtask::firmware::build().expect("the firmware builds")).clone()
}

/// A board with a store of its own, which lasts as long as the directory.
struct Scene {
    board: Board,
    store: Store,
    heard: usize,
    directory: TempDir,
}

impl Scene {
    /// A board that knows who it is, and no broker.
    fn with_identity() -> Scene {
        let page = IdentityPage::new("devnet", [7; 32], None).expect("a page");
        Scene::with_page(&page.encode())
    }

    fn with_page(page: &[u8]) -> Scene {
        Scene::in_directory(tempfile::tempdir().expect("a temporary directory"), page)
    }

    fn in_directory(directory: TempDir, page: &[u8]) -> Scene {
        let store = Store::at(directory.path()).expect("the board's store");
        std::fs::write(store.identity(), page).expect("the page is written");
        let board = Board::start(&firmware(), &store, Bench::default()).expect("QEMU starts");
        Scene { board, store, heard: 0, directory }
    }

    /// A board that speaks to this broker, as a host's address is seen from inside QEMU.
    fn with_broker(broker: &Broker) -> Scene {
        let address = format!("10.0.2.2:{}", broker.port).parse().expect("an address");
        let page = IdentityPage::new("devnet", [7; 32], Some(address)).expect("a page");
        Scene::with_page(&page.encode())
    }

    /// The next line that holds `text`, after those heard before.
    fn hear(&mut self, text: &str) -> String {
        let line = self
            .board
            .wait_for(text, self.heard, PATIENCE)
            .unwrap_or_else(|failure| panic!("{failure}:\n{}", self.board.log().join("\n")));
        let lines = self.board.log();
        let later = lines[self.heard..].iter().position(|heard| *heard == line).unwrap_or_default();
        self.heard += later + 1;
        line
    }

    fn switch_off(self) -> TempDir {
        self.board.switch_off();
        self.directory
    }
}

/// Where the linker put a symbol, as an address to jump to.
fn address_of(symbol: &str) -> u32 {
    let image = std::fs::read(firmware()).expect("the image");
    Elf::parse(&image).and_then(|elf| elf.symbol(symbol)).expect("the symbol").address & !1
}

/// RAM between the variables and the stack.
fn free_place() -> u32 {
    address_of("__sheap") + 0x1000
}

#[test]
fn power_button_panic_and_fault_are_told_apart_at_the_next_start() {
    let mut scene = Scene::with_identity();
    assert!(scene.hear(STARTED).ends_with("power_on"));
    scene.store.control().reset().expect("QEMU resets the board");
    assert!(scene.hear(STARTED).ends_with("button"));
    // Called without an interrupt, it finds one that has no handler: a panic in the middle of whatever ran.
    debugger::jump(&scene.store, address_of("DefaultHandler"));
    scene.hear("has no handler");
    assert!(scene.hear(STARTED).ends_with("panic"));
    scene.hear("panicked before, at main.rs:");
    let place = free_place();
    debugger::run_code(&scene.store, place, &NO_INSTRUCTION);
    scene.hear(&format!("hard fault at {place:#010x}"));
    assert!(scene.hear(STARTED).ends_with("panic"));
    scene.hear(&format!("panicked before, at fault:{place:#010x}"));
    scene.store.control().reset().expect("QEMU resets the board");
    assert!(scene.hear(STARTED).ends_with("button"), "the last words are said once");
}

#[test]
fn a_board_that_hangs_is_reset_by_its_watchdog_and_says_so() {
    let mut scene = Scene::with_identity();
    scene.hear(STARTED);
    debugger::run_code(&scene.store, free_place(), &HANG);
    assert!(scene.hear(STARTED).ends_with("watchdog"));
    scene.store.control().reset().expect("QEMU resets the board");
    assert!(scene.hear(STARTED).ends_with("button"), "a warning that led to a reset is not told twice");
}

#[test]
fn panic_after_panic_is_followed_by_a_rest_so_that_the_eeprom_lasts() {
    let mut scene = Scene::with_identity();
    for _ in 0..birth_limits::PANICS_WITHOUT_REST {
        scene.hear(STARTED);
        debugger::run_code(&scene.store, free_place(), &NO_INSTRUCTION);
    }
    scene.hear("waited 4 seconds");
    scene.hear(STARTED);
}

/// As in the firmware's `birth::limits`, which lies in another workspace.
mod birth_limits {
    pub const PANICS_WITHOUT_REST: usize = 3;
}

#[test]
fn a_board_that_signs_and_sends_stays_within_the_bound_of_its_stack() {
    let broker = Broker::start();
    let mut scene = Scene::with_broker(&broker);
    // The first envelope has been signed and sent, and nobody acknowledged it: it is signed again.
    scene.hear("no acknowledgement came");
    let image = std::fs::read(firmware()).expect("the image");
    let elf = Elf::parse(&image).expect("an ELF file");
    let bound = stack::bound(&elf).expect("a bound").bytes;
    let bottom = address_of("__sheap");
    let free = scene.store.control().memory(bottom, RAM_END - bottom).expect("QEMU shows the RAM");
    let untouched = free.chunks(4).take_while(|word| *word == PAINT).count() as u32 * 4;
    let used = RAM_END - bottom - untouched;
    assert!(untouched > 0, "the RAM was painted");
    assert!(used <= bound, "{used} bytes of stack were used, of {bound}");
    println!("{used} bytes of stack were used, the bound is {bound}");
}

#[test]
fn a_signature_takes_as_many_instructions_as_the_table_says_and_no_more_than_600_000() {
    assert_eq!(signature::INSTRUCTIONS_MAX, 600_000);
    signature::check().unwrap_or_else(|failure| panic!("{failure}"));
}

#[test]
fn a_missing_and_a_damaged_identity_page_are_told_with_what_to_do() {
    let mut page = IdentityPage::new("devnet", [7; 32], None).expect("a page").encode();
    page[40] ^= 1;
    for (page, complaint) in [([0xff; 96].as_slice(), "there is no identity page"), (&page, "damaged")] {
        let line = Scene::with_page(page).hear(complaint);
        assert!(line.contains("ERROR") && line.contains("lamppost device provision"), "{line}");
    }
}

#[test]
fn a_smaller_eeprom_of_an_earlier_board_is_grown_and_its_boots_are_counted_on() {
    let mut scene = Scene::with_identity();
    assert!(scene.hear("boot ").contains("boot 1"));
    let eeprom = scene.store.eeprom();
    let directory = scene.switch_off();
    let content = std::fs::read(&eeprom).expect("the EEPROM");
    assert_eq!(content.len(), 65_536);
    std::fs::write(&eeprom, &content[..8192]).expect("the EEPROM is cut to what boards had");
    let page = IdentityPage::new("devnet", [7; 32], None).expect("a page").encode();
    let mut scene = Scene::in_directory(directory, &page);
    assert!(scene.hear("boot ").contains("boot 2"));
    assert_eq!(std::fs::read(&eeprom).expect("the EEPROM").len(), 65_536);
}
