//! Serves the test city's pages, without a gateway: `cargo run -p dashboard --example city [ADDRESS] [empty] [several|stuck]`.
//!
//! Its clock runs on from the city's noon, and `/api/v1/events` tells of a block every ten seconds.

#[path = "../tests/city/mod.rs"]
#[allow(dead_code, reason = "the tests use more of the city than the example does")]
mod city;

use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::response::sse::{Event, Sse};
use axum::routing::get;
use city::City;
use dashboard::view::*;
use tokio_stream::StreamExt;
use tokio_stream::wrappers::IntervalStream;

/// The city on a running clock.
struct Running {
    since: Instant,
    inhabited: bool,
    /// How many validators it has, and whether they make blocks.
    several: Option<bool>,
}

impl Running {
    fn now(&self) -> City {
        let passed = u64::try_from(self.since.elapsed().as_millis()).unwrap_or(0);
        let now_milliseconds = city::NOON + passed;
        let city = if self.inhabited { City::at(now_milliseconds) } else { City::empty(now_milliseconds) };
        match self.several {
            None => city,
            Some(true) => city.of_several(),
            Some(false) => city.stuck(),
        }
    }
}

impl View for Running {
    fn home(&self, offset: u64, limit: usize) -> Result<Home, ViewError> {
        self.now().home(offset, limit)
    }

    fn device(
        &self,
        viewer: &Viewer,
        kid: &str,
        readings_max: usize,
        statements_max: usize,
    ) -> Answer<DevicePage> {
        self.now().device(viewer, kid, readings_max, statements_max)
    }

    fn statements(&self, kid: &str, before_epoch: Option<u64>, limit: usize) -> Answer<StatementsPage> {
        self.now().statements(kid, before_epoch, limit)
    }

    fn statement(&self, kid: &str, epoch: u64) -> Answer<StatementPage> {
        self.now().statement(kid, epoch)
    }

    fn account(&self, id: &str, devices: usize, transfers: usize, statements: usize) -> Answer<AccountPage> {
        self.now().account(id, devices, transfers, statements)
    }

    fn transaction(&self, id: &str, transfers_max: usize) -> Answer<TransactionPage> {
        self.now().transaction(id, transfers_max)
    }

    fn block(&self, height: u64, offset: u64, limit: usize) -> Answer<BlockPage> {
        self.now().block(height, offset, limit)
    }

    fn map(&self, cells_max: usize, chosen: Option<&str>, devices_max: usize) -> Result<Map, ViewError> {
        self.now().map(cells_max, chosen, devices_max)
    }

    fn network(&self) -> Result<Network, ViewError> {
        self.now().network()
    }

    fn mine(&self, asked: &MineAsked) -> Result<Mine, ViewError> {
        self.now().mine(asked)
    }

    fn payouts(
        &self,
        account: &str,
        after: Option<PayoutsAfter>,
        limit: usize,
    ) -> Result<Payouts, ViewError> {
        self.now().payouts(account, after, limit)
    }
}

impl OperatorView for Running {
    fn desk(&self, viewer: &Viewer) -> Answer<Desk> {
        self.now().desk(viewer)
    }

    fn refused_samples(&self, viewer: &Viewer) -> Answer<RefusedSamples> {
        self.now().refused_samples(viewer)
    }

    fn fleet(&self, viewer: &Viewer, offset: u64, limit: usize) -> Answer<Fleet> {
        self.now().fleet(viewer, offset, limit)
    }

    fn tariff_desk(
        &self,
        viewer: &Viewer,
        proposal: Option<&Proposal>,
        payees_max: usize,
    ) -> Answer<TariffDesk> {
        self.now().tariff_desk(viewer, proposal, payees_max)
    }

    fn validators(&self, viewer: &Viewer) -> Answer<Validators> {
        self.now().validators(viewer)
    }

    fn audit(&self, sizes: Option<(u64, u64)>, ends_max: usize) -> Result<Audit, ViewError> {
        self.now().audit(sizes, ends_max)
    }
}

async fn events() -> Sse<impl tokio_stream::Stream<Item = Result<Event, Infallible>>> {
    let beats = IntervalStream::new(tokio::time::interval(Duration::from_secs(city::BEAT_SECONDS)));
    Sse::new(beats.map(|_| Ok(Event::default().event("block").data("{}"))))
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let address = arguments.first().map_or("127.0.0.1:0", String::as_str);
    let says = |wanted: &str| arguments.iter().any(|word| word == wanted);
    let several = (says("several") || says("stuck")).then(|| !says("stuck"));
    let view = Running { since: Instant::now(), inhabited: !says("empty"), several };
    let listener = tokio::net::TcpListener::bind(address).await?;
    println!("http://{}", listener.local_addr()?);
    let router = Router::new().route("/api/v1/events", get(events)).merge(dashboard::router(Arc::new(view)));
    axum::serve(listener, router).await
}
