// A rider: order a ride, see each step, see the driver come.

import { get, post } from './api.js';
import { button, el, empty, showList, toast } from './dom.js';
import { arrival, distanceKm, isOpen, isTrip, orderCard } from './order_card.js';
import { LiveSocket } from './socket.js';

export class RiderOrders {
  constructor(panel, { openChat }) {
    this.openChat = openChat;
    this.orders = new Map();
    this.trackers = new Map();
    this.list = el('ul', { class: 'cards' });
    panel.replaceChildren(el('div', { class: 'head' }, el('h2', {}, 'Your rides')), this.form(), this.list);
    this.render();
    this.socket = new LiveSocket('/ws/rider/orders/', { onMessage: (data) => this.onMessage(data), onEnd: toast });
    this.loadEarlier();
  }

  form() {
    const field = (label, name, value, more = {}) => el('label', {}, label, el('input', { name, value, required: true, ...more }));
    const point = { pattern: '-?[0-9.]+\\s*,\\s*-?[0-9.]+', title: 'latitude, longitude', inputMode: 'decimal' };
    const form = el('form', { class: 'card fields' },
      field('From', 'from', 'Chorsu bozori', { maxLength: 255 }), field('at', 'from_point', '41.3265, 69.2350', point),
      field('To', 'to', 'Milliy bogʻ', { maxLength: 255 }), field('at', 'to_point', '41.3045, 69.2354', point),
      el('details', {}, el('summary', {}, 'For later, or in a certain vehicle'), el('div', { class: 'fields' },
        field('When', 'pickup_at', '', { type: 'datetime-local', required: false }),
        field('Class', 'vehicle_class', '', { maxLength: 50, placeholder: 'any', required: false }),
        field('Seats', 'seats', '', { type: 'number', min: 1, max: 60, placeholder: 'any', required: false }))),
      el('button', { class: 'primary', type: 'submit' }, 'Order a ride'));
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      this.order(form).catch((error) => toast(error.message));
    });
    return form;
  }

  async order(form) {
    const fields = form.elements;
    const [latitude_from, longitude_from] = fields.from_point.value.split(',').map((text) => text.trim());
    const [latitude_to, longitude_to] = fields.to_point.value.split(',').map((text) => text.trim());
    const [address_from, address_to] = [fields.from.value, fields.to.value];
    const wishes = wishesIn(fields);
    const submit = form.querySelector('[type=submit]');
    submit.disabled = true;
    try {
      this.update(await post('/api/orders/', {
        address_from, address_to, latitude_from, longitude_from, latitude_to, longitude_to, ...wishes,
      }));
      // The next ride is not for the same day by mistake.
      for (const name of Object.keys(wishes)) fields[name].value = '';
    } finally {
      submit.disabled = false;
    }
  }

  async loadEarlier() {
    try {
      const page = await get('/api/orders/?limit=10');
      for (const order of page.results) if (!this.orders.has(order.id)) this.orders.set(order.id, order);
      this.render();
    } catch (error) {
      toast(error.message);
    }
  }

  onMessage(data) {
    switch (data.type) {
      case 'initial_orders':
        data.orders.forEach((order) => this.update(order));
        break;
      case 'rider_order_updated':
        this.update(data.order);
        break;
    }
  }

  update(order) {
    this.orders.set(order.id, order);
    this.track(order);
    this.render();
  }

  /** Follows the driver while there is one. */
  track(order) {
    const tracker = this.trackers.get(order.id);
    if (isTrip(order) && !tracker) {
      const path = `/ws/order/${order.id}/tracking/`;
      this.trackers.set(order.id, { socket: new LiveSocket(path, { onMessage: (data) => this.onPosition(data) }) });
    } else if (!isTrip(order) && tracker) {
      tracker.socket.close();
      this.trackers.delete(order.id);
    }
  }

  onPosition(data) {
    const tracker = this.trackers.get(data.order_id);
    if (data.type !== 'driver_location_update' || !tracker) return;
    tracker.at = data;
    const line = this.list.querySelector(`[data-tracking="${data.order_id}"]`);
    if (line) line.textContent = this.whereIsTheDriver(this.orders.get(data.order_id));
  }

  whereIsTheDriver(order) {
    const at = this.trackers.get(order.id)?.at;
    if (!at) return 'Waiting for the driver’s position…';
    const goal = order.status === 'in_progress' ? ['to', 'your destination'] : ['from', 'you'];
    const km = distanceKm(+at.latitude, +at.longitude, +order[`latitude_${goal[0]}`], +order[`longitude_${goal[0]}`]);
    return [`The driver is ${km.toFixed(2)} km from ${goal[1]}`, order.status !== 'arrived' && arrival(at)].filter(Boolean).join(', ');
  }

  render() {
    const newestFirst = [...this.orders.values()].sort((one, other) => other.id - one.id);
    showList(this.list, newestFirst, {
      key: (order) => order.id,
      make: (order) => this.card(order),
      placeholder: empty('No rides yet', 'Order one above: the nearest driver is asked at once.'),
    });
  }

  card(order) {
    const cancel = isOpen(order) && button('Cancel', async () => this.update(await post(`/api/orders/${order.id}/cancel/`)), 'quiet');
    const hasDriver = isTrip(order);
    const chat = hasDriver && order.conversation_id !== null && button('Chat with the driver', () => this.openChat(order.conversation_id));
    return orderCard(order,
      hasDriver && el('p', { class: 'tracking', 'data-tracking': order.id }, this.whereIsTheDriver(order)),
      order.pin && el('p', { class: 'pin' }, 'Tell your driver this PIN, so that he can start the trip ', el('strong', {}, order.pin)),
      (chat || cancel) && el('div', { class: 'actions' }, chat, cancel));
  }

  onNotification() {}

  close() {
    this.socket.close();
    for (const { socket } of this.trackers.values()) socket.close();
  }
}

/** When, and in what, as the API takes it: only what was filled in. */
function wishesIn({ pickup_at, vehicle_class, seats }) {
  return {
    ...(pickup_at.value && { pickup_at: new Date(pickup_at.value).toISOString() }),
    ...(vehicle_class.value.trim() && { vehicle_class: vehicle_class.value.trim() }),
    ...(seats.value && { seats: Number(seats.value) }),
  };
}
