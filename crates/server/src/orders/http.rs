//! The HTTP API of orders and of drivers.

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::State,
    response::Response,
    routing::{get, post, put},
};
use holodrive_protocol::{
    Order, OrderEvent, OrderId, OrderStatus, UserId,
    http::{Candidates, DriverOrders, DriverStatus, DriverVehicle, Page},
};

use super::{
    answers::Accepted,
    error::OrderError,
    pins::{DIGITS, Pin},
    record::{NewOrder, OrderRecord, point},
    service::Orders,
    store::{self, Scope},
    transitions::{CONSIDERED, TripStep},
    trips::Started,
};
use crate::{
    accounts::User,
    api::{ApiError, Caller, Command, PageQuery, PathId, PathUserId, QueryFields, Reply},
    app::App,
    dispatch::{Needs, Vehicle},
    storage::Tx,
};

/// The longest address, in characters.
const ADDRESS_CHARS: usize = 255;
/// The longest class of vehicle, in characters.
const VEHICLE_CLASS_CHARS: usize = 50;
/// Classes that one vehicle serves.
const VEHICLE_CLASSES: usize = 20;
/// The most seats for passengers.
const SEATS: i64 = 60;
/// The longest `order_type`, in characters.
const ORDER_TYPE_CHARS: usize = 50;

/// The routes of orders and drivers.
pub fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/api/orders", get(list).post(create))
        .route("/api/orders/{id}", get(show))
        .route("/api/orders/{id}/events", get(events))
        .route("/api/orders/{id}/candidates", get(candidates))
        .route("/api/orders/{id}/cancel", post(cancel))
        .route("/api/orders/{id}/assign", post(assign))
        .route("/api/orders/{id}/unassign", post(unassign))
        .route("/api/orders/{id}/complete", post(complete_for_driver))
        .route("/api/driver/orders", get(poll))
        .route("/api/driver/orders/{id}/accept", post(accept))
        .route("/api/driver/orders/{id}/decline", post(decline))
        .route("/api/driver/orders/{id}/release", post(release))
        .route("/api/driver/orders/{id}/arrive", post(arrive))
        .route("/api/driver/orders/{id}/start", post(start))
        .route("/api/driver/orders/{id}/complete", post(complete))
        .route("/api/driver/status", put(set_status))
        .route("/api/driver/location", put(set_location))
        .route("/api/drivers/{id}/vehicle", get(show_vehicle).put(set_vehicle))
}

async fn create(State(app): State<Arc<App>>, mut command: Command) -> Result<Response, ApiError> {
    let rider_id = rider(&mut command);
    let fields = &mut command.fields;
    let new = NewOrder {
        rider_id,
        order_type: fields.optional_text("order_type", 1..=ORDER_TYPE_CHARS).unwrap_or_else(|| "pickup".to_owned()),
        address_from: fields.text("address_from", 1..=ADDRESS_CHARS),
        address_to: fields.text("address_to", 1..=ADDRESS_CHARS),
        from: point(fields.latitude("latitude_from"), fields.longitude("longitude_from")),
        to: point(fields.latitude("latitude_to"), fields.longitude("longitude_to")),
        pickup_at: fields.optional_timestamp("pickup_at"),
        needs: Needs {
            vehicle_class: fields.optional_text("vehicle_class", 1..=VEHICLE_CLASS_CHARS),
            seats: fields.optional_integer("seats", 1..=SEATS).and_then(|seats| u32::try_from(seats).ok()),
        },
    };
    fields.finish()?;
    let orders = Arc::clone(&app.orders);
    // A caller was found to be active a moment ago.
    let is_known = command.caller.user().is_ok_and(|user| user.id == rider_id);
    command
        .commit(&app.storage, move |tx| {
            if !is_known && orders.accounts.filter_active(tx, &[rider_id])?.is_empty() {
                return Err(ApiError::invalid_field("rider_id", "There is no such active user."));
            }
            let order = orders.create(tx, &new)?;
            Ok(Reply::created(orders.rider_view(&order)))
        })
        .await
}

/// Who rides: the caller, or whom staff or a back end names.
fn rider(command: &mut Command) -> UserId {
    let named = if command.caller.is_staff() { command.fields.optional_user_id("rider_id") } else { None };
    match (named, &command.caller) {
        (Some(rider_id), _) => rider_id,
        (None, Caller::User(identity)) => identity.user.id,
        (None, Caller::Backend) => command.fields.user_id("rider_id"),
    }
}

async fn list(
    State(app): State<Arc<App>>,
    caller: Caller,
    page: PageQuery,
    query: QueryFields,
) -> Result<Json<Page<Order>>, ApiError> {
    let user = caller.user()?.clone();
    let scope = if user.is_staff { Scope::All } else { Scope::Of(user.id) };
    let status = query.get("status").map(str::parse::<OrderStatus>).transpose();
    let status = status.map_err(|_| ApiError::invalid_field("status", "There is no such status."))?;
    let before = page.after.unwrap_or(OrderId::MAX);
    let records = app.storage.read(move |tx| store::page(tx, scope, status, before, page.fetch())).await?;
    let Page { results, next } = page.page(records, |order| order.id);
    Ok(Json(Page { results: results.iter().map(|order| view(&app, order, &user)).collect(), next }))
}

