//! The doors, driven from outside: every HTTP path, the dashboard behind them, and the audit.

mod api;
mod audit;
mod commands;
mod events;
mod files;
mod instructions;
mod many;
mod maps;
mod node;
mod operator;
mod owner;
mod sign_in;
mod validators;
