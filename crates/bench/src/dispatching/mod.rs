//! How soon a driver has a new order on his socket, while thousands drive around, accept, drive and complete.
//!
//! Orders come at an even pace whether or not the server keeps up. Little's law says how many drivers are busy: orders a
//! second, times the seconds from offer to completion.

mod drivers;
mod report;
mod riders;
mod trips;

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::mpsc::unbounded_channel,
    task::spawn_blocking,
    time::{Instant, sleep_until},
};

use crate::{
    disk,
    load::{Crew, Door, Path, Schedule, own_cpu_time},
    numbers::Share,
    process, say,
    server::{Place, Server},
    site::{Member, Site},
};
use drivers::Drivers;
use report::Report;

/// Handshakes under way at once.
const WIDTH: usize = 64;
/// Longer than all of them take.
const PATIENCE: Duration = Duration::from_secs(300);
/// Riders take turns.
const RIDERS: usize = 1_000;

#[derive(clap::Args, Clone, Copy)]
pub(crate) struct Args {
    /// Drivers online, each on a socket of his own
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    drivers: u32,
    /// Positions a second that they tell, all taken together
    #[arg(long, default_value_t = 2_500, value_parser = clap::value_parser!(u32).range(1..))]
    positions: u32,
    /// Orders a second, through the HTTP API
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..))]
    orders: u32,
    /// Seconds that a driver takes to accept, on average
    #[arg(long, default_value_t = 1.0)]
    answer: f64,
    /// Seconds from there to the end of the trip, on average; three requests on the way
    #[arg(long, default_value_t = 10.0)]
    trip: f64,
    /// Drivers who never answer, of all
    #[arg(long, default_value = "0")]
    silent: Share,
    /// Seconds after which an offer to one of them ends
    #[arg(long, default_value_t = 15, value_parser = clap::value_parser!(u32).range(1..=3_600))]
    offer_timeout: u32,
    /// Seconds before the measured ones, until as many drivers are busy as will be
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(0..=3_600))]
    warm_up: u32,
    /// Seconds that are measured
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=3_600))]
    seconds: u32,
    /// Exit with status 1 unless 99 of 100 orders are with a driver 50 ms after they were due, all of them at some time, and
    /// the load was the one asked for
    #[arg(long)]
    check: bool,
}

impl Args {
    fn schedule(self) -> Schedule {
        let [warm_up, length] = [self.warm_up, self.seconds].map(|seconds| Duration::from_secs(seconds.into()));
        Schedule::after(warm_up, length)
    }
}

pub(crate) async fn run(place: &Place, args: Args) -> anyhow::Result<()> {
    process::require_open_files(args.drivers as usize)?;
    say(&disk::describe(&place.dir)?)?;
    let site = Site::prepare(place, &settings(args))?;
    let drivers = site.add_members("driver", args.drivers as usize, Some("Driver")).await?;
    let riders = site.add_members("rider", RIDERS, None).await?;
    let server = Server::start(place, &site)?;
    let report = measure(&server, drivers, riders, args).await?;
    report.print()?;
    if args.check { report.check() } else { Ok(()) }
}

fn settings(args: Args) -> Vec<(&'static str, String)> {
    vec![("ORDER_OFFER_TIMEOUT", args.offer_timeout.to_string())]
}

async fn measure(server: &Server, drivers: Vec<Member>, riders: Vec<Member>, args: Args) -> anyhow::Result<Report> {
    let (started, starting) = unbounded_channel();
    let address: SocketAddr = server.address().parse()?;
    let share = (doors(address, &drivers), Drivers::new(args, started)?);
    let crew = spawn_blocking(move || open(Crew::start(vec![share], WIDTH), args.drivers as usize)).await??;

    let schedule = args.schedule();
    crew.go(schedule);
    let (mean, failed) = (Duration::try_from_secs_f64(args.trip)?, Arc::<AtomicUsize>::default());
    let trips = tokio::spawn(trips::drive(address, drivers, mean, starting, Arc::clone(&failed)));
    let orders = tokio::spawn(riders::order(address, riders, args.orders, schedule));
    sleep_until(Instant::from_std(schedule.from)).await;
    let before = (server.process().cpu_time()?, own_cpu_time()?);
    sleep_until(Instant::from_std(schedule.to)).await;
    let after = (server.process().cpu_time()?, own_cpu_time()?);
    let (orders, failed_trips) = (orders.await??, failed.load(Ordering::Relaxed));
    let (count, done) = spawn_blocking(move || (crew.count.clone(), crew.join())).await?;
    let drivers = done?.remove(0).work;
    trips.abort();
    Ok(Report {
        seconds: args.seconds,
        positions_due: u64::from(args.positions) * u64::from(args.seconds),
        lost: count.lost.load(Ordering::Relaxed),
        server_cpu: after.0.saturating_sub(before.0),
        client_cpu: after.1.saturating_sub(before.1),
        peak_resident_kib: server.process().peak_resident_kib()?,
        orders,
        failed_trips,
        tally: drivers.tally,
    })
}

fn doors(address: SocketAddr, drivers: &[Member]) -> Vec<Door> {
    let token = |driver: &Member| Arc::from(driver.token.as_str());
    drivers.iter().map(|driver| Door { address, path: Path::DriverOrders, token: token(driver) }).collect()
}

fn open(crew: Crew<Drivers>, drivers: usize) -> anyhow::Result<Crew<Drivers>> {
    crew.wait_open(drivers, PATIENCE)?;
    Ok(crew)
}