/// The order as this user may see it.
fn view(app: &App, order: &OrderRecord, user: &User) -> Order {
    let may_know_all = user.is_staff || order.rider_id == user.id;
    if may_know_all { app.orders.rider_view(order) } else { app.orders.view(order) }
}

async fn show(State(app): State<Arc<App>>, caller: Caller, PathId(id): PathId) -> Result<Json<Order>, ApiError> {
    let user = caller.user()?.clone();
    let asker = user.clone();
    let order = app.storage.read(move |tx| visible(tx, id, &asker)).await?;
    Ok(Json(view(&app, &order, &user)))
}

async fn events(
    State(app): State<Arc<App>>,
    caller: Caller,
    PathId(id): PathId,
    page: PageQuery,
) -> Result<Json<Page<OrderEvent>>, ApiError> {
    let user = caller.user()?.clone();
    let is_staff = user.is_staff;
    let read = move |tx: &mut Tx<'_>| {
        visible(tx, id, &user)?;
        Ok::<_, OrderError>(store::events(tx, id, page.after.unwrap_or(0), page.fetch())?)
    };
    let Page { results, next } = page.page(app.storage.read(read).await?, |(id, _)| *id);
    let shown = |(_, mut event): (_, OrderEvent)| {
        if !is_staff {
            hide_what_concerns_staff(&mut event);
        }
        event
    };
    Ok(Json(Page { results: results.into_iter().map(shown).collect(), next }))
}

/// Other drivers, and the phones of those who were asked.
fn hide_what_concerns_staff(event: &mut OrderEvent) {
    event.details.remove(CONSIDERED);
    if matches!(event.kind.as_str(), "pushed" | "push_failed") {
        for name in ["way", "device_id", "attempts", "reason"] {
            event.details.remove(name);
        }
    }
}

async fn candidates(
    State(app): State<Arc<App>>,
    caller: Caller,
    PathId(id): PathId,
) -> Result<Json<Candidates>, ApiError> {
    caller.require_staff()?;
    let orders = Arc::clone(&app.orders);
    let results = app.storage.read(move |tx| orders.candidates(tx, id)).await?;
    Ok(Json(Candidates { results }))
}

/// The order, for those who may see it.
fn visible(tx: &mut Tx<'_>, id: OrderId, user: &User) -> Result<OrderRecord, OrderError> {
    store::find(tx, id)?
        .filter(|order| user.is_staff || order.rider_id == user.id || order.driver_id == Some(user.id))
        .ok_or(OrderError::NotFound)
}

async fn cancel(State(app): State<Arc<App>>, PathId(id): PathId, command: Command) -> Result<Response, ApiError> {
    let user = command.caller.user()?.clone();
    act(&app, &command, move |orders, tx| orders.cancel(tx, id, &user)).await
}

async fn assign(State(app): State<Arc<App>>, PathId(id): PathId, mut command: Command) -> Result<Response, ApiError> {
    command.caller.require_staff()?;
    let driver_id = command.fields.user_id("driver_id");
    command.fields.finish()?;
    let actor_id = command.caller.user().ok().map(|user| user.id);
    act(&app, &command, move |orders, tx| orders.assign(tx, id, driver_id, actor_id)).await
}

async fn unassign(State(app): State<Arc<App>>, PathId(id): PathId, command: Command) -> Result<Response, ApiError> {
    command.caller.require_staff()?;
    let actor_id = command.caller.user().ok().map(|user| user.id);
    act(&app, &command, move |orders, tx| orders.unassign(tx, id, actor_id)).await
}

async fn complete_for_driver(
    State(app): State<Arc<App>>,
    PathId(id): PathId,
    command: Command,
) -> Result<Response, ApiError> {
    command.caller.require_staff()?;
    let actor_id = command.caller.user().ok().map(|user| user.id);
    act(&app, &command, move |orders, tx| orders.complete(tx, id, actor_id)).await
}

async fn poll(State(app): State<Arc<App>>, caller: Caller) -> Result<Json<DriverOrders>, ApiError> {
    let driver_id = driver(&app, &caller)?.id;
    let snapshot = app.orders.answer_poll(driver_id).await?;
    let now = app.clock.now();
    let results = snapshot.offers.iter().map(|order| app.orders.view(order).with_remaining(now)).collect();
    Ok(Json(DriverOrders { results, trip: snapshot.trip.map(|order| app.orders.view(&order)) }))
}

async fn accept(State(app): State<Arc<App>>, PathId(id): PathId, command: Command) -> Result<Response, ApiError> {
    let user = driver(&app, &command.caller)?.clone();
    act(&app, &command, move |orders, tx| orders.accept(tx, id, &user, None).map(Accepted::into_order)).await
}

