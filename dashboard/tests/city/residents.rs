//! Who lives in the city: one device of each kind that has broken such pages before.

use super::{GENESIS, NOON, account, hex};

/// A name that tries everything at once: markup, a direction override, an unseen character, length.
pub const HOSTILE_NAME: &str = "<script>alert(1)</script>\u{202e}\u{200b}\"'&amp;<img src=x onerror=alert(2)>xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx";

/// A quantity a resident measures.
#[derive(Debug, Clone, Copy)]
pub struct Measure {
    /// SenML name.
    pub name: &'static str,
    /// SenML unit.
    pub unit: &'static str,
    /// The middle of its values.
    pub middle: i128,
    /// How far they swing.
    pub swing: i128,
    /// Decimals, as an exponent.
    pub exponent: i8,
    /// What a record of it pays.
    pub price: u64,
    /// How many pay in an epoch.
    pub cap: u64,
}

const fn measure(name: &'static str, unit: &'static str, middle: i128, swing: i128, exponent: i8) -> Measure {
    Measure { name, unit, middle, swing, exponent, price: 100, cap: 60 }
}

const TEMPERATURE: Measure = measure("temp", "Cel", 1253, 240, -2);
const HUMIDITY: Measure = measure("hum", "%RH", 671, 60, -1);
const FINE_DUST: Measure = Measure { price: 250, ..measure("pm2.5", "ug/m3", 74, 50, -1) };
const NOISE: Measure = Measure { price: 40, cap: 4, ..measure("noise", "dB", 512, 90, -1) };
const UNPAID: Measure = Measure { price: 0, ..measure("voltage", "V", 330, 0, -2) };
const HOSTILE: Measure = Measure { price: 0, ..measure(HOSTILE_NAME, "<b>\u{202e}V</b>", 7, 3, 0) };
const HUGE: Measure = measure(
    "&&&&&&&&&&&&&&&&&&&&&&&&&&&&&&&&&&&&&&&&&&&&&&&&",
    "\"\"\"\"",
    18_446_744_073_709_551_000,
    600,
    -9,
);
const RIGHT_TO_LEFT: Measure = measure("درجة الحرارة", "Cel", 1253, 240, -2);
const NAMELESS: Measure = measure("", "", 1, 1, 0);
const TOWER: Measure =
    measure("t\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}", "/", -5, 3, -1);

/// A device of the city and the rule it lives by.
#[derive(Debug, Clone)]
pub struct Resident {
    /// Its place in the city.
    pub number: u64,
    /// Its kid.
    pub kid: String,
    /// Its owner.
    pub owner: Option<String>,
    /// What it measures.
    pub measures: &'static [Measure],
    /// Its first envelope.
    pub from: Option<u64>,
    /// Its last envelope; `None` while it goes on.
    pub until: Option<u64>,
    /// Whether it was revoked.
    pub revoked: bool,
    /// Number of the resident that took its place under a new key.
    pub replaced_by: Option<u64>,
    /// Who owned it before, and until when: the end of an epoch.
    pub former: Option<(u64, u64)>,
    /// To whom it is offered.
    pub offered_to: Option<u64>,
    /// What its series is like.
    pub habit: Habit,
}

/// What is wrong with a resident's series, if anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Habit {
    /// Nothing.
    Honest,
    /// One value in an epoch is out of range.
    Spiking,
    /// All of it was sent first by the resident of this number.
    CopiedFrom(u64),
}

/// The kid of the resident of this number.
pub fn kid(number: u64) -> String {
    format!("{:02x}{}", number * 16 + 7, hex(800, number).get(..14).unwrap_or_default())
}

/// All of them, in the order of their kids.
pub fn all() -> Vec<Resident> {
    let owned = |number: u64, owner: Option<u64>, measures: &'static [Measure]| Resident {
        number,
        kid: kid(number),
        owner: owner.map(account),
        measures,
        from: Some(GENESIS + 10_000),
        until: None,
        revoked: false,
        replaced_by: None,
        former: None,
        offered_to: None,
        habit: Habit::Honest,
    };
    vec![
        owned(0, Some(0), &[TEMPERATURE, HUMIDITY, FINE_DUST, NOISE, UNPAID]),
        Resident { until: Some(NOON - 840_000), ..owned(1, Some(0), &[TEMPERATURE, HUMIDITY]) },
        Resident { from: None, ..owned(2, Some(0), &[]) },
        owned(3, Some(1), &[HOSTILE, TEMPERATURE, HUGE, RIGHT_TO_LEFT, NAMELESS, TOWER, UNPAID]),
        Resident { until: Some(NOON - 3_600_000), revoked: true, ..owned(4, Some(1), &[TEMPERATURE]) },
        owned(5, None, &[TEMPERATURE, HUMIDITY]),
        Resident { from: Some(NOON - 14_000), ..owned(6, Some(2), &[NOISE]) },
        owned(7, Some(2), &[UNPAID]),
        owned(8, Some(2), &[TEMPERATURE, HUMIDITY, FINE_DUST]),
        Resident { habit: Habit::Spiking, ..owned(9, Some(3), &[FINE_DUST, NOISE]) },
        Resident { habit: Habit::CopiedFrom(8), ..owned(10, Some(3), &[TEMPERATURE]) },
        Resident {
            former: Some((2, NOON - 46_000 - 600_000)),
            offered_to: Some(1),
            ..owned(11, Some(3), &[TEMPERATURE, HUMIDITY])
        },
        Resident {
            until: Some(NOON - 3_600_000),
            revoked: true,
            replaced_by: Some(11),
            ..owned(12, Some(3), &[TEMPERATURE])
        },
    ]
}
