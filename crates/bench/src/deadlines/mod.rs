//! How late offers end: many of them live at once, ending one after another.
//!
//! As offers end, their orders go to other drivers, as in real life; that is load, but measured is the first offer of each
//! order.

mod driver;
mod orders;
mod report;

use std::{sync::Arc, time::Duration};

use tokio::{sync::watch, task::JoinSet};

use crate::{
    disk, process,
    progress::wait_for,
    say,
    server::{Place, Server},
    site::{Member, Site},
    socket::{Socket, connect_all},
};
use driver::{Driver, Offer, Tally};
use report::Report;

/// Between the last offer made and the first one that ends: time to be sure that all are live.
const LEAD: Duration = Duration::from_secs(15);
/// How long to wait for what is late.
const GRACE: Duration = Duration::from_secs(15);
/// Longer than the server's sweep interval: whoever ends an offer twice has done so by then.
const SETTLE: Duration = Duration::from_secs(3);

#[derive(clap::Args, Clone, Copy)]
pub(crate) struct Args {
    /// Offers that are live at once
    #[arg(long, default_value_t = 2_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    offers: u32,
    /// Offers that a driver may hold
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    offers_per_driver: u32,
    /// Drivers, each on a socket of his own [default: as few as can hold all offers]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    drivers: Option<u32>,
    /// Seconds within which they are made, and later end
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..=3_600))]
    within: u32,
    /// Exit with status 1 unless the median is below 20 ms and the 99th percentile below 100 ms, while the orders whose offers
    /// ended were offered again
    #[arg(long)]
    check: bool,
}

impl Args {
    fn count(self) -> usize {
        self.offers as usize
    }

    fn drivers(self) -> anyhow::Result<usize> {
        let fewest = self.offers.div_ceil(self.offers_per_driver);
        let drivers = self.drivers.unwrap_or(fewest);
        anyhow::ensure!(drivers >= fewest, "{drivers} drivers cannot hold that many offers: --drivers {fewest}");
        Ok(drivers as usize)
    }

    fn within(self) -> Duration {
        Duration::from_secs(self.within.into())
    }

    fn offer_timeout(self) -> Duration {
        self.within() + LEAD
    }
}

pub(crate) async fn run(place: &Place, args: Args) -> anyhow::Result<()> {
    let drivers = args.drivers()?;
    process::require_open_files(drivers)?;
    say(&disk::describe(&place.dir)?)?;
    let site = Site::prepare(place, &settings(args))?;
    let drivers = site.add_members("driver", drivers, Some("Driver")).await?;
    let riders = site.add_members("rider", args.count(), None).await?;
    let server = Server::start(place, &site)?;
    let report = measure(&server, &drivers, &riders, args).await?;
    report.print()?;
    report.check_exactly_once()?;
    if args.check { report.check_load().and_then(|()| report.check_punctual()) } else { Ok(()) }
}

fn settings(args: Args) -> Vec<(&'static str, String)> {
    vec![
        ("ORDER_OFFER_TIMEOUT", args.offer_timeout().as_secs().to_string()),
        ("ORDER_SEARCH_TIMEOUT", (args.offer_timeout().as_secs() * 10).to_string()),
        // Nobody gets the same order again, so that driver and order name an offer.
        ("ORDER_REOFFER_AFTER", (args.offer_timeout().as_secs() * 10).to_string()),
        ("ORDER_OFFERS_PER_DRIVER", args.offers_per_driver.to_string()),
        // Every driver is within reach of every order, at any time.
        ("DISPATCH_RADIUS_KM", "100".to_owned()),
        ("DISPATCH_START_RADIUS_KM", "100".to_owned()),
    ]
}

async fn measure(server: &Server, drivers: &[Member], riders: &[Member], args: Args) -> anyhow::Result<Report> {
    let sockets = connect_all(server.address(), "/ws/driver/orders/", drivers).await?;
    let (tally, (stop, stopped)) = (Arc::new(Tally::default()), watch::channel(()));
    let mut running = start_drivers(sockets, args.offer_timeout(), &tally, &stopped).await?;
    let mut report = Report::new(args.count());

    let began = server.process().cpu_time()?;
    let orders = tokio::spawn(orders::place(server.address().to_owned(), riders.to_vec(), args.within()));
    wait_for("offers live", args.count(), args.offer_timeout(), || tally.live()).await;
    (report.all_live_at, report.still_live) = (crate::socket::now_micros(), tally.live() - tally.ended());
    report.cpu_making = server.process().cpu_time()?.saturating_sub(began);

    let began = server.process().cpu_time()?;
    wait_for("offers ended", args.count(), args.offer_timeout() + GRACE, || tally.ended()).await;
    report.cpu_ending = server.process().cpu_time()?.saturating_sub(began);
    report.peak_resident_kib = server.process().peak_resident_kib()?;
    tokio::time::sleep(SETTLE).await;
    stop.send(())?;
    report.offers = collect(&mut running).await?;
    report.placed = orders.await??;
    Ok(report)
}

/// Sends every driver to his place, and lets him listen.
async fn start_drivers(
    sockets: Vec<Socket>,
    offer_timeout: Duration,
    tally: &Arc<Tally>,
    stopped: &watch::Receiver<()>,
) -> anyhow::Result<JoinSet<anyhow::Result<Vec<Offer>>>> {
    let mut running = JoinSet::new();
    for (n, socket) in sockets.into_iter().enumerate() {
        let driver = Driver::at_his_place(socket, n, offer_timeout).await?;
        running.spawn(driver.listen(Arc::clone(tally), stopped.clone()));
    }
    Ok(running)
}

/// The offers of each driver, in the order in which he got them.
async fn collect(running: &mut JoinSet<anyhow::Result<Vec<Offer>>>) -> anyhow::Result<Vec<Vec<Offer>>> {
    let mut offers = Vec::with_capacity(running.len());
    while let Some(ended) = running.join_next().await {
        offers.push(ended??);
    }
    Ok(offers)
}
