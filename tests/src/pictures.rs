//! The pictures of the README: pages of a node on which devices earn, by day and by night, on a desk and on a telephone.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;
use thirtyfour::prelude::*;

use crate::browser::{Browser, Reader};
use crate::node::{Node, Up, microtokens};
use crate::people::Person;
use crate::quality::recorded;
use crate::replayed::Town;
use crate::wait;

/// A README that is heavier than its pages is read by nobody.
pub const PICTURE_BYTES_MAX: u64 = 150_000;
/// Of all together.
pub const PICTURES_BYTES_MAX: u64 = 1_200_000;
/// Short enough to wait for some, long enough to pay for more than one record.
const EPOCH_SECONDS: u32 = 20;
/// Paid epochs before pictures are taken, so that there is something to look back on.
const EPOCHS: usize = 5;
const PATIENCE: Duration = Duration::from_secs(300);
/// The day of the recordings that is replayed, from 0: one on which nearly all sensors were up.
const DAY: usize = 6;
/// Virtual devices, where there are no recordings.
const DEVICES: u32 = 12;

/// Who looks.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Eyes {
    Stranger,
    Owner,
    Operator,
}

/// A window: width, height, and dots to a pixel.
type Window = (u32, u32, f64);

const DESK: Window = (1200, 690, 1.0);
/// For a page whose second part matters as well.
const HIGH_DESK: Window = (1200, 860, 1.0);
const TELEPHONE: Window = (390, 660, 1.25);

/// What is in a picture.
struct Scene {
    name: &'static str,
    path: String,
    eyes: Eyes,
    window: Window,
    /// Done before, and a script that says when its work is to be seen.
    deed: &'static str,
    seen: &'static str,
}

const LIVE: &str = "return document.getElementById('asof').innerText.startsWith('Live')";
const MAP_IS_MADE: &str = "return document.getElementById('map-picture').dataset.drawn === 'made'";
const CHARTS_ARE_DRAWN: &str = "return document.querySelectorAll('.picture canvas').length > 1";
const VERIFIED: &str = "return document.querySelectorAll('.checks .holds').length > 3";
const RECOMPUTED: &str = "return document.querySelectorAll('#recompute tbody tr').length > 1";

/// A node in which devices earn, and somebody who owns one of them.
struct Sitting {
    node: Node,
    owner: Person,
    kid: String,
    _town: Option<Town>,
}

/// Takes all pictures into a directory and gives their files and sizes in bytes; `told` hears what goes on.
///
/// # Errors
/// Where there is no browser.
///
/// # Panics
/// Where the product does not do what is to be seen.
pub async fn take(
    readings: Option<&Path>,
    directory: &Path,
    told: impl Fn(&str),
) -> WebDriverResult<Vec<(PathBuf, u64)>> {
    let sitting = Sitting::arrange(readings, &told);
    let scenes = scenes(&sitting);
    fs::create_dir_all(directory).expect("the pictures' directory can be made");
    let mut taken = Vec::new();
    for eyes in [Eyes::Stranger, Eyes::Owner, Eyes::Operator] {
        let browser = Browser::open(Reader::default()).await?;
        sitting.lets_in(&browser, eyes).await?;
        for scene in scenes.iter().filter(|scene| scene.eyes == eyes) {
            for (light, dark) in [("light", false), ("dark", true)] {
                let file = directory.join(format!("{}-{light}.png", scene.name));
                sitting.shows(&browser, scene, dark).await?;
                browser.driver.screenshot(&file).await?;
                let bytes = fs::metadata(&file).expect("the picture was written").len();
                told(&format!("{} ({} KB)", file.display(), bytes.div_ceil(1_000)));
                taken.push((file, bytes));
            }
        }
        browser.close().await?;
    }
    Ok(taken)
}

fn scenes(sitting: &Sitting) -> Vec<Scene> {
    let kid = &sitting.kid;
    let readings = sitting.node.json(&format!("/api/v1/devices/{kid}/readings"));
    let reading = readings[0]["transaction"].as_str().expect("a reading has a transaction");
    let (cut, epoch) = told_best(&sitting.node, kid);
    let scene = |name, path: String, eyes, window| Scene { name, path, eyes, window, deed: "", seen: LIVE };
    vec![
        scene("home", "/".to_owned(), Eyes::Stranger, DESK),
        Scene { seen: MAP_IS_MADE, ..scene("map", "/map".to_owned(), Eyes::Stranger, DESK) },
        Scene {
            deed: "scrollTo(0, document.getElementById('readings').offsetTop - 24)",
            seen: CHARTS_ARE_DRAWN,
            ..scene("device", format!("/devices/{kid}"), Eyes::Stranger, TELEPHONE)
        },
        Scene {
            deed: "document.querySelector('#recompute button').click()",
            seen: RECOMPUTED,
            ..scene("why", format!("/devices/{cut}/statements/{epoch}"), Eyes::Stranger, HIGH_DESK)
        },
        Scene {
            deed: "scrollTo(0, document.querySelector('.verdicts')?.offsetTop - 24)",
            seen: VERIFIED,
            ..scene("verify", format!("/verify?id={reading}"), Eyes::Stranger, TELEPHONE)
        },
        scene("mine", "/mine".to_owned(), Eyes::Owner, TELEPHONE),
        scene("operator", "/operator".to_owned(), Eyes::Operator, DESK),
    ]
}

