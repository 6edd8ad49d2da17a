//! What a function's machine code says of its stack: the bytes it takes, whom it calls (ARMv7-M and ARMv8-M, Thumb-2).
//!
//! Only the instructions that matter are known: those that move the stack pointer down, branches that leave the function,
//! and moves that make an address. Encodings are those of the ARMv7-M Architecture Reference Manual, chapter A7.7.

use std::collections::BTreeMap;

const STACK_POINTER: u16 = 13;
const LINK_REGISTER: u16 = 14;
const PROGRAM_COUNTER: u16 = 15;

/// What one function does.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Code {
    /// Bytes of stack, at most: everything that it ever pushes, as if nothing were popped in between.
    pub frame_bytes: u32,
    /// Where its calls and jumps out of itself go.
    pub calls: Vec<u32>,
    /// Whether it calls or jumps by a register.
    pub calls_by_register: bool,
    /// Whether it takes an amount of stack that only it knows.
    pub is_dynamic: bool,
    /// Addresses that it puts together in a register.
    pub constants: Vec<u32>,
}

/// Reads a function of machine code that lies at `address`. `is_data` tells the addresses of constants between the
/// instructions.
pub fn read(code: &[u8], address: u32, is_data: impl Fn(u32) -> bool) -> Code {
    let halves: Vec<u16> = code.as_chunks().0.iter().map(|bytes| u16::from_le_bytes(*bytes)).collect();
    let mut reader = Reader { start: address, end: address + code.len() as u32, ..Reader::default() };
    let mut index = 0;
    while index < halves.len() {
        let here = address + 2 * index as u32;
        if is_data(here) {
            index += 1;
            continue;
        }
        // 0b11101, 0b11110 and 0b11111 begin an instruction of two halves.
        match (halves[index], halves.get(index + 1)) {
            (first @ 0xe800.., Some(second)) => {
                reader.wide(here, first, *second);
                index += 2;
            }
            (first, _) => {
                reader.narrow(here, first);
                index += 1;
            }
        }
    }
    reader.finish()
}

#[derive(Default)]
struct Reader {
    start: u32,
    end: u32,
    code: Code,
    /// Lower halves that wait for their upper ones, by register.
    lower: BTreeMap<u16, u32>,
    /// Stack taken through another register, as where more than 8 bytes' alignment is needed.
    aligned: BTreeMap<u16, u32>,
    /// Bits of the stack pointer that are cleared, by register.
    cleared: BTreeMap<u16, u32>,
}

impl Reader {
    fn narrow(&mut self, here: u32, first: u16) {
        let register = first >> 3 & 0xf;
        match first {
            // PUSH
            0xb400..=0xb5ff => self.code.frame_bytes += 4 * (first & 0x1ff).count_ones(),
            // SUB SP, #n
            0xb080..=0xb0ff => self.code.frame_bytes += 4 * u32::from(first & 0x7f),
            // BX, BLX
            0x4700..=0x47ff => {
                let is_return = first & 0x80 == 0 && register == LINK_REGISTER;
                self.code.calls_by_register |= !is_return;
            }
            // MOV between any registers
            0x4600..=0x46ff => {
                let target = first & 7 | first >> 4 & 8;
                if target == STACK_POINTER {
                    // The way back from a frame pointer, too, which then was not made from the stack pointer here.
                    let bytes = self.aligned.get(&register).copied().unwrap_or_default();
                    self.code.frame_bytes += bytes + self.cleared.remove(&register).unwrap_or_default();
                    self.aligned.remove(&register);
                } else if register == STACK_POINTER {
                    self.aligned.insert(target, 0);
                }
                self.code.calls_by_register |= target == PROGRAM_COUNTER && register != LINK_REGISTER;
            }
            // ADD SP, Rm: what ARMv6-M does with a negative number
            0x4485 | 0x448d | 0x4495 | 0x449d | 0x44a5 | 0x44ad | 0x44b5 | 0x44bd => {
                self.code.is_dynamic = true
            }
            // B with a condition; 14 and 15 are UDF and SVC
            0xd000..=0xddff => self.jump(here, sign_extend(u32::from(first & 0xff) << 1, 9)),
            // B
            0xe000..=0xe7ff => self.jump(here, sign_extend(u32::from(first & 0x7ff) << 1, 12)),
            // CBZ, CBNZ go forward by up to 126 bytes, and stay within their function.
            _ => {}
        }
    }

