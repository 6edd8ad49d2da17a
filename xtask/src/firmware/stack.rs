//! The deepest that an image's stack can get, from its machine code: a bound, not a measurement.
//!
//! Each function takes at most what it pushes ([`super::thumb`]), each call goes to the function it names, and of the paths from
//! the reset and from the deepest interrupt the longest counts. Three things the code does not say:
//!
//! - **Calls by a register** (`dyn`, the executor's tasks, formatting) may go to any function whose address stands in the
//!   image. A path holds at most [`CALLS_BY_REGISTER_MAX`] of them. To a task go only the executor's.
//! - **Panics** may come anywhere, and the board ends there: what the deepest one takes counts once, on top of the deepest
//!   path without any.
//! - **Recursion**: functions that call one another in a circle count [`TURNS_MAX`] times, together; they are named.
//!
//! Interrupts have one priority, so that one at a time comes on top, with the frame that the processor pushes.

use super::call_graph::{Function, Program};
use super::elf::Elf;

/// Calls by a register on one path: the executor calls a task, which logs; a logger formats, a record's value formats its
/// parts, and these write to the console.
pub const CALLS_BY_REGISTER_MAX: usize = 6;
/// Turns of a circle of calls: the strict CBOR decoder refuses what is nested deeper (`CBOR_DEPTH_MAX`).
const TURNS_MAX: u32 = 8;
/// What the processor pushes for an interrupt, floating-point registers included, and aligns.
const EXCEPTION_FRAME_BYTES: u32 = 26 * 4 + 4;
/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bound {
    /// The deepest stack, a panic and an interrupt on top included.
    pub bytes: u32,
    /// Of these, what a panic takes.
    pub panic_bytes: u32,
    /// Of these, what an interrupt takes.
    pub interrupt_bytes: u32,
    /// Functions that call one another in a circle.
    pub recursive: Vec<String>,
    /// Functions that take an amount of stack that only they know, and calls to where no function is: with any of these
    /// there is no bound.
    pub unknown: Vec<String>,
    /// The path to the deepest place, by name and bytes.
    pub path: Vec<(String, u32)>,
}

/// The bound of an image; none where it has no symbols, or none of a Cortex-M's start.
pub fn bound(elf: &Elf<'_>) -> Option<Bound> {
    let program = Program::read(elf);
    let reset = program.at(elf.symbol("Reset")?.address)?;
    let handlers = program.handlers(elf)?;
    let depths = Depths::of_all(&program);
    let deepest_interrupt = handlers.iter().map(|handler| depths.of(*handler)).max().unwrap_or_default();
    let interrupt_bytes = deepest_interrupt + EXCEPTION_FRAME_BYTES;
    let panics = (0..program.functions.len()).filter(|function| program.functions[*function].is_panic);
    let panic_bytes = panics.map(|function| depths.of(function)).max().unwrap_or_default();
    let recursive = program.circles.iter().filter(|circle| program.is_recursive(circle));
    Some(Bound {
        bytes: depths.of(reset) + panic_bytes + interrupt_bytes,
        panic_bytes,
        interrupt_bytes,
        recursive: recursive.flatten().map(|function| program.name(*function)).collect(),
        unknown: program.unknown.iter().cloned().collect(),
        path: depths.path(&program, reset),
    })
}

#[derive(Debug, Clone, Copy, Default)]
struct Depth {
    bytes: u32,
    /// The deepest of those it calls, and how many calls by a register are left there.
    next: Option<(usize, usize)>,
}

struct Depths {
    levels: Vec<Vec<Depth>>,
}

impl Depths {
    /// The depth of every function with up to so many calls by a register, from none on.
    fn of_all(program: &Program) -> Depths {
        let mut levels: Vec<Vec<Depth>> = Vec::new();
        for level in 0..=CALLS_BY_REGISTER_MAX {
            let deepest = |to_task| deepest_by_register(program, levels.last()?, level, to_task);
            let (by_register, by_executor) = (deepest(false), deepest(true));
            let mut depths = vec![Depth::default(); program.functions.len()];
            for circle in &program.circles {
                let once: u32 = circle.iter().map(|function| program.functions[*function].frame_bytes).sum();
                let own = if program.is_recursive(circle) { once * TURNS_MAX } else { once };
                let members = circle.iter().map(|function| &program.functions[*function]);
                let calls = members.clone().flat_map(|function| &function.calls);
                let called = calls.filter(|callee| !circle.contains(callee)).map(|callee| (*callee, level));
                let may = |condition: fn(&Function) -> bool| {
                    members.clone().any(|function| function.calls_by_register && condition(function))
                };
                let by_register = by_register.filter(|_| may(|_| true));
                let by_executor = by_executor.filter(|_| may(|function| function.is_executor));
                let below = called.chain(by_register).chain(by_executor);
                let bytes_of = |(function, at): (usize, usize)| match at == level {
                    true => depths[function].bytes,
                    false => levels[at][function].bytes,
                };
                let deepest = below.max_by_key(|step| bytes_of(*step));
                let bytes = own + deepest.map_or(0, bytes_of);
                for function in circle {
                    depths[*function] = Depth { bytes, next: deepest };
                }
            }
            levels.push(depths);
        }
        Depths { levels }
    }

    fn of(&self, function: usize) -> u32 {
        self.levels[CALLS_BY_REGISTER_MAX][function].bytes
    }

    fn path(&self, program: &Program, from: usize) -> Vec<(String, u32)> {
        let mut step = Some((from, CALLS_BY_REGISTER_MAX));
        let mut path = Vec::new();
        while let Some((function, level)) = step {
            path.push((program.name(function), program.functions[function].frame_bytes));
            step = self.levels[level][function].next;
        }
        path
    }
}

