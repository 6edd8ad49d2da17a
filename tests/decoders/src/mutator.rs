//! Altered copies of valid inputs: the ways in which bytes go wrong, from one seed.

/// A stream of numbers from a seed.
#[derive(Debug, Clone)]
pub struct Mutator(u64);

/// The most alterations of one copy.
const ALTERATIONS_MAX: usize = 4;
/// Longer than any decoder takes, so that bounds are met too, and no longer.
const INPUT_BYTES_MAX: usize = 160 * 1_024;
/// Bytes that mean something to a decoder of CBOR, of lengths or of text.
const TELLING: [u8; 24] = [
    0x00, 0x01, 0x17, 0x18, 0x19, 0x1a, 0x1b, 0x20, 0x40, 0x5b, 0x60, 0x7f, 0x80, 0x9f, 0xa0, 0xbf, 0xc4,
    0xd2, 0xf4, 0xf6, 0xf9, 0xff, b'\n', b' ',
];

impl Mutator {
    /// The stream of this seed.
    pub fn new(seed: u64) -> Mutator {
        Mutator(seed)
    }

    /// The next number: SplitMix64 (Steele, Lea and Flood 2014).
    fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A place in something of `length` parts; 0 where it has none.
    fn place(&mut self, length: usize) -> usize {
        usize::try_from(self.number().checked_rem(length as u64).unwrap_or(0)).unwrap_or(0)
    }

    fn byte(&mut self) -> u8 {
        self.number().to_be_bytes()[0]
    }

    /// The next input: mostly a seed with a few alterations, now and then nothing but chance, seldom a seed as it is.
    pub fn input(&mut self, seeds: &[Vec<u8>]) -> Vec<u8> {
        match self.place(16) {
            0 => (0..self.place(200)).map(|_| self.byte()).collect(),
            1 => seeds[self.place(seeds.len())].clone(),
            _ => {
                let mut bytes = seeds[self.place(seeds.len())].clone();
                for _ in 0..=self.place(ALTERATIONS_MAX) {
                    self.alter(&mut bytes, seeds);
                }
                bytes.truncate(INPUT_BYTES_MAX);
                bytes
            }
        }
    }

    fn alter(&mut self, bytes: &mut Vec<u8>, seeds: &[Vec<u8>]) {
        let at = self.place(bytes.len());
        let end = bytes.len().min(at + 1 + self.place(24));
        match self.place(12) {
            0 | 1 if !bytes.is_empty() => bytes[at] ^= 1 << self.place(8),
            2 if !bytes.is_empty() => bytes[at] = TELLING[self.place(TELLING.len())],
            3 if !bytes.is_empty() => bytes[at] = bytes[at].wrapping_add(1),
            4 => bytes.insert(at, TELLING[self.place(TELLING.len())]),
            5 => drop(bytes.drain(at..end)),
            6 => bytes.truncate(at),
            7 => bytes.extend_from_within(at..end),
            8 => {
                let part = bytes[at..end].to_vec();
                let to = self.place(bytes.len());
                bytes.splice(to..to, part);
            }
            9 => {
                let other = self.place(seeds.len());
                self.splice(bytes, &seeds[other]);
            }
            10 => self.repeat_line(bytes),
            _ => {
                let number = self.number() >> self.place(64);
                bytes.splice(at..at, number.to_be_bytes());
            }
        }
    }

    /// The beginning of one input, the end of another.
    fn splice(&mut self, bytes: &mut Vec<u8>, other: &[u8]) {
        bytes.truncate(self.place(bytes.len()));
        bytes.extend_from_slice(&other[self.place(other.len())..]);
    }

    /// A line of a text twice, or two lines in the other order.
    fn repeat_line(&mut self, bytes: &mut Vec<u8>) {
        let mut lines: Vec<Vec<u8>> = bytes.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
        let (one, two) = (self.place(lines.len()), self.place(lines.len()));
        if one == two {
            lines.insert(one, lines[two].clone());
        } else {
            lines.swap(one, two);
        }
        *bytes = lines.join(&b'\n');
    }
}
