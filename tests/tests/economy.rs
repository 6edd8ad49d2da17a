//! Whose a device is, what it earns, and why: through the commands, the API and the pages of a running node.

use devices::Refusal;
use e2e::mqtt::Device;
use e2e::node::{Node, Up, microtokens};
use e2e::people::{Person, Provisioned};
use e2e::program::{self, Ended};
use e2e::sensor::{Sensor, unix_seconds};
use e2e::{page, wait};
use serde_json::Value;

/// Where every device of these tests stands.
const PLACE: [&str; 4] = ["--lat", "57.1497", "--lon", "-2.0943"];

/// Enrols a device without an owner.
fn enrol_unowned(node: &Node, sensor: &Sensor) {
    let enrol = ["device", "enrol", "--public-key", &sensor.public_key()];
    Person::of(node, "operator").does(node, &enrol).success();
}

fn enrol_for(node: &Node, sensor: &Sensor, owner: &Person) {
    node.enrol_for(&sensor.public_key(), &owner.account);
}

/// Sends a reading of now over HTTP and waits until it is durable.
fn read(node: &Node, sensor: &mut Sensor) -> String {
    submit(node, sensor.reading().bytes)
}

fn submit(node: &Node, envelope: Vec<u8>) -> String {
    let (status, body) = node.submit(&envelope);
    assert_eq!(status, 202, "{body}");
    let answer: Value = serde_json::from_str(&body).expect("JSON");
    answer["id"].as_str().expect("it names the transaction").to_owned()
}

/// Waits until everything that was accepted so far is settled.
fn settle(node: &Node) {
    node.epoch_passes();
}

fn device(node: &Node, kid: &str) -> Value {
    node.json(&format!("/api/v1/devices/{kid}"))
}

fn list(node: &Node, path: &str) -> Vec<Value> {
    node.json(path).as_array().expect("a list").clone()
}

fn statements(node: &Node, kid: &str) -> Vec<Value> {
    list(node, &format!("/api/v1/devices/{kid}/statements"))
}

fn paid_to(statements: &[Value], account: &str) -> u64 {
    let theirs = statements.iter().filter(|statement| statement["payee"] == account);
    theirs.map(|statement| microtokens(&statement["paid"])).sum()
}

/// What an account holds, equal wherever it is shown: API, page, and the sum of its transfers.
fn balance(node: &Node, account: &str) -> u64 {
    let posted = node.posted(account);
    let transfers = list(node, &format!("/api/v1/accounts/{account}/transfers"));
    let sum = |direction: &str| -> u64 {
        let these = transfers.iter().filter(|transfer| transfer["direction"] == direction);
        these.map(|transfer| microtokens(&transfer["amount"])).sum()
    };
    assert_eq!(sum("in") - sum("out"), posted, "the transfers of {account} add up to its balance");
    let html = node.text(&format!("/accounts/{account}"));
    assert_eq!(page::amounts(&html).first(), Some(&posted), "the page of {account}");
    posted
}

/// Everybody's statements of a device come to what the device's page and its answer say it earned.
fn totals_agree(node: &Node, kid: &str) -> u64 {
    let total = microtokens(&device(node, kid)["earned_total"]);
    let sum: u64 = statements(node, kid).iter().map(|statement| microtokens(&statement["paid"])).sum();
    assert_eq!(sum, total, "the statements of {kid}");
    let html = node.text(&format!("/devices/{kid}"));
    assert_eq!(page::amounts(&html).first(), Some(&total), "the page of {kid}");
    total
}

/// The refusal's sentence holds these words.
fn refused_with(ended: Ended, words: &str) {
    let sentence = ended.refusal();
    assert!(sentence.contains(words), "`{sentence}` does not say `{words}`");
}

