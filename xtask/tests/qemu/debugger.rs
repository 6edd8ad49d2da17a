//! A debugger that makes the emulated board fail: it writes memory and moves the program counter (gdb's remote protocol).

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use xtask::qemu::Store;

/// The number of the program counter among the registers.
const PROGRAM_COUNTER: u8 = 15;
/// The program status, whose lowest bits are the number of the interrupt that is being handled.
const PROGRAM_STATUS: u8 = 25;
const INTERRUPT_NUMBER: u32 = 0x1ff;
/// Makes QEMU tell registers apart by their numbers.
const DESCRIBE_YOURSELF: &str = "qXfer:features:read:target.xml:0,ffb";

/// Stops the board outside of any interrupt, writes `code` to `address` of its RAM, and lets it go on there.
pub fn run_code(store: &Store, address: u32, code: &[u8]) {
    let mut debugger = Debugger::attach(store);
    while debugger.register(PROGRAM_STATUS) & INTERRUPT_NUMBER != 0 {
        debugger.let_go(store);
        debugger = Debugger::attach(store);
    }
    let bytes: String = code.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(debugger.ask(&format!("M{address:x},{:x}:{bytes}", code.len())), "OK");
    debugger.go_on_at(address, store);
}

/// Stops the board and lets it go on at `address`.
pub fn jump(store: &Store, address: u32) {
    Debugger::attach(store).go_on_at(address, store);
}

struct Debugger {
    stream: UnixStream,
}

impl Debugger {
    fn attach(store: &Store) -> Debugger {
        let socket = store.directory().join("gdb.sock");
        store.control().open_to_debugger(&socket).expect("QEMU lets a debugger in");
        let stream = UnixStream::connect(&socket).expect("QEMU listens");
        let mut debugger = Debugger { stream };
        assert!(debugger.ask("?").starts_with('T'), "the board stands still");
        assert!(debugger.ask(DESCRIBE_YOURSELF).contains("<target>"));
        debugger
    }

    fn go_on_at(mut self, address: u32, store: &Store) {
        let value: String = address.to_le_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(self.ask(&format!("P{PROGRAM_COUNTER:x}={value}")), "OK");
        self.let_go(store);
    }

    fn register(&mut self, number: u8) -> u32 {
        let answer = self.ask(&format!("p{number:x}"));
        u32::from_str_radix(&answer, 16).expect("a register of 32 bits").swap_bytes()
    }

    fn let_go(mut self, store: &Store) {
        assert_eq!(self.ask("D"), "OK");
        drop(self.stream);
        store.control().close_to_debugger().expect("QEMU lets the board run on");
    }

    /// `$request#checksum`, answered by `+` and the same form.
    fn ask(&mut self, request: &str) -> String {
        let checksum = request.bytes().fold(0_u8, u8::wrapping_add);
        write!(self.stream, "${request}#{checksum:02x}").expect("QEMU takes a request");
        loop {
            while self.byte() != b'$' {}
            let mut answer = Vec::new();
            loop {
                match self.byte() {
                    b'#' => break,
                    byte => answer.push(byte),
                }
            }
            for _ in 0..2 {
                self.byte();
            }
            write!(self.stream, "+").expect("QEMU takes a receipt");
            let answer = String::from_utf8(answer).expect("an answer is text");
            // The news that the board has stopped may come before the answer.
            if request == "?" || !answer.starts_with('T') {
                return answer;
            }
        }
    }

    fn byte(&mut self) -> u8 {
        let mut byte = [0];
        self.stream.read_exact(&mut byte).expect("QEMU answers");
        byte[0]
    }
}