    fn wide(&mut self, here: u32, first: u16, second: u16) {
        let target = second >> 8 & 0xf;
        // The immediate that is spread over both halves.
        let immediate =
            u32::from(first >> 10 & 1) << 11 | u32::from(second >> 12 & 7) << 8 | u32::from(second & 0xff);
        match first {
            // PUSH.W (STMDB SP!)
            0xe92d => self.code.frame_bytes += 4 * second.count_ones(),
            // STRD [SP, #-n]!
            0xe96d => self.code.frame_bytes += 4 * u32::from(second & 0xff),
            // STR [SP, #-n]!
            0xf84d if second & 0x0f00 == 0x0d00 => self.code.frame_bytes += u32::from(second & 0xff),
            // VPUSH
            0xed2d | 0xed6d => self.code.frame_bytes += 4 * u32::from(second & 0xff),
            // SUB Rd, SP, Rm
            0xebad | 0xebbd => self.code.is_dynamic |= target == STACK_POINTER,
            // LDR PC, […], but for the return by LDR PC, [SP], #4
            0xf850..=0xf85f | 0xf8d0..=0xf8df if second >> 12 == PROGRAM_COUNTER && first != 0xf85d => {
                self.code.calls_by_register = true;
            }
            _ => match first & 0xfbef {
                // SUB.W Rd, SP, #n
                0xf1ad if second & 0x8000 == 0 => self.take(target, expand(immediate)),
                // SUBW Rd, SP, #n
                0xf2ad if second & 0x8000 == 0 => self.take(target, immediate),
                // BFC Rd, #0, #bits
                0xf36f if second & 0x70c0 == 0 => {
                    if self.aligned.contains_key(&target) {
                        self.cleared.insert(target, (2 << (second & 0x1f)) - 1);
                    }
                }
                _ if first & 0xf800 == 0xf000 && second & 0x8000 != 0 => self.branch(here, first, second),
                _ => self.half_of_constant(first, second, target, immediate),
            },
        }
    }

    fn take(&mut self, target: u16, bytes: u32) {
        if target == STACK_POINTER {
            self.code.frame_bytes += bytes;
        } else {
            self.aligned.insert(target, bytes);
        }
    }

    /// MOVW and MOVT.
    fn half_of_constant(&mut self, first: u16, second: u16, target: u16, immediate: u32) {
        if second & 0x8000 != 0 {
            return;
        }
        let value = u32::from(first & 0xf) << 12 | immediate;
        match first & 0xfbf0 {
            0xf240 => drop(self.lower.insert(target, value)),
            0xf2c0 => {
                let lower = self.lower.get(&target).copied().unwrap_or_default();
                self.code.constants.push(value << 16 | lower);
            }
            _ => {}
        }
    }

    /// BL, B.W, and B.W with a condition.
    fn branch(&mut self, here: u32, first: u16, second: u16) {
        let sign = u32::from(first >> 10 & 1);
        let (j1, j2) = (u32::from(second >> 13 & 1), u32::from(second >> 11 & 1));
        let low = u32::from(second & 0x7ff) << 1;
        let is_conditional = second & 0x5000 == 0;
        let offset = if is_conditional {
            if first >> 6 & 0xe == 0xe {
                // Not a branch: MSR, MRS, barriers and hints.
                return;
            }
            let middle = u32::from(first & 0x3f) << 12;
            sign_extend(sign << 20 | j2 << 19 | j1 << 18 | middle | low, 21)
        } else {
            let (i1, i2) = (!(j1 ^ sign) & 1, !(j2 ^ sign) & 1);
            let middle = u32::from(first & 0x3ff) << 12;
            sign_extend(sign << 24 | i1 << 23 | i2 << 22 | middle | low, 25)
        };
        let is_call = second & 0x5000 == 0x5000;
        if is_call {
            self.code.calls.push(here.wrapping_add(4).wrapping_add_signed(offset));
        } else {
            self.jump(here, offset);
        }
    }