#[test]
fn what_a_device_without_an_owner_earned_waits_until_its_owner_claims_it() {
    let node = Up::new().start();
    let (owner, thief) = (Person::new(), Person::new());
    let (mut provisioned, other) = (Provisioned::new(), Provisioned::new());
    let kid = provisioned.kid();
    let claim = ["device", "claim", &kid];
    let with = |more: &[&str]| -> Vec<String> {
        [&claim[..], &PLACE[..], more].concat().iter().map(ToString::to_string).collect()
    };
    let does = |who: &Person, words: Vec<String>| {
        who.does(&node, &words.iter().map(String::as_str).collect::<Vec<_>>())
    };
    refused_with(does(&owner, with(&["--identity", &provisioned.page])), "no device with this kid");
    enrol_unowned(&node, &provisioned.sensor);
    read(&node, &mut provisioned.sensor);
    settle(&node);
    let escrow = device(&node, &kid)["escrow"].as_str().expect("it has no owner").to_owned();
    let waiting = wait::until("the escrow is paid", wait::SHORT, || {
        Some(balance(&node, &escrow)).filter(|waiting| *waiting > 0)
    });

    let prove = ["device", "prove", "--account", &owner.account, "--identity", &provisioned.page];
    let proof = program::run(&prove).success().trim().to_owned();
    refused_with(does(&thief, with(&["--proof", &proof])), "proof of possession does not hold");
    refused_with(does(&owner, with(&["--identity", &other.page])), "holds the key of device");
    let nowhere = ["device", "claim", &kid, "--lat", "0", "--lon", "0", "--proof", &proof];
    refused_with(owner.does(&node, &nowhere), "0, 0 lies in the sea");
    assert_eq!(balance(&node, &escrow), waiting, "what is refused moves nothing");

    does(&owner, with(&["--proof", &proof])).success();
    assert_eq!((balance(&node, &escrow), balance(&node, &owner.account)), (0, waiting));
    let claimed = device(&node, &kid);
    assert_eq!(claimed["owner"], owner.account.as_str());
    assert!(claimed["position"]["latitude"].to_string().starts_with("57.1"), "{}", claimed["position"]);
    assert_eq!(claimed["position_precision"], "cell", "strangers are shown the middle of its cell");
    let history = list(&node, &format!("/api/v1/accounts/{}/transfers", owner.account));
    assert_eq!((&history[0]["reason"], &history[0]["claimed"]), (&"claim".into(), &kid.as_str().into()));
    refused_with(does(&thief, with(&["--proof", &proof])), "has an owner already");
    read(&node, &mut provisioned.sensor);
    settle(&node);
    assert!(balance(&node, &owner.account) > waiting, "from now on the owner is paid");
    totals_agree(&node, &kid);
}

