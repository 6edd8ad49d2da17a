//! Every command that the README and the pages of the docs show exists, with the options they show.

use e2e::program::{self, Ended};
use std::fs;
use std::path::PathBuf;
use std::process::Command;

/// The README and every page of the docs: its path and its text.
fn pages() -> Vec<(PathBuf, String)> {
    let root = xtask::process::root();
    let mut files = vec![root.join("README.md")];
    for room in fs::read_dir(&root).expect("the root can be listed").flatten() {
        let docs = fs::read_dir(room.path().join("docs")).into_iter().flatten().flatten();
        files.extend(
            docs.map(|page| page.path()).filter(|page| page.extension().is_some_and(|end| end == "md")),
        );
    }
    let text = |file: PathBuf| {
        let text = fs::read_to_string(&file).expect("a page that is listed can be read");
        (file, text)
    };
    files.into_iter().map(text).collect()
}

/// The lines of all pages' fenced blocks that call one of our two programs, by its name or by a path to it, as words.
fn commands(program: &[&str]) -> Vec<Vec<String>> {
    pages().iter().flat_map(|(_, page)| commands_of(page, program)).collect()
}

fn commands_of(page: &str, program: &[&str]) -> Vec<Vec<String>> {
    let mut fenced = false;
    let mut found = Vec::new();
    for line in page.lines() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
            continue;
        }
        let line = line.trim_start().trim_start_matches("$ ");
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        if fenced
            && words.len() > program.len()
            && words.iter().zip(program).all(|(word, wanted)| word.rsplit('/').next() == Some(*wanted))
        {
            // A comment, a pipe or a redirection is the shell's business.
            let end = words.iter().position(|word| ["#", "|", ">", "&&", "&", "\\"].contains(&word.as_str()));
            found.push(words[program.len()..end.unwrap_or(words.len())].to_vec());
        }
    }
    found
}

/// The subcommands at the start of a command's words: everything before the first option or argument.
fn subcommands(words: &[String]) -> Vec<&str> {
    let is_name = |word: &&str| word.chars().all(|letter| letter.is_ascii_lowercase() || letter == '-');
    words.iter().map(String::as_str).take_while(|word| !word.starts_with('-') && is_name(word)).collect()
}

fn options(words: &[String]) -> impl Iterator<Item = &str> {
    words.iter().filter(|word| word.starts_with("--")).map(|word| word.split('=').next().unwrap_or(word))
}

#[test]
fn every_lamppost_command_is_one_with_those_options() {
    let commands = commands(&["lamppost"]);
    assert!(!commands.is_empty(), "the README shows the product at work");
    for words in commands {
        let mut names = subcommands(&words);
        names.push("--help");
        let help = program::run(&names);
        assert_eq!(help.code, 0, "`lamppost {}`: {}", words.join(" "), help.stderr);
        for option in options(&words) {
            assert!(
                help.stdout.contains(option),
                "`lamppost {}` has no {option}:\n{}",
                words.join(" "),
                help.stdout
            );
        }
    }
}

#[test]
fn every_xtask_command_is_one_with_those_options() {
    let commands = commands(&["cargo", "xtask"]);
    for needed in ["up", "test", "qemu"] {
        assert!(commands.iter().any(|words| words[0] == needed), "the README shows `cargo xtask {needed}`");
    }
    let xtask = program::path().with_file_name("xtask");
    let suites: Vec<&str> = xtask::suites::SUITES.iter().map(|suite| suite.name).collect();
    for words in commands {
        // `xtask up` would build the release binary to show that binary's help; the test's own says the same.
        let help = match words[0].as_str() {
            "up" => program::run(&["up", "--help"]),
            name => Ended::of(Command::new(&xtask).args([name, "--help"])),
        };
        let help = help.success();
        if words[0] == "test" {
            let named = words[1..].iter().filter(|word| !word.starts_with('-'));
            named.for_each(|name| assert!(suites.contains(&name.as_str()), "there is no suite `{name}`"));
        }
        for option in options(&words) {
            assert!(help.contains(option), "`cargo xtask {}` has no {option}", words.join(" "));
        }
    }
}

#[test]
fn every_command_of_the_contract_is_there_and_shows_an_example() {
    let contract: [&[&str]; 33] = [
        &["up"],
        &["key", "new"],
        &["key", "show"],
        &["device", "enrol"],
        &["device", "provision"],
        &["device", "claim"],
        &["device", "prove"],
        &["device", "transfer"],
        &["device", "accept"],
        &["device", "rotate"],
        &["device", "revoke"],
        &["device", "explain"],
        &["device", "list"],
        &["device", "show"],
        &["fleet"],
        &["send", "transfer"],
        &["send", "issue"],
        &["send", "correct"],
        &["send", "tariff"],
        &["tariff", "show"],
        &["tariff", "check"],
        &["tariff", "dry-run"],
        &["receipt"],
        &["proof", "account"],
        &["proof", "device"],
        &["proof", "tariff"],
        &["consistency"],
        &["verify"],
        &["audit"],
        &["backup"],
        &["restore"],
        &["prune"],
        &["health"],
    ];
    for names in contract {
        let mut words = names.to_vec();
        words.push("--help");
        let help: Ended = program::run(&words);
        assert_eq!(help.code, 0, "`lamppost {}`: {}", names.join(" "), help.stderr);
        assert!(
            help.stdout.contains("xample"),
            "`lamppost {} --help` shows an example:\n{}",
            names.join(" "),
            help.stdout
        );
    }
}

#[test]
fn every_file_that_a_page_shows_or_links_is_there() {
    for (file, page) in pages() {
        let directory = file.parent().expect("a file lies in a directory");
        let linked = page.split("](").skip(1).filter_map(|rest| rest.split([')', '#']).next());
        // Pictures that are another by night.
        let shown = ["src=\"", "srcset=\""].into_iter().flat_map(|name| page.split(name).skip(1));
        let shown = shown.filter_map(|rest| rest.split('"').next());
        for target in linked.chain(shown).filter(|target| !target.is_empty() && !target.contains("://")) {
            assert!(directory.join(target).exists(), "{} links {target}, which is not there", file.display());
        }
    }
}
