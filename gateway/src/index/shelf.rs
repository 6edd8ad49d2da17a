//! Where sorted runs lie: the chunks of each run, and a catalogue of the runs that exist.
//!
//! A run exists once it stands in the catalogue, and one batch puts it there and takes away those that it took in. What a
//! crash left of others is taken away when the shelf is opened.

use std::ops::Range;

use super::records::u64_at;

/// What is known of a shelf without reading it: its runs, oldest first, and what no run holds yet.
pub struct Held<Run, Row> {
    pub runs: Vec<Run>,
    /// In memory only.
    pub fresh: Vec<Row>,
    /// The last block whose rows are here.
    pub height: Option<u64>,
}

impl<Run, Row> Default for Held<Run, Row> {
    fn default() -> Self {
        Held { runs: Vec::new(), fresh: Vec::new(), height: None }
    }
}

impl<Run, Row> Held<Run, Row> {
    /// A run holds now what was in memory and what the last `absorbed` runs held.
    pub fn replace(&mut self, absorbed: usize, run: Run) {
        self.runs.truncate(self.runs.len() - absorbed);
        self.runs.push(run);
        self.fresh = Vec::new();
    }
}

/// The runs of one name. A place in a run is bytes that sort as what they stand for.
pub struct Shelf {
    /// Run and first place: what stands from there on, sorted.
    chunks: sled::Tree,
    /// Run: what it holds.
    catalogue: sled::Tree,
}

impl Shelf {
    /// Opens the shelf of this name, with the number of each of its runs and what the catalogue says of it.
    pub fn open(database: &sled::Db, name: &str) -> sled::Result<(Shelf, Vec<(u64, sled::IVec)>)> {
        let chunks = database.open_tree(format!("{name}: chunks"))?;
        let catalogue = database.open_tree(format!("{name}: runs"))?;
        let shelf = Shelf { chunks, catalogue };
        let mut runs = Vec::new();
        let mut next = 0;
        for item in &shelf.catalogue {
            let (key, about) = item?;
            let Some(number) = u64_at(&key, 0) else { continue };
            shelf.remove(next..number)?;
            next = number + 1;
            runs.push((number, about));
        }
        shelf.remove(next..u64::MAX)?;
        Ok((shelf, runs))
    }

    /// Puts a chunk of a run down that does not exist yet.
    pub fn put(&self, run: u64, first: &[u8], chunk: Vec<u8>) -> sled::Result<()> {
        self.chunks.insert(key(run, first), chunk).map(|_| ())
    }

    /// Lets a run exist, and those that it took in no longer. Their chunks stay until [`Shelf::remove`], for who reads them.
    pub fn replace(&self, absorbed: impl Iterator<Item = u64>, run: u64, about: &[u8]) -> sled::Result<()> {
        let mut batch = sled::Batch::default();
        absorbed.for_each(|run| batch.remove(&run.to_be_bytes()));
        batch.insert(&run.to_be_bytes(), about);
        self.catalogue.apply_batch(batch)
    }

    /// Takes the chunks of runs away.
    pub fn remove(&self, runs: Range<u64>) -> sled::Result<()> {
        for key in self.chunks.range(runs.start.to_be_bytes()..runs.end.to_be_bytes()).keys() {
            self.chunks.remove(key?)?;
        }
        Ok(())
    }

    /// All chunks of a run, in order.
    pub fn all(&self, run: u64) -> impl Iterator<Item = sled::Result<sled::IVec>> + use<> {
        self.chunks.scan_prefix(run.to_be_bytes()).values()
    }

    /// The chunks of a run in which places from one to before another may stand, in order.
    pub fn between(
        &self,
        run: u64,
        from: &[u8],
        to: &[u8],
    ) -> sled::Result<impl DoubleEndedIterator<Item = sled::Result<sled::IVec>> + use<>> {
        let from = key(run, from);
        // The one that begins before may reach into what is looked for.
        let before = self.chunks.range(key(run, &[])..=from.clone()).next_back().transpose()?;
        let from = before.map_or(sled::IVec::from(from), |(key, _)| key);
        Ok(self.chunks.range(from..sled::IVec::from(key(run, to))).values())
    }
}

fn key(run: u64, place: &[u8]) -> Vec<u8> {
    [&run.to_be_bytes()[..], place].concat()
}