#[test]
fn a_device_is_sold_while_it_is_dark_and_its_backlog_pays_who_owned_it() {
    let node = Up::new().start();
    let (seller, buyer, stranger) = (Person::new(), Person::new(), Person::new());
    let mut sensor = Sensor::any();
    let kid = sensor.kid();
    enrol_for(&node, &sensor, &seller);
    // It measures, but reaches nobody until it is sold.
    let sold_at = unix_seconds();
    let backlog: Vec<Vec<u8>> = (1..=3).map(|ago| sensor.reading_at(sold_at - ago).bytes).collect();

    let offer = ["device", "transfer", &kid, "--to", &buyer.account];
    let (accept, withdraw) = (["device", "accept", &kid], ["device", "transfer", &kid, "--withdraw"]);
    refused_with(stranger.does(&node, &offer), "not the signer's");
    refused_with(buyer.does(&node, &accept), "not offered");
    refused_with(seller.does(&node, &withdraw), "not offered");
    let to_himself = ["device", "transfer", &kid, "--to", &seller.account];
    refused_with(seller.does(&node, &to_himself), "offered to the account that owns it");
    seller.does(&node, &offer).success();
    assert_eq!(device(&node, &kid)["offered_to"], buyer.account.as_str());
    seller.does(&node, &withdraw).success();
    refused_with(buyer.does(&node, &accept), "not offered");
    seller.does(&node, &offer).success();
    refused_with(stranger.does(&node, &accept), "not offered");
    assert_eq!(device(&node, &kid)["owner"], seller.account.as_str(), "an offer changes nothing yet");
    buyer.does(&node, &accept).success();
    let sold = device(&node, &kid);
    assert_eq!((&sold["owner"], &sold["offered_to"]), (&buyer.account.as_str().into(), &Value::Null));
    assert_eq!(sold["former_owners"][0]["owner"], seller.account.as_str());

    for envelope in backlog {
        submit(&node, envelope);
    }
    read(&node, &mut sensor);
    settle(&node);
    let total = wait::until("both are paid", wait::SHORT, || {
        let paid = |person: &Person| paid_to(&statements(&node, &kid), &person.account);
        (paid(&seller) > 0 && paid(&buyer) > 0).then(|| totals_agree(&node, &kid))
    });
    let (theirs, hers) = (balance(&node, &seller.account), balance(&node, &buyer.account));
    assert_eq!(theirs + hers, total, "to the micro-token");
    assert_eq!(theirs, paid_to(&statements(&node, &kid), &seller.account));
    let records = |person: &Person| -> u64 {
        let all = statements(&node, &kid);
        let lines = all.iter().filter(|statement| statement["payee"] == person.account.as_str());
        lines.filter_map(|statement| statement["lines"][0]["accepted_records"].as_u64()).sum()
    };
    assert_eq!((records(&seller), records(&buyer)), (3, 1), "the backlog is the seller's");
    for person in [&seller, &buyer] {
        let page = node.text(&format!("/accounts/{}", person.account));
        assert!(page.contains(&format!("/devices/{kid}/statements/")), "their statement is on their page");
    }
    let epoch = &statements(&node, &kid)[0]["epoch"];
    explain_agrees(&node, &kid, epoch);
}

/// `device explain` gives what the API says, from the log of the directory and from that of the node.
fn explain_agrees(node: &Node, kid: &str, epoch: &Value) {
    let mut said = statements(node, kid);
    said.retain(|statement| statement["epoch"] == *epoch);
    let epoch = epoch.to_string();
    let data = node.data.to_str().expect("a temporary path is text");
    for from in [["--data", data], ["--node", &node.http]] {
        let explain = [&["device", "explain", kid, &epoch, "--json"][..], &from].concat();
        let explained = program::run(&explain).success();
        let explained: Value = serde_json::from_str(&explained).expect("JSON");
        let mut recomputed = explained["statements"].as_array().expect("statements").clone();
        recomputed.sort_by_key(|statement| std::cmp::Reverse(statement["payee"].to_string()));
        let mut said = said.clone();
        said.sort_by_key(|statement| std::cmp::Reverse(statement["payee"].to_string()));
        assert_eq!(recomputed, said, "every factor, count and amount of epoch {epoch}");
    }
}

