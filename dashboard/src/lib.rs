//! The window: pages over a [`view::View`], complete without JavaScript and live with it.
//!
//! Invariants:
//! - Nothing here knows the ledger, a database, a file or a clock: whoever mounts [`router`] brings the view,
//!   and the time pages count ages from is the view's. Who looks is told by a request extension ([`view::Viewer`]);
//!   sessions and cookies are unknown here.
//! - No float anywhere: amounts are integers of micro-tokens, values exact decimals, and the charts'
//!   coordinates are integers of hundredths.
//! - Nothing is fetched from elsewhere: style and script are embedded, and the pages' policy forbids the rest.
//! - All text is escaped by the templates; what devices and people named is cut and marked first.

mod assets;
mod bars;
mod chart;
mod coast;
mod health;
mod limits;
mod map;
mod marks;
mod moments;
mod names;
mod numbers;
mod packing;
mod pages;
mod quantities;
mod readings;
mod reasons;
mod remedies;
mod routes;
pub mod sign_in;
pub mod view;

pub use routes::{CONTENT_SECURITY_POLICY, router};
