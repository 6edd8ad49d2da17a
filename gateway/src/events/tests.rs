//! A reader hears every event once, in order, or is told how many it missed.

use super::*;

const BEGUN: u64 = 1_000;

fn block(height: u64) -> Event {
    Event::Block { height, time_unix_milliseconds: height, log_size: height, readings: 1, instructions: 0 }
}

fn told(count: u64) -> Arc<Events> {
    let events = Arc::new(Events::new(BEGUN, 7));
    (1..=count).for_each(|height| events.tell(block(height)));
    events
}

fn heard(watcher: &mut Watcher) -> Batch {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(watcher.next())
}

fn sequences(batch: &Batch) -> Vec<u64> {
    batch.told.iter().map(|told| told.id.sequence).collect()
}

fn id(sequence: u64) -> Option<EventId> {
    Some(EventId { height: 0, sequence })
}

#[test]
fn a_reader_that_comes_back_gets_what_it_has_not_heard_and_no_more() {
    let events = told(5);
    let batch = heard(&mut Watcher::new(events.clone(), id(BEGUN + 3)));
    assert_eq!((batch.missed, sequences(&batch)), (None, vec![BEGUN + 4, BEGUN + 5]));
    assert_eq!(batch.told[0].id.height, 4, "an id names the height it was told at");
    let all = heard(&mut Watcher::new(events, id(BEGUN)));
    assert_eq!((all.missed, all.told.len()), (None, 5), "a reader that was there before the first event");
}

#[test]
fn a_new_reader_hears_from_now_on() {
    let events = told(3);
    let mut watcher = Watcher::new(events.clone(), None);
    assert_eq!(watcher.last().sequence, BEGUN + 3);
    events.tell(block(4));
    assert_eq!(sequences(&heard(&mut watcher)), [BEGUN + 4]);
}

#[test]
fn a_reader_that_was_away_too_long_is_told_how_much_it_missed() {
    let events = told(EVENTS_MAX as u64 + 10);
    let batch = heard(&mut Watcher::new(events, id(BEGUN + 4)));
    let missed = batch.missed.expect("six of the ten that made room were not heard");
    assert_eq!((missed.events, missed.until.sequence), (Some(6), BEGUN + 10));
    assert_eq!(batch.told.len(), EVENTS_MAX);
    assert_eq!(batch.told[0].id.sequence, BEGUN + 11);
}

#[test]
fn a_reader_of_an_earlier_start_is_told_that_it_missed_something() {
    for stranger in [BEGUN - 1, BEGUN + 100] {
        let mut watcher = Watcher::new(told(2), id(stranger));
        let batch = heard(&mut watcher);
        assert_eq!(batch.missed.map(|missed| missed.events), Some(None), "{stranger}");
        assert_eq!(sequences(&batch), [BEGUN + 1, BEGUN + 2]);
        assert_eq!(watcher.last().sequence, BEGUN + 2, "and is told so once");
    }
    let mut watcher = Watcher::new(told(0), id(3));
    assert!(heard(&mut watcher).missed.is_some(), "also before anything has happened");
    assert_eq!(watcher.last().sequence, BEGUN);
}

#[test]
fn ids_are_read_as_they_are_written() {
    let id = EventId { height: 120, sequence: 1_795_333_126_000_001 };
    assert_eq!(id.to_string().parse(), Ok(id));
    for nonsense in ["", "12", "12.", ".5", "a.b", "1.2.3", "-1.2"] {
        assert_eq!(nonsense.parse::<EventId>(), Err(NoEventId), "{nonsense}");
    }
}
