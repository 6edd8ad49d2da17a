//! The desk under attack: other keys, other sites, other networks, used and late answers, stolen and planted tokens.

use std::net::{IpAddr, Ipv4Addr};

use devices::limits::SIGN_IN_BYTES_MAX;
use devices::{SignInAnswer, SigningKey};
use tempfile::TempDir;

use super::*;

const NOON: u64 = 1_795_333_126_000;
const SITE: &str = "https://lamppost.example";

fn operator() -> SigningKey {
    SigningKey::from_seed([1; 32])
}

fn owner() -> SigningKey {
    SigningKey::from_seed([2; 32])
}

fn account(key: &SigningKey) -> AccountId {
    AccountId::of(&key.public_key())
}

fn open(directory: &TempDir, now: u64) -> (SignIn, Option<String>) {
    let origins = Origins::new(Some(SITE.parse().unwrap()), "127.0.0.1:8080".parse().unwrap());
    SignIn::open(directory.path(), "devnet", account(&operator()), origins, now, [9; 32]).unwrap()
}

fn desk() -> (TempDir, SignIn) {
    let directory = tempfile::tempdir().unwrap();
    let (desk, _) = open(&directory, NOON);
    (directory, desk)
}

fn answer_of(key: &SigningKey, network: &str, challenge: &Secret, origin: &str) -> Vec<u8> {
    let mut out = [0; SIGN_IN_BYTES_MAX];
    let answer = SignInAnswer { challenge: *challenge.as_bytes(), origin };
    let length = answer.sign(key, network, &mut out).unwrap();
    out[..length].to_vec()
}

fn session(key: &SigningKey) -> Session {
    Session::new(NOON, account(key), true, Way::Key, "a browser")
}

fn viewer(desk: &SignIn, now: u64, tokens: &[&str]) -> Viewer {
    desk.visitor(now, tokens.iter().copied()).viewer
}

#[test]
fn an_accounts_key_signs_in_as_that_account_and_the_operators_as_the_operator() {
    let (_directory, desk) = desk();
    for (number, key) in [owner(), operator()].into_iter().enumerate() {
        let challenge = desk.challenge(NOON, [number as u8; 32]);
        let proven = desk.answer(NOON, &answer_of(&key, "devnet", &challenge, SITE)).unwrap();
        assert_eq!(proven.account, account(&key));
        let token = desk.open_session(NOON, session(&key), None, [number as u8 + 100; 32]).unwrap();
        let viewer = viewer(&desk, NOON, &[&token.text()]);
        assert_eq!(viewer.account(), Some(account(&key).to_string().as_str()));
        assert_eq!(viewer.is_operator(), number == 1);
    }
}

#[test]
fn a_challenge_is_answered_once_in_time_here_and_on_this_network() {
    let (_directory, desk) = desk();
    let challenge = desk.challenge(NOON, [3; 32]);
    let good = answer_of(&owner(), "devnet", &challenge, SITE);
    let elsewhere = answer_of(&owner(), "devnet", &challenge, "https://evil.example");
    assert!(matches!(desk.answer(NOON, &elsewhere), Err(SignInError::Origin { .. })));
    let lookalike = answer_of(&owner(), "devnet", &challenge, "https://lamppost.example.evil");
    assert!(matches!(desk.answer(NOON, &lookalike), Err(SignInError::Origin { .. })));
    let other_network = answer_of(&owner(), "othernet", &challenge, SITE);
    assert!(matches!(desk.answer(NOON, &other_network), Err(SignInError::Signature)));
    let never_asked = answer_of(&owner(), "devnet", &Secret::new([4; 32]), SITE);
    assert!(matches!(desk.answer(NOON, &never_asked), Err(SignInError::Challenge)));
    let mut altered = good.clone();
    *altered.last_mut().unwrap() ^= 1;
    assert!(matches!(desk.answer(NOON, &altered), Err(SignInError::Signature)));
    assert!(matches!(desk.answer(NOON, b""), Err(SignInError::Malformed)));
    assert!(
        desk.answer(NOON + limits::CHALLENGE_MILLISECONDS - 1, &good).is_ok(),
        "what failed spent nothing"
    );
    assert!(matches!(desk.answer(NOON, &good), Err(SignInError::Challenge)), "it is spent");
    let late = desk.challenge(NOON, [5; 32]);
    let late = answer_of(&owner(), "devnet", &late, SITE);
    assert!(matches!(desk.answer(NOON + limits::CHALLENGE_MILLISECONDS, &late), Err(SignInError::Challenge)));
}

