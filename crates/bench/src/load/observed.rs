//! What the operating system knows about the servers under load, their child processes included.

use std::{fs, time::Duration};

use anyhow::Context;
use nix::{
    sys::signal::{Signal, kill},
    time::clock_getcpuclockid,
    unistd::Pid,
};

use crate::process::{Process, number_of};

/// Processes, each with all its descendants.
#[derive(Clone, Default)]
pub(crate) struct Observed {
    roots: Vec<u32>,
}

impl Observed {
    pub(crate) fn new(roots: Vec<u32>) -> Self {
        Self { roots }
    }

    /// User and system time that all of them have used, to the nanosecond.
    pub(crate) fn cpu_time(&self) -> anyhow::Result<Duration> {
        self.tree().into_iter().map(cpu_time_of).sum()
    }

    /// Memory in use in KiB, each shared page divided by the number of its users.
    pub(crate) fn proportional_kib(&self) -> anyhow::Result<u64> {
        self.tree().into_iter().map(|id| Process::new(id).proportional_kib()).sum()
    }

    /// Ends all of them at once.
    pub(crate) fn kill(&self) {
        for id in self.tree().into_iter().filter_map(|id| i32::try_from(id).ok()) {
            // One that has ended already is what is wanted.
            let _ = kill(Pid::from_raw(id), Signal::SIGKILL);
        }
    }

    fn tree(&self) -> Vec<u32> {
        let mut all = self.roots.clone();
        let mut next = 0;
        while let Some(id) = all.get(next) {
            let children = children_of(*id);
            all.extend(children);
            next += 1;
        }
        all
    }
}

/// CPU time of this process, the load generator.
pub(crate) fn own_cpu_time() -> anyhow::Result<Duration> {
    cpu_time_of(std::process::id())
}

fn cpu_time_of(id: u32) -> anyhow::Result<Duration> {
    let clock = clock_getcpuclockid(Pid::from_raw(i32::try_from(id)?));
    let clock = clock.with_context(|| format!("no CPU clock of process {id}: has it ended?"))?;
    Ok(clock.now()?.into())
}

/// See proc(5), `/proc/PID/task/TID/children`.
fn children_of(id: u32) -> Vec<u32> {
    let threads = fs::read_dir(format!("/proc/{id}/task")).into_iter().flatten().flatten();
    let lists = threads.filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok());
    lists.flat_map(|list| list.split_whitespace().filter_map(|id| id.parse().ok()).collect::<Vec<_>>()).collect()
}

/// The load average of the last minute.
pub(crate) fn load_average() -> anyhow::Result<f64> {
    let all = fs::read_to_string("/proc/loadavg")?;
    Ok(all.split(' ').next().unwrap_or_default().parse()?)
}

/// Memory that programs may still ask for, in KiB.
pub(crate) fn available_kib() -> anyhow::Result<u64> {
    number_of(&fs::read_to_string("/proc/meminfo")?, "MemAvailable:")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::process::Command;

    use super::*;

    #[test]
    fn child_processes_are_seen() {
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        let me = Observed::new(vec![std::process::id()]);
        let seen = me.tree().contains(&child.id());
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(seen);
    }

    #[test]
    fn the_system_tells_what_is_asked_for() {
        // This process has children of other tests, which come and go.
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        let observed = Observed::new(vec![child.id()]);
        // It may not have run yet.
        let began = std::time::Instant::now();
        while observed.cpu_time().unwrap().is_zero() && began.elapsed() < Duration::from_secs(20) {
            std::thread::yield_now();
        }
        let (cpu_time, memory) = (observed.cpu_time(), observed.proportional_kib());
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(cpu_time.unwrap() > Duration::ZERO);
        assert!(memory.unwrap() > 0);
        assert!(own_cpu_time().unwrap() > Duration::ZERO);
        assert!(load_average().unwrap() >= 0.0);
        assert!(available_kib().unwrap() > 0);
    }

    #[test]
    fn a_process_that_is_no_more_is_an_error() {
        let mut child = Command::new("true").spawn().unwrap();
        child.wait().unwrap();
        assert!(Observed::new(vec![child.id()]).cpu_time().is_err());
    }
}
