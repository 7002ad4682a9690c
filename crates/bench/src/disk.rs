//! How fast a disk is at what the server waits for: a small write that survives a power loss.

use std::{
    fs::File,
    io::{self, Write},
    path::Path,
    thread::available_parallelism,
    time::{Duration, Instant},
};

use crate::latencies::Latencies;

const WRITES: usize = 100;
/// One page of the database.
const PAGE: [u8; 4_096] = [0; 4_096];

/// One line on the machine: results mean little without it.
pub(crate) fn describe(folder: &Path) -> anyhow::Result<String> {
    let (cores, disk) = (available_parallelism()?, durable_write(folder)?);
    Ok(format!("machine: {cores} cores; writing 4 KiB durably in {}: {disk}", folder.display()))
}

/// How long a small durable write takes there.
pub(crate) fn durable_write(folder: &Path) -> anyhow::Result<String> {
    let mut syncs = Latencies::new()?;
    let mut file = tempfile::tempfile_in(folder)?;
    for _ in 0..WRITES {
        syncs.record(append_durably(&mut file)?)?;
    }
    let [median, p99] = [50.0, 99.0].map(|percent| syncs.percentile(percent).as_secs_f64() * 1_000.0);
    Ok(format!("median {median:.1} ms, p99 {p99:.1} ms"))
}

fn append_durably(file: &mut File) -> io::Result<Duration> {
    let began = Instant::now();
    file.write_all(&PAGE)?;
    file.sync_data()?;
    Ok(began.elapsed())
}
