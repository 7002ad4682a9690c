//! What the kernel keeps for open sockets, read from the caches that its objects come from.

use std::{
    collections::BTreeMap,
    fs, io,
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::Context;

use crate::process::number_of;

/// The caches of sockets, their inodes and files, and what epoll knows of them: each socket has one object in each.
const CACHES: [&str; 4] = ["TCP", "sock_inode_cache", "filp", "eventpoll_epi"];
/// A socket has one here, too, but everything else on the machine changes their number as well.
const NAMES: &str = "dentry";
const PAGE_KIB: u64 = 4;

/// How many readings are compared, and how often one is taken.
const READINGS: usize = 5;
const READ_EVERY: Duration = Duration::from_millis(200);
/// How long sockets that others have left may take to go.
const SETTLES_WITHIN: Duration = Duration::from_secs(15);
/// Readings that differ by less are alike.
const ALIKE_KIB: u64 = 512;

/// Memory of the whole machine's sockets at one moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct KernelMemory {
    caches: BTreeMap<&'static str, Cache>,
    /// What TCP has in its buffers.
    pub(crate) buffers_kib: u64,
    /// All caches of the kernel together, those of files included.
    pub(crate) slab_kib: u64,
    /// TCP sockets that are not freed yet.
    pub(crate) sockets: u64,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Cache {
    objects: u64,
    bytes_of_one: u64,
}

impl KernelMemory {
    /// What it is now. Where only root may look into the caches, those are empty.
    pub(crate) fn read() -> anyhow::Result<Self> {
        let slabs = match fs::read_to_string("/proc/slabinfo") {
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => String::new(),
            read => read.context("cannot read /proc/slabinfo")?,
        };
        let tcp = tcp_line(&fs::read_to_string("/proc/net/sockstat")?)?;
        Ok(Self {
            caches: slabs.lines().filter_map(cache).collect(),
            buffers_kib: tcp.1 * PAGE_KIB,
            slab_kib: number_of(&fs::read_to_string("/proc/meminfo")?, "Slab:")?,
            sockets: tcp.0,
        })
    }

    /// What it is once it has become steady: the kernel frees sockets some time after they are closed. The median of several
    /// readings; where other work never lets it rest, of the last ones.
    pub(crate) fn settled() -> anyhow::Result<Self> {
        let (end, mut readings) = (Instant::now() + SETTLES_WITHIN, Vec::new());
        loop {
            readings.push(Self::read()?);
            if let Some(last) = readings.len().checked_sub(READINGS).map(|first| &mut readings[first..]) {
                let own = |reading: &Self| reading.own_kib();
                let (least, most) = (last.iter().map(own).min(), last.iter().map(own).max());
                if most <= least.map(|least| least + ALIKE_KIB) || Instant::now() > end {
                    last.sort_by_key(Self::own_kib);
                    return Ok(last[READINGS / 2].clone());
                }
            }
            sleep(READ_EVERY);
        }
    }

    /// Objects of the sockets' own caches, and their buffers.
    fn own_kib(&self) -> u64 {
        let bytes =
            CACHES.iter().filter_map(|name| self.caches.get(name)).map(|cache| cache.objects * cache.bytes_of_one);
        bytes.sum::<u64>() / 1_024 + self.buffers_kib
    }

    /// Growth since `before` for each of `pairs` of ends. None where that cannot be it: each of them has two objects of each
    /// cache, so that other work on the machine is in a figure that is far from their sizes.
    pub(crate) fn kib_per_pair(&self, before: &Self, pairs: usize) -> Option<f64> {
        let of_a_pair = CACHES.iter().map(|name| Some(2 * self.caches.get(name)?.bytes_of_one)).sum::<Option<u64>>()?;
        let expected = number(of_a_pair) / 1_024.0;
        let grown = (number(self.own_kib()) - number(before.own_kib())) / number(u64::try_from(pairs).ok()?);
        (0.8 * expected..1.5 * expected).contains(&grown).then_some(grown)
    }

    /// Growth of each cache in KiB, names of files included.
    pub(crate) fn grown_by_cache(&self, before: &Self) -> Vec<(&'static str, f64)> {
        let objects = |memory: &Self, name| memory.caches.get(name).map_or(0, |cache: &Cache| cache.objects);
        let grown = |(name, cache): (&&'static str, &Cache)| {
            let more = number(objects(self, *name)) - number(objects(before, *name));
            (*name, more * number(cache.bytes_of_one) / 1_024.0)
        };
        self.caches.iter().map(grown).collect()
    }
}

#[expect(clippy::cast_precision_loss, reason = "memory is far below 2^52 bytes")]
fn number(value: u64) -> f64 {
    value as f64
}

/// See slabinfo(5): the name, objects in use, objects, and the size of one.
fn cache(line: &str) -> Option<(&'static str, Cache)> {
    let mut columns = line.split_whitespace();
    let name = columns.next()?;
    let name = CACHES.into_iter().chain([NAMES]).find(|wanted| *wanted == name)?;
    let (objects, bytes_of_one) = (columns.next()?.parse().ok()?, columns.nth(1)?.parse().ok()?);
    Some((name, Cache { objects, bytes_of_one }))
}

/// Sockets, and pages of their buffers.
fn tcp_line(sockstat: &str) -> anyhow::Result<(u64, u64)> {
    let words = sockstat.lines().find_map(|line| line.strip_prefix("TCP: "));
    let words: Vec<_> = words.context("/proc/net/sockstat tells nothing of TCP")?.split_whitespace().collect();
    let value = |name| words.iter().position(|word| *word == name).and_then(|at| words.get(at + 1)?.parse().ok());
    value("alloc").zip(value("mem")).context("/proc/net/sockstat tells neither sockets nor memory of TCP")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn with_sockets(sockets: u64) -> KernelMemory {
        let sizes = [("TCP", 2_368), ("sock_inode_cache", 832), ("filp", 192), ("eventpoll_epi", 128), ("dentry", 192)];
        let cache = |(name, bytes_of_one)| (name, Cache { objects: sockets, bytes_of_one });
        KernelMemory { caches: sizes.into_iter().map(cache).collect(), sockets, ..KernelMemory::default() }
    }

    #[test]
    fn a_pair_of_ends_has_two_of_each_object() {
        let each = with_sockets(2_100).kib_per_pair(&with_sockets(100), 1_000).unwrap();
        assert!((6.85..6.9).contains(&each), "{each}");
        let grown = with_sockets(2_100).grown_by_cache(&with_sockets(100));
        assert!(grown.contains(&("TCP", 2_000.0 * 2_368.0 / 1_024.0)) && grown.len() == 5);
    }

    #[test]
    fn what_cannot_be_the_sockets_is_no_figure() {
        assert_eq!(with_sockets(100).kib_per_pair(&with_sockets(5_000), 1_000), None, "others left meanwhile");
        assert_eq!(with_sockets(4_200).kib_per_pair(&with_sockets(0), 1_000), None, "others came meanwhile");
        assert_eq!(KernelMemory::default().kib_per_pair(&KernelMemory::default(), 1_000), None, "nobody may look");
    }

    #[test]
    fn lines_of_the_system_are_understood() {
        let line = "TCP   20 26 2368 13 8 : tunables 0 0 0";
        assert_eq!(cache(line), Some(("TCP", Cache { objects: 20, bytes_of_one: 2_368 })));
        assert_eq!(cache("TCPv6 26 26 2496 13 8 : tunables 0 0 0"), None);
        let sockets = "sockets: used 29\nTCP: inuse 1 orphan 0 tw 401 alloc 7 mem 366\nUDP: inuse 0 mem 0\n";
        assert_eq!(tcp_line(sockets).unwrap(), (7, 366));
        assert!(tcp_line("UDP: inuse 0 mem 0\n").is_err());
        assert!(KernelMemory::read().unwrap().slab_kib > 0);
    }
}
