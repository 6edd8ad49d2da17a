//! Who calls whom in an image: its functions by their symbols, and what their machine code says ([`thumb`]).

use super::elf::{Elf, word};
use super::thumb::{self, Code};
use std::collections::{BTreeMap, BTreeSet};

/// What names of tasks have in them, and names of what calls tasks: the executor, and `main` where the compiler has put
/// the executor into it.
const TASK_MARK: &str = "embassy_executor::raw::TaskStorage";
const EXECUTOR_MARKS: [&str; 2] = ["embassy_executor::", "__cortex_m_rt_main"];

/// Where every panic ends up, in both forms that symbols have.
const PANIC_MARKS: [&str; 2] = ["core::panicking::", "core9panicking"];

/// One function.
pub struct Function {
    /// Its readable name.
    pub name: String,
    /// Bytes of stack that it takes at most.
    pub frame_bytes: u32,
    /// The functions that it calls by name.
    pub calls: Vec<usize>,
    /// Whether it calls by a register.
    pub calls_by_register: bool,
    /// Whether it is a task of the executor.
    pub is_task: bool,
    /// Whether it may call tasks.
    pub is_executor: bool,
    /// Whether every way through it ends in a panic.
    pub is_panic: bool,
}

/// All functions of an image.
pub struct Program {
    /// By number.
    pub functions: Vec<Function>,
    by_address: BTreeMap<u32, usize>,
    /// Functions whose address stands in the image.
    pub reachable_by_register: Vec<usize>,
    /// Functions that call one another, in an order in which callees come first.
    pub circles: Vec<Vec<usize>>,
    /// What makes a bound impossible.
    pub unknown: BTreeSet<String>,
}

impl Program {
    /// Reads the machine code of every function.
    pub fn read(elf: &Elf<'_>) -> Program {
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
        let (mut tasks, mut executors) = (functions.iter().filter(|it| it.is_task), functions.iter());
        if tasks.next().is_some() && !executors.any(|it| it.is_executor && it.calls_by_register) {
            unknown.insert("there are tasks, and no executor that calls them".to_owned());
        }
        // Once, and not on every path.
        let panics: Vec<bool> = functions.iter().map(|function| function.is_panic).collect();
        for function in functions.iter_mut().filter(|function| !function.is_panic) {
            function.calls.retain(|callee| !panics[*callee]);
        }
        let circles = circles(&functions);
        Program { functions, by_address, reachable_by_register, circles, unknown }
    }

    /// The function at an address, whether or not its lowest bit is set.
    pub fn at(&self, address: u32) -> Option<usize> {
        self.by_address.get(&(address & !1)).copied()
    }

    /// A function's name.
    pub fn name(&self, function: usize) -> String {
        self.functions[function].name.clone()
    }

    /// Whether functions that were found together call one another.
    pub fn is_recursive(&self, circle: &[usize]) -> bool {
        circle.len() > 1 || circle.iter().any(|function| self.functions[*function].calls.contains(function))
    }

    /// Every entry of the vector table but the reset's.
    pub fn handlers(&self, elf: &Elf<'_>) -> Option<Vec<usize>> {
        let table = elf.sections.iter().find(|section| section.content.is_some())?.content?;
        let entries = (2..table.len() / 4).filter_map(|index| word(table, 4 * index));
        Some(entries.filter_map(|address| self.at(address)).collect())
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
    use super::*;

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
