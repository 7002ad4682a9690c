//! The real server, over its sockets and its HTTP interface, with the same people; time passes faster, and so all its
//! timeouts are shorter.

mod api;
mod driver;
mod pace;
mod phone;
mod record;
mod rider;
#[cfg(test)]
mod tests;

use std::{sync::Arc, time::Duration};

use anyhow::Context;
use holodrive_protocol::{Order, OrderId, Timestamp};
use tokio::{sync::watch, task::JoinSet};

use api::Api;
use driver::Driver;
use pace::{Pace, scaled};
use record::Record;

use super::{
    outcome::Outcome,
    people::{Mood, People},
    rules::Rule,
    scenario::Scenario,
};
use crate::{
    progress::wait_for,
    server::{Place, Server},
    site::{Member, Site},
    socket::connect_all,
};

const PATH: &str = "/ws/driver/orders/";
/// From the last connection to the first order, and how long trips may take that began before the end, in simulated time.
const LEAD: Duration = Duration::from_secs(60);
const LONGEST_TRIP: Duration = Duration::from_secs(4 * 3_600);

/// What everybody in the city knows.
struct City {
    scenario: Scenario,
    people: People,
    mood: Mood,
    pace: Pace,
    address: String,
    api: Api,
    record: Record,
    search_timeout: Duration,
    /// No order waits longer.
    longest: Duration,
}

/// Runs a scenario on a server of its own, so much faster than in reality.
pub(super) async fn run(
    place: &Place,
    scenario: Scenario,
    people: &People,
    rule: &Rule,
    speed: f64,
) -> anyhow::Result<Outcome> {
    let settings: Vec<_> = scaled(&rule.settings, speed).into_iter().collect();
    let settings: Vec<_> = settings.iter().map(|(name, value)| (name.as_str(), value.clone())).collect();
    let site = Site::prepare(place, &settings)?;
    let drivers = site.add_members("driver", usize::try_from(scenario.drivers)?, Some("Driver")).await?;
    let riders = site.add_members("rider", scenario.trips.len(), None).await?;
    let server = Server::start(place, &site)?;
    let sockets = connect_all(server.address(), PATH, &drivers).await?;
    let config = rule.config()?;
    let city = Arc::new(City {
        pace: Pace::from_now(Timestamp::from_micros(scenario.begins.as_micros() - micros(LEAD)), speed),
        people: people.clone(),
        mood: rule.mood,
        address: server.address().to_owned(),
        api: Api::new(server.address()),
        record: Record::default(),
        search_timeout: config.order_search_timeout,
        longest: config.order_search_timeout + config.order_offer_timeout + LEAD,
        scenario,
    });
    let (stop, stopped) = watch::channel(());
    let mut working = JoinSet::new();
    for ((number, member), socket) in (1..).zip(drivers).zip(sockets) {
        working.spawn(Driver::new(number, member, socket, Arc::clone(&city)).work(stopped.clone()));
    }
    let riding = ride_all(&city, riders);
    let orders = tokio::select! {
        orders = riding => orders?,
        Some(ended) = working.join_next() => anyhow::bail!("a driver went home too early: {:?}", ended?),
    };
    let patience = LONGEST_TRIP.div_f64(speed);
    let all = city.record.driving();
    wait_for("trips ended", all, patience, || all - city.record.driving().min(all)).await;
    let until = city.pace.now();
    stop.send(())?;
    while let Some(ended) = working.join_next().await {
        ended??;
    }
    check_end(&city, orders).await?;
    server.stop()?;
    Ok(city.record.outcome(&city.scenario, until))
}

async fn ride_all(city: &Arc<City>, riders: Vec<Member>) -> anyhow::Result<Vec<(OrderId, Member)>> {
    let (mut riding, mut orders) = (JoinSet::new(), Vec::with_capacity(riders.len()));
    let count = riders.len();
    for (trip, rider) in riders.into_iter().enumerate() {
        riding.spawn(rider::ride(trip, rider, Arc::clone(city)));
    }
    while let Some(order) = riding.join_next().await {
        orders.push(order??);
        crate::progress::show("orders", orders.len(), count);
    }
    Ok(orders)
}

/// Nobody may be forgotten: at the end every order is over.
async fn check_end(city: &Arc<City>, orders: Vec<(OrderId, Member)>) -> anyhow::Result<()> {
    for (order_id, rider) in orders {
        let order = city.api.show(&rider, order_id).await?;
        if !order.status.is_over() {
            city.record.violation(|| format!("at the end order {order_id} is {}", order.status.as_str()));
        }
    }
    Ok(())
}

/// What names a trip on the way through the server.
fn address(trip: usize) -> String {
    format!("Trip {trip}")
}

/// Which trip an order is.
fn trip_of(order: &Order) -> anyhow::Result<usize> {
    let number = order.address_from.strip_prefix("Trip ").and_then(|number| number.parse().ok());
    number.with_context(|| format!("order {} is none of this simulation", order.id))
}

fn micros(time: Duration) -> i64 {
    i64::try_from(time.as_micros()).unwrap_or(i64::MAX)
}
