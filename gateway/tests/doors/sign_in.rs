//! Signing in through the doors: every way in, and every way in that must stay shut.

use axum::body::Body;
use axum::http::{Method, Request, StatusCode, header};
use base64ct::{Base64UrlUnpadded, Encoding as _};
use devices::limits::SIGN_IN_BYTES_MAX;
use devices::{SignInAnswer, SigningKey};
use gateway::limits::ATTEMPTS_OF_ADDRESS;
use ledger::account::AccountId;

use crate::node::{Answer, Node};

const SITE: &str = "http://localhost:8080";
const EVIL: &str = "https://evil.example";

/// What a browser knows of its session.
#[derive(Debug, Clone)]
pub struct Browser {
    cookie: String,
    token: String,
}

/// A request of a browser, as far as the tests vary it.
pub struct Sent<'r> {
    method: Method,
    path: &'r str,
    cookie: Option<&'r str>,
    origin: Option<&'r str>,
    content_type: &'r str,
    body: Vec<u8>,
}

impl<'r> Sent<'r> {
    pub fn get(path: &'r str) -> Sent<'r> {
        Sent { method: Method::GET, path, cookie: None, origin: None, content_type: "", body: Vec::new() }
    }

    fn form(path: &'r str, fields: &str) -> Sent<'r> {
        let content_type = "application/x-www-form-urlencoded";
        let body = fields.as_bytes().to_vec();
        Sent { method: Method::POST, path, cookie: None, origin: Some(SITE), content_type, body }
    }

    fn cose(path: &'r str, body: Vec<u8>) -> Sent<'r> {
        Sent { content_type: "application/cose", body, ..Sent::form(path, "") }
    }

    pub fn by(self, browser: &'r Browser) -> Sent<'r> {
        Sent { cookie: Some(&browser.cookie), ..self }
    }

    fn from(self, origin: Option<&'r str>) -> Sent<'r> {
        Sent { origin, ..self }
    }

    pub async fn to(self, node: &Node) -> Answer {
        let mut request = Request::builder().method(self.method).uri(self.path);
        for (name, value) in [(header::COOKIE, self.cookie), (header::ORIGIN, self.origin)] {
            request = value.into_iter().fold(request, |request, value| request.header(&name, value));
        }
        if !self.content_type.is_empty() {
            request = request.header(header::CONTENT_TYPE, self.content_type);
        }
        node.send(request.body(Body::from(self.body)).unwrap()).await
    }
}

fn header_of(answer: &Answer, name: header::HeaderName) -> &str {
    answer.headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
}

/// The session's cookie as a browser sends it back.
fn cookie_of(answer: &Answer) -> String {
    header_of(answer, header::SET_COOKIE).split(';').next().unwrap().to_owned()
}

async fn challenge(node: &Node) -> [u8; 32] {
    let asked = Sent::form("/api/v1/sign-in/challenges", "").to(node).await;
    assert_eq!(asked.status, StatusCode::CREATED, "{}", asked.text());
    assert_eq!(asked.json()["origin"], SITE);
    assert_eq!(asked.json()["network"], "devnet");
    let mut challenge = [0; 32];
    hex::decode_to_slice(asked.json()["challenge"].as_str().unwrap(), &mut challenge).unwrap();
    challenge
}

fn signed(key: &SigningKey, network: &str, challenge: [u8; 32], origin: &str) -> Vec<u8> {
    let mut out = [0; SIGN_IN_BYTES_MAX];
    let length = SignInAnswer { challenge, origin }.sign(key, network, &mut out).unwrap();
    out[..length].to_vec()
}

pub async fn sign_in(node: &Node, key: &SigningKey) -> Browser {
    let answer = signed(key, "devnet", challenge(node).await, SITE);
    let opened = Sent::cose("/api/v1/sign-in/sessions", answer).to(node).await;
    assert_eq!(opened.status, StatusCode::CREATED, "{}", opened.text());
    assert_eq!(opened.json()["account"], AccountId::of(&key.public_key()).to_string());
    browser(node, cookie_of(&opened)).await
}

/// A browser with this cookie, which has looked at its sessions' page.
async fn browser(node: &Node, cookie: String) -> Browser {
    let page = Sent { cookie: Some(&cookie), ..Sent::get("/sessions") }.to(node).await;
    assert_eq!(page.status, StatusCode::OK);
    let token = page.text().split("name=\"token\" value=\"").nth(1).unwrap().split('"').next().unwrap();
    Browser { token: token.to_owned(), cookie }
}

async fn viewer(node: &Node, cookie: Option<&str>) -> String {
    let who = Sent { cookie, ..Sent::get("/api/v1/session") }.to(node).await;
    who.json()["viewer"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signed_answer_opens_a_session_that_no_script_and_no_other_site_has() {
    let node = Node::start(60).await;
    let answer = signed(&node.owner, "devnet", challenge(&node).await, SITE);
    let opened = Sent::cose("/api/v1/sign-in/sessions", answer).to(&node).await;
    let cookie = header_of(&opened, header::SET_COOKIE);
    let (pair, attributes) = cookie.split_once("; ").unwrap();
    assert_eq!(pair.len(), "lamppost_session=".len() + 43);
    assert_eq!(attributes, "Path=/; Max-Age=2592000; HttpOnly; SameSite=Lax");
    assert_eq!(viewer(&node, Some(pair)).await, "owner");
    let operator = sign_in(&node, &node.operator).await;
    assert_eq!(viewer(&node, Some(&operator.cookie)).await, "operator");
    assert_eq!(viewer(&node, None).await, "public");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stolen_name_an_altered_token_or_the_forms_token_open_nothing() {
    let node = Node::start(60).await;
    let own = sign_in(&node, &node.owner).await;
    let value = own.cookie.strip_prefix("lamppost_session=").unwrap();
    let mut wrong = vec![
        format!("lamppost_session={}", own.token),
        format!("lamppost_session={}", "A".repeat(43)),
        format!("lamppost_session={value}="),
        format!("lamppost_session={}", &value[..42]),
        "lamppost_session=".to_owned(),
        format!("other={value}"),
    ];
    for place in 0..value.len() {
        let mut altered = value.as_bytes().to_vec();
        altered[place] = if altered[place] == b'A' { b'B' } else { b'A' };
        wrong.push(format!("lamppost_session={}", String::from_utf8(altered).unwrap()));
    }
    for cookie in wrong {
        assert_eq!(viewer(&node, Some(&cookie)).await, "public", "{cookie}");
    }
    assert_eq!(viewer(&node, Some(&format!("a=b; {}", own.cookie))).await, "owner");
    let other = sign_in(&node, &node.operator).await;
    let planted = format!("{}; {}", own.cookie, other.cookie);
    assert_eq!(viewer(&node, Some(&planted)).await, "public", "two sessions in one request are nobody's");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_used_again_or_made_for_another_site_or_network_is_refused() {
    let node = Node::start(60).await;
    let asked = challenge(&node).await;
    let send = async |bytes: Vec<u8>, origin| {
        Sent::cose("/api/v1/sign-in/sessions", bytes).from(origin).to(&node).await.status
    };
    let good = signed(&node.owner, "devnet", asked, SITE);
    assert_eq!(send(good.clone(), Some(EVIL)).await, StatusCode::FORBIDDEN, "another site sends it");
    assert_eq!(send(good.clone(), None).await, StatusCode::FORBIDDEN, "nobody says who sends it");
    assert_eq!(send(signed(&node.owner, "devnet", asked, EVIL), Some(SITE)).await, StatusCode::FORBIDDEN);
    assert_eq!(send(signed(&node.owner, "othernet", asked, SITE), Some(SITE)).await, StatusCode::FORBIDDEN);
    assert_eq!(send(signed(&node.owner, "devnet", [9; 32], SITE), Some(SITE)).await, StatusCode::FORBIDDEN);
    let alias = "http://127.0.0.1:8080";
    assert_eq!(
        send(good.clone(), Some(alias)).await,
        StatusCode::FORBIDDEN,
        "signed for another page's origin"
    );
    assert_eq!(send(b"nonsense".to_vec(), Some(SITE)).await, StatusCode::BAD_REQUEST);
    let again = challenge(&node).await;
    let good = signed(&node.owner, "devnet", again, SITE);
    assert_eq!(send(good.clone(), Some(SITE)).await, StatusCode::CREATED);
    assert_eq!(send(good.clone(), Some(SITE)).await, StatusCode::FORBIDDEN, "the challenge is spent");
    let link = Sent::cose("/api/v1/sign-in/links", good).to(&node).await;
    assert_eq!(link.status, StatusCode::FORBIDDEN, "for links as well");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_other_site_and_no_other_session_ends_a_session() {
    let node = Node::start(60).await;
    let (own, other) = (sign_in(&node, &node.owner).await, sign_in(&node, &node.owner).await);
    let own_field = format!("token={}", own.token);
    for path in
        ["/sign-out", "/sessions/revoke-all", "/sessions/revoke", "/passkeys/remove", "/passkeys/rename"]
    {
        for origin in [Some(EVIL), Some("null"), Some("http://localhost:8081"), None] {
            let answer = Sent::form(path, &own_field).by(&own).from(origin).to(&node).await;
            assert_eq!(answer.status, StatusCode::FORBIDDEN, "{path} from {origin:?}");
        }
        for fields in ["", "token=", &format!("token={}", other.token), &format!("token={}", &own.token[1..])]
        {
            let answer = Sent::form(path, fields).by(&own).to(&node).await;
            assert_eq!(answer.status, StatusCode::FORBIDDEN, "{path} with {fields:?}");
        }
        let answer = Sent::form(path, &own_field).to(&node).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{path} without the cookie");
        let answer = Sent::get(path).by(&own).to(&node).await;
        assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED, "{path} by a link");
    }
    for browser in [&own, &other] {
        assert_eq!(viewer(&node, Some(&browser.cookie)).await, "owner");
    }
    let crossed = Request::post("/sign-out")
        .header(header::COOKIE, &own.cookie)
        .header(header::ORIGIN, SITE)
        .header("sec-fetch-site", "cross-site")
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
    let answer = node.send(crossed.body(Body::from(own_field)).unwrap()).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN, "the browser itself says that it crosses sites");
}

#[tokio::test(flavor = "multi_thread")]
async fn signing_out_ends_one_session_and_ending_all_ends_all() {
    let node = Node::start(60).await;
    let mut browsers = Vec::new();
    for _ in 0..4 {
        browsers.push(sign_in(&node, &node.owner).await);
    }
    let stranger = sign_in(&node, &node.operator).await;
    let out =
        Sent::form("/sign-out", &format!("token={}", browsers[0].token)).by(&browsers[0]).to(&node).await;
    assert_eq!((out.status, header_of(&out, header::LOCATION)), (StatusCode::SEE_OTHER, "/sign-in"));
    assert!(header_of(&out, header::SET_COOKIE).starts_with("lamppost_session=; Path=/; Max-Age=0"));
    assert_eq!(
        viewer(&node, Some(&browsers[0].cookie)).await,
        "public",
        "the cookie itself is worth nothing now"
    );

    let page = Sent::get("/sessions").by(&browsers[1]).to(&node).await;
    assert_eq!(page.text().matches("action=\"/sessions/revoke\"").count(), 3);
    let ids: Vec<&str> =
        page.text().split("id=\"s-").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
    let own = page
        .text()
        .split("this one")
        .next()
        .unwrap()
        .rsplit("id=\"s-")
        .next()
        .unwrap()
        .split('"')
        .next()
        .unwrap();
    let victim = ids.iter().find(|id| **id != own).unwrap();
    let fields = format!("token={}&id={victim}", stranger.token);
    let answer = Sent::form("/sessions/revoke", &fields).by(&stranger).to(&node).await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND, "another account's session is none of theirs");
    let fields = format!("token={}&id={victim}", browsers[1].token);
    let answer = Sent::form("/sessions/revoke", &fields).by(&browsers[1]).to(&node).await;
    assert_eq!((answer.status, header_of(&answer, header::LOCATION)), (StatusCode::SEE_OTHER, "/sessions"));
    let mut open = 0;
    for browser in &browsers[1..] {
        open += usize::from(viewer(&node, Some(&browser.cookie)).await == "owner");
    }
    assert_eq!(open, 2);

    let fields = format!("token={}", browsers[1].token);
    let all = Sent::form("/sessions/revoke-all", &fields).by(&browsers[1]).to(&node).await;
    assert_eq!(all.status, StatusCode::SEE_OTHER);
    for browser in &browsers {
        assert_eq!(viewer(&node, Some(&browser.cookie)).await, "public");
    }
    assert_eq!(viewer(&node, Some(&stranger.cookie)).await, "operator");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_one_time_link_waits_for_its_button_and_works_once() {
    let node = Node::start(60).await;
    let answer = signed(&node.owner, "devnet", challenge(&node).await, SITE);
    let made = Sent::cose("/api/v1/sign-in/links", answer).from(None).to(&node).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text());
    assert_eq!(made.json()["account"], node.owner_account());
    let url = made.json()["url"].as_str().unwrap().to_owned();
    let path = url.strip_prefix(SITE).unwrap();
    let link = path.strip_prefix("/sign-in?link=").unwrap();
    for _ in 0..3 {
        let page = Sent::get(path).to(&node).await;
        assert_eq!(page.status, StatusCode::OK, "whoever previews it spends nothing");
        assert!(
            page.text().contains(&node.owner_account()) && page.text().contains("action=\"/sign-in/link\"")
        );
        assert_eq!(header_of(&page, header::CACHE_CONTROL), "no-store");
        assert_eq!(header_of(&page, header::REFERRER_POLICY), "same-origin");
        assert!(page.headers.get(header::SET_COOKIE).is_none());
    }
    let fields = format!("link={link}");
    let planted = Sent::form("/sign-in/link", &fields).from(Some(EVIL)).to(&node).await;
    assert_eq!(planted.status, StatusCode::FORBIDDEN, "no other site signs anybody in");
    let opened = Sent::form("/sign-in/link", &fields).to(&node).await;
    assert_eq!(opened.status, StatusCode::SEE_OTHER, "{}", opened.text());
    assert_eq!(header_of(&opened, header::LOCATION), "/mine");
    assert_eq!(viewer(&node, Some(&cookie_of(&opened))).await, "owner");
    let again = Sent::form("/sign-in/link", &fields).to(&node).await;
    assert_eq!(again.status, StatusCode::FORBIDDEN);
    assert!(again.text().contains("This link was used already"));
    assert_eq!(Sent::get(path).to(&node).await.status, StatusCode::FORBIDDEN);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_runs_link_signs_the_operator_in_and_ends_the_browsers_former_session() {
    let node = Node::start(60).await;
    let own = sign_in(&node, &node.owner).await;
    let path = format!("/sign-in?link={}", node.first_link);
    let page = Sent::get(&path).by(&own).to(&node).await;
    assert!(page.text().contains("that session ends"), "it says whose session is replaced");
    let opened = Sent::form("/sign-in/link", &format!("link={}", node.first_link)).by(&own).to(&node).await;
    assert_eq!(header_of(&opened, header::LOCATION), "/");
    let operator = browser(&node, cookie_of(&opened)).await;
    assert_eq!(viewer(&node, Some(&operator.cookie)).await, "operator");
    assert_eq!(viewer(&node, Some(&own.cookie)).await, "public");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_without_a_node_signs_in_by_pasting_its_answer() {
    let node = Node::start(60).await;
    let page = Sent::get("/sign-in/command").to(&node).await;
    let command = page.text().split("<code>").nth(1).unwrap().split("</code>").next().unwrap().to_owned();
    let word = |name: &str| command.split(name).nth(1).unwrap().split_whitespace().next().unwrap().to_owned();
    assert_eq!((word("--origin "), word("--network ")), (SITE.to_owned(), "devnet".to_owned()));
    let mut asked = [0; 32];
    hex::decode_to_slice(word("--challenge "), &mut asked).unwrap();
    let line = Base64UrlUnpadded::encode_string(&signed(&node.owner, "devnet", asked, SITE));
    // As it is pasted from a terminal that has broken the line.
    let (first, rest) = line.split_at(80);
    let fields = format!("answer={first}%0A++{rest}%0A");
    let foreign = Sent::form("/sign-in/command", &fields).from(Some(EVIL)).to(&node).await;
    assert_eq!(foreign.status, StatusCode::FORBIDDEN);
    let opened = Sent::form("/sign-in/command", &fields).to(&node).await;
    assert_eq!(opened.status, StatusCode::SEE_OTHER, "{}", opened.text());
    assert_eq!(viewer(&node, Some(&cookie_of(&opened))).await, "owner");
    let again = Sent::form("/sign-in/command", &fields).to(&node).await;
    assert_eq!(again.status, StatusCode::FORBIDDEN);
    assert!(
        again.text().contains("begin again") && again.text().contains("--challenge"),
        "a new challenge stands there"
    );
    let nonsense = Sent::form("/sign-in/command", "answer=%F0%9F%8E%83").to(&node).await;
    assert_eq!(nonsense.status, StatusCode::BAD_REQUEST);
}

#[tokio::test(flavor = "multi_thread")]
async fn brute_force_is_answered_with_wait() {
    let node = Node::start(60).await;
    let mut refused = 0;
    for number in 0..2 * ATTEMPTS_OF_ADDRESS {
        let link = format!("link={}", Base64UrlUnpadded::encode_string(&[number as u8; 32]));
        let answer = Sent::form("/sign-in/link", &link).to(&node).await;
        refused += u64::from(answer.status == StatusCode::TOO_MANY_REQUESTS);
        assert!(answer.status.is_client_error());
    }
    assert!(refused >= ATTEMPTS_OF_ADDRESS / 2, "{refused} were held back");
    let asked = Sent::form("/api/v1/sign-in/challenges", "").to(&node).await;
    let sentence = asked.problem(StatusCode::TOO_MANY_REQUESTS);
    assert!(sentence.contains("wait"), "{sentence}");
    assert_eq!(Sent::get("/").to(&node).await.status, StatusCode::OK, "looking is not held back");
    let metrics = Sent::get("/metrics").to(&node).await;
    let counted = metrics.text().lines().find(|line| line.starts_with("lamppost_sign_ins_refused_total"));
    assert!(counted.is_some_and(|line| !line.ends_with(" 0")), "{counted:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_very_place_is_shown_to_the_owner_and_the_operator_alone() {
    let node = Node::start(60).await;
    let (owner, operator) = (sign_in(&node, &node.owner).await, sign_in(&node, &node.operator).await);
    let stranger = sign_in(&node, &SigningKey::from_seed([99; 32])).await;
    let (kid, exact) = (node.kid(), "57.1497");
    let ask = async |path: &str, cookie: Option<&str>| Sent { cookie, ..Sent::get(path) }.to(&node).await;
    for path in [format!("/api/v1/devices/{kid}"), "/api/v1/devices".to_owned(), format!("/devices/{kid}")] {
        for cookie in [None, Some(stranger.cookie.as_str()), Some("lamppost_session=AAAA")] {
            let answer = ask(&path, cookie).await;
            assert_eq!(answer.status, StatusCode::OK);
            assert!(!answer.text().contains(exact), "{path} for {cookie:?}");
        }
        for browser in [&owner, &operator] {
            let answer = ask(&path, Some(&browser.cookie)).await;
            assert!(answer.text().contains(exact), "{path}: {}", answer.text());
            assert_eq!(header_of(&answer, header::CACHE_CONTROL), "private, no-store");
            assert!(header_of(&answer, header::VARY).split(", ").any(|header| header == "cookie"));
        }
    }
    let public = ask(&format!("/api/v1/devices/{kid}"), None).await.json();
    let own = ask(&format!("/api/v1/devices/{kid}"), Some(&owner.cookie)).await.json();
    assert_eq!(
        (&public["position_precision"], &own["position_precision"]),
        (&"cell".into(), &"exact".into())
    );
    let degrees = |place: &serde_json::Value| place["latitude"].to_string().parse::<f64>().unwrap();
    assert!(
        (degrees(&public["position"]) - degrees(&own["position"])).abs() < 0.01,
        "it is near all the same"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn every_page_says_who_is_signed_in_and_has_the_way_out() {
    let node = Node::start(60).await;
    let own = sign_in(&node, &node.owner).await;
    let account = node.owner_account();
    for path in [
        "/",
        &format!("/devices/{}", node.kid()),
        &format!("/accounts/{account}"),
        "/blocks/0",
        "/nowhere",
        "/sign-in",
    ] {
        let page = Sent::get(path).by(&own).to(&node).await;
        let header = page.text().split("<main").next().unwrap();
        assert!(header.contains("Owner") && header.contains(&format!("/accounts/{account}")), "{path}");
        assert!(header.contains("action=\"/sign-out\"") && header.contains("name=\"token\""), "{path}");
        assert!(!header.contains(&own.token), "{path}: no two pages have the token alike");
        let public = Sent::get(path).to(&node).await;
        let header = public.text().split("<main").next().unwrap();
        assert!(header.contains("href=\"/sign-in\"") && !header.contains("/sign-out"), "{path}");
    }
    let sessions = Sent::get("/sessions").to(&node).await;
    assert_eq!(
        (sessions.status, header_of(&sessions, header::LOCATION)),
        (StatusCode::SEE_OTHER, "/sign-in")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_passkey_is_begun_by_ones_own_page_of_a_known_account_alone() {
    let node = Node::start(60).await;
    let own = sign_in(&node, &node.owner).await;
    let stranger = sign_in(&node, &SigningKey::from_seed([99; 32])).await;
    let begin = async |browser: Option<&Browser>, token: &str, origin: &str| {
        let request = Request::post("/api/v1/passkeys/challenges").header(header::ORIGIN, origin);
        let request = request.header("lamppost-form-token", token);
        let request =
            browser.into_iter().fold(request, |request, own| request.header(header::COOKIE, &own.cookie));
        node.send(request.body(Body::from("{}")).unwrap()).await
    };
    begin(None, &own.token, SITE).await.problem(StatusCode::UNAUTHORIZED);
    begin(Some(&own), "", SITE).await.problem(StatusCode::FORBIDDEN);
    begin(Some(&own), &stranger.token, SITE).await.problem(StatusCode::FORBIDDEN);
    begin(Some(&own), &own.token, EVIL).await.problem(StatusCode::FORBIDDEN);
    let sentence = begin(Some(&stranger), &stranger.token, SITE).await.problem(StatusCode::FORBIDDEN);
    assert!(sentence.contains("the ledger knows"), "{sentence}");
    let begun = begin(Some(&own), &own.token, SITE).await;
    assert_eq!(begun.status, StatusCode::CREATED, "{}", begun.text());
    assert_eq!(begun.json()["options"]["publicKey"]["rp"]["id"], "localhost");
    let kept = Sent { content_type: "application/json", ..Sent::form("/api/v1/sign-in/passkeys", "{}") };
    kept.from(Some(EVIL)).to(&node).await.problem(StatusCode::FORBIDDEN);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_only_looks_and_signs_for_nobody() {
    let node = Node::start(60).await;
    let operator = sign_in(&node, &node.operator).await;
    let entries = async || node.get("/api/v1/status").await.json()["log_size"].as_u64().unwrap();
    let before = entries().await;
    for body in [b"".to_vec(), signed(&node.operator, "devnet", [1; 32], SITE)] {
        let answer = Sent::cose("/api/v1/transactions", body).by(&operator).to(&node).await;
        assert!(answer.status.is_client_error(), "the cookie makes no transaction of it");
    }
    assert_eq!(entries().await, before, "nothing entered the ledger");
}
