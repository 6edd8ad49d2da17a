//! The container image: the static binary of the release, and nothing else, built without a daemon.

use crate::assets;
use crate::options::Options;
use crate::process::{self, Failure, say};
use crate::setup;
use crate::toolchain;
use std::path::PathBuf;

/// The name the image gets.
pub const IMAGE: &str = "localhost/lamppost:latest";
/// The name of the one with the consensus of several, which `compose.yaml` starts.
pub const IMAGE_OF_SEVERAL: &str = "localhost/lamppost:bft";
/// The storage driver that asks for no privilege and no module of the kernel.
pub const STORAGE: [&str; 2] = ["--storage-driver", "vfs"];

/// What `cargo xtask container --help` says.
pub const HELP: &str = "\
Builds the static binary and the container image around it, and prints both sizes.

Usage: cargo xtask container [--features bft]

  --features bft  with the consensus of several operators, as localhost/lamppost:bft: what compose.yaml starts

Example: cargo xtask container && podman run --rm -p 8080:8080 -p 1883:1883 lamppost";

/// Builds the image and prints its size.
///
/// # Errors
/// Wrong words, or what keeps it from being built.
pub fn command(arguments: &[String]) -> Result<(), Failure> {
    let mut options = Options::parse(arguments, &["--features"])?;
    let features = options.text("--features");
    options.nothing_else()?;
    match features.as_deref() {
        None => build_image(IMAGE, None).map(drop),
        Some("bft") => build_image(IMAGE_OF_SEVERAL, Some("bft")).map(drop),
        Some(other) => Err(Failure::new(format!("there is no image with `{other}`: --features takes `bft`"))),
    }
}

/// Builds the release binary for musl, then the image from the Containerfile; gives the image's size in bytes.
///
/// # Errors
/// What is missing on this machine, or what the compiler or buildah said.
fn build_image(image: &str, features: Option<&str>) -> Result<u64, Failure> {
    setup::ensure_tools(&[setup::MAKE, setup::BUILDAH, setup::PODMAN, setup::RUNC, setup::MUSL_GCC])?;
    assets::ensure_if_possible();
    let binary = build_binary(features)?;
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
        image,
    ]);
    build.arg("--file").arg(process::root().join("Containerfile")).arg(context);
    process::run(&mut build)?;
    let size = bytes_of(image)?;
    say(&format!("the image {image} has {}", megabytes(size)));
    Ok(size)
}

/// One line with the image's size.
pub fn say_size(bytes: u64) {
    say(&format!("the image {IMAGE} has {}", megabytes(bytes)));
}

fn megabytes(bytes: u64) -> String {
    format!("{}.{} MB", bytes / 1_000_000, bytes % 1_000_000 / 100_000)
}

/// What podman says that the image takes.
///
/// # Errors
/// Where there is no such image.
pub fn image_bytes() -> Result<u64, Failure> {
    bytes_of(IMAGE)
}

fn bytes_of(image: &str) -> Result<u64, Failure> {
    let mut inspect = process::command("podman");
    inspect.args(STORAGE).args(["image", "inspect", "--format", "{{.Size}}", image]);
    let printed = process::output(&mut inspect)?;
    printed
        .trim()
        .parse()
        .map_err(|_| Failure::new(format!("podman gave `{}` as the image's size", printed.trim())))
}

/// The static binary, in a directory where nothing else lies that would be sent to the builder.
fn build_binary(features: Option<&str>) -> Result<PathBuf, Failure> {
    let target = toolchain::musl();
    let toolchain = toolchain::ensure_target(&target)?;
    let mut build = toolchain.cargo("build", &target);
    build.args(["--release", "-p", "gateway", "--bin", "lamppost"]);
    if let Some(features) = features {
        build.args(["--features", features]);
    }
    process::run(&mut build)?;
    let built = process::target_dir().join(&target).join("release/lamppost");
    let context = process::target_dir().join("container");
    let copy = context.join("lamppost");
    std::fs::create_dir_all(context.join("data"))
        .and_then(|()| std::fs::copy(&built, &copy))
        .map_err(|error| Failure::new(format!("{} cannot be written: {error}", copy.display())))?;
    Ok(copy)
}
