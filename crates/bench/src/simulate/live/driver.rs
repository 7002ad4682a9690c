//! A driver at his phone.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use anyhow::Context;
use holodrive::dispatch::Point;
use holodrive_protocol::{
    Order, OrderId, Timestamp,
    driver::{DriverClientMessage, DriverServerMessage},
    socket::CommonClientMessage,
};
use serde::Serialize;
use tokio::{
    sync::watch,
    time::{sleep_until, timeout},
};

use super::{
    City,
    api::Step,
    phone::{Deed, Ride, Shown},
};
use crate::{
    simulate::{
        events::Events,
        outcome::{End, OfferEnd},
        people::Answer,
    },
    site::Member,
    socket::{Arrival, Socket},
};

/// Longer than any answer takes on a server that works.
const PATIENCE: Duration = Duration::from_secs(60);

/// A driver.
pub(super) struct Driver {
    number: u64,
    member: Member,
    city: Arc<City>,
    at: Point,
    socket: Option<Socket>,
    /// Until when nothing is read from the socket, and so nothing proved to be received.
    dark_until: Timestamp,
    agenda: Events<Deed>,
    shown: BTreeMap<OrderId, Shown>,
    /// How often he was asked for each order.
    asked: BTreeMap<OrderId, u64>,
    ride: Option<Ride>,
    /// Orders that he was told are his.
    had: BTreeSet<OrderId>,
}

impl Driver {
    pub(super) fn new(number: u64, member: Member, socket: Socket, city: Arc<City>) -> Self {
        let (at, scenario) = (city.scenario.start(number), &city.scenario);
        let mut agenda = Events::default();
        for (lost, back) in city.people.outages(scenario.seed, number, scenario.begins, scenario.ends) {
            agenda.add(lost, Deed::LoseNetwork { until: back });
            agenda.add(back, Deed::Connect);
        }
        Self {
            number,
            member,
            at,
            socket: Some(socket),
            dark_until: city.pace.now(),
            agenda,
            shown: BTreeMap::new(),
            asked: BTreeMap::new(),
            ride: None,
            had: BTreeSet::new(),
            city,
        }
    }

    /// Works until it is told to stop.
    pub(super) async fn work(mut self, mut stopped: watch::Receiver<()>) -> anyhow::Result<()> {
        self.tell_position().await;
        loop {
            let wake_at = self.agenda.next_at().map(|at| self.city.pace.instant(at));
            let is_dark = self.is_dark();
            tokio::select! {
                arrival = hear(&mut self.socket), if !is_dark => match arrival {
                    Ok(arrival) => self.on_message(&arrival)?,
                    Err(_) => self.lost(),
                },
                () = wake(wake_at) => self.act().await?,
                _ = stopped.changed() => return self.stop().await,
            }
        }
    }

    /// All orders are over. Once he has read everything that was told before, no offer may be left; who cannot be reached does
    /// not know yet.
    async fn stop(mut self) -> anyhow::Result<()> {
        self.send(&CommonClientMessage::Ping).await;
        while !self.is_dark() {
            match timeout(PATIENCE, hear(&mut self.socket)).await? {
                Ok(arrival) if arrival.is("pong") => break,
                Ok(arrival) => self.on_message(&arrival)?,
                Err(_) => self.socket = None,
            }
        }
        for order_id in self.shown.keys().filter(|_| !self.is_dark()) {
            let number = self.number;
            self.city
                .record
                .violation(|| format!("driver {number} was never told how his offer of order {order_id} ended"));
        }
        Ok(())
    }

    /// Whether nothing gets to him.
    fn is_dark(&self) -> bool {
        self.socket.is_none() || self.city.pace.now() < self.dark_until
    }

