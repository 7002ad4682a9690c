//! A rider: orders, waits, sometimes changes his mind, sometimes asks support.

use std::{collections::HashMap, time::Duration};

use holodrive_client::{Api, Event};
use holodrive_protocol::{Order, OrderId, OrderStatus, UserId, rider::RiderServerMessage};
use tokio::{
    task::JoinSet,
    time::{Instant, interval, sleep},
};

use super::{
    chat::{Lines, Talker},
    city,
    dice::Dice,
    people, pin,
};

/// How often a rider looks whether there is something to do.
const TICK: Duration = Duration::from_secs(1);
/// Orders that a rider has at a time, one of them for a friend.
const OPEN_ORDERS_MAX: usize = 2;

const TO_DRIVER: Lines = Lines {
    openings: &["Salom! I am at the main entrance.", "Yukim bor, please open the boot.", "How long will it take?"],
    answers: &["Rahmat!", "Thanks, I can see you.", "Good, I am waiting outside.", "Mayli."],
    most: 3,
};

const TO_SUPPORT: Lines = Lines {
    openings: &[
        "I left my umbrella in the car. Can you ask the driver?",
        "The driver took a long way round. Can you check the price?",
        "How can I change my phone number?",
    ],
    answers: &["Thank you!", "That was quick, rahmat."],
    most: 1,
};

struct Rider {
    api: Api,
    dice: Dice,
    me: UserId,
    open: HashMap<OrderId, Order>,
    next_order: Instant,
    next_question: Instant,
    /// Orders that he will regret, and when.
    regrets: HashMap<OrderId, Instant>,
    talks: JoinSet<()>,
}

/// Rides until it is dropped.
pub(super) async fn run(api: Api, mut dice: Dice) {
    let me = people::who_am_i(&api).await;
    let mut socket = api.rider_orders().connect();
    let now = Instant::now();
    let (next_order, next_question) = (now + dice.seconds(2.0..25.0), now + dice.seconds(30.0..600.0));
    let (open, regrets, talks) = (HashMap::new(), HashMap::new(), JoinSet::new());
    let mut rider = Rider { api, dice, me, open, next_order, next_question, regrets, talks };
    let mut ticks = interval(TICK);
    loop {
        tokio::select! {
            event = socket.next() => match event {
                Event::Message(message) => rider.on_message(message),
                Event::Ended(reason) => return tracing::warn!(%reason, "demo: a rider has left"),
                _ => {}
            },
            _ = ticks.tick() => rider.tick().await,
            Some(_) = rider.talks.join_next() => {}
        }
    }
}

impl Rider {
    fn on_message(&mut self, message: RiderServerMessage) {
        match message {
            RiderServerMessage::InitialOrders { orders, .. } => {
                for order in &orders {
                    self.tell_pin(order);
                }
                self.open = orders.into_iter().map(|order| (order.id, order)).collect();
            }
            RiderServerMessage::RiderOrderUpdated { order } => self.on_step(*order),
            RiderServerMessage::ConnectionEstablished { .. } => {}
        }
    }

    fn on_step(&mut self, order: Order) {
        let before = self.open.get(&order.id).map(|before| before.status);
        if order.status == OrderStatus::Accepted && before != Some(OrderStatus::Accepted) {
            self.talk_to_driver(&order);
        }
        self.tell_pin(&order);
        if order.status.is_over() {
            self.open.remove(&order.id);
            self.regrets.remove(&order.id);
        } else {
            self.open.insert(order.id, order);
        }
    }

    fn talk_to_driver(&mut self, order: &Order) {
        if let Some(conversation) = order.conversation_id {
            let begins = self.dice.chance(0.4);
            let talker = self.talker(TO_DRIVER);
            self.talks.spawn(talker.talk(conversation, begins, None));
        }
    }

    /// Once the driver is here.
    fn tell_pin(&mut self, order: &Order) {
        if order.status == OrderStatus::Arrived {
            self.talks.spawn(pin::tell(self.api.clone(), order.clone()));
        }
    }

    fn talker(&mut self, lines: Lines) -> Talker {
        Talker { api: self.api.clone(), me: self.me, lines, dice: self.dice.split() }
    }

    async fn tick(&mut self) {
        let now = Instant::now();
        if self.next_order <= now {
            self.next_order = now + self.dice.seconds(40.0..130.0);
            self.order().await;
        }
        if self.next_question <= now {
            self.next_question = now + self.dice.seconds(240.0..900.0);
            self.ask_support();
        }
        for (id, _) in self.regrets.extract_if(|_, at| *at <= now).collect::<Vec<_>>() {
            if let Err(error) = self.api.cancel_order(id).await {
                tracing::debug!(%error, "demo: not cancelled");
            }
        }
    }

    async fn order(&mut self) {
        if self.open.len() >= OPEN_ORDERS_MAX {
            return;
        }
        let Some(ride) = city::random_ride(&mut self.dice) else { return };
        match self.api.create_order(&ride).await {
            Ok(order) if self.dice.chance(0.1) => {
                self.regrets.insert(order.id, Instant::now() + self.dice.seconds(5.0..45.0));
            }
            Ok(_) => {}
            Err(error) => tracing::debug!(%error, "demo: not ordered"),
        }
    }

    fn ask_support(&mut self) {
        let (api, talker, pause) = (self.api.clone(), self.talker(TO_SUPPORT), self.dice.seconds(0.0..3.0));
        self.talks.spawn(async move {
            sleep(pause).await;
            match api.support_conversation().await {
                Ok(conversation) => talker.talk(conversation.id, true, None).await,
                Err(error) => tracing::debug!(%error, "demo: support is not reached"),
            }
        });
    }
}
