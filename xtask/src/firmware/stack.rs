//! The deepest that an image's stack can get, from its machine code: a bound, not a measurement.
//!
//! Each function takes at most what it pushes ([`thumb`]), each call goes to the function it names, and of the paths from
//! the reset and from the deepest interrupt the longest counts. Three things the code does not say:
//!
//! - **Calls by a register** (`dyn`, the executor's tasks, formatting) may go to any function whose address stands in the
//!   image. A path holds at most [`CALLS_BY_REGISTER_MAX`] of them. To a task go only the executor's.
//! - **Panics** may come anywhere, and the board ends there: what the deepest one takes counts once, on top of the deepest
//!   path without any.
//! - **Recursion**: functions that call one another in a circle count [`TURNS_MAX`] times, together; they are named.
//!
//! Interrupts have one priority, so that one at a time comes on top, with the frame that the processor pushes.

use super::elf::{Elf, word};
use super::thumb::{self, Code};
use std::collections::{BTreeMap, BTreeSet};

/// Calls by a register on one path: the executor calls a task, which logs; a logger formats, a record's value formats its
/// parts, and these write to the console.
pub const CALLS_BY_REGISTER_MAX: usize = 6;
/// Turns of a circle of calls: the strict CBOR decoder refuses what is nested deeper (`CBOR_DEPTH_MAX`).
const TURNS_MAX: u32 = 8;
/// What the processor pushes for an interrupt, floating-point registers included, and aligns.
const EXCEPTION_FRAME_BYTES: u32 = 26 * 4 + 4;
/// What names of tasks have in them, and names of what calls tasks: the executor, and `main` where the compiler has put
/// the executor into it.
const TASK_MARK: &str = "embassy_executor::raw::TaskStorage";
const EXECUTOR_MARKS: [&str; 2] = ["embassy_executor::", "__cortex_m_rt_main"];

/// Where every panic ends up, in both forms that symbols have.
const PANIC_MARKS: [&str; 2] = ["core::panicking::", "core9panicking"];

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
    let depths = program.depths();
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

struct Function {
    name: String,
    frame_bytes: u32,
    calls: Vec<usize>,
    calls_by_register: bool,
    is_task: bool,
    is_executor: bool,
    is_panic: bool,
}

struct Program {
    functions: Vec<Function>,
    by_address: BTreeMap<u32, usize>,
    /// Functions whose address stands in the image.
    reachable_by_register: Vec<usize>,
    /// Functions that call one another, in an order in which callees come first.
    circles: Vec<Vec<usize>>,
    unknown: BTreeSet<String>,
}

impl Program {
    fn read(elf: &Elf<'_>) -> Program {
        let data = DataRanges::of(elf);
        let mut codes: BTreeMap<u32, (String, u32, Code)> = BTreeMap::new();
        for symbol in elf.symbols.iter().filter(|symbol| symbol.is_function && symbol.bytes > 0) {
            let address = symbol.address & !1;
            if let Some(content) = elf.content_at(address, symbol.bytes) {
                let code = thumb::read(content, address, |address| data.contains(address));
                codes.entry(address).or_insert((demangled(symbol.name), symbol.bytes, code));
            }
        }
        let by_address: BTreeMap<u32, usize> = codes.keys().copied().zip(0..).collect();
        let ends: Vec<u32> = codes.iter().map(|(address, (_, bytes, _))| address + bytes).collect();
        let mut unknown = BTreeSet::new();
        let mut addresses: BTreeSet<u32> = words(elf).collect();
        let mut functions = Vec::new();
        for (name, _, code) in codes.into_values() {
            if code.is_dynamic {
                unknown.insert(format!("{name} takes an amount of its own"));
            }
            addresses.extend(code.constants);
            let mut calls = Vec::new();
            for target in code.calls {
                match by_address.range(..=target).next_back().filter(|(_, callee)| target < ends[**callee]) {
                    Some((_, callee)) => calls.push(*callee),
                    None => drop(unknown.insert(format!("{name} calls {target:#x}"))),
                }
            }
            functions.push(Function {
                is_panic: is_panic(&name),
                is_task: name.contains(TASK_MARK),
                is_executor: !name.contains(TASK_MARK)
                    && EXECUTOR_MARKS.iter().any(|mark| name.contains(mark)),
                name,
                frame_bytes: code.frame_bytes,
                calls,
                calls_by_register: code.calls_by_register,
            });
        }
        let is_taken = |address: &u32| addresses.contains(&(address | 1));
        let reachable_by_register =
            by_address.iter().filter(|(address, _)| is_taken(address)).map(|(_, index)| *index).collect();
        // Once, and not on every path.
        let panics: Vec<bool> = functions.iter().map(|function| function.is_panic).collect();
        for function in functions.iter_mut().filter(|function| !function.is_panic) {
            function.calls.retain(|callee| !panics[*callee]);
        }
        let circles = circles(&functions);
        Program { functions, by_address, reachable_by_register, circles, unknown }
    }

    fn at(&self, address: u32) -> Option<usize> {
        self.by_address.get(&(address & !1)).copied()
    }

    fn name(&self, function: usize) -> String {
        self.functions[function].name.clone()
    }

    fn is_recursive(&self, circle: &[usize]) -> bool {
        circle.len() > 1 || circle.iter().any(|function| self.functions[*function].calls.contains(function))
    }

    /// Every entry of the vector table but the reset's.
    fn handlers(&self, elf: &Elf<'_>) -> Option<Vec<usize>> {
        let table = elf.sections.iter().find(|section| section.content.is_some())?.content?;
        let entries = (2..table.len() / 4).filter_map(|index| word(table, 4 * index));
        Some(entries.filter_map(|address| self.at(address)).collect())
    }

