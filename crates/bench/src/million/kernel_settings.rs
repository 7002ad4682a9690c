//! Settings of the kernel that limit connections: whether they are high enough, and raising them for the time of a run.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use anyhow::Context;

use super::plan::Plan;
use crate::load::SOURCE_ADDRESSES;

/// Files that everything else opens meanwhile, generously.
const OTHER_FILES: u64 = 20_000;
const PORTS: &str = "net.ipv4.ip_local_port_range";
/// The widest range that leaves the low ports alone.
const ALL_PORTS: &str = "1024\t65535";

/// A setting that is too low.
#[derive(Debug, PartialEq, Eq)]
struct TooLow {
    name: &'static str,
    now: String,
    wanted: String,
}

/// Raised settings; dropping it sets them back.
pub(super) struct Raised(Vec<(PathBuf, String)>);

/// Looks at the settings, and raises those that are too low where `may_raise`.
pub(super) fn ensure(plan: &Plan, width: usize, may_raise: bool) -> anyhow::Result<Raised> {
    let mut raised = Raised(Vec::new());
    for TooLow { name, now, wanted } in too_low(plan, width)? {
        let connections = plan.connections;
        let hint = format!("`sysctl -w {name}='{wanted}'` as root, or --raise-limits, which sets it back afterwards");
        anyhow::ensure!(may_raise, "{name} is {now}, too low for {connections} connections: {hint}");
        fs::write(file(name), &wanted)
            .with_context(|| format!("{name} cannot be raised to {wanted}: are you root?"))?;
        eprintln!("{name} is {wanted} for the time of this run; it was {now}");
        raised.0.push((file(name), now));
    }
    Ok(raised)
}

impl Drop for Raised {
    fn drop(&mut self) {
        for (file, before) in &self.0 {
            if let Err(error) = fs::write(file, before) {
                eprintln!("{} should be {before} again: {error}", file.display());
            }
        }
    }
}

fn too_low(plan: &Plan, width: usize) -> anyhow::Result<Vec<TooLow>> {
    // Both ends are here.
    let (ends, width) = (2 * plan.connections as u64 + OTHER_FILES, width as u64);
    let mut all = vec![
        at_least("fs.file-max", ends + in_use(&read("fs.file-nr")?)?)?,
        at_least("fs.epoll.max_user_watches", ends)?,
        at_least("net.core.somaxconn", width)?,
    ];
    let (now, ports) = (read(PORTS)?, plan.each_address(SOURCE_ADDRESSES));
    all.push((ports_of(&now)? < ports).then(|| TooLow { name: PORTS, now, wanted: ALL_PORTS.to_owned() }));
    if connections_are_tracked() {
        all.push(at_least("net.netfilter.nf_conntrack_max", ends)?);
    }
    Ok(all.into_iter().flatten().collect())
}

/// Where a firewall follows connections, each takes an entry of a table.
fn connections_are_tracked() -> bool {
    read("net.netfilter.nf_conntrack_count").is_ok_and(|count| count != "0")
}

fn at_least(name: &'static str, least: u64) -> anyhow::Result<Option<TooLow>> {
    let now = read(name)?;
    // A number that does not fit is high enough.
    let is_low = now.parse::<u64>().is_ok_and(|now| now < least);
    Ok(is_low.then(|| TooLow { name, now, wanted: least.to_string() }))
}

fn in_use(file_nr: &str) -> anyhow::Result<u64> {
    Ok(file_nr.split_whitespace().next().unwrap_or_default().parse()?)
}

/// How many ports there are in a range such as `32768 60999`.
fn ports_of(range: &str) -> anyhow::Result<usize> {
    let (first, last) = range.split_once(char::is_whitespace).with_context(|| format!("{PORTS} is {range}"))?;
    let (first, last): (usize, usize) = (first.parse()?, last.trim().parse()?);
    Ok((last + 1).saturating_sub(first))
}

fn read(name: &str) -> io::Result<String> {
    Ok(fs::read_to_string(file(name))?.trim().to_owned())
}

/// See proc(5), `/proc/sys`.
fn file(name: &str) -> PathBuf {
    Path::new("/proc/sys").join(name.replace('.', "/"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn settings_are_read_and_compared() {
        assert_eq!(at_least("fs.file-max", 1).unwrap(), None);
        let low = at_least("net.core.somaxconn", u64::MAX).unwrap().unwrap();
        assert_eq!((low.name, low.wanted), ("net.core.somaxconn", u64::MAX.to_string()));
        assert_eq!(in_use("1157\t0\t2466193").unwrap(), 1_157);
    }

    #[test]
    fn a_range_of_ports_has_both_ends() {
        assert_eq!(ports_of("32768\t60999").unwrap(), 28_232);
        assert_eq!(ports_of("5 5").unwrap(), 1);
        assert!(ports_of("5").is_err());
    }

    #[test]
    fn what_was_raised_is_set_back() {
        let setting = tempfile::NamedTempFile::new().unwrap();
        drop(Raised(vec![(setting.path().to_owned(), "128".to_owned())]));
        assert_eq!(fs::read_to_string(setting.path()).unwrap(), "128");
    }

    #[test]
    fn a_setting_that_is_too_low_is_named_with_what_it_should_be() {
        let plan = Plan::new(400_000_000, 1_048_576).unwrap();
        let error = ensure(&plan, 1, false).err().unwrap().to_string();
        assert!(error.contains("sysctl -w ") && error.contains("--raise-limits"), "{error}");
    }
}
