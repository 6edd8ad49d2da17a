//! Many seeds, on as many threads as there are cores; each city stays on one.

use std::num::NonZeroUsize;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::run::{self, Failure, Report};

/// How often is said how far it is.
const PROGRESS_INTERVAL: Duration = Duration::from_secs(10);

/// Which seeds are to be run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// The first.
    pub from: u64,
    /// How many.
    pub seeds: u64,
}

impl Wanted {
    /// Reads `--seeds N [--from SEED]`.
    ///
    /// # Errors
    /// What is wrong with the words.
    pub fn parse(arguments: &[String]) -> Result<Wanted, String> {
        let mut wanted = Wanted { from: 0, seeds: 300 };
        let mut words = arguments.iter();
        while let Some(word) = words.next() {
            let place = match word.as_str() {
                "--seeds" => &mut wanted.seeds,
                "--from" => &mut wanted.from,
                other => return Err(format!("there is no option `{other}`; --seeds N and --from SEED are")),
            };
            let number = words.next().and_then(|number| number.replace('_', "").parse().ok());
            *place = number.ok_or_else(|| format!("{word} takes a number"))?;
        }
        Ok(wanted)
    }
}

/// Runs the seeds until one fails; gives what all of them did, or the failure of the lowest seed that failed.
///
/// # Errors
/// The failure.
pub fn seeds(wanted: Wanted, progress: bool) -> Result<Report, Box<Failure>> {
    let cores = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let (next, failed) = (AtomicU64::new(0), AtomicBool::new(false));
    let outcome = Mutex::new((Report::default(), None::<Box<Failure>>));
    let began = Instant::now();
    let said = Mutex::new(began);
    let work = || {
        while !failed.load(Ordering::Relaxed) {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= wanted.seeds {
                return;
            }
            let result = run::run(wanted.from + number);
            let mut outcome = outcome.lock().unwrap_or_else(PoisonError::into_inner);
            match result {
                Ok(report) => outcome.0.add(&report),
                Err(failure) => {
                    failed.store(true, Ordering::Relaxed);
                    if outcome.1.as_ref().is_none_or(|other| failure.seed < other.seed) {
                        outcome.1 = Some(failure);
                    }
                }
            }
            let mut said = said.lock().unwrap_or_else(PoisonError::into_inner);
            if progress && said.elapsed() >= PROGRESS_INTERVAL {
                *said = Instant::now();
                let (done, seconds) = (outcome.0.seeds, began.elapsed().as_secs_f64());
                eprintln!("{done} of {} seeds, {:.0} a second", wanted.seeds, done as f64 / seconds);
            }
        }
    };
    thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(work);
        }
    });
    let (report, failure) = outcome.into_inner().unwrap_or_else(PoisonError::into_inner);
    failure.map_or(Ok(report), Err)
}

/// Runs the seeds and prints what came of it.
pub fn command(wanted: &Wanted) -> ExitCode {
    let began = Instant::now();
    // A panic of the product is a failure like any other, and is said at the end.
    std::panic::set_hook(Box::new(|_| {}));
    match seeds(*wanted, true) {
        Ok(report) => {
            print!("{report}");
            println!("{:.1} s", began.elapsed().as_secs_f64());
            ExitCode::SUCCESS
        }
        Err(failure) => {
            eprintln!("{failure}");
            ExitCode::FAILURE
        }
    }
}