async fn decline(State(app): State<Arc<App>>, PathId(id): PathId, command: Command) -> Result<Response, ApiError> {
    let driver_id = driver(&app, &command.caller)?.id;
    act(&app, &command, move |orders, tx| orders.decline(tx, id, driver_id, None)).await
}

async fn release(State(app): State<Arc<App>>, PathId(id): PathId, command: Command) -> Result<Response, ApiError> {
    let driver_id = driver(&app, &command.caller)?.id;
    act(&app, &command, move |orders, tx| orders.release(tx, id, driver_id)).await
}

async fn arrive(State(app): State<Arc<App>>, PathId(id): PathId, command: Command) -> Result<Response, ApiError> {
    step(&app, id, &command, TripStep::Arrive).await
}

async fn start(State(app): State<Arc<App>>, PathId(id): PathId, mut command: Command) -> Result<Response, ApiError> {
    let driver_id = driver(&app, &command.caller)?.id;
    let pin = pin(&mut command);
    command.fields.finish()?;
    let orders = Arc::clone(&app.orders);
    let start = move |tx: &mut Tx<'_>| match orders.start(tx, id, driver_id, pin.as_ref())? {
        Started::Now(order) => Ok(Reply::ok(orders.view(&order))),
        // No error, for that would undo the entry that counts the attempt.
        Started::WrongPin { tries_left } => Ok(Reply::from(&ApiError::wrong_pin(tries_left))),
    };
    command.commit(&app.storage, start).await
}

/// What the rider has told the driver; a slip of the finger costs no attempt.
fn pin(command: &mut Command) -> Option<Pin> {
    let typed = command.fields.optional_text("pin", DIGITS..=DIGITS)?;
    let pin = Pin::typed(&typed);
    if pin.is_none() {
        command.fields.refuse("pin", "Must be four digits.");
    }
    pin
}

async fn complete(State(app): State<Arc<App>>, PathId(id): PathId, command: Command) -> Result<Response, ApiError> {
    step(&app, id, &command, TripStep::Complete).await
}

async fn step(app: &App, id: OrderId, command: &Command, step: TripStep) -> Result<Response, ApiError> {
    let driver_id = driver(app, &command.caller)?.id;
    act(app, command, move |orders, tx| orders.step(tx, id, driver_id, step)).await
}

/// Runs a step in a transaction, and answers with the order after it.
async fn act(
    app: &App,
    command: &Command,
    step: impl FnOnce(&Arc<Orders>, &mut Tx<'_>) -> Result<OrderRecord, OrderError> + Send + 'static,
) -> Result<Response, ApiError> {
    let orders = Arc::clone(&app.orders);
    command.commit(&app.storage, move |tx| Ok(Reply::ok(orders.view(&step(&orders, tx)?)))).await
}

async fn set_status(State(app): State<Arc<App>>, mut command: Command) -> Result<Response, ApiError> {
    let driver_id = driver(&app, &command.caller)?.id;
    let status = command.fields.choice::<DriverStatus>("status");
    command.fields.finish()?;
    let orders = Arc::clone(&app.orders);
    command
        .commit(&app.storage, move |tx| {
            status.map_or(Ok(()), |status| orders.set_status(tx, driver_id, status))?;
            Ok(Reply::no_content())
        })
        .await
}

async fn set_location(State(app): State<Arc<App>>, mut command: Command) -> Result<Response, ApiError> {
    let driver_id = driver(&app, &command.caller)?.id;
    let at = point(command.fields.latitude("latitude"), command.fields.longitude("longitude"));
    command.fields.finish()?;
    let orders = Arc::clone(&app.orders);
    command
        .commit(&app.storage, move |tx| {
            orders.set_location(tx, driver_id, at)?;
            Ok(Reply::no_content())
        })
        .await
}

async fn show_vehicle(
    State(app): State<Arc<App>>,
    caller: Caller,
    PathUserId(id): PathUserId,
) -> Result<Json<DriverVehicle>, ApiError> {
    caller.require_staff()?;
    let orders = Arc::clone(&app.orders);
    Ok(Json(app.storage.read(move |tx| orders.vehicle(tx, id)).await?))
}

async fn set_vehicle(
    State(app): State<Arc<App>>,
    PathUserId(id): PathUserId,
    mut command: Command,
) -> Result<Response, ApiError> {
    command.caller.require_staff()?;
    let classes = command.fields.texts("classes", 0..=VEHICLE_CLASSES, 1..=VEHICLE_CLASS_CHARS);
    let seats = u32::try_from(command.fields.integer("seats", 1..=SEATS)).unwrap_or_default();
    command.fields.finish()?;
    let orders = Arc::clone(&app.orders);
    let vehicle = Vehicle { classes, seats };
    command.commit(&app.storage, move |tx| Ok(Reply::ok(orders.set_vehicle(tx, id, vehicle)?))).await
}

fn driver<'c>(app: &App, caller: &'c Caller) -> Result<&'c User, ApiError> {
    let user = caller.user()?;
    if user.in_group(&app.config.driver_group) { Ok(user) } else { Err(ApiError::forbidden("this is for drivers")) }
}
