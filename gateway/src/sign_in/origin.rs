//! Where people reach this node: the origins that may sign in, and what a form must say of where it was sent from.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use devices::limits::ORIGIN_BYTES_MAX;

/// A text is no address to reach the node by.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OriginError {
    /// It has another form.
    #[error("write it as https://HOST or http://HOST:PORT, without a path")]
    Form,
    /// The host is none.
    #[error("the host must be a name of letters, digits, dots and hyphens, or an IP address")]
    Host,
    /// The port is none.
    #[error("the port must be a number from 1 to 65535")]
    Port,
}

/// A scheme, a host and a port, as browsers write them (RFC 6454 section 6.2): lower case, no port that goes without saying.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Origin {
    secure: bool,
    host: String,
    port: u16,
}

impl Origin {
    fn http(host: &str, port: u16) -> Origin {
        Origin { secure: false, host: host.to_owned(), port }
    }

    /// Whether only encrypted connections reach it.
    pub fn is_secure(&self) -> bool {
        self.secure
    }

    /// The host, an IPv6 address in brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Whether the host is a name: passkeys are bound to names, never to addresses.
    pub fn has_a_name(&self) -> bool {
        self.host.parse::<Ipv4Addr>().is_err() && !self.host.starts_with('[')
    }

    /// Whether it leads to the machine that asks.
    pub fn is_this_machine(&self) -> bool {
        let address = self.host.trim_matches(['[', ']']).parse::<IpAddr>();
        self.host == "localhost" || address.is_ok_and(|address| address.is_loopback())
    }

    /// Whether both lead to the same port of the machine that asks.
    pub fn is_the_same_machine_as(&self, other: &Origin) -> bool {
        let both = self.is_this_machine() && other.is_this_machine();
        self == other || (both && self.secure == other.secure && self.port == other.port)
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, usual) = if self.secure { ("https", 443) } else { ("http", 80) };
        write!(out, "{scheme}://{}", self.host)?;
        if self.port == usual { Ok(()) } else { write!(out, ":{}", self.port) }
    }
}

impl FromStr for Origin {
    type Err = OriginError;

    fn from_str(text: &str) -> Result<Origin, OriginError> {
        let text = text.strip_suffix('/').unwrap_or(text);
        if text.len() > ORIGIN_BYTES_MAX {
            return Err(OriginError::Form);
        }
        let lower = text.to_ascii_lowercase();
        let (secure, rest) = match lower.split_once("://") {
            Some(("https", rest)) => (true, rest),
            Some(("http", rest)) => (false, rest),
            _ => return Err(OriginError::Form),
        };
        let (host, port) = match rest.rfind(']') {
            Some(end) => rest.split_at(end + 1),
            None => rest.split_at(rest.find(':').unwrap_or(rest.len())),
        };
        let port = match port.strip_prefix(':') {
            None if port.is_empty() => {
                if secure {
                    443
                } else {
                    80
                }
            }
            Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                digits.parse().ok().filter(|port| *port > 0).ok_or(OriginError::Port)?
            }
            _ => return Err(if port.starts_with(':') { OriginError::Port } else { OriginError::Form }),
        };
        let host = host_of(host).ok_or(OriginError::Host)?;
        Ok(Origin { secure, host, port })
    }
}

/// A host name or address in its one spelling.
fn host_of(text: &str) -> Option<String> {
    if let Some(inner) = text.strip_prefix('[') {
        let address: Ipv6Addr = inner.strip_suffix(']')?.parse().ok()?;
        return Some(format!("[{address}]"));
    }
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.';
    let labels =
        text.split('.').all(|label| !label.is_empty() && !label.starts_with('-') && !label.ends_with('-'));
    // Browsers read a host whose last label is a number as an IPv4 address, whatever way it is written.
    let numeric =
        text.rsplit('.').next().is_some_and(|last| last.starts_with(|first: char| first.is_ascii_digit()));
    let sound = !text.is_empty() && text.len() <= 253 && text.bytes().all(allowed) && labels;
    (sound && (!numeric || text.parse::<Ipv4Addr>().is_ok())).then(|| text.to_owned())
}

/// The origins by which this node may be signed in to.
#[derive(Debug, Clone)]
pub struct Origins {
    own: Origin,
    others: Vec<Origin>,
    configured: bool,
}

impl Origins {
    /// What the operator says the node is reached by, and nothing else; or, where nothing was said, the names of the machine
    /// itself at the port where the node listens.
    pub fn new(public_url: Option<Origin>, listening: SocketAddr) -> Origins {
        if let Some(own) = public_url {
            return Origins { own, others: Vec::new(), configured: true };
        }
        let (address, port) = (listening.ip(), listening.port());
        let literal = match address {
            IpAddr::V4(address) => address.to_string(),
            IpAddr::V6(address) => format!("[{address}]"),
        };
        let usual = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
        if address.is_unspecified() || usual.contains(&address) {
            let others = ["127.0.0.1", "[::1]"].map(|host| Origin::http(host, port)).to_vec();
            return Origins { own: Origin::http("localhost", port), others, configured: false };
        }
        Origins { own: Origin::http(&literal, port), others: Vec::new(), configured: false }
    }

    /// The one that is told to people.
    pub fn own(&self) -> &Origin {
        &self.own
    }

    /// Whether the operator said it.
    pub fn are_configured(&self) -> bool {
        self.configured
    }