#[test]
fn a_link_opens_once_and_looking_at_it_spends_nothing() {
    let (_directory, desk) = desk();
    let proven = Proven { account: account(&owner()), origin: SITE.parse().unwrap() };
    let url = desk.link(NOON, &proven, [7; 32]);
    let link = url.strip_prefix("https://lamppost.example/sign-in?link=").unwrap();
    for _ in 0..3 {
        assert_eq!(desk.look_at_link(NOON, link), Some(account(&owner())));
    }
    assert_eq!(desk.follow_link(NOON, link).unwrap(), (account(&owner()), Way::Link));
    assert!(matches!(desk.follow_link(NOON, link), Err(SignInError::Link)));
    assert_eq!(desk.look_at_link(NOON, link), None);
    let url = desk.link(NOON, &proven, [8; 32]);
    let link = url.split_once("link=").unwrap().1;
    assert!(matches!(desk.follow_link(NOON + limits::LINK_MILLISECONDS, link), Err(SignInError::Link)));
    for wrong in ["", "A", &"A".repeat(43), &"A".repeat(10_000)] {
        assert!(matches!(desk.follow_link(NOON, wrong), Err(SignInError::Link)));
    }
}

#[test]
fn the_first_run_gives_the_operator_a_link_and_no_later_one_does() {
    let directory = tempfile::tempdir().unwrap();
    let (desk, link) = open(&directory, NOON);
    let link = link.unwrap();
    let link = link.split_once("link=").unwrap().1;
    assert_eq!(desk.follow_link(NOON, link).unwrap(), (account(&operator()), Way::FirstRun));
    drop(desk);
    let (desk, none) = open(&directory, NOON);
    assert_eq!(none, None);
    assert!(desk.follow_link(NOON, link).is_err(), "nor does a restart bring it back");
}

#[test]
fn a_session_outlives_a_restart_and_one_that_was_ended_does_not() {
    let directory = tempfile::tempdir().unwrap();
    let (desk, _) = open(&directory, NOON);
    let tokens: Vec<String> = (0..3)
        .map(|number| desk.open_session(NOON, session(&owner()), None, [number + 50; 32]).unwrap().text())
        .collect();
    let ended = desk.visitor(NOON, [tokens[0].as_str()].into_iter()).session.unwrap();
    desk.end(ended).unwrap();
    desk.end_named(&account(&owner()), &Secret::parse(&tokens[1]).unwrap().hash().name()).unwrap();
    let file = std::fs::read_to_string(directory.path().join("sign-in.json")).unwrap();
    assert!(tokens.iter().all(|token| !file.contains(token)), "no token is ever written down");
    drop(desk);
    let (desk, _) = open(&directory, NOON + 1_000);
    assert_eq!(viewer(&desk, NOON + 1_000, &[&tokens[0]]), Viewer::Public);
    assert_eq!(viewer(&desk, NOON + 1_000, &[&tokens[1]]), Viewer::Public);
    assert!(viewer(&desk, NOON + 1_000, &[&tokens[2]]).account().is_some());
    desk.end_all(&account(&owner())).unwrap();
    drop(desk);
    let (desk, _) = open(&directory, NOON + 2_000);
    assert_eq!(viewer(&desk, NOON + 2_000, &[&tokens[2]]), Viewer::Public);
}

