//! The container image: the static binary of the release, and nothing else, built without a daemon.

use crate::assets;
use crate::process::{self, Failure, say};
use crate::setup;
use crate::toolchain;
use std::path::PathBuf;

/// The name the image gets.
pub const IMAGE: &str = "localhost/lamppost:latest";
/// The storage driver that asks for no privilege and no module of the kernel.
pub const STORAGE: [&str; 2] = ["--storage-driver", "vfs"];

/// What `cargo xtask container --help` says.
pub const HELP: &str = "\
Builds the static binary and the container image around it, and prints both sizes.

Usage: cargo xtask container

Example: cargo xtask container && podman run --rm -p 8080:8080 -p 1883:1883 lamppost";

/// Builds the image and prints its size.
pub fn command() -> Result<(), Failure> {
    build_image().map(drop)
}

/// Builds the release binary for musl, then the image from the Containerfile; gives the image's size in bytes.
///
/// # Errors
/// What is missing on this machine, or what the compiler or buildah said.
pub fn build_image() -> Result<u64, Failure> {
    setup::ensure_tools(&[setup::MAKE, setup::BUILDAH, setup::PODMAN, setup::RUNC, setup::MUSL_GCC])?;
    assets::ensure_if_possible();
    let binary = build_binary()?;
    let context = binary.parent().map(PathBuf::from).unwrap_or_default();
    let mut build = process::command("buildah");
    build.args(STORAGE).args([
        "bud",
        "--format",
        "docker",
        "--isolation",
        "chroot",
        "--layers=false",
        "--tag",
        IMAGE,
    ]);
    build.arg("--file").arg(process::root().join("Containerfile")).arg(context);
    process::run(&mut build)?;
    let size = image_bytes()?;
    say_size(size);
    Ok(size)
}

/// One line with the image's size.
pub fn say_size(bytes: u64) {
    say(&format!("the image {IMAGE} has {}.{} MB", bytes / 1_000_000, bytes % 1_000_000 / 100_000));
}

/// What podman says that the image takes.
///
/// # Errors
/// Where there is no such image.
pub fn image_bytes() -> Result<u64, Failure> {
    let mut inspect = process::command("podman");
    inspect.args(STORAGE).args(["image", "inspect", "--format", "{{.Size}}", IMAGE]);
    let printed = process::output(&mut inspect)?;
    printed
        .trim()
        .parse()
        .map_err(|_| Failure::new(format!("podman gave `{}` as the image's size", printed.trim())))
}

/// The static binary, in a directory where nothing else lies that would be sent to the builder.
fn build_binary() -> Result<PathBuf, Failure> {
    let target = toolchain::musl();
    let toolchain = toolchain::ensure_target(&target)?;
    process::run(toolchain.cargo("build", &target).args([
        "--release",
        "-p",
        "gateway",
        "--bin",
        "lamppost",
    ]))?;
    let built = process::target_dir().join(&target).join("release/lamppost");
    let context = process::target_dir().join("container");
    let copy = context.join("lamppost");
    std::fs::create_dir_all(context.join("data"))
        .and_then(|()| std::fs::copy(&built, &copy))
        .map_err(|error| Failure::new(format!("{} cannot be written: {error}", copy.display())))?;
    Ok(copy)
}
