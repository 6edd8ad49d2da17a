//! Who looks: what is shown beyond the public pages depends on this alone.

use super::FormToken;

/// Who looks at a page. Whoever mounts the router says so, as an extension of the request; without one it is the public.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Viewer {
    /// Anybody.
    #[default]
    Public,
    /// Somebody who holds an account's key.
    Owner(SignedIn),
    /// Who holds the key that admits devices to the network.
    Operator(SignedIn),
}

/// Somebody who is signed in.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SignedIn {
    /// The account, bech32m text.
    pub account: String,
    /// What every form on the page carries in its field `token`.
    pub form_token: FormToken,
}

impl Viewer {
    /// Who is signed in, if anybody is.
    pub fn signed_in(&self) -> Option<&SignedIn> {
        match self {
            Viewer::Public => None,
            Viewer::Owner(who) | Viewer::Operator(who) => Some(who),
        }
    }

    /// The account that is signed in.
    pub fn account(&self) -> Option<&str> {
        self.signed_in().map(|who| who.account.as_str())
    }

    /// Whether it is the operator.
    pub fn is_operator(&self) -> bool {
        matches!(self, Viewer::Operator(_))
    }

    /// Whether this viewer may see what concerns an account's owner alone: the owner may, and the operator.
    ///
    /// ```
    /// use dashboard::view::{SignedIn, Viewer};
    /// let who = |account: &str| SignedIn { account: account.to_owned(), ..SignedIn::default() };
    /// assert!(Viewer::Owner(who("lamp1a")).may_see_of(Some("lamp1a")));
    /// assert!(!Viewer::Owner(who("lamp1b")).may_see_of(Some("lamp1a")));
    /// assert!(!Viewer::Owner(who("lamp1b")).may_see_of(None));
    /// assert!(Viewer::Operator(who("lamp1o")).may_see_of(None));
    /// assert!(!Viewer::Public.may_see_of(Some("lamp1a")));
    /// ```
    pub fn may_see_of(&self, owner: Option<&str>) -> bool {
        match self {
            Viewer::Public => false,
            Viewer::Owner(who) => owner == Some(who.account.as_str()),
            Viewer::Operator(_) => true,
        }
    }
}