/// Where a call by a register goes deepest, of the tasks or of all others. `below` are the depths of level - 1.
fn deepest_by_register(
    program: &Program,
    below: &[Depth],
    level: usize,
    to_task: bool,
) -> Option<(usize, usize)> {
    let is_target = |function: &&usize| {
        let function = &program.functions[**function];
        function.is_task == to_task && !function.is_panic
    };
    let targets = program.reachable_by_register.iter().filter(is_target);
    targets.max_by_key(|function| below[**function].bytes).map(|function| (*function, level - 1))
}

#[cfg(test)]
mod tests {
    use super::super::elf::{Section, Symbol};
    use super::*;

    /// An image of functions that follow one another from address 0x100 on, behind a vector table.
    fn image(functions: &[(&'static str, &[u16])], check: impl Fn(Bound)) {
        let mut code = Vec::new();
        let mut symbols = Vec::new();
        for (name, halves) in functions {
            let address = 0x101 + code.len() as u32;
            let bytes = 2 * halves.len() as u32;
            symbols.push(Symbol { name, address, bytes, is_function: true });
            code.extend(halves.iter().flat_map(|half| half.to_le_bytes()));
        }
        let address_of = |name: &str| symbols.iter().find(|symbol| symbol.name == name).map(|it| it.address);
        let entries = [0x2001_0000, address_of("Reset").unwrap(), address_of("handler").unwrap_or_default()];
        let table: Vec<u8> = entries.iter().flat_map(|entry: &u32| entry.to_le_bytes()).collect();
        let pointer = address_of("pointed_at").unwrap_or_default().to_le_bytes();
        let section =
            |address, content: &[u8]| (address, u32::try_from(content.len()).expect("a small image"));
        let parts = [
            (section(0, &table), &table[..]),
            (section(0x100, &code), &code),
            (section(0x1000, &pointer), &pointer),
        ];
        let sections = parts
            .iter()
            .map(|((address, bytes), content)| Section {
                address: *address,
                bytes: *bytes,
                content: Some(content),
            })
            .collect();
        check(bound(&Elf { sections, symbols }).expect("an image"));
    }

    const PUSH_8: u16 = 0xb510;
    const PUSH_16: u16 = 0xb570;
    const PUSH_24: u16 = 0xb5f8;
    const CALL_REGISTER: u16 = 0x4798;
    const RETURN: u16 = 0xbd10;

    #[test]
    fn the_longest_path_counts_and_the_deepest_interrupt_on_top() {
        // Reset calls the next function, 4 bytes behind its call's end, which is deeper than itself.
        let reset: &[u16] = &[PUSH_8, 0xf000, 0xf801, RETURN];
        let functions: &[(&str, &[u16])] =
            &[("Reset", reset), ("called", &[PUSH_24, RETURN]), ("handler", &[PUSH_16, RETURN])];
        image(functions, |bound| {
            assert_eq!(bound.interrupt_bytes, 16 + EXCEPTION_FRAME_BYTES);
            assert_eq!(bound.bytes, 8 + 24 + bound.interrupt_bytes);
            let names: Vec<_> = bound.path.iter().map(|(name, _)| name.as_str()).collect();
            assert_eq!(names, ["Reset", "called"]);
            assert!(bound.recursive.is_empty() && bound.unknown.is_empty());
        });
    }

    #[test]
    fn a_call_by_a_register_goes_to_the_deepest_whose_address_stands_somewhere() {
        let functions: &[(&str, &[u16])] = &[
            ("Reset", &[PUSH_8, CALL_REGISTER, RETURN]),
            ("never_pointed_at", &[PUSH_24, PUSH_24, RETURN]),
            ("pointed_at", &[PUSH_16, RETURN]),
        ];
        image(functions, |bound| assert_eq!(bound.bytes - bound.interrupt_bytes, 8 + 16));
        let looping: &[(&str, &[u16])] =
            &[("Reset", &[PUSH_8, CALL_REGISTER, RETURN]), ("pointed_at", &[PUSH_16, CALL_REGISTER, RETURN])];
        image(looping, |bound| {
            assert_eq!(bound.bytes - bound.interrupt_bytes, 8 + 16 * CALLS_BY_REGISTER_MAX as u32);
        });
    }

    #[test]
    fn a_panic_counts_once_on_top_of_the_deepest_path() {
        // Both functions may panic: BL to the third.
        let functions: &[(&str, &[u16])] = &[
            ("Reset", &[PUSH_8, 0xf000, 0xf805, 0xf000, 0xf801, RETURN]),
            ("called", &[PUSH_24, RETURN]),
            ("core::panicking::panic", &[PUSH_16, 0xf7ff, 0xfffb, RETURN]),
        ];
        image(functions, |bound| {
            assert_eq!(bound.panic_bytes, 16 + 24);
            assert_eq!(bound.bytes - bound.interrupt_bytes - bound.panic_bytes, 8 + 24);
        });
    }

    #[test]
    fn recursion_is_named_and_counted_as_often_as_it_may_turn() {
        // Reset calls itself: BL with an offset of -6.
        let functions: &[(&str, &[u16])] = &[("Reset", &[PUSH_8, 0xf7ff, 0xfffd, RETURN])];
        image(functions, |bound| {
            assert_eq!(bound.recursive, ["Reset"]);
            assert_eq!(bound.bytes - bound.interrupt_bytes, 8 * TURNS_MAX);
        });
    }

    #[test]
    fn a_call_to_nowhere_is_named() {
        let functions: &[(&str, &[u16])] = &[("Reset", &[PUSH_8, 0xf000, 0xf87e, RETURN])];
        image(functions, |bound| assert_eq!(bound.unknown, ["Reset calls 0x202"]));
    }
}
