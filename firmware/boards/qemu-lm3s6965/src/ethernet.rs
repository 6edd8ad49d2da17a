//! The Stellaris Ethernet controller as an embassy-net driver: frames through its FIFO, one interrupt for
//! received frames.
use core::task::Context;

use embassy_net_driver::{
    Capabilities, Driver, HardwareAddress, LinkState, RxToken as ReceiveToken, TxToken as TransmitToken,
};
use embassy_sync::waitqueue::AtomicWaker;

use crate::interrupt_line::InterruptLine;
use crate::register::Register;

// LM3S6965 data sheet, chapter "Ethernet controller", base 0x40048000; clock gate in SYSCTL RCGC2 bits 28 and 30.
const CLOCK_GATE: Register = unsafe { Register::at(0x400f_e108) };
const INTERRUPT_STATUS: Register = unsafe { Register::at(0x4004_8000) };
const INTERRUPT_MASK: Register = unsafe { Register::at(0x4004_8004) };
const RECEIVE_CONTROL: Register = unsafe { Register::at(0x4004_8008) };
const TRANSMIT_CONTROL: Register = unsafe { Register::at(0x4004_800c) };
const DATA: Register = unsafe { Register::at(0x4004_8010) };
const ADDRESS_LOW: Register = unsafe { Register::at(0x4004_8014) };
const ADDRESS_HIGH: Register = unsafe { Register::at(0x4004_8018) };
const FRAMES_WAITING: Register = unsafe { Register::at(0x4004_8034) };
const TRANSMIT_REQUEST: Register = unsafe { Register::at(0x4004_8038) };
const CLOCK_GATE_ETHERNET: u32 = 1 << 28 | 1 << 30;
const INTERRUPT_RECEIVED: u32 = 1;
const RECEIVE_ENABLE: u32 = 1;
const RECEIVE_RESET: u32 = 1 << 4;
/// Transmitter on, short frames padded, checksum appended.
const TRANSMIT_ENABLE_PAD_CHECKSUM: u32 = 0b111;
const INTERRUPT: InterruptLine = unsafe { InterruptLine::at(42) };

/// An Ethernet frame without its checksum.
const FRAME_BYTES_MAX: usize = 1514;
const HEADER_BYTES: usize = 14;
/// The FIFO puts two length bytes before a received frame and its checksum of four after it.
const RECEIVE_OVERHEAD_BYTES: usize = 6;

static RECEIVED: AtomicWaker = AtomicWaker::new();

/// The controller and a buffer for a frame in each direction.
pub struct Ethernet {
    hardware_address: [u8; 6],
    received: [u8; FRAME_BYTES_MAX],
    received_bytes: usize,
    transmitted: [u8; FRAME_BYTES_MAX],
}

impl Ethernet {
    /// The driver's state; the hardware sleeps until `start`.
    pub const fn new(hardware_address: [u8; 6]) -> Self {
        Self {
            hardware_address,
            received: [0; FRAME_BYTES_MAX],
            received_bytes: 0,
            transmitted: [0; FRAME_BYTES_MAX],
        }
    }

    /// Turns the controller on.
    ///
    /// # Safety
    /// Called for one value only: the registers and the interrupt line belong to it.
    pub unsafe fn start(&mut self) {
        let [a, b, c, d, e, f] = self.hardware_address;
        CLOCK_GATE.write(CLOCK_GATE.read() | CLOCK_GATE_ETHERNET);
        RECEIVE_CONTROL.write(RECEIVE_RESET);
        ADDRESS_LOW.write(u32::from_le_bytes([a, b, c, d]));
        ADDRESS_HIGH.write(u32::from_le_bytes([e, f, 0, 0]));
        INTERRUPT_STATUS.write(u32::MAX);
        INTERRUPT_MASK.write(INTERRUPT_RECEIVED);
        TRANSMIT_CONTROL.write(TRANSMIT_ENABLE_PAD_CHECKSUM);
        RECEIVE_CONTROL.write(RECEIVE_ENABLE);
        INTERRUPT.unmask();
    }

