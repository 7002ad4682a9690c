//! A driver: cruises, decides on offers, drives.

use std::{collections::HashMap, time::Duration};

use holodrive_client::{Api, DriverOrdersSocket, Error, Event};
use holodrive_protocol::{
    Order, OrderId, OrderStatus, UserId,
    driver::{DriverClientMessage, DriverServerMessage},
    http::DriverStatus,
};
use tokio::{
    task::JoinSet,
    time::{Instant, MissedTickBehavior, interval},
};

use super::{
    chat::{Lines, Talker},
    city::Point,
    dice::Dice,
    people, pin,
};

/// How often a driver moves and says where he is.
const TICK: Duration = Duration::from_secs(2);
/// In kilometres an hour.
const SPEED: std::ops::Range<f64> = 45.0..70.0;

const LINES: Lines = Lines {
    openings: &["Assalomu alaykum, 3 daqiqada yetib boraman.", "I am on my way. A white Cobalt, 01 A 123 BC."],
    answers: &["Xo'p bo'ladi.", "I am at the corner, by the shop.", "Two more minutes, there is some traffic.", "OK!"],
    most: 3,
};

/// What the driver is busy with.
enum Errand {
    Cruise(Point),
    ToPickup(Order),
    /// At the pickup, until the rider is in.
    Boarding(Order, Instant),
    ToDestination(Order),
}

/// What he will say to an offer.
#[derive(Clone, Copy)]
enum Answer {
    Accept,
    Decline,
}

struct Driver {
    api: Api,
    dice: Dice,
    me: UserId,
    /// Gives the user, who may have logged in as this driver, time to answer himself.
    patient: bool,
    at: Point,
    /// Kilometres that he gets ahead in a tick.
    stride: f64,
    errand: Errand,
    offers: HashMap<OrderId, (Answer, Instant)>,
    talks: JoinSet<()>,
}

/// Drives until it is dropped.
pub(super) async fn run(api: Api, mut dice: Dice, patient: bool) {
    let me = people::who_am_i(&api).await;
    if let Err(error) = api.set_driver_status(DriverStatus::Online).await {
        tracing::warn!(%error, "demo: a driver could not come online");
    }
    let mut socket = api.driver_orders().connect();
    let (at, goal) = (Point::anywhere(&mut dice), Point::anywhere(&mut dice));
    let stride = dice.number(SPEED) * TICK.as_secs_f64() / 3_600.0;
    let (errand, offers, talks) = (Errand::Cruise(goal), HashMap::new(), JoinSet::new());
    let mut driver = Driver { api, dice, me, patient, at, stride, errand, offers, talks };
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            event = socket.next() => match event {
                Event::Message(message) => driver.on_message(message),
                Event::Connected { .. } => driver.tell_position(&socket),
                Event::Ended(reason) => return tracing::warn!(%reason, "demo: a driver has left"),
                _ => {}
            },
            _ = ticks.tick() => driver.tick(&socket).await,
            Some(_) = driver.talks.join_next() => {}
        }
    }
}

impl Driver {
    fn on_message(&mut self, message: DriverServerMessage) {
        use DriverServerMessage as M;
        match message {
            M::InitialOrders { orders, .. } => {
                self.offers.clear();
                for order in orders {
                    self.consider(order.id);
                }
            }
            M::NewOrder { order, .. } => self.consider(order.id),
            M::OrderAccepted { order, .. } => {
                self.talk(&order);
                self.take_up(order);
            }
            M::ActiveRideSnapshot { order } => self.resume(order),
            M::OrderTimeout { order_id, .. }
            | M::OrderDeclined { order_id, .. }
            | M::OrderCancelledByRider { order_id, .. }
            | M::OrderCancelled { order_id, .. } => self.forget(order_id),
            M::ConnectionEstablished { .. } => {}
        }
    }

    /// Makes up his mind; one offer in eight he overlooks.
    fn consider(&mut self, order: OrderId) {
        let answer = match self.dice.number(0.0..1.0) {
            ..0.70 => Answer::Accept,
            ..0.87 => Answer::Decline,
            _ => return,
        };
        let pause = if self.patient { 14.0..17.0 } else { 2.0..8.0 };
        self.offers.insert(order, (answer, Instant::now() + self.dice.seconds(pause)));
    }

    fn take_up(&mut self, order: Order) {
        self.offers.remove(&order.id);
        if !self.drives(order.id) {
            self.resume(order);
        }
    }