#[test]
fn every_step_to_an_amount_is_said_and_multiplies_out() {
    let node = Up::new().devices(3).epoch_seconds(4).start();
    let kid = wait::until("a device has a statement", wait::LONG, || {
        let devices = node.json("/api/v1/devices");
        let kid = devices.as_array()?.first()?["kid"].as_str()?.to_owned();
        (statements(&node, &kid).len() >= 2).then_some(kid)
    });
    let statement = statements(&node, &kid).swap_remove(0);
    explain_agrees(&node, &kid, &statement["epoch"]);
    let words =
        program::run(&["device", "explain", &kid, &statement["epoch"].to_string(), "--node", &node.http]);
    let words = words.success();
    assert!(words.contains("says the same to the micro-token"), "{words}");
    for line in statement["lines"].as_array().expect("lines") {
        let mut left = microtokens(&line["price"]) * line["paid_records"].as_u64().expect("a count");
        assert_eq!(left, microtokens(&line["base"]), "{line}");
        for factor in line["factors"].as_array().expect("factors") {
            let permille = factor["permille"].as_u64().expect("thousandths");
            left = left * permille / 1_000;
            assert_eq!(left, microtokens(&factor["amount"]), "{factor}");
            assert!(permille == 1_000 || factor["explanation"].is_string(), "a cut has its reason: {factor}");
            let name = factor["name"].as_str().expect("a name");
            assert!(
                words.contains(&format!("× {}.{:03} {name}", permille / 1_000, permille % 1_000)),
                "{words}"
            );
        }
        assert_eq!(left, microtokens(&line["amount"]), "{line}");
    }
    let epoch = node.json(&format!("/api/v1/epochs/{}", statement["epoch"]));
    let of_all: u64 = list(&node, "/api/v1/devices")
        .iter()
        .flat_map(|device| statements(&node, device["kid"].as_str().expect("a kid")))
        .filter(|other| other["epoch"] == statement["epoch"])
        .map(|other| microtokens(&other["paid"]))
        .sum();
    assert_eq!(of_all, microtokens(&epoch["paid"]), "{epoch}");
    assert_eq!(of_all + microtokens(&epoch["remainder"]), microtokens(&epoch["pool_before"]), "{epoch}");
    refused_with(
        program::run(&["device", "explain", &kid, "999999", "--node", &node.http]),
        "is not settled in this log yet",
    );
    refused_with(
        program::run(&["device", "explain", "00112233445566aa", "1", "--node", &node.http]),
        "no device 00112233445566aa",
    );
}

#[test]
fn a_device_goes_on_under_a_new_key_and_what_the_old_one_signed_still_verifies() {
    let node = Up::new().start();
    let (owner, stranger) = (Person::new(), Person::new());
    let (mut old, mut new) = (Provisioned::new(), Provisioned::new());
    let (kid, new_kid) = (old.kid(), new.kid());
    enrol_for(&node, &old.sensor, &owner);
    let before = read(&node, &mut old.sensor);
    let rotate = ["device", "rotate", &kid, "--new-identity", &new.page];
    refused_with(stranger.does(&node, &rotate), "not the signer's");
    let key = new.sensor.public_key();
    let wrong = "00".repeat(64);
    let unproven = ["device", "rotate", &kid, "--new-public-key", &key, "--proof", &wrong];
    refused_with(owner.does(&node, &unproven), "proof of possession does not hold");
    owner.does(&node, &rotate).success();
    refused_with(owner.does(&node, &rotate), "another key took this one's place");

    assert_eq!(device(&node, &kid)["replaced_by"], new_kid.as_str());
    let replaced = device(&node, &new_kid);
    assert_eq!(
        (&replaced["replaces"], &replaced["owner"]),
        (&kid.as_str().into(), &owner.account.as_str().into())
    );
    let (status, body) = node.submit(&old.sensor.reading().bytes);
    assert_eq!(status, 403, "{body}");
    assert!(body.contains("\"revoked\""), "{body}");
    let after = read(&node, &mut new.sensor);
    settle(&node);
    let earned = totals_agree(&node, &kid) + totals_agree(&node, &new_kid);
    assert_eq!(balance(&node, &owner.account), earned);

    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let genesis = directory.path().join("genesis.json");
    std::fs::write(&genesis, node.text("/genesis")).expect("it can be written");
    for transaction in [before, after] {
        let receipt = directory.path().join(&transaction);
        let text = node.text(&format!("/api/v1/transactions/{transaction}/receipt"));
        std::fs::write(&receipt, text).expect("it can be written");
        let mut verify = program::lamppost(&["verify"]);
        Ended::of(verify.arg(&receipt).arg("--genesis").arg(&genesis)).success();
    }
    program::run(&["audit", "--node", &node.http]).success();
}

