//! The price list: what an accepted record of each quantity pays, and for how many of them.

use crate::limits::{
    PAID_RECORDS_MAX, PRICE_MICROTOKENS_MAX, QUANTITY_NAME_BYTES_MAX, TARIFF_QUANTITIES_MAX, UNIT_BYTES_MAX,
};
use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// One line of the price list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quantity {
    /// The records' full SenML name: base name and name.
    pub name: String,
    /// The unit they must have, a SenML unit.
    pub unit: String,
    /// What one accepted record pays.
    #[serde(with = "crate::genesis::decimal_text")]
    pub price_microtokens: u64,
    /// How many records are paid, per device and epoch.
    pub paid_records_max: u32,
}

/// The versioned price list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tariff {
    /// Grows with every change.
    pub version: u32,
    /// The quantities that are paid; no (name, unit) twice.
    pub quantities: Vec<Quantity>,
}

/// What is wrong with a tariff.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TariffError {
    /// More quantities than a tariff may have.
    #[error("a tariff has at most {TARIFF_QUANTITIES_MAX} quantities")]
    TooManyQuantities,
    /// An empty or overlong name or unit.
    #[error("the tariff's quantity {0:?} has an empty or overlong name or unit")]
    Name(String),
    /// The same name and unit twice.
    #[error("the tariff names the quantity {0:?} twice with the same unit")]
    Twice(String),
    /// A price above the bound.
    #[error("the tariff's price for {0:?} exceeds {PRICE_MICROTOKENS_MAX} micro-tokens")]
    Price(String),
    /// A cap above the bound.
    #[error("the tariff pays more than {PAID_RECORDS_MAX} records of {0:?} a device and epoch")]
    PaidRecords(String),
}

impl Tariff {
    /// Checks every bound.
    ///
    /// # Errors
    /// The first bound that is exceeded.
    pub fn validate(&self) -> Result<(), TariffError> {
        if self.quantities.len() > TARIFF_QUANTITIES_MAX {
            return Err(TariffError::TooManyQuantities);
        }
        for (at, quantity) in self.quantities.iter().enumerate() {
            let name = || quantity.name.clone();
            let lengths_hold = (1..=QUANTITY_NAME_BYTES_MAX).contains(&quantity.name.len())
                && (1..=UNIT_BYTES_MAX).contains(&quantity.unit.len());
            if !lengths_hold {
                return Err(TariffError::Name(name()));
            }
            let same = |other: &Quantity| other.name == quantity.name && other.unit == quantity.unit;
            if self.quantities.iter().take(at).any(same) {
                return Err(TariffError::Twice(name()));
            }
            if quantity.price_microtokens > PRICE_MICROTOKENS_MAX {
                return Err(TariffError::Price(name()));
            }
            if quantity.paid_records_max > PAID_RECORDS_MAX {
                return Err(TariffError::PaidRecords(name()));
            }
        }
        Ok(())
    }
}

impl Default for Tariff {
    /// A devnet's first price list: what a street sensor measures, fine dust dearest.
    fn default() -> Self {
        let quantity = |name: &str, unit: &str, price_microtokens| Quantity {
            name: name.to_owned(),
            unit: unit.to_owned(),
            price_microtokens,
            paid_records_max: 60,
        };
        Self {
            version: 1,
            quantities: alloc::vec![
                quantity("temp", "Cel", 1_000),
                quantity("hum", "%RH", 1_000),
                quantity("pm2.5", "ug/m3", 2_500),
                quantity("pm10", "ug/m3", 2_500),
                quantity("noise", "dB", 1_500),
            ],
        }
    }
}
