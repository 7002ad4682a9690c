//! What Linux tells about a process, from `/proc` (see proc(5)).

use std::{fmt::Display, fs, time::Duration};

use anyhow::Context;
use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// `/proc` counts CPU time in hundredths of a second on every architecture that Linux runs servers on.
const TICK: Duration = Duration::from_millis(10);

/// A process.
#[derive(Clone)]
pub(crate) struct Process {
    folder: String,
}

impl Process {
    pub(crate) fn new(id: impl Display) -> Self {
        Self { folder: format!("/proc/{id}") }
    }

    /// Time that it has spent on a CPU, in user mode and in the kernel.
    pub(crate) fn cpu_time(&self) -> anyhow::Result<Duration> {
        let stat = self.read("stat")?;
        // The name, which may hold anything, ends at the last parenthesis; user and system time are the fields 14 and 15.
        let after_name = stat.rsplit_once(") ").map(|(_, fields)| fields).context("/proc/PID/stat has no name")?;
        let ticks = after_name.split(' ').skip(11).take(2).map(str::parse::<u32>).sum::<Result<u32, _>>()?;
        Ok(TICK * ticks)
    }

    /// The most memory that was ever in use, in KiB, shared pages included.
    pub(crate) fn peak_resident_kib(&self) -> anyhow::Result<u64> {
        number_of(&self.read("status")?, "VmHWM:")
    }

    /// Memory in use in KiB, each shared page divided by the number of its users.
    pub(crate) fn proportional_kib(&self) -> anyhow::Result<u64> {
        number_of(&self.read("smaps_rollup")?, "Pss:")
    }

    fn read(&self, file: &str) -> anyhow::Result<String> {
        let path = format!("{}/{file}", self.folder);
        fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))
    }
}

/// Descriptors that a process needs besides its connections, generously.
const OTHER_FILES: usize = 200;

/// Lets this process, and what it starts, open as many files as it may.
pub(crate) fn raise_open_files() -> anyhow::Result<()> {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    Ok(setrlimit(Resource::RLIMIT_NOFILE, hard, hard)?)
}

/// Connections that one process, or one thread with a descriptor table of its own, can have open.
pub(crate) fn connections_at_most() -> anyhow::Result<usize> {
    let (limit, _) = getrlimit(Resource::RLIMIT_NOFILE)?;
    Ok(usize::try_from(limit).unwrap_or(usize::MAX).saturating_sub(OTHER_FILES))
}

/// Fails early where this process, and the server that inherits its limits, could not open so many connections.
pub(crate) fn require_open_files(connections: usize) -> anyhow::Result<()> {
    let most = connections_at_most()?;
    let hint = format!("`ulimit -n {}`", connections + OTHER_FILES);
    anyhow::ensure!(most >= connections, "the limit on open files allows {most} connections: {hint}");
    Ok(())
}

/// The first number of the line that begins so.
pub(crate) fn number_of(text: &str, name: &str) -> anyhow::Result<u64> {
    let found = text.lines().find_map(|line| line.strip_prefix(name)?.split_whitespace().next());
    found.and_then(|number| number.parse().ok()).with_context(|| format!("/proc has no {name}"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn this_process_uses_memory_and_has_limits() {
        let me = Process::new("self");
        assert!(me.peak_resident_kib().unwrap() >= me.proportional_kib().unwrap());
        assert!(connections_at_most().unwrap() > 0);
        me.cpu_time().unwrap();
    }

    #[test]
    fn a_line_that_is_missing_is_an_error() {
        assert_eq!(number_of("VmHWM:\t  12 kB\nVmRSS:\t  7 kB\n", "VmRSS:").unwrap(), 7);
        assert!(number_of("VmHWM:\t  12 kB\n", "VmRSS:").is_err());
    }
}