/// The device and the epoch whose statement says most: one that paid and cut something, else the last of this device's.
fn told_best(node: &Node, kid: &str) -> (String, String) {
    let devices = node.json("/api/v1/devices");
    let kids = devices.as_array().into_iter().flatten().filter_map(|device| device["kid"].as_str());
    let statements = |kid: &str| {
        let list = node.json(&format!("/api/v1/devices/{kid}/statements"));
        list.as_array().cloned().unwrap_or_default()
    };
    let all: Vec<Value> = kids.flat_map(statements).collect();
    let paid = || all.iter().filter(|statement| microtokens(&statement["paid"]) > 0);
    let best = paid().filter(|statement| cuts(statement) > 0).max_by_key(|one| microtokens(&one["paid"]));
    let best = best.or_else(|| paid().find(|statement| statement["kid"] == kid));
    let best = best.expect("a statement has paid");
    (best["kid"].as_str().unwrap_or(kid).to_owned(), best["epoch"].to_string())
}

/// Factors of a statement that took something.
fn cuts(statement: &Value) -> usize {
    let lines = statement["lines"].as_array().into_iter().flatten();
    let factors = lines.flat_map(|line| line["factors"].as_array().into_iter().flatten());
    factors.filter(|factor| factor["permille"].as_u64().is_some_and(|permille| permille < 1_000)).count()
}

impl Sitting {
    fn arrange(readings: Option<&Path>, told: &impl Fn(&str)) -> Sitting {
        let up = Up::new().epoch_seconds(EPOCH_SECONDS);
        let Some(archive) = readings else {
            told(&format!("starting a node with {DEVICES} virtual devices"));
            let node = up.devices(DEVICES).start();
            let owner = Person::of(&node, "owner-1");
            told(&format!("waiting until one was paid in {EPOCHS} epochs of {EPOCH_SECONDS} seconds"));
            let kid = virtual_device_is_paid(&node, &owner);
            return Sitting { node, owner, kid, _town: None };
        };
        let sensors = recorded::sensors_of(archive);
        assert!(!sensors.is_empty(), "{} holds no recordings of May 2019", archive.display());
        told(&format!("starting a node; {} recorded sensors are enrolled and claimed", sensors.len()));
        let node = up.start();
        let mut town = Town::of(&node, &sensors, DAY);
        told(&format!("replaying; waiting until one was paid in {EPOCHS} epochs of {EPOCH_SECONDS} seconds"));
        let kid = town.is_paid(&node, EPOCHS, PATIENCE);
        let owner = town.owners.remove(0);
        Sitting { node, owner, kid, _town: Some(town) }
    }

    fn site(&self) -> String {
        self.node.http.replace("127.0.0.1", "localhost")
    }

    async fn lets_in(&self, browser: &Browser, eyes: Eyes) -> WebDriverResult<()> {
        let operator;
        let (person, role) = match eyes {
            Eyes::Stranger => return Ok(()),
            Eyes::Owner => (&self.owner, "Owner"),
            Eyes::Operator => {
                operator = Person::of(&self.node, "operator");
                (&operator, "Operator")
            }
        };
        let link = person.does(&self.node, &["login"]).success();
        browser.go_to(link.trim()).await?;
        browser.press("main form button").await?;
        browser.header_says(role).await
    }

    /// Opens the page in its window and waits until it is as it is to be seen.
    async fn shows(&self, browser: &Browser, scene: &Scene, dark: bool) -> WebDriverResult<()> {
        let (width, height, dots) = scene.window;
        browser.looks(width, height, dots, dark);
        browser.go_to(&format!("{}{}", self.site(), scene.path)).await?;
        // What is scrolled to has to be there, and what is pressed shows its work later.
        if scene.deed.starts_with("scroll") {
            browser.becomes_true(scene.seen).await?;
            browser.asked(scene.deed).await?;
        } else {
            browser.asked(scene.deed).await?;
            browser.becomes_true(scene.seen).await?;
        }
        Ok(())
    }
}

fn virtual_device_is_paid(node: &Node, owner: &Person) -> String {
    wait::until("a device was paid in some epochs", PATIENCE, || {
        let statements = node.json_if_there(&format!("/api/v1/accounts/{}/statements", owner.account))?;
        let kid = statements[0]["kid"].as_str()?.to_owned();
        let paid = |statement: &&Value| {
            statement["kid"].as_str() == Some(&kid) && microtokens(&statement["paid"]) > 0
        };
        (statements.as_array()?.iter().filter(paid).count() >= EPOCHS).then_some(kid)
    })
}
