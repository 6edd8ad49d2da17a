//! What owners are shown of their own: figures that agree with the public ones, alerts with what to do, days, payouts.

#[allow(dead_code, reason = "the other tests use more of the city than these")]
mod city;

use axum::Router;
use city::visit::{attributes, page, page_for, pages_of};
use city::{City, NOON};
use dashboard::view::*;

fn owner(number: u64) -> Viewer {
    Viewer::Owner(SignedIn { account: city::account(number), form_token: FormToken::new([7; 32]) })
}

/// The micro-tokens of the first amount after `mark`.
fn amount_after(page: &str, mark: &str) -> u64 {
    let (_, rest) = page.split_once(mark).unwrap_or_else(|| panic!("{mark:?} stands in the page"));
    let value = rest.split("<data class=\"amount\" value=\"").nth(1).and_then(|rest| rest.split('"').next());
    value.and_then(|value| value.parse().ok()).unwrap_or_else(|| panic!("an amount after {mark:?}"))
}

async fn home_of(router: &Router, number: u64) -> String {
    page_for(router, &owner(number), "/mine").await
}

#[tokio::test]
async fn an_owners_figures_are_those_of_their_public_account() {
    let router = pages_of(City::at(NOON));
    for number in 0..4 {
        let own = home_of(&router, number).await;
        let public = page(&router, &format!("/accounts/{}", city::account(number))).await;
        let (available, posted) =
            (amount_after(&own, "<h2>Available</h2>"), amount_after(&public, "<h2>Posted</h2>"));
        assert_eq!(available, posted, "owner {number}");
        let pending = "<h2>Pending, estimate</h2>";
        assert_eq!(amount_after(&own, pending), amount_after(&public, pending), "owner {number}");
        // The city began today, so all that was ever paid was paid today.
        assert_eq!(amount_after(&own, "<h2>Today, so far</h2>"), posted, "owner {number}");
        assert_eq!(amount_after(&own, "<tr class=\"total\">"), posted, "owner {number}: the table of days");
    }
}

#[tokio::test]
async fn a_stranger_is_told_how_to_sign_in_and_shown_nobodys_figures() {
    let router = pages_of(City::at(NOON));
    for path in ["/mine", "/mine/payouts"] {
        let shown = page(&router, path).await;
        assert!(shown.contains("href=\"/sign-in\""), "{path}");
        assert!(shown.contains("lamppost login --key owner.pem --node http://127.0.0.1:8080"), "{path}");
        assert!(!shown.contains("class=\"amount\""), "{path}");
    }
}

#[tokio::test]
async fn every_alert_says_what_is_wrong_and_what_to_do() {
    let city = City::at(NOON);
    let router = pages_of(city.clone());
    let shown = home_of(&router, 0).await;
    let silent = &city.residents.get(1).expect("a resident").kid;
    let clock = &city.residents.first().expect("a resident").kid;
    let of = |kid: &str| {
        let rest = shown.split(&format!("<div class=\"alert\" data-kid=\"{kid}\">")).nth(1);
        rest.and_then(|rest| rest.split("</div>").next()).unwrap_or_default()
    };
    assert!(of(silent).contains("Silent for 14 min") && of(silent).contains("Look at its power"), "{shown}");
    assert!(of(clock).contains("31 envelopes were refused, most as in_future"), "{shown}");
    assert!(of(clock).contains("let it set its time"), "{shown}");
    let offered = home_of(&router, 1).await;
    let kid = &city.residents.get(11).expect("a resident").kid;
    assert!(offered.contains(&format!("href=\"/devices/{kid}/accept\"")), "{offered}");
}

#[tokio::test]
async fn somebody_without_devices_is_told_how_to_come_to_one() {
    let router = pages_of(City::at(NOON));
    let shown = home_of(&router, 77).await;
    for words in ["You own no device yet", "href=\"/claim\"", "nothing has been posted to your account yet"] {
        assert!(shown.contains(words), "{words}: {shown}");
    }
    assert!(!shown.contains("svg class=\"plot\""), "no bars where there is nothing to see");
}

