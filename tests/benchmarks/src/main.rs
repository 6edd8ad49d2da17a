//! `cargo xtask bench`: repeats `lamppost bench`, takes medians, and writes README's table, the page behind it and its plots.

mod machine;
mod plan;
mod plot;
mod table;

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use plan::{BENCHES, Bench};
use table::Results;

/// Where the page lies, from the root.
const PAGE: &str = "gateway/docs/benchmarks.md";
/// Where the plots lie.
const PICTURES: &str = "gateway/docs/pictures";

/// What was asked for.
struct Arguments {
    root: PathBuf,
    lamppost: PathBuf,
    runs: usize,
    only: Vec<String>,
    soak_minutes: f64,
    measures: bool,
    writes_documents: bool,
}

fn arguments() -> Result<Arguments, Box<dyn Error>> {
    let mut words = std::env::args().skip(1);
    let mut arguments = Arguments {
        root: words.next().ok_or("the root of the checkout is missing")?.into(),
        lamppost: words.next().ok_or("the binary is missing")?.into(),
        runs: 5,
        only: Vec::new(),
        soak_minutes: 0.0,
        measures: true,
        writes_documents: true,
    };
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or(format!("{word} needs a value"));
        match word.as_str() {
            "--runs" => arguments.runs = value()?.parse()?,
            "--only" => arguments.only.push(value()?),
            "--soak" => arguments.soak_minutes = value()?.parse()?,
            "--no-measurements" => arguments.measures = false,
            "--no-documents" => arguments.writes_documents = false,
            _ => return Err(format!("there is no option {word}; --help names them").into()),
        }
    }
    let is_known = |name: &&String| BENCHES.iter().all(|bench| bench.name != name.as_str());
    if let Some(name) = arguments.only.iter().find(is_known) {
        let names: Vec<&str> = BENCHES.iter().map(|bench| bench.name).collect();
        return Err(format!("there is no measurement {name}; there are {}", names.join(", ")).into());
    }
    Ok(arguments)
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments = arguments()?;
    let work = arguments.root.join("target/bench");
    fs::create_dir_all(&work)?;
    let machine = machine::Machine::here()?;
    eprintln!("bench: on {}", machine.conditions());
    // What was measured before stays: `--only` replaces what it measures.
    let kept = work.join("results.json");
    let mut results: Results =
        fs::read(&kept).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default();
    let is_wanted =
        |bench: &&Bench| arguments.only.is_empty() || arguments.only.contains(&bench.name.to_owned());
    let is_measured = arguments.measures && (arguments.soak_minutes == 0.0 || !arguments.only.is_empty());
    for bench in BENCHES.iter().filter(is_wanted).filter(|_| is_measured) {
        results.insert(bench.name.to_owned(), repeat(&arguments, &work, bench)?);
        results.insert("machine".to_owned(), machine.conditions().into());
        fs::write(&kept, serde_json::to_vec_pretty(&results)?)?;
    }
    for bench in BENCHES {
        bench.kept.iter().for_each(|name| drop(fs::remove_dir_all(work.join(name))));
    }
    let soaked = work.join("soak.json");
    if arguments.soak_minutes > 0.0 {
        let lines = soak(&arguments, &work)?;
        fs::write(&soaked, serde_json::to_vec_pretty(&(machine.conditions(), lines))?)?;
    }
    let soak: Option<(String, Vec<Value>)> =
        fs::read(&soaked).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
    println!("{}", table::short(&results));
    if arguments.writes_documents {
        write_documents(&arguments.root, &results, soak.as_ref())?;
    }
    Ok(())
}

/// Runs a measurement as often as it should be.
fn repeat(arguments: &Arguments, work: &Path, bench: &Bench) -> Result<Value, Box<dyn Error>> {
    let runs = arguments.runs.clamp(1, bench.runs_max);
    let mut results = Vec::new();
    for run in 1..=runs {
        eprintln!("bench: {} ({run} of {runs})", bench.name);
        let mut command = Command::new(&arguments.lamppost);
        command.arg("bench").args(bench.words).args(["--json", "--directory"]).arg(work);
        if let Some(name) = bench.kept {
            command.arg("--data").arg(work.join(name));
        }
        results.push(serde_json::from_slice(&output(&mut command)?)?);
    }
    Ok(Value::Array(results))
}

fn soak(arguments: &Arguments, work: &Path) -> Result<Vec<Value>, Box<dyn Error>> {
    let mut command = Command::new(&arguments.lamppost);
    command
        .args(["bench", "soak", "--minutes", &arguments.soak_minutes.to_string(), "--directory"])
        .arg(work);
    let text = String::from_utf8(output(&mut command)?)?;
    Ok(text.lines().map(serde_json::from_str).collect::<Result<_, _>>()?)
}

