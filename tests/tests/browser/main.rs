//! The pages in Chromium, as a person uses them. Pictures of what was seen lie in `target/screenshots/`.

mod accessible;
mod auditor;
mod enhanced;
mod guarded;
mod operator;
mod owner;
mod pages;
mod places;
mod receipts;
mod sign_in;
mod steady;
mod weight;
mod why;

use e2e::browser as session;
use e2e::browser::hands;