#[tokio::test]
async fn the_bars_have_words_and_a_table_of_the_same_numbers() {
    let router = pages_of(City::at(NOON));
    let shown = home_of(&router, 0).await;
    assert!(shown.contains("<title id=\"bars-t\">") && shown.contains("<desc id=\"bars-d\">"), "{shown}");
    let bar = shown.split("class=\"bar today\"").nth(1).and_then(|rest| rest.split("</title>").next());
    let bar = bar.and_then(|rest| rest.split("<title>").nth(1)).expect("today has a bar with words");
    let row = shown.split("<th scope=\"row\">22 Nov, so far</th>").nth(1).expect("today is in the table");
    let tokens =
        row.split("micro-tokens\">").nth(1).and_then(|rest| rest.split('<').next()).expect("an amount");
    assert_eq!(bar, format!("22 Nov: {tokens} tokens"));
    assert_eq!(shown.matches("no statement: nothing was accepted").count(), 29, "each empty day says why");
}

#[tokio::test]
async fn payouts_come_page_by_page_each_once_with_its_receipt() {
    let city = City::at(NOON);
    let router = pages_of(city.clone());
    let (mut path, mut seen, mut pages) = ("/mine/payouts".to_owned(), 0, 0);
    let mut sum = 0;
    loop {
        let shown = page_for(&router, &owner(0), &path).await;
        let rows: Vec<&str> =
            shown.split("<tbody").nth(1).expect("rows").split("<tr role=\"row\">").skip(1).collect();
        for row in &rows {
            assert!(row.contains("/receipt\" download="), "{row}");
            sum += amount_after(row, "data-label=\"Tokens\"");
        }
        (seen, pages) = (seen + rows.len() as u64, pages + 1);
        let older = shown.split("rel=\"next\"").next().and_then(|before| before.rsplit("href=\"").next());
        match older.filter(|_| shown.contains("rel=\"next\"")) {
            Some(older) => path = older.split('"').next().unwrap_or_default().replace("&amp;", "&"),
            None => break,
        }
    }
    let payouts = city.payouts(&city::account(0), None, 1).expect("answered");
    assert!(pages > 2, "{pages} pages");
    assert_eq!(seen, payouts.transfers_total);
    assert_eq!(sum, payouts.available_microtokens);
}

#[tokio::test]
async fn an_owners_pages_are_whole_small_and_lead_somewhere() {
    let router = pages_of(City::at(NOON));
    for path in ["/mine", "/mine?page=2", "/mine/payouts"] {
        let shown = page_for(&router, &owner(0), path).await;
        assert!(shown.contains("</html>") && shown.contains("<h1>") && shown.len() < 60_000, "{path}");
        assert!(!shown.contains(" style=\"") && !shown.contains(" hidden"), "{path} needs nothing inline");
        let ids = attributes(&shown, "id");
        for href in attributes(&shown, "href").into_iter().filter_map(|href| href.strip_prefix('#')) {
            assert!(ids.contains(&href), "{path} links to #{href}, which it has not");
        }
    }
}

/// Pages that act in the browser, and what each says to who has no script.
fn acting(city: &City) -> Vec<(String, &'static str)> {
    let kid = |number: usize| &city.residents.get(number).expect("a resident").kid;
    let code = format!("{}.{}", kid(5), "ab".repeat(64));
    vec![
        ("/key".to_owned(), "lamppost key new owner.pem"),
        ("/verify".to_owned(), "lamppost receipt TXID --node http://127.0.0.1:8080 --out entry.receipt"),
        (format!("/verify?id={}", city::hex(1, 1)), "lamppost verify entry.receipt --genesis genesis.json"),
        ("/claim".to_owned(), "lamppost device prove --account"),
        (format!("/claim?code={code}&lat=52.5&lon=13.4"), "--lat 52.5 --lon 13.4 --proof abab"),
        (format!("/devices/{}/transfer", kid(0)), "a href=\"/key\""),
        (format!("/devices/{}/transfer?to={}", kid(0), city::account(1)), "lamppost device transfer 07"),
        (format!("/devices/{}/transfer?to=", kid(11)), "--withdraw --key owner.pem"),
        (format!("/devices/{}/accept", kid(11)), "lamppost device accept b7"),
        (format!("/devices/{}/accept", kid(0)), "offered to nobody"),
    ]
}

