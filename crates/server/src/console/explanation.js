// Which drivers come into question for an order, and what keeps the others from being asked.

import { get } from './api.js';
import { button, el, empty, showList } from './dom.js';
import { isOver, isTrip } from './order_card.js';

const SKIPPED = {
  offline: 'takes no orders',
  on_trip: 'is on a trip',
  busy: 'has an offer',
  unreachable: 'cannot be reached',
  stale: 'was not heard of',
  offered: 'is being asked',
  cooling: 'was asked a short time ago',
  gave_back: 'gave it back',
  wrong_class: 'drives another class',
  too_few_seats: 'has too few seats',
  too_far: 'is too far away',
};

/** Staff may offer the order to the others, whatever keeps them from being asked. */
const NOT_TO_ASSIGN = ['on_trip', 'offered'];

export class Explanation {
  constructor(orderId, assign) {
    Object.assign(this, { orderId, assign });
    this.heading = el('h3');
    this.list = el('ul');
    this.element = el('section', { class: 'explanation', 'aria-label': 'Drivers' }, this.heading, this.list);
  }

  /** Of an order that nobody has, by this moment; of any other one, by its history. */
  async refresh(orders) {
    const order = orders.find((each) => each.id === this.orderId);
    if (!order) return;
    const isDecided = isTrip(order) || isOver(order);
    try {
      const drivers = isDecided ? await lastConsidered(order.id) : (await get(`/api/orders/${order.id}/candidates/`)).results;
      this.heading.textContent = isDecided ? 'Who came into question at last, the nearest first' : 'Who comes into question now, the nearest first';
      this.show(drivers, isDecided);
    } catch (error) {
      this.heading.textContent = error.message;
    }
  }

  show(drivers, isDecided) {
    showList(this.list, drivers.map((driver) => ({ ...driver, isDecided })), {
      key: (driver) => driver.driver_id,
      make: (driver) => this.line(driver),
      placeholder: empty('Nobody', 'No driver is near, or all of them are offline.'),
    });
  }

  line({ driver_id, distance_km, skipped, isDecided }) {
    const isFree = !isDecided && !NOT_TO_ASSIGN.includes(skipped);
    const offer = isFree && button('Offer', () => this.assign(driver_id), 'quiet');
    if (offer) offer.setAttribute('aria-label', `Offer to driver ${driver_id}`);
    return el('li', { class: 'row', 'data-skipped': skipped ?? '' },
      el('strong', {}, `driver ${driver_id}`),
      el('span', { class: 'facts' }, distance_km === null ? 'nobody knows where' : `${distance_km} km`),
      el('span', {}, skipped === null ? (isDecided ? 'was asked' : 'can be asked') : SKIPPED[skipped] ?? skipped),
      el('span', { class: 'space' }),
      offer);
  }
}

/** Those of the last offer, or of the moment at which the search ended in vain. */
async function lastConsidered(orderId) {
  let considered = [];
  let page = { next: '' };
  while (page.next !== null) {
    page = await get(`/api/orders/${orderId}/events/?limit=200${page.next && `&cursor=${page.next}`}`);
    considered = page.results.findLast((event) => event.considered)?.considered ?? considered;
  }
  return considered;
}
