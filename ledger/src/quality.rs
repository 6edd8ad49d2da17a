//! The factors of quality of one series, in order, each with the counts that it follows from.

use crate::factor::{Cut, Disagreement, Factor, FactorName, WHOLE_PERMILLE, part_of, permille_of};
use crate::series::Series;
use crate::tariff::{Quantity, Tariff};
use alloc::vec::Vec;
use devices::identity::DeviceId;

/// What settlement finds by looking at a series beside the others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Judgement {
    /// What about it is not a sensor's, or not its neighbours'.
    pub(crate) disagreement: Option<Disagreement>,
    /// Whose series it is; the device's own kid when it sent it in the epoch before.
    pub(crate) original: Option<DeviceId>,
}

/// What the factors of a series are reckoned from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Findings<'t> {
    pub(crate) kid: DeviceId,
    pub(crate) tariff: &'t Tariff,
    pub(crate) quantity: &'t Quantity,
    pub(crate) series: &'t Series,
    /// How long the device was in service in this epoch.
    pub(crate) active_milliseconds: u64,
    pub(crate) judgement: Judgement,
}

impl Findings<'_> {
    /// The factors, with what each leaves of `base_microtokens`.
    pub(crate) fn factors(&self, base_microtokens: u64) -> Vec<Factor> {
        let accepted = u64::from(self.series.accepted_records);
        let shares = [
            self.completeness(),
            self.plausibility(accepted),
            self.agreement(),
            self.freshness(accepted),
            self.repetition(accepted),
        ];
        let mut left = base_microtokens;
        let factor = |(name, share): (FactorName, Share)| {
            let permille = permille_of(share.numerator, share.denominator);
            left = part_of(left, permille);
            Factor {
                name,
                numerator: share.numerator,
                denominator: share.denominator,
                permille,
                amount_microtokens: left,
                cut: share.cut.filter(|_| permille < WHOLE_PERMILLE),
            }
        };
        FactorName::ALL.into_iter().zip(shares).map(factor).collect()
    }

    fn completeness(&self) -> Share {
        let interval_milliseconds = u64::from(self.quantity.interval_seconds).saturating_mul(1_000);
        let expected = self.active_milliseconds.checked_div(interval_milliseconds).unwrap_or(0).max(1);
        let filled = u64::from(self.series.intervals);
        let cut = Cut::Gaps { intervals: expected.saturating_sub(filled) };
        Share { numerator: filled, denominator: expected, cut: Some(cut) }
    }

    fn plausibility(&self, accepted: u64) -> Share {
        let plausible = u64::from(self.series.plausible_records());
        let least = self.quantity.plausible_min_permille;
        let believed =
            plausible.saturating_mul(WHOLE_PERMILLE.into()) >= accepted.saturating_mul(least.into());
        let cut = Cut::Implausible {
            out_of_range: self.series.out_of_range_records,
            steep: self.series.steep_records,
            believed_from_permille: (!believed).then_some(least),
        };
        Share { numerator: if believed { plausible } else { 0 }, denominator: accepted, cut: Some(cut) }
    }

    fn agreement(&self) -> Share {
        let cut = self.judgement.disagreement.map(Cut::Disagrees);
        Share { numerator: cut.is_none().into(), denominator: 1, cut }
    }

    fn freshness(&self, accepted: u64) -> Share {
        let late = u64::from(self.series.late_records);
        let on_time = accepted.saturating_sub(late).saturating_mul(WHOLE_PERMILLE.into());
        let numerator = on_time.saturating_add(late.saturating_mul(self.tariff.late_permille.into()));
        let cut = Cut::Late { records: self.series.late_records };
        Share { numerator, denominator: accepted.saturating_mul(WHOLE_PERMILLE.into()), cut: Some(cut) }
    }

    fn repetition(&self, accepted: u64) -> Share {
        let Some(original) = self.judgement.original else {
            let repeated = self.series.repeated_records;
            let numerator = accepted.saturating_sub(repeated.into());
            return Share {
                numerator,
                denominator: accepted,
                cut: Some(Cut::Repeated { records: repeated }),
            };
        };
        let cut = if original == self.kid { Cut::Replayed } else { Cut::Copied { original } };
        Share { numerator: 0, denominator: accepted, cut: Some(cut) }
    }
}

/// A factor before it is applied, with what it would cut for.
#[derive(Clone, Copy, Debug)]
struct Share {
    numerator: u64,
    denominator: u64,
    cut: Option<Cut>,
}