    /// A jump counts as a call where it leaves the function.
    fn jump(&mut self, here: u32, offset: i32) {
        let target = here.wrapping_add(4).wrapping_add_signed(offset);
        if !(self.start..self.end).contains(&target) {
            self.code.calls.push(target);
        }
    }

    fn finish(mut self) -> Code {
        self.code.calls.sort_unstable();
        self.code.calls.dedup();
        self.code
    }
}

fn sign_extend(value: u32, bits: u32) -> i32 {
    (value << (32 - bits)) as i32 >> (32 - bits)
}

/// ThumbExpandImm: a byte, repeated or rotated.
fn expand(immediate: u32) -> u32 {
    let byte = immediate & 0xff;
    match immediate >> 8 {
        0 => byte,
        1 => byte << 16 | byte,
        2 => byte << 24 | byte << 8,
        3 => byte << 24 | byte << 16 | byte << 8 | byte,
        _ => (0x80 | byte & 0x7f).rotate_right(immediate >> 7 & 0x1f),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(halves: &[u16]) -> Code {
        let bytes: Vec<u8> = halves.iter().flat_map(|half| half.to_le_bytes()).collect();
        read(&bytes, 0x1000, |_| false)
    }

    #[test]
    fn what_a_prologue_takes_is_added_up() {
        // push {r4, r7, lr}; sub sp, #16
        assert_eq!(code(&[0xb590, 0xb084]).frame_bytes, 12 + 16);
        // push.w {r4-r11, lr}; subw sp, sp, #1028; sub.w sp, sp, #4096
        assert_eq!(code(&[0xe92d, 0x4ff0, 0xf2ad, 0x4d04, 0xf5ad, 0x5d80]).frame_bytes, 36 + 1028 + 4096);
        // str r8, [sp, #-4]!; strd r4, r5, [sp, #-8]!; vpush {d8-d9}
        assert_eq!(code(&[0xf84d, 0x8d04, 0xe96d, 0x4502, 0xed2d, 0x8b04]).frame_bytes, 4 + 8 + 16);
    }

    #[test]
    fn a_frame_that_is_aligned_through_another_register_counts_with_its_gap() {
        // sub.w r4, sp, #512; bfc r4, #0, #5; mov sp, r4 … sub.w sp, r7, #24
        assert_eq!(code(&[0xf5ad, 0x7400, 0xf36f, 0x0404, 0x46a5, 0xf1a7, 0x0d18]).frame_bytes, 512 + 31);
    }

    #[test]
    fn calls_leave_the_function_and_loops_do_not() {
        // bl 0x1100; b.w 0x900; b 0x1000; beq 0x1100; bx lr
        let found = code(&[0xf000, 0xf87e, 0xf7ff, 0xbc7c, 0xe7fa, 0xd079, 0x4770]);
        assert_eq!(found.calls, [0x900, 0x1100]);
        assert!(!found.calls_by_register);
        // blx r3, and bx r3
        assert!(code(&[0x4798]).calls_by_register);
        assert!(code(&[0x4718]).calls_by_register);
    }

    #[test]
    fn an_address_is_put_together_from_its_halves() {
        // movw r0, #0x2345; movt r0, #0x2000
        assert_eq!(code(&[0xf242, 0x3045, 0xf2c2, 0x0000]).constants, [0x2000_2345]);
    }

    #[test]
    fn constants_between_instructions_are_not_taken_for_code() {
        let bytes = [0x90, 0xb5, 0x90, 0xb5];
        assert_eq!(read(&bytes, 0x1000, |address| address >= 0x1002).frame_bytes, 12);
    }

    #[test]
    fn an_amount_that_only_the_program_knows_is_named() {
        // sub.w sp, sp, r4
        assert!(code(&[0xebad, 0x0d04]).is_dynamic);
    }
}