#[test]
fn a_revoked_device_is_told_so_and_earns_no_more() {
    let node = Up::new().start();
    let (owner, stranger) = (Person::new(), Person::new());
    let mut sensor = Sensor::any();
    let kid = sensor.kid();
    enrol_for(&node, &sensor, &owner);
    read(&node, &mut sensor);
    let revoke = ["device", "revoke", &kid, "--reason", "stolen from its post"];
    refused_with(stranger.does(&node, &revoke), "not the signer's");
    refused_with(owner.does(&node, &["device", "revoke", &kid, "--reason", " "]), "must say why");
    owner.does(&node, &revoke).success();
    refused_with(owner.does(&node, &revoke), "was revoked, which is for good");
    assert_eq!(device(&node, &kid)["status"], "revoked");

    let radio = Device::connect(&node.mqtt, &kid, &[sensor.topic("ack"), sensor.topic("refused")]);
    let late = sensor.reading();
    assert!(radio.publish(&sensor.topic("up"), &late.bytes));
    assert_eq!(radio.refused(late.sequence), Refusal::Revoked);
    settle(&node);
    let earned = totals_agree(&node, &kid);
    settle(&node);
    assert_eq!(totals_agree(&node, &kid), earned, "nothing is added");
    assert_eq!(balance(&node, &owner.account), earned);
    assert!(page::text(&node.text(&format!("/devices/{kid}"))).contains("Revoked: what it sends is refused"));
}

#[test]
fn an_entry_is_set_right_by_another_and_both_stay_visible() {
    let node = Up::new().start();
    let (owner, operator) = (Person::new(), Person::of(&node, "operator"));
    let mut sensor = Sensor::any();
    enrol_for(&node, &sensor, &owner);
    read(&node, &mut sensor);
    settle(&node);
    let paid = wait::until("the owner is paid", wait::SHORT, || {
        Some(balance(&node, &owner.account)).filter(|paid| *paid > 0)
    });
    let history = list(&node, &format!("/api/v1/accounts/{}/transfers", owner.account));
    let (entry, seal) = (history[0]["index"].to_string(), history[0]["transaction"].as_str().expect("an id"));
    let correct = |amount: &str, why: &str| -> Vec<String> {
        let words = [
            "send",
            "correct",
            "--entry",
            &entry,
            "--from",
            &owner.account,
            "--amount",
            amount,
            "--why",
            why,
        ];
        words.iter().map(ToString::to_string).collect()
    };
    let does = |who: &Person, words: Vec<String>| {
        who.does(&node, &words.iter().map(String::as_str).collect::<Vec<_>>())
    };
    refused_with(does(&owner, correct("0.000001", "for myself")), "only the operator");
    refused_with(does(&operator, correct("1", "too much")), "at most what the account was paid as rewards");
    refused_with(does(&operator, correct("0", "nothing")), "amount is zero");
    refused_with(does(&operator, correct("0.000001", "")), "must say why");
    let beyond =
        ["send", "correct", "--entry", "999999", "--to", &owner.account, "--amount", "1", "--why", "x"];
    refused_with(operator.does(&node, &beyond), "no entry of this index");
    assert_eq!(balance(&node, &owner.account), paid, "what is refused moves nothing");

    does(&operator, correct("0.000100", "the sensor stood indoors")).success();
    assert_eq!(balance(&node, &owner.account), paid - 100);
    let history = list(&node, &format!("/api/v1/accounts/{}/transfers", owner.account));
    assert_eq!(history[0]["reason"], "correct");
    assert_eq!(history[0]["corrects"]["transaction"], seal);
    assert_eq!(history[0]["corrects"]["why"], "the sensor stood indoors");
    assert_eq!(history[1]["transaction"], seal, "what was corrected is still there");
    let correction = history[0]["transaction"].as_str().expect("an id");
    assert_eq!(node.settled(seal)["corrections"][0], correction);
    let page = page::text(&node.text(&format!("/transactions/{seal}")));
    assert!(page.contains("Corrected since") && page.contains("the sensor stood indoors"), "{page}");
    let page = page::text(&node.text(&format!("/transactions/{correction}")));
    assert!(page.contains("Sets entry") && page.contains("the sensor stood indoors"), "{page}");
    let csv = node.get_as(&format!("/api/v1/accounts/{}/transfers", owner.account), "text/csv").1;
    assert!(csv.contains("the sensor stood indoors"), "{csv}");
    program::run(&["audit", "--node", &node.http]).success();
}

