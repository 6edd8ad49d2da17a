//! The pages in Chromium, as a person uses them. Pictures of what was seen lie in `target/screenshots/`.

mod accessible;
mod auditor;
mod enhanced;
mod guarded;
mod hands;
mod operator;
mod owner;
mod pages;
mod places;
mod receipts;
mod session;
mod sign_in;
mod steady;
mod weight;
mod why;
