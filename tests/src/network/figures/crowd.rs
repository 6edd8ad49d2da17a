//! Many virtual devices, by `lamppost fleet`: they make the load.

use crate::node::Node;
use crate::program::{self, Ended};
use std::path::PathBuf;
use std::process::{Child, Stdio};
use tempfile::TempDir;

/// Devices that a node has enrolled.
pub(super) struct Crowd {
    devices: u32,
    operator: PathBuf,
    directory: TempDir,
}

impl Crowd {
    /// New devices, enrolled with the operator's key that lies beside the node's own.
    pub(super) fn enrolled(node: &Node, devices: u32) -> Crowd {
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        let crowd = Crowd { devices, operator: node.data.join("keys/operator.pem"), directory };
        // Enrols whoever is not known, and sends next to nothing.
        Ended::of(crowd.fleet(node, 1).args(["--seconds", "1"])).success();
        crowd
    }

    /// Publishes at this rate until what is given is dropped.
    pub(super) fn runs(&self, node: &Node, rate: u32) -> Running {
        let mut command = self.fleet(node, rate);
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        Running(child.expect("a fleet starts"))
    }

    fn fleet(&self, node: &Node, rate: u32) -> std::process::Command {
        let mut command = program::lamppost(&["fleet", "--node", &node.http]);
        command.args(["--broker", &format!("mqtt://{}", node.mqtt), "--rate", &rate.to_string()]);
        command.args(["--devices", &self.devices.to_string(), "--operator"]).arg(&self.operator);
        // Where they stopped is remembered, so that the next of them goes on there.
        command.arg("--key").arg(self.directory.path().join("fleet.pem"));
        command.arg("--state").arg(self.directory.path().join("state"));
        command
    }
}

/// Devices that publish.
pub(super) struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}
