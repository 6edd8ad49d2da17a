//! What the pages of a network of several validators promise: who proposes, who signed last, who is missing and who
//! contradicted itself; and that a network of one says nothing of it.

#[allow(dead_code, reason = "the other tests use more of the city than these")]
mod city;

use city::visit::{attributes, page, page_for, pages_of};
use city::{City, NOON};
use dashboard::view::*;

fn operator() -> Viewer {
    Viewer::Operator(SignedIn { account: city::account(3), form_token: FormToken::new([7; 32]) })
}

/// The section about the validators.
fn section(page: &str) -> &str {
    let rest = page.split("<section id=\"validators\"").nth(1).expect("there is the section");
    rest.split("</section>").next().unwrap_or(rest)
}

#[tokio::test]
async fn the_front_page_says_who_proposes_who_signed_and_who_is_missing() {
    let shown = page(&pages_of(City::at(NOON).of_several()), "/").await;
    let section = section(&shown);
    for said in [
        "This node is city, one of the validators.",
        "3 of 4 validators must agree on every block.",
        "one less, and no block comes",
        "Agreed on, from the next epoch on: add museum.",
        "<bdi>utility</bdi><small>proposes now</small>",
        "<span class=\"pill new\">this node</span>",
        "<span class=\"pill online\">connected</span>",
        "<span class=\"pill silent\">missing</span>",
        "newest block",
        "3 blocks ago",
        "none since the start",
        "1 shown",
        "first round",
    ] {
        assert!(section.contains(said), "{said}: {section}");
    }
    assert!(!shown.contains("No block comes"), "blocks do come");
    let ids = attributes(&shown, "id");
    let different: std::collections::BTreeSet<_> = ids.iter().collect();
    assert_eq!(ids.len(), different.len(), "an id stands once");
}

#[tokio::test]
async fn a_height_that_stands_still_is_said_at_once_with_its_cause() {
    let shown = page(&pages_of(City::at(NOON).stuck()), "/").await;
    let before_devices = shown.split("<table").next().unwrap_or_default();
    assert!(
        before_devices.contains("No block comes: no quorum: university not heard of."),
        "{before_devices}"
    );
    assert!(section(&shown).contains("6 turns went by without a block"));
}

#[tokio::test]
async fn the_operator_sees_it_on_the_desk_and_beside_the_keys() {
    let router = pages_of(City::at(NOON).of_several());
    for path in ["/operator", "/operator/validators"] {
        let shown = page_for(&router, &operator(), path).await;
        assert!(section(&shown).contains("proposes now"), "{path}");
        assert!(!shown.contains("<script>") && !shown.contains('\u{202e}'), "{path} is harmless");
    }
    let keys = page_for(&router, &operator(), "/operator/validators").await;
    assert!(
        keys.contains("utility+00000000+AAAA")
            && keys.contains("what more than two thirds of them agreed on")
    );
}

#[tokio::test]
async fn an_auditor_is_shown_every_contradiction() {
    let shown = page(&pages_of(City::at(NOON).of_several()), "/audit").await;
    for said in ["1 contradiction was shown to the ledger.", "precommits", "at height 17, round 1"] {
        assert!(shown.contains(said), "{said}: {shown}");
    }
    assert!(!shown.contains("None is known to this node."));
    assert!(shown.contains(&format!("/transactions/{}", city::hex(51_000, 1))));
}

#[tokio::test]
async fn a_lone_validator_is_not_spoken_of_as_if_there_were_others() {
    let router = pages_of(City::at(NOON));
    for path in ["/", "/operator", "/operator/validators"] {
        let shown = page_for(&router, &operator(), path).await;
        assert!(!shown.contains("<section id=\"validators\""), "{path}");
    }
    assert!(page(&router, "/audit").await.contains("None is known to this node."));
}
