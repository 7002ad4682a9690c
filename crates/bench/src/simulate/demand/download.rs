//! The whole data set, from the Python Package Index.

use std::{
    fs,
    io::{Cursor, Read},
    path::Path,
};

use anyhow::Context;
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::source::{TRIPS, ZONES};
use crate::say;

/// The index in its JSON form (PEP 691).
const INDEX: &str = "https://pypi.org/simple/pyhailing/";
const JSON: &str = "application/vnd.pypi.simple.v1+json";
/// The release whose numbers these are.
const WHEEL: &str = "pyhailing-0.0.9-py3-none-any.whl";
/// The wheel has 12 MB, its larger file 26 MB.
const LARGEST: u64 = 100_000_000;

#[derive(Deserialize)]
struct Index {
    files: Vec<Release>,
}

#[derive(Deserialize)]
struct Release {
    filename: String,
    url: String,
    hashes: Hashes,
}

#[derive(Deserialize)]
struct Hashes {
    sha256: String,
}

/// Fetches the wheel, checks it against the index, and puts its two files into the folder.
pub(crate) async fn download(folder: &Path) -> anyhow::Result<()> {
    let client = reqwest::Client::new();
    let index = client.get(INDEX).header("accept", JSON).send().await?.error_for_status()?;
    let files = index.json::<Index>().await?.files;
    let release = files.into_iter().find(|file| file.filename == WHEEL);
    let release = release.with_context(|| format!("{INDEX} has no {WHEEL} any more"))?;
    let wheel = client.get(&release.url).send().await?.error_for_status()?.bytes().await?;
    let sha256 = hex(&Sha256::digest(&wheel));
    anyhow::ensure!(sha256 == release.hashes.sha256, "{} is not what the index says: SHA-256 {sha256}", release.url);
    unpack(&wheel, folder)?;
    say(&format!("{WHEEL}: {TRIPS} and {ZONES} are in {}", folder.display()))?;
    Ok(())
}

fn unpack(wheel: &[u8], folder: &Path) -> anyhow::Result<()> {
    let mut archive = zip::ZipArchive::new(Cursor::new(wheel))?;
    fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    for name in [TRIPS, ZONES] {
        let mut content = Vec::new();
        archive.by_name(&format!("pyhailing/data/{name}"))?.take(LARGEST).read_to_end(&mut content)?;
        fs::write(folder.join(name), content).with_context(|| folder.join(name).display().to_string())?;
    }
    Ok(())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}
