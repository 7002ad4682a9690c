//! Fills the index, and works on it from one thread.

use std::{
    ops::ControlFlow::{Break, Continue},
    time::Duration,
};

use hdrhistogram::Histogram;
use holodrive::dispatch::{Fleet, Point, Position};
use holodrive_protocol::{Timestamp, UserId, http::DriverStatus};
use nix::time::ClockId;

use super::Args;
use crate::{
    cities::{Cities, Numbers, step},
    process::Process,
};

/// Moves between two searches: what a search finds in the processor's caches is not what the one before it left there.
const MOVES_BETWEEN: usize = 20;
const AWAY_AFTER: Duration = Duration::from_secs(120);

/// What was measured.
pub(super) struct Figures {
    pub(super) bytes_per_driver: f64,
    pub(super) moves_per_second: f64,
    /// How long it takes to find the nearest free driver, in nanoseconds.
    pub(super) nearest: Histogram<u64>,
    /// The same for the nearest ten.
    pub(super) nearest_ten: Histogram<u64>,
}

/// Drivers who drive around.
struct Traffic {
    fleet: Fleet,
    at: Vec<Point>,
    numbers: Numbers,
    /// Microseconds since the beginning: each move is told one later than the one before.
    now: i64,
}

pub(super) fn measure(args: &Args, cities: &Cities) -> anyhow::Result<Figures> {
    let mut numbers = Numbers::new();
    let at = (0..args.drivers).map(|_| cities.place(&mut numbers)).collect::<Result<Vec<_>, _>>()?;
    let before = memory()?;
    let mut traffic = Traffic { fleet: Fleet::new(AWAY_AFTER), at, numbers, now: 0 };
    traffic.begin(args.busy.0);
    let bytes = memory()?.saturating_sub(before);
    let moves_per_second = traffic.drive(args.moves)?;
    Ok(Figures {
        bytes_per_driver: per(bytes, args.drivers),
        moves_per_second,
        nearest: traffic.search(args, cities, 1)?,
        nearest_ten: traffic.search(args, cities, 10)?,
    })
}

impl Traffic {
    /// Everybody is online and tells where he is.
    fn begin(&mut self, busy: f64) {
        for (id, point) in (0..).zip(&self.at) {
            let driver_id = UserId::Int(id);
            self.fleet.place(driver_id, Position { point: *point, at: Timestamp::from_micros(0) });
            #[expect(clippy::cast_precision_loss, reason = "a million")]
            let has_trip = self.numbers.below(1_000_000) as f64 <= busy * 1e6;
            self.fleet.update(driver_id, |driver| {
                driver.status = Some(DriverStatus::Online);
                driver.sockets = 1;
                driver.trip = has_trip.then_some(id);
            });
        }
    }

    /// So many moves; gives how many there are in a second.
    fn drive(&mut self, moves: u32) -> anyhow::Result<f64> {
        let began = cpu_time()?;
        (0..moves).try_for_each(|_| self.one_move())?;
        Ok(f64::from(moves) / cpu_time()?.saturating_sub(began).as_secs_f64())
    }

    fn one_move(&mut self) -> anyhow::Result<()> {
        let which = self.numbers.below(self.at.len());
        self.at[which] = step(self.at[which], &mut self.numbers)?;
        self.now += 1;
        let position = Position { point: self.at[which], at: Timestamp::from_micros(self.now) };
        self.fleet.place(UserId::Int(i64::try_from(which)?), position);
        self.fleet.expire(position.at);
        Ok(())
    }

    /// Searches for the nearest free drivers, from places where drivers are.
    fn search(&mut self, args: &Args, cities: &Cities, most: usize) -> anyhow::Result<Histogram<u64>> {
        let mut took = Histogram::new(3)?;
        for _ in 0..args.searches {
            (0..MOVES_BETWEEN).try_for_each(|_| self.one_move())?;
            let pickup = cities.place(&mut self.numbers)?;
            let began = cpu_time()?;
            let found = self.nearest(pickup, args.radius, most);
            took.record(u64::try_from(cpu_time()?.saturating_sub(began).as_nanos())?)?;
            anyhow::ensure!(found.len() <= most && found.is_sorted_by_key(|(_, km)| *km), "not the nearest ones");
        }
        Ok(took)
    }

    fn nearest(&self, pickup: Point, radius_km: f64, most: usize) -> Vec<(UserId, Option<f64>)> {
        let mut found = Vec::with_capacity(most);
        self.fleet.walk(pickup, radius_km, |id, driver, km| {
            if driver.trip.is_none() {
                found.push((id, km));
            }
            if found.len() < most { Continue(()) } else { Break(()) }
        });
        found
    }
}

/// What this thread has had of a core: what else runs on the machine hardly counts.
fn cpu_time() -> anyhow::Result<Duration> {
    Ok(ClockId::CLOCK_THREAD_CPUTIME_ID.now()?.into())
}

fn memory() -> anyhow::Result<u64> {
    Ok(Process::new("self").proportional_kib()? * 1_024)
}

#[expect(clippy::cast_precision_loss, reason = "bytes of memory")]
fn per(bytes: u64, drivers: u32) -> f64 {
    bytes as f64 / f64::from(drivers)
}
