//! Every command that the README shows exists, with the options it shows.

use e2e::program::{self, Ended};
use std::fs;
use std::process::Command;

/// The lines of the README's fenced blocks that call one of our two programs, as words.
fn commands(program: &[&str]) -> Vec<Vec<String>> {
    let readme = fs::read_to_string(xtask::process::root().join("README.md")).expect("there is a README");
    let mut fenced = false;
    let mut found = Vec::new();
    for line in readme.lines() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
            continue;
        }
        let line = line.trim_start().trim_start_matches("$ ");
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        if fenced
            && words.len() > program.len()
            && words.iter().zip(program).all(|(word, wanted)| word == wanted)
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
    let contract: [&[&str]; 13] = [
        &["up"],
        &["key", "new"],
        &["key", "show"],
        &["device", "enrol"],
        &["device", "provision"],
        &["device", "list"],
        &["device", "show"],
        &["fleet"],
        &["send", "transfer"],
        &["receipt"],
        &["verify"],
        &["audit"],
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
fn every_file_that_the_readme_shows_or_links_is_there() {
    let root = xtask::process::root();
    let readme = fs::read_to_string(root.join("README.md")).expect("there is a README");
    let targets = readme.split("](").skip(1).filter_map(|rest| rest.split([')', '#']).next());
    for target in targets.filter(|target| !target.is_empty() && !target.contains("://")) {
        assert!(root.join(target).exists(), "the README links {target}, which is not there");
    }
}