    fn on_message(&mut self, arrival: &Arrival) -> anyhow::Result<()> {
        use DriverServerMessage as M;
        match arrival.parse() {
            Some(M::InitialOrders { orders, .. }) => {
                // What he had seen before he has made up his mind about.
                let before = std::mem::take(&mut self.shown);
                for order in &orders {
                    match before.get(&order.id).filter(|shown| Some(shown.expires_at) == order.expires_at) {
                        Some(shown) => _ = self.shown.insert(order.id, *shown),
                        None => self.offered(order)?,
                    }
                }
                self.look();
            }
            Some(M::NewOrder { order, .. }) => {
                if self.shown.contains_key(&order.id) {
                    let (number, id) = (self.number, order.id);
                    self.city.record.violation(|| format!("driver {number} was told twice that order {id} is offered"));
                }
                self.offered(&order)?;
                self.look();
            }
            Some(M::OrderAccepted { order, .. }) => self.take_up(&order)?,
            Some(M::OrderDeclined { order_id, .. }) => self.offer_ended(order_id, Some(OfferEnd::Declined)),
            Some(M::OrderTimeout { order_id, .. }) => self.offer_ended(order_id, None),
            Some(M::OrderCancelledByRider { order_id, .. } | M::OrderCancelled { order_id, .. }) => {
                self.cancelled(order_id);
            }
            // His connection was lost just when he was given the order. One that he knows may be over by now.
            Some(M::ActiveRideSnapshot { order }) if !self.had.contains(&order.id) => self.take_up(&order)?,
            Some(M::ConnectionEstablished { .. } | M::ActiveRideSnapshot { .. }) => {}
            // What had come before the phone was back has been read.
            None if arrival.is("pong") => self.look(),
            // An answer that came too late.
            None if arrival.is("error") => {}
            None => anyhow::bail!("a driver did not expect {}", arrival.text),
        }
        Ok(())
    }

    fn offered(&mut self, order: &Order) -> anyhow::Result<()> {
        let (trip, expires_at) = (super::trip_of(order)?, order.expires_at.context("an offer without a deadline")?);
        self.shown.insert(order.id, Shown { trip, expires_at, is_seen: false });
        self.city.record.offered(trip);
        Ok(())
    }

    /// Makes up his mind about offers that he has not seen yet, until one of them does not get to the phone.
    fn look(&mut self) {
        let unseen = |(order_id, shown): (&OrderId, &Shown)| (!shown.is_seen).then_some(*order_id);
        let unseen: Vec<_> = self.shown.iter().filter_map(unseen).collect();
        for order_id in unseen {
            if !self.is_dark() {
                self.consider(order_id);
            }
        }
    }

    fn consider(&mut self, order_id: OrderId) {
        let (now, City { scenario, people, mood, .. }) = (self.city.pace.now(), &*self.city);
        let Some(shown) = self.shown.get_mut(&order_id) else { return };
        let time = self.asked.entry(order_id).or_default();
        *time += 1;
        let answer = people.answer(scenario.seed, self.number, shown.trip as u64 + 1, *time, *mood);
        shown.is_seen = answer != Answer::Unreachable;
        match answer {
            Answer::Accept(after) => self.agenda.add(now.after(after), Deed::Accept(order_id)),
            Answer::Decline(after) => self.agenda.add(now.after(after), Deed::Decline(order_id)),
            Answer::Silence => {}
            Answer::Unreachable => {
                self.dark_until = self.dark_until.max(now.after(people.unreachable_for()));
                self.agenda.add(self.dark_until, Deed::LookUp);
            }
        }
    }

    fn offer_ended(&mut self, order_id: OrderId, end: Option<OfferEnd>) {
        let Some(shown) = self.shown.remove(&order_id) else {
            let number = self.number;
            return self
                .city
                .record
                .violation(|| format!("driver {number} was told the end of order {order_id}, which he had not"));
        };
        let has_expired = crate::socket::now_micros() >= shown.expires_at.as_micros();
        let told = if has_expired { OfferEnd::Expired } else { OfferEnd::Withdrawn };
        let told = if shown.is_seen || has_expired { told } else { OfferEnd::Unreachable };
        self.city.record.offer_ended(shown.trip, end.unwrap_or(told));
    }

    /// The rider left, or did so while this driver took the order.
    fn cancelled(&mut self, order_id: OrderId) {
        if self.ride.is_some_and(|ride| ride.order_id == order_id) {
            self.free();
        } else {
            self.offer_ended(order_id, Some(OfferEnd::Withdrawn));
        }
    }

