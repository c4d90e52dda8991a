//! Compiles `proto/` without `protoc`: protox makes the descriptors, tonic-prost-build the code.

use std::error::Error;
use std::path::{Path, PathBuf};

use prost::Message as _;

const ROOT: &str = "proto";
const PACKAGE: &str = "proto/vialedger/v1";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed={ROOT}");
    let mut files: Vec<PathBuf> = std::fs::read_dir(PACKAGE)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()?;
    files.sort();
    let descriptors = protox::compile(files, [ROOT])?;
    let out = std::env::var_os("OUT_DIR").ok_or("cargo sets OUT_DIR")?;
    // Reflection serves these bytes, and a test compares them with the committed snapshot.
    std::fs::write(Path::new(&out).join("descriptors.bin"), descriptors.encode_to_vec())?;
    tonic_prost_build::configure().compile_fds(descriptors)?;
    Ok(())
}
