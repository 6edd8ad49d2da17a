//! When epochs were closed, as a reader of the event stream sees it: from the last block before to the durable settlement.

use std::sync::Arc;

use serde_json::{Value, json};
use tokio::sync::watch;

use crate::clock;
use crate::shared::{Event, Shared};

/// What was seen, and word of more.
pub type Settlements = watch::Receiver<Vec<Value>>;

/// Watches a node's settlements.
pub fn watch(shared: &Arc<Shared>) -> Settlements {
    let ((seen, settlements), mut events) = (watch::channel(Vec::new()), shared.watch(None));
    tokio::spawn(async move {
        // The last two blocks: a settlement's own block may be told before it.
        let mut blocks = [(0, clock::monotonic()); 2];
        loop {
            for told in events.next().await.told {
                match told.event {
                    Event::Block { height, .. } => blocks = [blocks[1], (height, clock::monotonic())],
                    Event::Settlement { height, statements, paid_microtokens, .. } => {
                        let before = blocks.iter().rev().find(|(block, _)| *block < height);
                        let seconds = before.map(|(_, at)| at.elapsed().as_secs_f64());
                        let settlement = json!({
                            "statements": statements,
                            "paid_microtokens": paid_microtokens,
                            "seconds": seconds,
                            "at_unix_milliseconds": clock::now_unix_milliseconds(),
                        });
                        seen.send_modify(|seen| seen.push(settlement));
                    }
                    Event::Refusal { .. } => {}
                }
            }
        }
    });
    settlements
}
