//! What `/metrics` tells, in the Prometheus text format.

use std::time::Duration;

use http::{Method, StatusCode};
use prometheus_client::{
    encoding::{EncodeLabelSet, text::encode},
    metrics::{
        counter::Counter,
        family::Family,
        gauge::Gauge,
        histogram::{Histogram, exponential_buckets},
    },
    registry::{Registry, Unit},
};

use super::{
    HookMetrics, PushMetrics,
    labels::{CloseCode, HttpMethod, OfferOutcome, Refusal, RoutingOutcome},
};

/// The media type of [`Metrics::encode`].
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Everything that is counted and measured.
///
/// An `endpoint` is the name of a WebSocket endpoint as the program text has it.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    connections: Family<ByEndpoint, Gauge>,
    refusals: Family<ByRefusal, Counter>,
    closes: Family<ByCloseCode, Counter>,
    messages_in: Family<ByEndpoint, Counter>,
    messages_out: Family<ByEndpoint, Counter>,
    transient_drops: Counter,
    positions: Counter,
    offers_created: Counter,
    offers_ended: Family<ByOutcome, Counter>,
    offer_lateness: Histogram,
    offer_failures: Counter,
    sweep_failures: Counter,
    live_offers: Gauge,
    waiting_orders: Gauge,
    routing: Family<ByRouting, Counter>,
    commit_batches: Histogram,
    commit_failures: Counter,
    layer_messages: Counter,
    layer_undecodable: Counter,
    layer_sent: Counter,
    layer_dropped: Counter,
    layer_reconnects: Counter,
    layer_connected: Gauge,
    layer_groups: Gauge,
    requests: Family<ByAnswer, Counter>,
    request_durations: Family<ByRoute, Histogram, fn() -> Histogram>,
    hooks: HookMetrics,
    pushes: PushMetrics,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByEndpoint {
    endpoint: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByRefusal {
    endpoint: &'static str,
    code: Refusal,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByCloseCode {
    endpoint: &'static str,
    code: CloseCode,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByOutcome {
    outcome: OfferOutcome,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByRouting {
    outcome: RoutingOutcome,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByAnswer {
    method: HttpMethod,
    route: String,
    status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByRoute {
    method: HttpMethod,
    route: String,
}

impl Metrics {
    /// All metrics at zero, under names that begin with `holodrive_`.
    pub fn new() -> Self {
        let mut metrics = Self {
            registry: Registry::with_prefix("holodrive"),
            connections: Family::default(),
            refusals: Family::default(),
            closes: Family::default(),
            messages_in: Family::default(),
            messages_out: Family::default(),
            transient_drops: Counter::default(),
            positions: Counter::default(),
            offers_created: Counter::default(),
            offers_ended: Family::default(),
            offer_lateness: latency_histogram(),
            offer_failures: Counter::default(),
            sweep_failures: Counter::default(),
            live_offers: Gauge::default(),
            waiting_orders: Gauge::default(),
            routing: Family::default(),
            commit_batches: Histogram::new(exponential_buckets(1.0, 2.0, 11)),
            commit_failures: Counter::default(),
            layer_messages: Counter::default(),
            layer_undecodable: Counter::default(),
            layer_sent: Counter::default(),
            layer_dropped: Counter::default(),
            layer_reconnects: Counter::default(),
            layer_connected: Gauge::default(),
            layer_groups: Gauge::default(),
            requests: Family::default(),
            request_durations: Family::new_with_constructor(latency_histogram),
            hooks: HookMetrics::new(),
            pushes: PushMetrics::default(),
        };
        // A series that is there from the start, at zero, lets alerts tell the first event.
        for outcome in OfferOutcome::ALL {
            metrics.offers_ended.get_or_create_owned(&ByOutcome { outcome: *outcome });
        }
        metrics.register_connections();
        metrics.register_orders();
        metrics.register_storage();
        metrics.register_channel_layer();
        metrics.register_requests();
        metrics.hooks.register(&mut metrics.registry);
        metrics.pushes.register(&mut metrics.registry);
        metrics
    }

    /// A handshake was refused, or ended right after it; `code` is that of the error message.
    pub fn handshake_refused(&self, endpoint: &'static str, code: &str) {
        self.refusals.get_or_create(&ByRefusal { endpoint, code: Refusal::of(code) }).inc();
    }

    /// A connection is open.
    pub fn connection_opened(&self, endpoint: &'static str) {
        self.connections.get_or_create(&ByEndpoint { endpoint }).inc();
    }

    /// A connection is gone; `code` is the close code that was sent or received.
    pub fn connection_closed(&self, endpoint: &'static str, code: u16) {
        self.connections.get_or_create(&ByEndpoint { endpoint }).dec();
        self.closes.get_or_create(&ByCloseCode { endpoint, code: CloseCode::of(code) }).inc();
    }

    /// The counters of the messages from and to the clients of an endpoint: they count on every message, so they are
    /// looked up once.
    pub fn messages(&self, endpoint: &'static str) -> (Counter, Counter) {
        let by_endpoint = ByEndpoint { endpoint };
        (self.messages_in.get_or_create_owned(&by_endpoint), self.messages_out.get_or_create_owned(&by_endpoint))
    }

    /// A transient message, such as typing, was dropped because its connection had fallen behind.
    pub fn transient_dropped(&self) {
        self.transient_drops.inc();
    }

    /// A driver told his position.
    pub fn position_received(&self) {
        self.positions.inc();
    }

    /// A driver was offered an order.
    pub fn offer_created(&self) {
        self.offers_created.inc();
    }

    /// An offer ended.
    pub fn offer_ended(&self, outcome: OfferOutcome) {
        self.offers_ended.get_or_create(&ByOutcome { outcome }).inc();
    }

    /// An offer was ended by its deadline, this long after it.
    pub fn deadline_met(&self, lateness: Duration) {
        self.offer_lateness.observe(lateness.as_secs_f64());
    }

    /// The dispatcher could not make an offer that it had planned.
    pub fn offer_failed(&self) {
        self.offer_failures.inc();
    }

    /// The dispatcher could not end what had run out.
    pub fn sweep_failed(&self) {
        self.sweep_failures.inc();
    }

    /// Offers that could not be made, and sweeps that failed.
    #[cfg(test)]
    pub(crate) fn dispatch_failures(&self) -> (u64, u64) {
        (self.offer_failures.get(), self.sweep_failures.get())
    }

    /// So many offers are live now.
    pub fn live_offers(&self, offers: i64) {
        self.live_offers.set(offers);
    }

    /// So many orders wait for a driver now.
    pub fn waiting_orders(&self, orders: i64) {
        self.waiting_orders.set(orders);
    }

    /// There is a routing service: its series are there from now on, at zero.
    pub fn routing_is_on(&self) {
        for outcome in RoutingOutcome::ALL {
            self.routing.get_or_create_owned(&ByRouting { outcome: *outcome });
        }
    }

    /// The routing service was asked for a travel time.
    pub fn routing_asked(&self, outcome: RoutingOutcome) {
        self.routing.get_or_create(&ByRouting { outcome }).inc();
    }

    /// A transaction with that many writes is about to be committed.
    #[expect(clippy::cast_precision_loss, reason = "a batch has a few hundred writes")]
    pub fn commit_batch(&self, writes: usize) {
        self.commit_batches.observe(writes as f64);
    }

    /// A commit failed.
    pub fn commit_failed(&self) {
        self.commit_failures.inc();
    }

    /// A request was answered. `route` is the pattern that matched, such as `/api/orders/{id}/`, never the path
    /// itself: each different text is a time series of its own.
    pub fn request_answered(&self, method: &Method, route: &str, status: StatusCode, took: Duration) {
        let by_route = ByRoute { method: HttpMethod::of(method), route: route.to_owned() };
        self.request_durations.get_or_create(&by_route).observe(took.as_secs_f64());
        let ByRoute { method, route } = by_route;
        self.requests.get_or_create(&ByAnswer { method, route, status: status.as_u16() }).inc();
    }

    /// A message came from Django's channel layer, and could be read or not.
    pub fn channel_layer_message(&self, is_readable: bool) {
        if is_readable { &self.layer_messages } else { &self.layer_undecodable }.inc();
    }

    /// Events of our own were sent to Django's consumers.
    pub fn channel_layer_sent(&self, events: u64) {
        self.layer_sent.inc_by(events);
    }

    /// Events of our own did not reach Django's consumers.
    pub fn channel_layer_dropped(&self, events: u64) {
        self.layer_dropped.inc_by(events);
    }

    /// A server of the channel layer was lost, or could not be reached, and is tried again.
    pub fn channel_layer_reconnect(&self) {
        self.layer_reconnects.inc();
    }

    /// A server of the channel layer is there, or no longer.
    pub fn channel_layer_connected(&self, is_connected: bool) {
        self.layer_connected.inc_by(if is_connected { 1 } else { -1 });
    }

    /// The number of groups of the channel layer that have connections here.
    pub(crate) fn channel_layer_groups(&self) -> Gauge {
        self.layer_groups.clone()
    }

    /// Those of the requests to the back end.
    pub fn hooks(&self) -> &HookMetrics {
        &self.hooks
    }

    /// Those of pushes.
    pub fn pushes(&self) -> &PushMetrics {
        &self.pushes
    }

    /// Everything, in the text format of `/metrics`.
    pub fn encode(&self) -> String {
        let mut text = String::new();
        match encode(&mut text, &self.registry) {
            Ok(()) => text,
            Err(error) => format!("# {error}\n"),
        }
    }

    fn register_connections(&mut self) {
        let registry = &mut self.registry;
        registry.register("connections", "Open WebSocket connections", self.connections.clone());
        registry.register("handshakes_refused", "Refused WebSocket handshakes", self.refusals.clone());
        registry.register("connections_closed", "Ended WebSocket connections", self.closes.clone());
        registry.register("messages_received", "Messages from clients", self.messages_in.clone());
        registry.register("messages_sent", "Messages to clients", self.messages_out.clone());
        let help = "Transient messages dropped for connections that had fallen behind";
        registry.register("transient_messages_dropped", help, self.transient_drops.clone());
        registry.register("positions_received", "Driver positions received", self.positions.clone());
    }

    fn register_orders(&mut self) {
        let registry = &mut self.registry;
        registry.register("offers_created", "Offers made to drivers", self.offers_created.clone());
        registry.register("offers_ended", "Offers that ended", self.offers_ended.clone());
        let help = "Time from an offer's deadline to its end";
        registry.register_with_unit("offer_lateness", help, Unit::Seconds, self.offer_lateness.clone());
        registry.register("offer_failures", "Offers that could not be made", self.offer_failures.clone());
        let help = "Attempts to end overdue offers and searches that failed";
        registry.register("sweep_failures", help, self.sweep_failures.clone());
        registry.register("live_offers", "Offers that drivers hold now", self.live_offers.clone());
        registry.register("waiting_orders", "Orders without a driver now", self.waiting_orders.clone());
        registry.register("routing_requests", "Travel times asked of the routing service", self.routing.clone());
    }

    fn register_storage(&mut self) {
        let registry = &mut self.registry;
        let help = "Commits, by the number of writes that shared one";
        registry.register("commit_batch_size", help, self.commit_batches.clone());
        registry.register("commit_failures", "Commits that failed", self.commit_failures.clone());
    }

    fn register_channel_layer(&mut self) {
        let registry = &mut self.registry;
        let help = "Messages from Django's channel layer";
        registry.register("channel_layer_messages_received", help, self.layer_messages.clone());
        let help = "Messages from Django's channel layer that could not be read";
        registry.register("channel_layer_messages_undecodable", help, self.layer_undecodable.clone());
        let help = "Events sent to groups of Django's channel layer";
        registry.register("channel_layer_messages_sent", help, self.layer_sent.clone());
        let help = "Events for Django's channel layer that found a full queue, or no Redis";
        registry.register("channel_layer_messages_dropped", help, self.layer_dropped.clone());
        let help = "New attempts to reach a Redis server of the channel layer";
        registry.register("channel_layer_reconnects", help, self.layer_reconnects.clone());
        let help = "Redis servers of the channel layer that are listened to now";
        registry.register("channel_layer_connected", help, self.layer_connected.clone());
        let help = "Groups of the channel layer that have connections here";
        registry.register("channel_layer_groups", help, self.layer_groups.clone());
    }

    fn register_requests(&mut self) {
        let registry = &mut self.registry;
        registry.register("http_requests", "Answered HTTP requests", self.requests.clone());
        let help = "Time from an HTTP request to its answer";
        registry.register_with_unit("http_request_duration", help, Unit::Seconds, self.request_durations.clone());
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

/// Buckets from 1 ms to 33 s.
pub(super) fn latency_histogram() -> Histogram {
    Histogram::new(exponential_buckets(0.001, 2.0, 16))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_has_names_labels_and_values() {
        let metrics = Metrics::new();
        metrics.connection_opened("driver_orders");
        metrics.connection_opened("driver_orders");
        metrics.connection_closed("driver_orders", 4410);
        metrics.handshake_refused("chat", "forbidden");
        metrics.offer_ended(OfferOutcome::Expired);
        metrics.deadline_met(Duration::from_millis(2));
        metrics.commit_batch(3);
        metrics.request_answered(&Method::POST, "/api/orders/", StatusCode::CREATED, Duration::from_millis(3));

        let text = metrics.encode();
        for line in [
            "holodrive_connections{endpoint=\"driver_orders\"} 1",
            "holodrive_connections_closed_total{endpoint=\"driver_orders\",code=\"4410\"} 1",
            "holodrive_handshakes_refused_total{endpoint=\"chat\",code=\"forbidden\"} 1",
            "holodrive_offers_ended_total{outcome=\"expired\"} 1",
            "holodrive_offer_lateness_seconds_count 1",
            "holodrive_commit_batch_size_sum 3.0",
            "holodrive_http_requests_total{method=\"POST\",route=\"/api/orders/\",status=\"201\"} 1",
            "holodrive_offer_failures_total 0",
            "holodrive_sweep_failures_total 0",
            "holodrive_live_offers 0",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
        }
    }
}
