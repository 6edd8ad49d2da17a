//! Builds the pages anew when `cargo xtask assets` has changed the libraries: the directory is embedded as a whole.

fn main() {
    println!("cargo:rerun-if-changed=vendor");
}
