//! `lamppost node`: one node of several, a validator or a gateway, by its configuration file.

use std::path::PathBuf;

use crate::telemetry::LogFormat;

/// Runs a node of a network of several operators: a validator or a gateway
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  lamppost network new --validators city,utility,university,operator --gateways gateway-1 --out testnet\n  lamppost node --config testnet/city/node.toml"
)]
pub struct Arguments {
    /// The node's configuration file, as `lamppost network new` writes it
    #[arg(long, value_name = "FILE", env = "LAMPPOST_CONFIG")]
    config: PathBuf,
    /// How log lines are written to stderr
    #[arg(long, value_enum, default_value_t = LogFormat::Human, env = "LAMPPOST_LOG_FORMAT")]
    log: LogFormat,
    /// Ends when the process of this number, which started it, has ended, however that ended
    #[arg(long, hide = true, value_name = "PROCESS")]
    with_parent: Option<u32>,
}

/// Runs the node until SIGTERM or ctrl-c.
///
/// # Errors
/// One sentence about what stands in the way.
#[cfg(not(feature = "bft"))]
pub fn run(_arguments: &Arguments) -> anyhow::Result<()> {
    Err(super::no_consensus())
}

/// Runs the node until SIGTERM or ctrl-c.
///
/// # Errors
/// One sentence about what stands in the way.
#[cfg(feature = "bft")]
pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    if let Some(parent) = arguments.with_parent {
        crate::children::end_with_parent(parent)?;
    }
    let configuration = crate::configuration::Configuration::read(&arguments.config)?;
    super::serving::run(arguments.log, of_several::node(configuration, arguments.log))
}

#[cfg(feature = "bft")]
mod of_several {
    //! What a build with the consensus of several does.

    use std::path::PathBuf;
    use std::sync::Arc;

    use anyhow::Context as _;

    use crate::broker;
    use crate::city::City;
    use crate::commands::serving::{self, Door, Front, Place};
    use crate::configuration::{Configuration, Gateway, Intake, Role};
    use crate::host::agreed;
    use crate::storage::{self, Opened};
    use crate::telemetry::{LogFormat, Telemetry};

    /// How a page's commands name the operator's key, which lies with the operator and not with each node.
    const OPERATOR_KEY: &str = "OPERATOR.pem";

    pub(super) async fn node(configuration: Configuration, log: LogFormat) -> anyhow::Result<()> {
        let Configuration { http, map, public_url, .. } = &configuration;
        // The ports before anything is written: a taken one changes nothing.
        let choose = "`http` in the configuration";
        let front = Front::take(*http, choose, map.as_deref(), public_url.clone(), log).await?;
        let door = match &configuration.role {
            Role::Validator(_) => None,
            Role::Gateway(gateway) => Some(door(gateway, &configuration.name).await?),
        };
        let opened = open(&configuration).await?;
        let telemetry = Arc::new(Telemetry::new());
        let city = city(&configuration.role, &opened)?;
        let operator_key = match &configuration.role {
            Role::Gateway(Gateway { operator_key: Some(file), .. }) => file.clone(),
            _ => PathBuf::from(OPERATOR_KEY),
        };
        let place = Place::of(&opened, operator_key);
        let ends = match &configuration.role {
            Role::Validator(_) => agreed::start_validator(opened, telemetry, &configuration).await?,
            Role::Gateway(_) => agreed::start_gateway(opened, telemetry, &configuration)?,
        };
        serving::serve(front, place, ends, door, city).await
    }

    async fn door(gateway: &Gateway, name: &str) -> anyhow::Result<Door> {
        Ok(match &gateway.intake {
            Intake::Embedded(address) => Door::Embedded(broker::bind(*address).await?),
            Intake::External(url) => Door::External { url: url.clone(), name: Some(name.to_owned()) },
        })
    }

    async fn open(configuration: &Configuration) -> anyhow::Result<Opened> {
        let (data, genesis) = (configuration.data.clone(), configuration.genesis.clone());
        let key_name = configuration.key_name();
        let opening = move || storage::open_network(&data, &genesis, key_name);
        let mut opened = tokio::task::spawn_blocking(opening).await.context("the start broke off")??;
        opened.disk_reserve_bytes = configuration.disk_reserve_bytes;
        opened.silent_after_seconds = configuration.silent_after_seconds;
        Ok(opened)
    }

    /// The virtual devices of a gateway that has some.
    fn city(role: &Role, opened: &Opened) -> anyhow::Result<Option<City>> {
        let Role::Gateway(Gateway { devices, operator_key: Some(file), .. }) = role else { return Ok(None) };
        match devices {
            0 => Ok(None),
            devices => Ok(Some(City::open(opened, file, *devices)?)),
        }
    }
}
