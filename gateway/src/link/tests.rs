//! The link between real endpoints, over loopback.
