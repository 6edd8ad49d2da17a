//! Load: envelopes signed beforehand into a file, so that a measurement measures the gateway and not the signing.
//!
//! The file is a row of frames: the device's kid (8 bytes), the envelope's length (2, little-endian), the envelope.
//! Devices take turns, so that none runs far ahead.

pub mod bulk;
pub mod press;

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read as _, Write as _};
use std::path::Path;
use std::thread;

use devices::limits::{PACK_BYTES_MAX, RECORDS_MAX};
use devices::{Base, Decimal, DeviceId, Record, Sequence, Value};

use bulk::{BulkKey, BulkSigner, Unsigned};

/// Envelopes that are signed before they are written, on each core.
const PIECE: u64 = 16_384;
/// Bytes read or written at once.
const BUFFER_BYTES: usize = 256 * 1024;

/// What to sign.
#[derive(Clone, Debug)]
pub struct LoadPlan {
    /// The network that the signatures are for.
    pub network: String,
    /// What the devices' keys are derived from.
    pub secret: [u8; 32],
    /// Devices that take turns.
    pub devices: u32,
    /// Envelopes that came before: turn and count go on from there.
    pub first: u64,
    /// Envelopes of all devices together.
    pub envelopes: u64,
    /// Records of each envelope, 1 to 64.
    pub records_each: u32,
    /// The boot number of all of them: higher than any before, Unix seconds for instance.
    pub boot: u32,
    /// The base time of all of them, Unix seconds.
    pub base_time: u32,
}

