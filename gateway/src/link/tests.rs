//! The link between real endpoints, over loopback: what comes through, what does not, and what a cut connection costs.

mod ends;
mod follow;
mod handshake;
mod submit;
