//! What the pages say of an amount: every cut with its reason, whose the device was, what was corrected.

#[allow(dead_code, reason = "the other tests use more of the city than these")]
mod city;

use city::visit::{page, pages_of};
use city::{City, NOON};
use dashboard::view::*;

#[tokio::test]
async fn every_cut_of_a_statement_is_said_with_what_it_leaves() {
    let city = City::at(NOON);
    let router = pages_of(city.clone());
    let statement_of = |number: usize| {
        let resident = city.residents.get(number).expect("a resident");
        format!("/devices/{}/statements/119", resident.kid)
    };
    let spiking = page(&router, &statement_of(9)).await;
    assert!(spiking.contains("× 0.833 plausibility 5 of 6: 1 value out of range"), "{spiking}");
    assert!(
        spiking.contains("× 1.000 completeness 6 of 6, freshness 6 of 6, repetition 6 of 6"),
        "{spiking}"
    );
    assert!(spiking.contains("of cell 891f1d4882bffff were due"), "the cell's budget is said: {spiking}");
    let copied = page(&router, &statement_of(10)).await;
    let original = &city.residents.get(8).expect("a resident").kid;
    assert!(copied.contains(&format!("href=\"/devices/{original}\"")), "the original is named: {copied}");
    assert!(copied.contains("Why zero: Every line is zero"), "{copied}");
    for page in [spiking, copied] {
        assert!(!page.contains("role=\"alert\""), "the lines come to what the statement says");
    }
}

#[tokio::test]
async fn a_device_says_whose_it_was_whose_it_may_become_and_what_took_its_place() {
    let city = City::at(NOON);
    let router = pages_of(city.clone());
    let (new, old) = (&city.residents.get(11).expect("one").kid, &city.residents.get(12).expect("one").kid);
    let shown = page(&router, &format!("/devices/{new}")).await;
    for (word, link) in [
        ("Former owners", format!("/accounts/{}", city::account(2))),
        ("Offered to", format!("/accounts/{}", city::account(1))),
        ("Replaces", format!("/devices/{old}")),
    ] {
        let fact = shown.split(&format!("<dt>{word}</dt>")).nth(1).unwrap_or_default();
        assert!(fact.split("</dd>").next().unwrap_or_default().contains(&link), "{word}: {shown}");
    }
    let shown = page(&router, &format!("/devices/{old}")).await;
    assert!(shown.contains("Replaced: it goes on under a new key"), "{shown}");
    let account = page(&router, &format!("/accounts/{}", city::account(2))).await;
    assert!(
        account.contains(&format!("/devices/{new}/statements/")),
        "the former owner keeps his statements"
    );
}

#[tokio::test]
async fn a_correction_stands_beside_what_it_corrects() {
    let router = pages_of(City::at(NOON));
    let (wrong, right) = (city::hex(1, 1), city::hex(1, 2));
    let shown = page(&router, &format!("/transactions/{wrong}")).await;
    let corrected = shown.split("Corrected since").nth(1).expect("it says that it was corrected");
    assert!(corrected.contains(&format!("/transactions/{right}")), "{corrected}");
    let shown = page(&router, &format!("/transactions/{right}")).await;
    assert!(shown.contains(&format!("correct <a href=\"/transactions/{wrong}\">entry 1</a>")), "{shown}");
}

/// A city in which every statement has a second one, for an owner before.
struct Resold(City);

impl OperatorView for Resold {
    fn audit(&self, sizes: Option<(u64, u64)>, ends_max: usize) -> Result<Audit, ViewError> {
        self.0.audit(sizes, ends_max)
    }
}

impl View for Resold {
    fn statement(&self, kid: &str, epoch: u64) -> Answer<StatementPage> {
        let answer = self.0.statement(kid, epoch)?;
        Ok(answer.map(|mut page| {
            page.statements.extend(page.statements.clone());
            page
        }))
    }

    fn home(&self, offset: u64, limit: usize) -> Result<Home, ViewError> {
        self.0.home(offset, limit)
    }

    fn device(
        &self,
        viewer: &Viewer,
        kid: &str,
        readings_max: usize,
        statements_max: usize,
    ) -> Answer<DevicePage> {
        self.0.device(viewer, kid, readings_max, statements_max)
    }

    fn statements(&self, kid: &str, before_epoch: Option<u64>, limit: usize) -> Answer<StatementsPage> {
        self.0.statements(kid, before_epoch, limit)
    }

    fn account(&self, id: &str, devices: usize, transfers: usize, statements: usize) -> Answer<AccountPage> {
        self.0.account(id, devices, transfers, statements)
    }

    fn transaction(&self, id: &str, transfers_max: usize) -> Answer<TransactionPage> {
        self.0.transaction(id, transfers_max)
    }

    fn block(&self, height: u64, offset: u64, limit: usize) -> Answer<BlockPage> {
        self.0.block(height, offset, limit)
    }

    fn map(&self, cells_max: usize, chosen: Option<&str>, devices_max: usize) -> Result<Map, ViewError> {
        self.0.map(cells_max, chosen, devices_max)
    }

    fn network(&self) -> Result<Network, ViewError> {
        self.0.network()
    }

    fn mine(&self, asked: &MineAsked) -> Result<Mine, ViewError> {
        self.0.mine(asked)
    }

    fn payouts(
        &self,
        account: &str,
        after: Option<PayoutsAfter>,
        limit: usize,
    ) -> Result<Payouts, ViewError> {
        self.0.payouts(account, after, limit)
    }
}

#[tokio::test]
async fn a_device_that_changed_hands_within_an_epoch_has_a_statement_for_each_owner() {
    let city = City::at(NOON);
    let kid = city.residents.first().expect("a resident").kid.clone();
    let shown = page(&pages_of(Resold(city)), &format!("/devices/{kid}/statements/100")).await;
    assert_eq!(shown.matches("<div class=\"sheet\"").count(), 2);
    assert!(shown.contains("It changed hands within the epoch"), "{shown}");
}
