//! `lamppost device list` and `show`: what the registry says.

use serde_json::Value;

use crate::client::Client;
use crate::commands::output;

/// Prints every device of the network.
///
/// # Errors
/// When the node cannot be reached, or answers something else.
pub fn list(client: &Client, as_json: bool) -> anyhow::Result<()> {
    let mut devices = Vec::new();
    let mut path = "/api/v1/devices".to_owned();
    // A long list comes in pieces; the last kid of one is where the next begins.
    loop {
        let Value::Array(piece) = client.json(&path)? else {
            anyhow::bail!("the node's list of devices is none")
        };
        let Some(last) = piece.last() else { break };
        path = format!("/api/v1/devices?after={}", output::member(last, "/kid"));
        devices.extend(piece);
    }
    if as_json {
        return output::json(&Value::Array(devices));
    }
    if devices.is_empty() {
        return output::line("no device is enrolled yet: `lamppost device enrol --help` says how");
    }
    let mut text = format!(
        "{:<16}  {:<8}  {:<24}  {:>10}  {:>14}\n",
        "kid", "status", "last reading", "envelopes", "earned"
    );
    for device in &devices {
        text.push_str(&format!(
            "{:<16}  {:<8}  {:<24}  {:>10}  {:>14}\n",
            output::member(device, "/kid"),
            output::member(device, "/status"),
            output::member(device, "/last_reading"),
            output::member(device, "/accepted/envelopes"),
            output::member(device, "/earned_total/tokens"),
        ));
    }
    output::text(&text)
}

/// Prints one device.
///
/// # Errors
/// When stdout cannot be written.
pub fn show(device: &Value) -> anyhow::Result<()> {
    let rows = [
        ("kid", "/kid"),
        ("public key", "/public_key"),
        ("owner", "/owner"),
        ("offered to", "/offered_to"),
        ("replaces", "/replaces"),
        ("replaced by", "/replaced_by"),
        ("status", "/status"),
        ("latitude", "/position/latitude"),
        ("longitude", "/position/longitude"),
        ("position is", "/position_precision"),
        ("cell", "/cell"),
        ("last reading", "/last_reading"),
        ("boot", "/last_sequence/boot"),
        ("count", "/last_sequence/count"),
        ("envelopes", "/accepted/envelopes"),
        ("records", "/accepted/records"),
        ("earned (epoch)", "/earned_epoch/tokens"),
        ("earned (all)", "/earned_total/tokens"),
    ];
    // What says nothing of this device is left out; an owner that is missing says something.
    let always = ["kid", "public key", "owner", "status"];
    let said = |(title, pointer): &&(&str, &str)| {
        always.contains(title) || device.pointer(pointer).is_some_and(|value| !value.is_null())
    };
    let text: String = rows
        .iter()
        .filter(said)
        .map(|(title, pointer)| format!("{title:<16}{}\n", output::member(device, pointer)))
        .collect();
    output::text(&text)?;
    let former = device.get("former_owners").and_then(Value::as_array);
    for former in former.into_iter().flatten() {
        let (owner, until) = (output::member(former, "/owner"), output::member(former, "/until"));
        output::line(format!("{:<16}{owner} until {until}", "former owner"))?;
    }
    let refused = device.get("refused").and_then(Value::as_object);
    for (reason, count) in refused.into_iter().flatten().filter(|(_, count)| count.as_u64() != Some(0)) {
        output::line(format!("{:<16}{count} {}", "refused", crate::client::printable(reason)))?;
    }
    Ok(())
}