    /// He has the order, and drives to the pickup.
    fn take_up(&mut self, order: &Order) -> anyhow::Result<()> {
        let (now, trip) = (self.city.pace.now(), super::trip_of(order)?);
        self.shown.remove(&order.id);
        self.had.insert(order.id);
        if let Some(ride) = self.ride {
            let (number, id) = (self.number, order.id);
            self.city
                .record
                .violation(|| format!("driver {number} was given order {id} beside order {}", ride.order_id));
        }
        let wanted = self.city.scenario.trips[trip];
        let (after, approach) = (now.since(wanted.requested_at), self.city.people.drive(self.at, wanted.from));
        let end = End::Accepted { after, pickup_km: self.at.distance_km(wanted.from), wait: after + approach };
        self.city.record.accepted(order.id, self.number, trip, end);
        self.ride = Some(Ride { order_id: order.id, trip, since: now });
        let (arrives, ride) = (now.after(approach), self.city.people.ride(wanted.from, wanted.to));
        self.agenda.add(arrives, Deed::Step(order.id, Step::Arrive));
        self.agenda.add(arrives, Deed::Step(order.id, Step::Start));
        self.agenda.add(arrives.after(ride), Deed::Step(order.id, Step::Complete));
        Ok(())
    }

    async fn act(&mut self) -> anyhow::Result<()> {
        while let Some(deed) = self.agenda.due(self.city.pace.now()) {
            let is_dark = self.is_dark();
            match deed {
                Deed::LoseNetwork { until } => {
                    self.dark_until = self.dark_until.max(until);
                    self.socket = None;
                }
                Deed::Connect => self.connect().await?,
                Deed::LookUp => {
                    self.tell_position().await;
                    self.send(&CommonClientMessage::Ping).await;
                }
                Deed::Accept(_) | Deed::Decline(_) | Deed::Step(..) if is_dark => {
                    self.agenda.add(self.dark_until, deed);
                }
                Deed::Accept(order_id) => self.send(&DriverClientMessage::AcceptOrder { order_id }).await,
                Deed::Decline(order_id) => self.send(&DriverClientMessage::DeclineOrder { order_id }).await,
                Deed::Step(order_id, step) => self.step(order_id, step).await?,
            }
        }
        Ok(())
    }

    async fn connect(&mut self) -> anyhow::Result<()> {
        if self.socket.is_none() {
            self.socket = Some(Socket::connect(&self.city.address, super::PATH, &self.member.token).await?);
            self.tell_position().await;
        }
        Ok(())
    }

    /// Nothing when the rider cancelled meanwhile.
    async fn step(&mut self, order_id: OrderId, step: Step) -> anyhow::Result<()> {
        let Some(Ride { trip, .. }) = self.ride.filter(|ride| ride.order_id == order_id) else { return Ok(()) };
        if step == Step::Complete {
            self.at = self.city.scenario.trips[trip].to;
            self.tell_position().await;
        }
        if !self.city.api.step(&self.member, order_id, step).await? {
            let number = self.number;
            self.city.record.violation(|| format!("driver {number} could not {step:?} order {order_id}, which he has"));
        }
        if step == Step::Complete {
            self.free();
        }
        Ok(())
    }

    fn free(&mut self) {
        if let Some(Ride { since, .. }) = self.ride.take() {
            let scenario = &self.city.scenario;
            let counted = self.city.pace.now().min(scenario.ends).since(since.max(scenario.measured_from));
            self.city.record.drove(self.number, counted);
        }
    }

    async fn tell_position(&mut self) {
        let Point { latitude, longitude } = self.at;
        self.send(&DriverClientMessage::Location { latitude, longitude }).await;
    }

    /// Without a network nothing is told.
    async fn send(&mut self, message: &impl Serialize) {
        if let Some(socket) = &mut self.socket
            && socket.send(message).await.is_err()
        {
            self.lost();
        }
    }

    /// The server has closed the connection, as it does when a phone does not answer for long.
    fn lost(&mut self) {
        self.socket = None;
        self.agenda.add(self.city.pace.now().max(self.dark_until), Deed::Connect);
    }
}

/// The next message; never without a socket.
async fn hear(socket: &mut Option<Socket>) -> anyhow::Result<Arrival> {
    match socket {
        Some(socket) => socket.next().await,
        None => std::future::pending().await,
    }
}

async fn wake(at: Option<tokio::time::Instant>) {
    match at {
        Some(at) => sleep_until(at).await,
        None => std::future::pending().await,
    }
}
