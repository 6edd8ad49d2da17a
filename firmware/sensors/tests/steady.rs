//! What stands still is reported, beside its values.

mod support;

use devices::Decimal;
use node::{Fault, Records, Sensor};
use sensors::Steady;
use support::sample;

/// A sensor of two quantities that shows what it is given; an empty turn is a fault.
struct Scripted(std::vec::IntoIter<Option<[i32; 2]>>);

impl Sensor for Scripted {
    fn name(&self) -> &'static str {
        "scripted"
    }

    fn sample(&mut self, records: &mut Records) -> Result<(), Fault> {
        let [temperature, humidity] = self.0.next().expect("a turn").ok_or(Fault::NoAnswer)?;
        records.add("temp", "Cel", temperature.into());
        records.add("hum", "%RH", humidity.into());
        Ok(())
    }
}

fn steady(turns: Vec<Option<[i32; 2]>>, same_samples_max: u32) -> Vec<(usize, Option<Fault>)> {
    let samples = turns.len();
    let mut sensor = Steady::new(Scripted(turns.into_iter()), same_samples_max);
    (0..samples).map(|_| sample(&mut sensor)).map(|(values, fault)| (values.len(), fault)).collect()
}

#[test]
fn the_same_values_so_many_times_are_a_fault_and_are_still_reported() {
    let still = Some([21, 50]);
    assert_eq!(
        steady(vec![still; 5], 3),
        [(2, None), (2, None), (2, Some(Fault::Stuck)), (2, Some(Fault::Stuck)), (2, Some(Fault::Stuck))]
    );
}

#[test]
fn one_quantity_that_moves_is_enough() {
    let turns = [[21, 50], [21, 51], [21, 50], [21, 51], [21, 50], [22, 50]].map(Some);
    assert!(steady(turns.to_vec(), 2).iter().all(|(values, fault)| (*values, *fault) == (2, None)));
}

#[test]
fn one_that_moves_again_is_no_longer_stuck() {
    let turns = [Some([21, 50]), Some([21, 50]), Some([22, 50]), Some([22, 50])];
    let faults: Vec<_> = steady(turns.to_vec(), 2).into_iter().map(|(_, fault)| fault).collect();
    assert_eq!(faults, [None, Some(Fault::Stuck), None, Some(Fault::Stuck)]);
}

#[test]
fn a_sample_without_values_neither_moves_nor_stands_still_and_keeps_its_own_fault() {
    let turns = [Some([21, 50]), None, None, Some([21, 50])];
    assert_eq!(
        steady(turns.to_vec(), 2),
        [(2, None), (0, Some(Fault::NoAnswer)), (0, Some(Fault::NoAnswer)), (2, Some(Fault::Stuck))]
    );
}

#[test]
fn what_other_sensors_added_before_is_not_looked_at() {
    let mut sensor = Steady::new(Scripted(vec![Some([21, 50]); 2].into_iter()), 2);
    let mut outcomes = Vec::new();
    for other in [1, 2] {
        let mut records = Records::default();
        records.add("pm10", "ug/m3", Decimal::from(other));
        records.take(&mut sensor);
        assert_eq!(records.as_slice().len(), 3);
        outcomes.push(records.faults().collect::<Vec<_>>());
    }
    assert_eq!(outcomes, [vec![], vec![("scripted", Fault::Stuck)]]);
}