    /// Goes on with a trip from where it stands.
    fn resume(&mut self, order: Order) {
        self.errand = match order.status {
            OrderStatus::Accepted => Errand::ToPickup(order),
            OrderStatus::Arrived => {
                self.at = Point::pickup(&order);
                Errand::Boarding(order, Instant::now() + self.dice.seconds(3.0..8.0))
            }
            OrderStatus::InProgress => Errand::ToDestination(order),
            _ => self.cruise(),
        };
    }

    fn cruise(&mut self) -> Errand {
        Errand::Cruise(Point::anywhere(&mut self.dice))
    }

    fn drives(&self, id: OrderId) -> bool {
        match &self.errand {
            Errand::ToPickup(order) | Errand::Boarding(order, _) | Errand::ToDestination(order) => order.id == id,
            Errand::Cruise(_) => false,
        }
    }

    fn forget(&mut self, id: OrderId) {
        self.offers.remove(&id);
        if self.drives(id) {
            self.errand = self.cruise();
        }
    }

    fn talk(&mut self, order: &Order) {
        if let Some(conversation) = order.conversation_id {
            let talker = Talker { api: self.api.clone(), me: self.me, lines: LINES, dice: self.dice.split() };
            let begins = self.dice.chance(0.3);
            self.talks.spawn(talker.talk(conversation, begins, None));
        }
    }

    async fn tick(&mut self, socket: &DriverOrdersSocket) {
        self.answer_offers(socket);
        self.move_on();
        self.tell_position(socket);
        if let Err(error) = self.next_step().await {
            tracing::debug!(%error, "demo: a step was refused");
            self.ask_where_i_am().await;
        }
    }

    fn answer_offers(&mut self, socket: &DriverOrdersSocket) {
        let now = Instant::now();
        let due: Vec<_> = self.offers.extract_if(|_, (_, at)| *at <= now).collect();
        for (order_id, (answer, _)) in due {
            send(
                socket,
                &match answer {
                    Answer::Accept => DriverClientMessage::AcceptOrder { order_id },
                    Answer::Decline => DriverClientMessage::DeclineOrder { order_id },
                },
            );
        }
    }

    fn move_on(&mut self) {
        let target = match &self.errand {
            Errand::Cruise(goal) => *goal,
            Errand::ToPickup(order) | Errand::Boarding(order, _) => Point::pickup(order),
            Errand::ToDestination(order) => Point::destination(order),
        };
        self.at = self.at.toward(target, self.stride);
    }

    fn tell_position(&self, socket: &DriverOrdersSocket) {
        if let Some((latitude, longitude)) = self.at.coordinates() {
            send(socket, &DriverClientMessage::Location { latitude, longitude });
        }
    }

    /// What there is to do at this place and time.
    async fn next_step(&mut self) -> Result<(), Error> {
        match &self.errand {
            Errand::Cruise(goal) if *goal == self.at => self.errand = self.cruise(),
            Errand::ToPickup(order) if Point::pickup(order) == self.at => {
                let order = self.api.arrive(order.id).await?;
                self.resume(order);
            }
            Errand::ToPickup(order) if self.dice.chance(0.001) => {
                self.api.release_order(order.id).await?;
                self.errand = self.cruise();
            }
            Errand::Boarding(order, until) if *until <= Instant::now() => {
                if let Some(order) = self.start(order).await? {
                    self.resume(order);
                }
            }
            Errand::ToDestination(order) if Point::destination(order) == self.at => {
                self.api.complete_trip(order.id).await?;
                self.errand = self.cruise();
            }
            _ => {}
        }
        Ok(())
    }

    /// Starts. Where the rider has a PIN and has not told it yet, that is refused and costs nothing: the driver waits on.
    async fn start(&self, order: &Order) -> Result<Option<Order>, Error> {
        match pin::told(&self.api, order).await? {
            Some(pin) => self.api.start_trip_with_pin(order.id, &pin).await.map(Some),
            None => Ok(self.api.start_trip(order.id).await.ok()),
        }
    }

    /// After a refusal: the order may have been cancelled, or somebody logged in as this driver has moved it on.
    async fn ask_where_i_am(&mut self) {
        match self.api.driver_orders_poll().await {
            Ok(poll) => match poll.trip {
                Some(order) => self.resume(order),
                None => self.errand = self.cruise(),
            },
            Err(error) => tracing::debug!(%error, "demo: a driver does not know his trip"),
        }
    }
}

/// What cannot be sent now is not sent: a new position follows soon, and an offer ends by itself.
fn send(socket: &DriverOrdersSocket, message: &DriverClientMessage) {
    if let Err(error) = socket.send(message) {
        tracing::debug!(%error, "demo: not sent");
    }
}
