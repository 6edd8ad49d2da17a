//! The host of a node of several: a validator that votes on blocks, or a gateway that follows them.

use std::sync::Arc;

use super::{Ends, HostError};
use crate::configuration::Configuration;
use crate::storage::Opened;
use crate::telemetry::Telemetry;

/// Starts a validator.
///
/// # Errors
/// What keeps it from starting.
pub fn start_validator(
    _opened: Opened,
    _telemetry: Arc<Telemetry>,
    _configuration: &Configuration,
) -> Result<Ends, HostError> {
    Err(HostError::NotOfSeveral)
}

/// Starts a gateway.
///
/// # Errors
/// What keeps it from starting.
pub fn start_gateway(
    _opened: Opened,
    _telemetry: Arc<Telemetry>,
    _configuration: &Configuration,
) -> Result<Ends, HostError> {
    Err(HostError::NotOfSeveral)
}