/// Why a plan cannot be signed.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// Too many or too few of something.
    #[error(
        "a load has at least one device, 1 to {RECORDS_MAX} records an envelope and as many counts as 32 bits hold"
    )]
    Bounds,
    /// A key is of no use.
    #[error("a device's key is weak")]
    Key,
    /// A header is not what was expected.
    #[error("the header of an envelope cannot be read")]
    Header,
    /// An envelope cannot be made.
    #[error(transparent)]
    Seal(#[from] devices::SealError),
    /// An envelope cannot be written.
    #[error(transparent)]
    Encode(#[from] devices::cbor::EncodeError),
    /// The records make no pack.
    #[error(transparent)]
    Pack(#[from] devices::senml::PackError),
    /// The file.
    #[error("the load cannot be written: {0}")]
    File(#[from] io::Error),
}

/// What was signed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Signed {
    /// Envelopes.
    pub envelopes: u64,
    /// Their bytes, without the frames.
    pub bytes: u64,
}

/// Signs the plan on all cores into a new file.
///
/// # Errors
/// When the plan cannot be signed or the file not written.
pub fn write(path: &Path, plan: &LoadPlan) -> Result<Signed, PlanError> {
    write_to(File::create_new(path)?, plan)
}

/// Signs the plan on all cores, as fast as it is taken.
///
/// # Errors
/// As [`write`].
pub fn write_to(out: impl io::Write, plan: &LoadPlan) -> Result<Signed, PlanError> {
    let end = plan.first.checked_add(plan.envelopes).ok_or(PlanError::Bounds)?;
    let bounds = 1..=RECORDS_MAX as u32;
    if plan.devices == 0
        || !bounds.contains(&plan.records_each)
        || end / u64::from(plan.devices) >= u64::from(u32::MAX)
    {
        return Err(PlanError::Bounds);
    }
    let cores = cores();
    let keys = keys(&plan.secret, plan.devices)?;
    let mut file = BufWriter::with_capacity(BUFFER_BYTES, out);
    let mut signed = Signed::default();
    let mut first = plan.first;
    while first < end {
        let pieces: Vec<_> = (0..cores).map(|core| (first + core * PIECE).min(end)).collect();
        let framed = on_all(pieces, |first| sign(plan, &keys, first, (first + PIECE).min(end)))?;
        for (piece, envelopes) in framed {
            signed.bytes += piece.len() as u64 - envelopes * FRAME_HEAD_BYTES as u64;
            signed.envelopes += envelopes;
            file.write_all(&piece)?;
        }
        first = (first + cores * PIECE).min(end);
    }
    file.flush()?;
    Ok(signed)
}

/// Does the same for each part, at once.
fn on_all<P: Send, T: Send>(
    parts: Vec<P>,
    work: impl Fn(P) -> Result<T, PlanError> + Sync,
) -> Result<Vec<T>, PlanError> {
    thread::scope(|scope| {
        let work = &work;
        let threads: Vec<_> = parts.into_iter().map(|part| scope.spawn(move || work(part))).collect();
        // A thread that panics has met a broken invariant, which is not to be hidden.
        let join = |thread: thread::ScopedJoinHandle<'_, _>| {
            thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        };
        threads.into_iter().map(join).collect()
    })
}

fn cores() -> u64 {
    thread::available_parallelism().map_or(1, usize::from) as u64
}

/// The keys of a load's devices, made on all cores.
///
/// # Errors
/// As [`bulk::keys`].
pub fn keys(secret: &[u8; 32], devices: u32) -> Result<Vec<BulkKey>, PlanError> {
    let cores = cores();
    let share = u64::from(devices).div_ceil(cores).max(1);
    let ranges = (0..cores).map(|core| core * share..((core + 1) * share).min(devices.into()));
    Ok(on_all(ranges.collect(), |range| bulk::keys(secret, range))?.concat())
}

/// Kid and length.
const FRAME_HEAD_BYTES: usize = 10;

/// Frames of the envelopes in a range, and their number.
fn sign(plan: &LoadPlan, keys: &[BulkKey], first: u64, end: u64) -> Result<(Vec<u8>, u64), PlanError> {
    let number = first ^ u64::from(plan.boot) << 32;
    let mut signer = BulkSigner::of_readings(&plan.network, &plan.secret, number)?;
    let mut unsigned = Vec::with_capacity(end.saturating_sub(first) as usize);
    for place in first..end {
        let devices = u64::from(plan.devices);
        // Both fit: the bounds were checked.
        let (device, count) = ((place % devices) as usize, (place / devices) as u32);
        let cti = Sequence { boot: plan.boot, count }.to_cti();
        unsigned.push(Unsigned { key: &keys[device], cti, payload: pack(plan, count)? });
    }
    let mut framed = Vec::new();
    signer.sign(&unsigned, |key, envelope| {
        framed.extend_from_slice(key.kid.as_bytes());
        framed.extend_from_slice(&(envelope.len() as u16).to_le_bytes());
        framed.extend_from_slice(envelope);
    })?;
    Ok((framed, unsigned.len() as u64))
}

fn pack(plan: &LoadPlan, count: u32) -> Result<Vec<u8>, PlanError> {
    let base =
        Base { version: Some(26), name: Some("pm2.5"), time: Some(plan.base_time), unit: Some("ug/m3") };
    let records: Vec<Record<'_>> = (0..plan.records_each)
        .map(|number| {
            let hundredths = i128::from((count.wrapping_mul(7) + number * 13) % 6_000 + 101);
            // Four digits and two after the point have a place on the wire.
            let value = Decimal::new(hundredths, -2).unwrap_or(Decimal::ZERO);
            let offset = (number > 0).then_some(number as i32);
            Record { time_offset_seconds: offset, ..Record::of(Value::Number(value)) }
        })
        .collect();
    let mut pack = [0; PACK_BYTES_MAX];
    let length = devices::encode_pack(&base, &records, &mut pack)?;
    Ok(pack[..length].to_vec())
}

/// A device, and an envelope of its.
pub type Message = (DeviceId, Vec<u8>);

/// Reads a file of load, a piece at a time.
#[derive(Debug)]
pub struct LoadReader(BufReader<File>);

impl LoadReader {
    /// Opens the file.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn open(path: &Path) -> io::Result<LoadReader> {
        Ok(LoadReader(BufReader::with_capacity(BUFFER_BYTES, File::open(path)?)))
    }

    /// The next device and its envelope; `None` at the end.
    ///
    /// # Errors
    /// When the file cannot be read or ends within a frame.
    pub fn take(&mut self) -> io::Result<Option<Message>> {
        let mut head = [0; FRAME_HEAD_BYTES];
        if io::BufRead::fill_buf(&mut self.0)?.is_empty() {
            return Ok(None);
        }
        self.0.read_exact(&mut head)?;
        let [a, b, c, d, e, f, g, h, low, high] = head;
        let mut envelope = vec![0; u16::from_le_bytes([low, high]).into()];
        self.0.read_exact(&mut envelope)?;
        Ok(Some((DeviceId([a, b, c, d, e, f, g, h]), envelope)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use devices::SignedReading;

    #[test]
    fn every_envelope_of_a_load_verifies_and_devices_take_turns() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("load");
        let plan = LoadPlan {
            network: "devnet".to_owned(),
            secret: [3; 32],
            devices: 3,
            first: 6,
            envelopes: 700,
            records_each: 10,
            boot: 9,
            base_time: 1_800_000_000,
        };
        let signed = write(&path, &plan).unwrap();
        let keys = keys(&plan.secret, 3).unwrap();
        let mut reader = LoadReader::open(&path).unwrap();
        let mut bytes = 0;
        for place in 6..706_u64 {
            let (kid, envelope) = reader.take().unwrap().unwrap();
            bytes += envelope.len() as u64;
            let key = &keys[(place % 3) as usize];
            let reading = SignedReading::decode(envelope).map_err(|(why, _)| why).unwrap();
            assert_eq!((kid, reading.kid()), (key.kid, key.kid));
            assert_eq!(reading.sequence(), Sequence { boot: 9, count: (place / 3) as u32 });
            assert_eq!(reading.pack().record_count(), 10);
            assert!(reading.verify(&key.public_key, "devnet").is_ok());
        }
        assert_eq!(signed, Signed { envelopes: 700, bytes });
        assert!(reader.take().unwrap().is_none());
        assert!(matches!(
            write(&directory.path().join("more"), &LoadPlan { records_each: 65, ..plan }),
            Err(PlanError::Bounds)
        ));
    }
}
