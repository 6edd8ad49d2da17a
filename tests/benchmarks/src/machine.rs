//! On what was measured: a figure without its machine says nothing.

use std::error::Error;
use std::fs;
use std::process::Command;

/// A machine on a day.
pub struct Machine {
    cores: usize,
    processor: String,
    memory_gigabytes: f64,
    system: String,
    load: String,
    date: String,
}

impl Machine {
    /// This one, now.
    ///
    /// # Errors
    /// When the system does not say what it is.
    pub fn here() -> Result<Machine, Box<dyn Error>> {
        let field = |text: &str, name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
            line.trim_start_matches([' ', '\t', ':', '=']).trim_matches('"').to_owned()
        };
        let memory = field(&fs::read_to_string("/proc/meminfo")?, "MemTotal:");
        let kilobytes: f64 = memory.split(' ').next().unwrap_or_default().parse().unwrap_or(0.0);
        let date = Command::new("date").args(["-u", "+%-d %B %Y"]).env("LC_ALL", "C").output()?;
        Ok(Machine {
            cores: std::thread::available_parallelism()?.get(),
            processor: field(&fs::read_to_string("/proc/cpuinfo")?, "model name"),
            memory_gigabytes: kilobytes / 1024.0 / 1024.0,
            system: field(&fs::read_to_string("/etc/os-release").unwrap_or_default(), "PRETTY_NAME"),
            load: fs::read_to_string("/proc/loadavg")?.split(' ').next().unwrap_or_default().to_owned(),
            date: String::from_utf8(date.stdout)?.trim().to_owned(),
        })
    }

    /// In half a sentence.
    pub fn conditions(&self) -> String {
        format!(
            "{} cores ({}), {:.0} GB, {}, {}, load {} before",
            self.cores, self.processor, self.memory_gigabytes, self.system, self.date, self.load
        )
    }
}