fn output(command: &mut Command) -> Result<Vec<u8>, Box<dyn Error>> {
    let output = command.stdin(Stdio::null()).stderr(Stdio::inherit()).output()?;
    if !output.status.success() {
        return Err(format!("{command:?} failed ({})", output.status).into());
    }
    Ok(output.stdout)
}

fn write_documents(
    root: &Path,
    results: &Results,
    soak: Option<&(String, Vec<Value>)>,
) -> Result<(), Box<dyn Error>> {
    let conditions = results.get("machine").and_then(Value::as_str).unwrap_or("nothing was measured yet");
    let pictures = root.join(PICTURES);
    fs::create_dir_all(&pictures)?;
    fs::write(pictures.join("rates.svg"), plot::rates(results, conditions))?;
    let mut page = format!(
        "# What was measured\n\nWritten by `cargo xtask bench`: release build, portable, {conditions}. Medians; every run \
         stands beside.\nThe ratios hold better than the figures. What is measured is a process of its own, loaded by another \
         one on the same\ncores; memory and CPU are the node's alone. How each figure comes about: `lamppost bench --help`.\n\n\
         ![Rates beside their ceilings](pictures/rates.svg)\n\n"
    );
    for bench in BENCHES.iter().filter(|bench| results.contains_key(bench.name)) {
        page += &table::long(results, bench);
        page.push('\n');
    }
    if let Some((conditions, lines)) = soak {
        fs::write(pictures.join("soak.svg"), plot::soak(lines, conditions))?;
        page += &long_run(conditions, lines);
    }
    fs::write(root.join(PAGE), page.trim_end().to_owned() + "\n")?;
    let readme = root.join("README.md");
    let text = fs::read_to_string(&readme)?;
    let content = format!(
        "Release build, portable, {conditions}; medians, each beside what it should reach\n([every run, and the ceilings]({PAGE})).\n\n\
         {}\n![Rates beside their ceilings]({PICTURES}/rates.svg)",
        table::short(results)
    );
    fs::write(&readme, table::between(&text, "benchmarks", &content)?)?;
    eprintln!("bench: wrote README.md, {PAGE} and the plots in {PICTURES}");
    Ok(())
}

/// What stands beside the plot of a long run.
fn long_run(conditions: &str, lines: &[Value]) -> String {
    let of = |name: &str| lines.iter().filter_map(|line| line[name].as_f64()).collect::<Vec<f64>>();
    let most = |name: &str| table::shown(of(name).into_iter().fold(0.0, f64::max));
    let last = |name: &str| table::shown(of(name).last().copied().unwrap_or(0.0));
    let middle = |figures: &[f64]| table::shown(table::median(figures).unwrap_or(0.0));
    // What grows shows between its first and its last part.
    let parts = |name: &str| {
        let figures = of(name);
        let part = (figures.len() / 5).max(1).min(figures.len());
        (middle(&figures[..part]), middle(&figures[figures.len() - part..]))
    };
    let wanted = table::shown(of("rate_wanted").first().copied().unwrap_or(0.0));
    let every = table::shown(of("seconds").first().copied().unwrap_or(0.0));
    let minutes = table::shown(of("seconds").last().copied().unwrap_or(0.0) / 60.0);
    let mut page = format!(
        "## A long run\n\n`lamppost bench soak`, {conditions}: {wanted} envelopes a second for {minutes} minutes through the \
         embedded broker, each\nsigned while the run goes on; latency, rate and memory every {every} s.\n\n\
         ![Latency, rate and memory of a long run](pictures/soak.svg)\n\n\
         | figure | median | first fifth | last fifth | most |\n|---|---|---|---|---|\n"
    );
    for (label, name) in [
        ("accepted a second", "accepted_per_second"),
        ("publish to ack, p50, ms", "p50_milliseconds"),
        ("publish to ack, p99, ms", "p99_milliseconds"),
        ("memory of the node, MB", "rss_megabytes"),
        ("CPU of broker and node, % of a core", "cpu_percent"),
        ("transactions that the index is behind", "index_behind_transactions"),
    ] {
        let (first, last) = parts(name);
        page += &format!("| {label} | {} | {first} | {last} | {} |\n", middle(&of(name)), most(name));
    }
    page += &format!(
        "\nAt the end {} MB of log and {} MB of index; refused: {}; notices dropped: {}.\n",
        last("log_megabytes"),
        last("index_megabytes"),
        last("refused"),
        last("outbound_dropped")
    );
    page
}
