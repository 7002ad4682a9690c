// A driver: offers with their time, and the trip.

import { get, post, put } from './api.js';
import { button, el, empty, showList, toast } from './dom.js';
import { arrival, isTrip, orderCard } from './order_card.js';
import { PinForm, isAboutPin } from './pin.js';
import { LiveSocket } from './socket.js';

const REASONS = {
  expired: 'Its time is up.',
  taken: 'Another driver has it.',
  cancelled: 'It was cancelled.',
  reassigned: 'It went to another driver.',
  not_offered: 'It was not offered to you.',
};

/** The step that follows a status: its name, and its word in the API. */
const STEPS = { accepted: ['I am at the pickup', 'arrive'], arrived: ['Start the trip', 'start'], in_progress: ['Complete', 'complete'] };

export class DriverOrders {
  constructor(panel, { openChat }) {
    this.openChat = openChat;
    this.offers = new Map();
    this.trip = null;
    this.pin = null;
    this.list = el('ul', { class: 'cards' });
    this.tripList = el('ul', { class: 'cards trip' });
    panel.replaceChildren(
      el('div', { class: 'head' }, el('h2', {}, 'Orders for you'), el('span', { class: 'space' }), this.statusButtons()),
      this.tripList, this.list);
    this.render();
    this.socket = new LiveSocket('/ws/driver/orders/', { onMessage: (data) => this.onmessage(data), onEnd: toast });
    this.timer = setInterval(() => this.countDown(), 200);
  }

  statusButtons() {
    const set = (status) => button(status === 'online' ? 'Go online' : 'Go offline', async () => {
      await put('/api/driver/status/', { status });
      toast(status === 'online' ? 'You take orders now.' : 'You take no more orders.');
    }, 'quiet');
    return el('span', { class: 'actions' }, set('online'), set('offline'));
  }

  onmessage(data) {
    switch (data.type) {
      case 'connection_established':
        console.log('Connected');
        break;
      case 'initial_orders':
        this.setOrdersList(data.orders);
        break;
      case 'new_order':
        this.addOrderToList(data.order);
        break;
      case 'order_timeout':
      case 'order_declined':
        this.removeOrderFromList(data.order_id);
        break;
      case 'order_cancelled':
      case 'order_cancelled_by_rider':
        this.removeOrderFromList(data.order_id);
        toast(data.message);
        break;
      case 'order_accepted':
      case 'active_ride_snapshot':
        this.setTrip(data.order);
        break;
      case 'error':
        if (data.order_id) this.removeOrderFromList(data.order_id);
        toast(REASONS[data.reason] ?? data.message);
        break;
    }
  }

  /** After a reconnect as well: what is not listed has ended meanwhile. */
  setOrdersList(orders) {
    this.offers.clear();
    this.refreshTrip();
    orders.forEach((order) => this.addOrderToList(order));
    this.render();
  }

  addOrderToList(order) {
    const endsAt = performance.now() + (order.remaining_ms ?? 0);
    this.offers.set(order.id, { order, endsAt, total: Math.max(order.remaining_ms ?? 0, 1) });
    this.socket?.send({ type: 'ack_order', order_id: order.id });
    this.render();
  }

  removeOrderFromList(id) {
    this.offers.delete(id);
    if (this.trip?.id === id) this.showTrip(null);
    this.render();
  }

  setTrip(order) {
    this.offers.delete(order.id);
    this.showTrip(isTrip(order) ? order : null);
  }

  showTrip(trip) {
    const isSame = trip?.id === this.trip?.id && trip?.status === this.trip?.status;
    if (!isSame) this.pin = null;
    this.trip = trip;
    this.render();
  }

  async refreshTrip() {
    try {
      this.showTrip((await get('/api/driver/orders/')).trip);
    } catch (error) {
      toast(error.message);
    }
  }

  answer(type, order) {
    if (!this.socket.send({ type, order_id: order.id })) toast('Not connected: the answer was not sent. Try again in a moment.');
  }

  render() {
    const key = (order) => order.id;
    const trip = this.trip && { ...this.trip, asksForPin: this.pin !== null };
    showList(this.tripList, trip ? [trip] : [], { key, make: (order) => this.tripCard(order) });
    showList(this.list, [...this.offers.values()].map(({ order }) => order), {
      key,
      make: (order) => this.offerCard(order),
      placeholder: empty('No offers', this.trip ? 'You are on a trip.' : 'New orders appear here the moment they are offered to you.'),
    });
    this.countDown();
  }

  offerCard(order) {
    const distance = order.distance_to_pickup_km;
    const way = [`${distance} km to the pickup`, arrival(order)].filter(Boolean).join(', ');
    return orderCard(order,
      distance !== null && el('p', { class: 'tracking' }, way),
      el('div', { class: 'countdown', 'data-countdown': order.id }, el('span', {}), el('i', {})),
      el('div', { class: 'actions' },
        button('Accept', () => this.answer('accept_order', order), 'primary'),
        button('Decline', () => this.answer('decline_order', order))));
  }

  tripCard(order) {
    const [label, step] = STEPS[order.status];
    return orderCard(order, this.pin?.element, el('div', { class: 'actions' },
      !this.pin && button(label, () => this.take(step, order), 'primary'),
      order.conversation_id !== null && button('Chat with the rider', () => this.openChat(order.conversation_id)),
      order.status === 'accepted' && button('Give back', () => this.take('release', order), 'quiet')));
  }

  async take(step, order, body) {
    try {
      this.setTrip(await post(`/api/driver/orders/${order.id}/${step}/`, body));
    } catch (error) {
      if (step === 'start' && isAboutPin(error)) return this.askForPin(order, error);
      await this.refreshTrip();
      throw error;
    }
  }

  askForPin(order, error) {
    this.pin ??= new PinForm((pin) => this.take('start', order, { pin }));
    this.render();
    this.pin.say(error);
  }

  /** Counts by the server's time: the offer says how long it lasts, not when it ends. */
  countDown() {
    for (const { order, endsAt, total } of this.offers.values()) {
      const line = this.list.querySelector(`[data-countdown="${order.id}"]`);
      if (!line) continue;
      const left = Math.max(0, endsAt - performance.now());
      line.firstChild.textContent = `${Math.ceil(left / 1000)} s left`;
      line.lastChild.style.width = `${(100 * left) / total}%`;
    }
  }

  onNotification() {}

  close() {
    clearInterval(this.timer);
    this.socket.close();
  }
}