#[tokio::test]
async fn what_the_browsers_key_signs_has_its_command_without_a_script() {
    let city = City::at(NOON);
    let router = pages_of(city.clone());
    for (path, command) in acting(&city) {
        let shown = page(&router, &path).await;
        assert!(shown.contains(command), "{path}: {shown}");
        assert!(shown.contains("</html>") && shown.contains("<h1>") && shown.len() < 60_000, "{path}");
        let scripts = shown.matches("<script").count();
        let ours = shown.matches("<script src=\"/assets/").count()
            + shown.matches("<script type=\"module\" src=\"/assets/").count();
        assert_eq!(scripts, ours, "{path} has no script of its own in it");
        assert!(!shown.contains(" style=\"") && !shown.contains(" onclick"), "{path}");
    }
}

#[tokio::test]
async fn no_link_puts_words_into_a_command() {
    let city = City::at(NOON);
    let router = pages_of(city.clone());
    let kid = &city.residents.first().expect("a resident").kid;
    for path in [
        "/claim?code=%24(reboot).x&lat=1&lon=1".to_owned(),
        "/claim?code=%3Cscript%3Ealert(1)%3C%2Fscript%3E&lat=%22%3E&lon=1".to_owned(),
        format!("/devices/{kid}/transfer?to=lamp1%3B%20reboot"),
        "/verify?id=%60reboot%60".to_owned(),
    ] {
        let shown = page(&router, &path).await;
        for command in shown.split("<pre><code>").skip(1).filter_map(|rest| rest.split("</code>").next()) {
            assert!(!command.contains("reboot") && !command.contains("script"), "{path}: {command}");
        }
        assert!(shown.contains("role=\"alert\">"), "{path} says what is wrong");
        assert!(!shown.contains("<script>"), "{path}");
    }
}

#[tokio::test]
async fn a_statement_has_the_transfer_that_paid_it_and_the_tariff_it_was_paid_by() {
    let city = City::at(NOON);
    let router = pages_of(city.clone());
    let kid = &city.residents.first().expect("a resident").kid;
    let shown = page(&router, &format!("/devices/{kid}/statements/119")).await;
    let posted = shown.split("What was posted</h2>").nth(1).expect("what was posted");
    let paid: Option<u64> = attributes(&shown, "data-paid").first().and_then(|paid| paid.parse().ok());
    let paid = paid.expect("an amount");
    assert_eq!(amount_after(posted, "data-label=\"Tokens\""), paid);
    assert!(posted.contains("/receipt\" download="), "{posted}");
    assert!(shown.contains("href=\"/api/v1/tariffs/1\""), "{shown}");
    assert!(shown.contains(&format!("id=\"recompute\" data-kid=\"{kid}\" data-epoch=\"119\"")), "{shown}");
    assert!(shown.contains(&format!("lamppost device explain {kid} 119 --node http://127.0.0.1:8080")));
}

#[tokio::test]
async fn an_owner_finds_the_way_to_hand_a_device_on_and_nobody_else_does() {
    let city = City::at(NOON);
    let router = pages_of(city.clone());
    let offered = &city.residents.get(11).expect("a resident").kid;
    let path = format!("/devices/{offered}");
    assert!(page_for(&router, &owner(3), &path).await.contains(&format!("{path}/transfer")));
    assert!(page_for(&router, &owner(1), &path).await.contains(&format!("{path}/accept")));
    let public = page(&router, &path).await;
    assert!(!public.contains(&format!("{path}/transfer")) && !public.contains(&format!("{path}/accept")));
    let refused = page_for(&router, &owner(2), &format!("{path}/accept")).await;
    assert!(refused.contains("somebody else than it is offered to"), "{refused}");
}