    /// Takes the next frame out of the FIFO into `received`; false when there is none.
    fn fetch(&mut self) -> bool {
        while FRAMES_WAITING.read() != 0 {
            let first = DATA.read().to_le_bytes();
            let total = usize::from(u16::from_le_bytes([first[0], first[1]]));
            let length = total.saturating_sub(RECEIVE_OVERHEAD_BYTES);
            let mut position = 0;
            let mut keep = |byte: u8| {
                if position < length.min(FRAME_BYTES_MAX) {
                    self.received[position] = byte;
                }
                position += 1;
            };
            keep(first[2]);
            keep(first[3]);
            // The whole frame is read even when it is too long to keep, or the FIFO would lose its place.
            for _ in 1..total.div_ceil(4) {
                for byte in DATA.read().to_le_bytes() {
                    keep(byte);
                }
            }
            if (HEADER_BYTES..=FRAME_BYTES_MAX).contains(&length) {
                self.received_bytes = length;
                return true;
            }
        }
        false
    }
}

/// What the interrupt line 42 does: wakes the network task, which turns the interrupt on again when it has
/// read everything.
pub fn on_interrupt(line: i16) -> bool {
    if !INTERRUPT.is(line) {
        return false;
    }
    INTERRUPT_MASK.write(0);
    INTERRUPT_STATUS.write(INTERRUPT_RECEIVED);
    RECEIVED.wake();
    true
}

/// A received frame.
pub struct Received<'a>(&'a mut [u8]);

impl ReceiveToken for Received<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, f: F) -> R {
        f(self.0)
    }
}

/// Room for a frame to send.
pub struct Transmit<'a>(&'a mut [u8; FRAME_BYTES_MAX]);

impl TransmitToken for Transmit<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, length: usize, f: F) -> R {
        let frame = &mut self.0[..length];
        let result = f(frame);
        // The first word carries the payload's length, then come the frame's bytes, four a word.
        let [low, high] = (length.saturating_sub(HEADER_BYTES) as u16).to_le_bytes();
        DATA.write(u32::from_le_bytes([low, high, frame[0], frame[1]]));
        for chunk in frame[2..].chunks(4) {
            let mut word = [0; 4];
            word[..chunk.len()].copy_from_slice(chunk);
            DATA.write(u32::from_le_bytes(word));
        }
        TRANSMIT_REQUEST.write(1);
        result
    }
}

impl Driver for Ethernet {
    type RxToken<'a> = Received<'a>;
    type TxToken<'a> = Transmit<'a>;

    fn receive(&mut self, context: &mut Context<'_>) -> Option<(Received<'_>, Transmit<'_>)> {
        RECEIVED.register(context.waker());
        if !self.fetch() {
            INTERRUPT_MASK.write(INTERRUPT_RECEIVED);
            // A frame that came between the look and the unmasking has raised no interrupt we saw: look again.
            if !self.fetch() {
                return None;
            }
        }
        Some((Received(&mut self.received[..self.received_bytes]), Transmit(&mut self.transmitted)))
    }

    fn transmit(&mut self, context: &mut Context<'_>) -> Option<Transmit<'_>> {
        if TRANSMIT_REQUEST.read() & 1 != 0 {
            // The last frame is still leaving: a few microseconds, so asking again at once is cheapest.
            context.waker().wake_by_ref();
            return None;
        }
        Some(Transmit(&mut self.transmitted))
    }

    fn link_state(&mut self, _: &mut Context<'_>) -> LinkState {
        LinkState::Up
    }

    fn capabilities(&self) -> Capabilities {
        let mut capabilities = Capabilities::default();
        capabilities.max_transmission_unit = FRAME_BYTES_MAX;
        capabilities
    }

    fn hardware_address(&self) -> HardwareAddress {
        HardwareAddress::Ethernet(self.hardware_address)
    }
}