    /// The depth of every function with up to so many calls by a register, from none on.
    fn depths(&self) -> Depths {
        let mut levels: Vec<Vec<Depth>> = Vec::new();
        for level in 0..=CALLS_BY_REGISTER_MAX {
            let deepest = |to_task| self.deepest_by_register(levels.last()?, level, to_task);
            let (by_register, by_executor) = (deepest(false), deepest(true));
            let mut depths = vec![Depth::default(); self.functions.len()];
            for circle in &self.circles {
                let once: u32 = circle.iter().map(|function| self.functions[*function].frame_bytes).sum();
                let own = if self.is_recursive(circle) { once * TURNS_MAX } else { once };
                let members = circle.iter().map(|function| &self.functions[*function]);
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

    /// Where a call by a register goes deepest, of the tasks or of all others. `below` are the depths of level - 1.
    fn deepest_by_register(&self, below: &[Depth], level: usize, to_task: bool) -> Option<(usize, usize)> {
        let is_target = |function: &&usize| {
            let function = &self.functions[**function];
            function.is_task == to_task && !function.is_panic
        };
        let targets = self.reachable_by_register.iter().filter(is_target);
        targets.max_by_key(|function| below[**function].bytes).map(|function| (*function, level - 1))
    }
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

/// Constants between instructions, as the linker's mapping symbols tell them (`$d` data, `$t` code).
struct DataRanges(BTreeMap<u32, bool>);

impl DataRanges {
    fn of(elf: &Elf<'_>) -> DataRanges {
        let kind = |name: &str| match name.get(..2) {
            Some("$d") => Some(true),
            Some("$t") => Some(false),
            _ => None,
        };
        let marks = elf.symbols.iter().filter_map(|symbol| Some((symbol.address, kind(symbol.name)?)));
        DataRanges(marks.collect())
    }

    fn contains(&self, address: u32) -> bool {
        self.0.range(..=address).next_back().is_some_and(|(_, is_data)| *is_data)
    }
}

/// Every aligned word of the image but the vector table's: any may be an address.
fn words(elf: &Elf<'_>) -> impl Iterator<Item = u32> {
    let contents = elf.sections.iter().filter_map(|section| section.content).skip(1);
    contents.flat_map(|content| content.as_chunks().0.iter().map(|bytes| u32::from_le_bytes(*bytes)))
}

fn is_panic(name: &str) -> bool {
    PANIC_MARKS.iter().any(|mark| name.contains(mark))
}

/// The readable form of a name: `_ZN4node6device3new17h0123456789abcdefE` is `node::device::new`.
fn demangled(name: &str) -> String {
    let Some(mut rest) = name.strip_prefix("_ZN") else { return name.to_owned() };
    let mut parts = Vec::new();
    while let Some(digits) = rest.find(|letter: char| !letter.is_ascii_digit()).filter(|digits| *digits > 0) {
        let length: usize = rest[..digits].parse().unwrap_or_default();
        let Some(part) = rest.get(digits..digits + length) else { return name.to_owned() };
        parts.push(part);
        rest = &rest[digits + length..];
    }
    // The last part is a hash, which changes with every build.
    parts.pop();
    let marks = [
        ("$LT$", "<"),
        ("$GT$", ">"),
        ("$RF$", "&"),
        ("$C$", ","),
        ("$u20$", " "),
        ("$u7b$", "{"),
        ("$u7d$", "}"),
        ("..", "::"),
    ];
    marks.iter().fold(parts.join("::"), |text, (mark, letter)| text.replace(mark, letter))
}

/// The strongly connected parts of the call graph, callees first (Tarjan's algorithm, without recursion of its own).
fn circles(functions: &[Function]) -> Vec<Vec<usize>> {
    const UNSEEN: usize = usize::MAX;
    let (mut order, mut low) = (vec![UNSEEN; functions.len()], vec![0; functions.len()]);
    let (mut open, mut is_open) = (Vec::new(), vec![false; functions.len()]);
    let (mut found, mut seen) = (Vec::new(), 0);
    for root in 0..functions.len() {
        let mut work = if order[root] == UNSEEN { vec![(root, 0)] } else { Vec::new() };
        while let Some((function, next)) = work.pop() {
            if next == 0 {
                (order[function], low[function]) = (seen, seen);
                seen += 1;
                open.push(function);
                is_open[function] = true;
            }
            if let Some(callee) = functions[function].calls.get(next) {
                work.push((function, next + 1));
                if order[*callee] == UNSEEN {
                    work.push((*callee, 0));
                } else if is_open[*callee] {
                    low[function] = low[function].min(order[*callee]);
                }
                continue;
            }
            if let Some((caller, _)) = work.last() {
                low[*caller] = low[*caller].min(low[function]);
            }
            if low[function] == order[function] {
                let first = open.iter().rposition(|other| *other == function).unwrap_or_default();
                let circle: Vec<usize> = open.drain(first..).collect();
                circle.iter().for_each(|member| is_open[*member] = false);
                found.push(circle);
            }
        }
    }
    found
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

    #[test]
    fn names_are_made_readable() {
        assert_eq!(demangled("_ZN4node6device3new17h0123456789abcdefE"), "node::device::new");
        assert_eq!(
            demangled("_ZN7storage13Tiny$LT$F$GT$4poll17h0123456789abcdefE"),
            "storage::Tiny<F>::poll"
        );
        assert_eq!(demangled("DefaultHandler"), "DefaultHandler");
    }
}