/// The tariff in force as JSON, changed, in a file.
fn new_tariff(node: &Node, directory: &std::path::Path, change: impl FnOnce(&mut Value)) -> String {
    let shown = program::run(&["tariff", "show", "--json", "--node", &node.http]).success();
    let mut tariff: Value = serde_json::from_str(&shown).expect("JSON");
    change(&mut tariff);
    let file = directory.join("tariff.json");
    std::fs::write(&file, tariff.to_string()).expect("it can be written");
    file.to_str().expect("a temporary path is text").to_owned()
}

#[test]
fn a_tariff_is_tried_before_it_is_adopted_and_holds_from_the_next_epoch_on() {
    let node = Up::new().start();
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let (owner, operator) = (Person::new(), Person::of(&node, "operator"));
    let mut sensor = Sensor::any();
    let kid = sensor.kid();
    enrol_for(&node, &sensor, &owner);
    read(&node, &mut sensor);
    settle(&node);
    let before = totals_agree(&node, &kid);
    let last = statements(&node, &kid)[0]["epoch"].to_string();

    let same = new_tariff(&node, directory.path(), |_| {});
    let dry_run = |file: &str, epochs: &str| {
        let words = ["tariff", "dry-run", file, "--epochs", epochs, "--node", &node.http, "--json"];
        let printed = program::run(&words).success();
        serde_json::from_str::<Value>(&printed).expect("JSON")
    };
    let all = format!("0..{last}");
    let tried = dry_run(&same, &all);
    assert_eq!(tried["total"]["difference_microtokens"], "0", "{tried}");
    assert_eq!(tried["total"]["paid_microtokens"], before.to_string(), "{tried}");
    refused_with(
        program::run(&["tariff", "dry-run", &same, "--epochs", "0..999999", "--node", &node.http]),
        "is not settled in this log yet",
    );
    refused_with(operator.does(&node, &["send", "tariff", &same]), "the newest one's and one");

    let doubled = new_tariff(&node, directory.path(), |tariff| {
        tariff["version"] = 2.into();
        for quantity in tariff["quantities"].as_array_mut().expect("quantities") {
            let price: u64 = quantity["price_microtokens"].as_str().expect("text").parse().expect("a number");
            quantity["price_microtokens"] = (2 * price).to_string().into();
        }
    });
    let tried = dry_run(&doubled, &all);
    assert_eq!(tried["total"]["difference_microtokens"], before.to_string(), "twice the price: {tried}");
    assert_eq!(tried["payees"][0]["account"], owner.account.as_str(), "{tried}");
    program::run(&["tariff", "check", &doubled, "--node", &node.http]).success();
    refused_with(owner.does(&node, &["send", "tariff", &doubled]), "only the operator");
    operator.does(&node, &["send", "tariff", &doubled]).success();
    settle(&node);
    read(&node, &mut sensor);
    settle(&node);
    wait::until_true("the new price is paid", wait::SHORT, || totals_agree(&node, &kid) == 3 * before);
    assert_eq!(statements(&node, &kid)[0]["tariff_version"], 2);
    let versions = list(&node, "/api/v1/tariffs");
    let status: Vec<&Value> = versions.iter().map(|version| &version["status"]).collect();
    assert_eq!(status, ["past", "in_force"], "every version stays readable");
    let first = program::run(&["tariff", "show", "1", "--node", &node.http]).success();
    assert!(first.starts_with("version 1, past"), "{first}");
    program::run(&["audit", "--node", &node.http]).success();
}