    /// The origin of this text, where it is one of them.
    pub fn find(&self, text: &str) -> Option<&Origin> {
        std::iter::once(&self.own).chain(&self.others).find(|origin| origin.to_string() == text)
    }

    /// The origin that a request's `Host` names. Behind a proxy the proxy may say anything: then it is the configured one.
    pub fn of_host(&self, host: &str) -> Option<&Origin> {
        if self.configured {
            return Some(&self.own);
        }
        self.find(&format!("http://{}", host.to_ascii_lowercase()))
    }

    /// Whether a request that changes something was sent by one of this node's own pages, as the browser says it
    /// (`Origin`, Fetch §3.1; `Sec-Fetch-Site`, Fetch Metadata §2.4). Where it says neither, it was not.
    pub fn sent(&self, origin: Option<&str>, fetch_site: Option<&str>) -> bool {
        let own_origin = origin.map(|origin| self.find(origin).is_some());
        let own_site = fetch_site.map(|site| site == "same-origin");
        match (own_origin, own_site) {
            (Some(true), site) => site != Some(false),
            // A browser that keeps its origin to itself (`null`) can still say that it is the same one.
            (Some(false), Some(true)) => origin == Some("null"),
            (None, Some(true)) => true,
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origins(public_url: Option<&str>, listening: &str) -> Origins {
        Origins::new(public_url.map(|url| url.parse().unwrap()), listening.parse().unwrap())
    }

    #[test]
    fn an_origin_has_one_spelling() {
        for (text, written) in [
            ("https://Lamppost.Example/", "https://lamppost.example"),
            ("https://lamppost.example:443", "https://lamppost.example"),
            ("http://lamppost.example:443", "http://lamppost.example:443"),
            ("HTTP://127.0.0.1:80", "http://127.0.0.1"),
            ("http://[0:0::1]:8080", "http://[::1]:8080"),
        ] {
            assert_eq!(
                text.parse::<Origin>().map(|origin| origin.to_string()).as_deref(),
                Ok(written),
                "{text}"
            );
        }
        for wrong in [
            "",
            "lamppost.example",
            "ftp://a",
            "https://",
            "https://a/b",
            "https://a?b",
            "https://a#b",
            "https://u@a",
            "https://a b",
            "https://a:0",
            "https://a:65536",
            "https://a:",
            "https://a:+1",
            "https://[::1",
            "https://::1",
            "https://a..b",
            "https://-a",
            "https://a.1",
            "https://0x7f.1",
            "https://[127.0.0.1]",
            "https://ä.example",
            "https://a\nb",
            "javascript://a",
        ] {
            assert!(wrong.parse::<Origin>().is_err(), "{wrong}");
        }
        assert!(format!("https://{}", "a".repeat(254)).parse::<Origin>().is_err());
    }

    #[test]
    fn passkeys_need_a_name() {
        let named = |text: &str| text.parse::<Origin>().unwrap().has_a_name();
        assert!(named("http://localhost:8080") && named("https://lamppost.example"));
        assert!(!named("http://127.0.0.1:8080") && !named("http://[::1]:8080"));
    }

    #[test]
    fn without_a_public_url_only_the_machine_itself_signs_in() {
        let here = origins(None, "127.0.0.1:8080");
        assert_eq!(here.own().to_string(), "http://localhost:8080");
        for own in ["http://localhost:8080", "http://127.0.0.1:8080", "http://[::1]:8080"] {
            assert!(here.find(own).is_some(), "{own}");
        }
        for foreign in
            ["http://localhost:8081", "https://localhost:8080", "http://localhost.evil.example:8080", "null"]
        {
            assert!(here.find(foreign).is_none(), "{foreign}");
        }
        assert!(origins(None, "0.0.0.0:8080").find("http://192.0.2.1:8080").is_none());
        assert_eq!(origins(None, "192.0.2.1:8080").own().to_string(), "http://192.0.2.1:8080");
    }

    #[test]
    fn with_a_public_url_nothing_else_signs_in() {
        let public = origins(Some("https://lamppost.example"), "127.0.0.1:8080");
        assert!(public.find("https://lamppost.example").is_some());
        for foreign in ["http://lamppost.example", "http://localhost:8080", "https://lamppost.example.evil"] {
            assert!(public.find(foreign).is_none(), "{foreign}");
        }
        assert_eq!(public.of_host("127.0.0.1:8080"), Some(public.own()), "the proxy names what it likes");
    }

    #[test]
    fn a_form_of_another_site_is_told_from_ours() {
        let here = origins(Some("https://lamppost.example"), "127.0.0.1:8080");
        let own = Some("https://lamppost.example");
        assert!(here.sent(own, None));
        assert!(here.sent(own, Some("same-origin")));
        assert!(here.sent(None, Some("same-origin")));
        assert!(here.sent(Some("null"), Some("same-origin")));
        for (origin, site) in [
            (None, None),
            (Some("null"), None),
            (Some("https://evil.example"), None),
            (Some("https://evil.example"), Some("same-origin")),
            (Some("https://evil.example"), Some("cross-site")),
            (Some("https://lamppost.example.evil"), None),
            (Some("http://lamppost.example"), None),
            (own, Some("cross-site")),
            (own, Some("same-site")),
            (None, Some("same-site")),
            (None, Some("none")),
            (Some("null"), Some("cross-site")),
        ] {
            assert!(!here.sent(origin, site), "{origin:?} {site:?}");
        }
    }
}