#[test]
fn what_stands_in_the_file_opens_nothing() {
    let (directory, desk) = desk();
    let token = desk.open_session(NOON, session(&owner()), None, [60; 32]).unwrap();
    let file = std::fs::read_to_string(directory.path().join("sign-in.json")).unwrap();
    assert!(file.contains(&hex::encode(token.hash().0)));
    let stolen = Secret::new(token.hash().0).text();
    assert_eq!(viewer(&desk, NOON, &[&stolen]), Viewer::Public);
    assert_eq!(
        viewer(&desk, NOON, &[&Secret::new(token.form_token()).text()]),
        Viewer::Public,
        "nor does a form's token"
    );
}

#[test]
fn a_planted_session_beside_ones_own_is_nobodys() {
    let (_directory, desk) = desk();
    let own = desk.open_session(NOON, session(&owner()), None, [60; 32]).unwrap().text();
    let planted = desk.open_session(NOON, session(&operator()), None, [61; 32]).unwrap().text();
    assert_eq!(viewer(&desk, NOON, &[&own, &planted]), Viewer::Public);
    assert_eq!(viewer(&desk, NOON, &[&planted, &own]), Viewer::Public);
    assert!(viewer(&desk, NOON, &[&own, "nonsense", &own]).account().is_some());
}

#[test]
fn signing_in_again_ends_the_browsers_former_session() {
    let (_directory, desk) = desk();
    let first = desk.open_session(NOON, session(&owner()), None, [60; 32]).unwrap().text();
    let former = desk.visitor(NOON, [first.as_str()].into_iter()).session;
    let second = desk.open_session(NOON, session(&owner()), former, [61; 32]).unwrap().text();
    assert_eq!(viewer(&desk, NOON, &[&first]), Viewer::Public);
    assert!(viewer(&desk, NOON, &[&second]).account().is_some());
}

#[test]
fn brute_force_is_held_back_for_the_address_that_tries_and_for_nobody_else() {
    let (_directory, desk) = desk();
    let attacker = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
    let let_in = (0..10_000).filter(|_| desk.attempt(NOON, attacker).is_ok()).count() as u64;
    assert_eq!(let_in, limits::ATTEMPTS_OF_ADDRESS);
    assert!(desk.attempt(NOON, IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2))).is_ok());
    assert!(desk.attempt(NOON + limits::ATTEMPT_OF_ADDRESS_MILLISECONDS, attacker).is_ok());
}

#[test]
fn an_account_opens_no_flood_of_sessions_and_others_go_on() {
    let (_directory, desk) = desk();
    let opened =
        (0..100_u8).filter(|number| desk.open_session(NOON, session(&owner()), None, [*number; 32]).is_ok());
    assert_eq!(opened.count() as u64, limits::SIGN_INS_OF_ACCOUNT);
    assert!(desk.open_session(NOON, session(&operator()), None, [200; 32]).is_ok());
}

#[test]
fn a_passkey_ceremony_that_was_not_begun_ends_nowhere() {
    let (_directory, desk) = desk();
    let nothing = serde_json::json!({});
    let (ceremony, _) = desk.begin_sign_in(NOON, [70; 32]).unwrap();
    assert!(matches!(desk.finish_sign_in(NOON, "A", nothing.clone()), Err(SignInError::Challenge)));
    let late = NOON + limits::CHALLENGE_MILLISECONDS;
    assert!(matches!(desk.finish_sign_in(late, &ceremony, nothing.clone()), Err(SignInError::Challenge)));
    let (ceremony, _) = desk.begin_sign_in(NOON, [71; 32]).unwrap();
    assert!(matches!(desk.finish_sign_in(NOON, &ceremony, nothing.clone()), Err(SignInError::Passkey(_))));
    assert!(matches!(desk.finish_sign_in(NOON, &ceremony, nothing.clone()), Err(SignInError::Challenge)));
    let token = desk.open_session(NOON, session(&owner()), None, [60; 32]).unwrap().text();
    let own = desk.visitor(NOON, [token.as_str()].into_iter()).session.unwrap();
    assert!(matches!(desk.add_passkey(NOON, own, "", nothing), Err(SignInError::Challenge)));
    assert!(matches!(desk.rename_passkey(&own.account, "ab", "x"), Err(SignInError::Gone)));
    assert!(matches!(desk.remove_passkey(&own.account, "ab"), Err(SignInError::Gone)));
}
