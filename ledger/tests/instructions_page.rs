//! The page on instructions says what the code does: the same instructions, the same refusals, in the same order.

use ledger::instruction::{InstructionName, InstructionRefusal};
use std::collections::BTreeSet;

const PAGE: &str = include_str!("../docs/instructions.md");

/// The words between backticks that are refusals, in the order in which they stand.
fn refusals(text: &str) -> Vec<InstructionRefusal> {
    let words = text.split('`').skip(1).step_by(2);
    let refusal = |word| InstructionRefusal::ALL.into_iter().find(|refusal| refusal.as_str() == word);
    words.filter_map(refusal).collect()
}

#[test]
fn every_instruction_has_its_section_and_its_line_of_cddl() {
    let sections: Vec<&str> = PAGE.lines().filter_map(|line| line.strip_prefix("### ")).collect();
    assert_eq!(sections, InstructionName::ALL.map(InstructionName::as_str));
    for name in sections {
        assert!(PAGE.contains(&format!("= [\"{name}\", ")), "{name} has no CDDL");
    }
}

#[test]
fn every_refusal_stands_on_the_page_in_order_of_precedence() {
    let (before, _) = PAGE.split_once("## Devices").unwrap();
    let (_, shared) = before.split_once("## Refusals that all instructions share").unwrap();
    let mut seen: BTreeSet<InstructionRefusal> = refusals(shared).into_iter().collect();
    assert_eq!(refusals(shared), InstructionRefusal::ALL[..5]);
    for section in PAGE.split("\n### ").skip(1) {
        let name = section.lines().next().unwrap();
        let (_, refused) = section.split_once("\nRefused as ").unwrap_or_else(|| panic!("{name}"));
        let sentence = refused.split("\n\n").next().unwrap();
        let refusals = refusals(sentence);
        assert!(refusals.is_sorted() && !refusals.is_empty(), "{name}: {refusals:?}");
        seen.extend(refusals);
    }
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), InstructionRefusal::ALL);
}
