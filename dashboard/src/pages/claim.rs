//! The page on which a device becomes somebody's: by the key in the browser, or as the command that does the same.

use askama::Template;

use super::Shell;
use super::signing::Scripts;
use super::typed;
use crate::assets;
use crate::limits::TYPED_CHARACTERS_MAX;
use crate::view::Network;

/// What was typed so far.
#[derive(Debug, Clone, Default)]
pub struct Typed {
    /// `KID.PROOF`.
    pub code: String,
    /// Degrees north.
    pub latitude: String,
    /// Degrees east.
    pub longitude: String,
}

/// What draws a map to choose a place on.
struct PinLibrary {
    style: &'static str,
    script: &'static str,
    worker: &'static str,
    basemap: &'static str,
    ground: &'static str,
}

/// The page.
#[derive(Debug, Template)]
#[template(path = "claim.html")]
pub struct ClaimPage {
    shell: Shell,
    scripts: Option<Scripts>,
    code: String,
    latitude: String,
    longitude: String,
    command: Option<String>,
    complaint: Option<&'static str>,
}

super::is_a_page!(ClaimPage);

/// The command, where everything has its form; otherwise what is missing.
fn command(typed: &Typed, node: &str) -> Result<String, &'static str> {
    let (kid, proof) = typed::claim_code(&typed.code)
        .ok_or("A claim code is a kid of 16 hex digits, a point, and 128 hex digits: it is not whole.")?;
    let latitude = typed::degrees(&typed.latitude, 90)
        .ok_or("A latitude is a number from -90 to 90 with at most six decimals, such as 57.1497.")?;
    let longitude = typed::degrees(&typed.longitude, 180)
        .ok_or("A longitude is a number from -180 to 180 with at most six decimals, such as -2.0943.")?;
    Ok(format!(
        "lamppost device claim {kid} --lat {latitude} --lon {longitude} --proof {proof} --key owner.pem --node {node}"
    ))
}

impl ClaimPage {
    /// The page with what was typed; `None` where somebody just comes.
    pub fn new(network: Network, typed: Option<Typed>) -> Self {
        let (command, complaint) = match typed.as_ref().map(|typed| command(typed, &network.http_url)) {
            Some(Ok(command)) => (Some(command), None),
            Some(Err(complaint)) => (None, Some(complaint)),
            None => (None, None),
        };
        let typed = typed.unwrap_or_default();
        let cut = |text: String| text.chars().take(TYPED_CHARACTERS_MAX).collect::<String>();
        Self {
            shell: Shell::new("Claim a device", "/claim", network, false),
            scripts: Scripts::of_forms(),
            code: cut(typed.code),
            latitude: cut(typed.latitude),
            longitude: cut(typed.longitude),
            command,
            complaint,
        }
    }

    /// Whose the device becomes, as the command names it.
    fn account(&self) -> &str {
        self.shell.viewer.account().unwrap_or("ACCOUNT")
    }

    /// `None` where this build has none.
    fn library(&self) -> Option<PinLibrary> {
        self.scripts.as_ref()?;
        Some(PinLibrary {
            style: assets::MAPLIBRE_STYLE.path()?,
            script: assets::MAPLIBRE.path()?,
            worker: assets::MAPLIBRE_WORKER.path()?,
            basemap: assets::BASEMAP.path()?,
            ground: assets::GROUND.path()?,
        })
    }

    fn pin(&self) -> &'static str {
        assets::PIN.path().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_made_of_what_has_its_form_alone() {
        let typed = |code: &str, latitude: &str| Typed {
            code: code.to_owned(),
            latitude: latitude.to_owned(),
            longitude: "-2.0943".to_owned(),
        };
        let code = format!("be5de2f4bcdc383a.{}", "ab".repeat(64));
        let made = command(&typed(&code, "57.1497"), "http://127.0.0.1:8080").expect("a command");
        assert!(
            made.starts_with(
                "lamppost device claim be5de2f4bcdc383a --lat 57.1497 --lon -2.0943 --proof abab"
            )
        );
        assert!(made.ends_with("--key owner.pem --node http://127.0.0.1:8080"), "{made}");
        assert!(command(&typed(&code, "57;reboot"), "").is_err_and(|said| said.contains("latitude")));
        assert!(command(&typed("$(reboot)", "1"), "").is_err_and(|said| said.contains("claim code")));
    }
}
