//! What a network stands on: machines of its own where this user may make namespaces, else this machine's ports.

use super::namespaces::{Namespaces, Wire};

/// Where the nodes run.
#[derive(Debug)]
pub enum Ground {
    /// A machine for each node.
    Machines(Namespaces),
    /// One machine for all: nothing between them can be cut or slowed.
    Localhost,
}

impl Ground {
    /// So many machines where they can be had, and the reason on standard output where they cannot.
    pub fn of(machines: usize, wire: Wire) -> Ground {
        let count = u8::try_from(machines).expect("a network of tests is small");
        match Namespaces::make(count, wire) {
            Ok(namespaces) => Ground::Machines(namespaces),
            Err(sentence) => {
                println!("localhost takes the place of machines, because {sentence}");
                Ground::Localhost
            }
        }
    }

    /// The machines; none where everything runs on this one.
    pub fn machines(&mut self) -> Option<&mut Namespaces> {
        match self {
            Ground::Machines(namespaces) => Some(namespaces),
            Ground::Localhost => None,
        }
    }

    /// The address that a node on this machine is reached at.
    pub fn host(&self, machine: usize) -> String {
        match self {
            Ground::Machines(namespaces) => namespaces.address(machine).to_string(),
            Ground::Localhost => "127.0.0.1".to_owned(),
        }
    }

    /// What starts a program on this machine, with further words for `nsenter`.
    pub fn starter(&self, machine: usize, also: &[String]) -> Vec<String> {
        let mut words = vec!["nsenter".to_owned()];
        match self {
            Ground::Machines(namespaces) => words.push(format!("--net={}", namespaces.file(machine))),
            Ground::Localhost if also.is_empty() => return Vec::new(),
            Ground::Localhost => {}
        }
        words.extend_from_slice(also);
        words.push("--".to_owned());
        words
    }
}
