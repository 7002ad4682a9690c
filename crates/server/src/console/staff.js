// Staff: everybody's orders, refreshed by notifications and by asking.

import { get, post } from './api.js';
import { button, el, empty, showList } from './dom.js';
import { Explanation } from './explanation.js';
import { arrival, isOpen, isOver, isTrip, orderCard } from './order_card.js';

const REFRESH_MS = 3_000;

const GROUPS = [
  ['All', () => true],
  ['Searching', (order) => order.status === 'searching'],
  ['Offered', (order) => order.status === 'pending'],
  ['On trips', isTrip],
  ['Over', isOver],
];

export class StaffOrders {
  constructor(panel) {
    this.orders = [];
    this.shown = 'All';
    this.explanation = null;
    this.filters = el('div', { class: 'chips', role: 'group', 'aria-label': 'Which orders' });
    this.list = el('ul', { class: 'cards' });
    this.problem = el('p', { class: 'error', hidden: true });
    panel.replaceChildren(el('div', { class: 'head' }, el('h2', {}, 'Live orders')), this.filters, this.problem, this.list);
    this.timer = setInterval(() => this.refresh(), REFRESH_MS);
    this.refresh();
  }

  async refresh() {
    try {
      this.orders = (await get('/api/orders/?limit=100')).results;
      this.problem.hidden = true;
    } catch (error) {
      this.problem.textContent = `These orders may be old. ${error.message}`;
      this.problem.hidden = false;
    }
    this.explanation?.refresh(this.orders);
    this.render();
  }

  render() {
    // Nobody wants a button to be replaced under the finger.
    const focused = this.filters.contains(document.activeElement) && document.activeElement.dataset.group;
    this.filters.replaceChildren(...GROUPS.map(([name, belongs]) => this.filter(name, belongs)));
    if (focused) this.filters.querySelector(`[data-group="${focused}"]`)?.focus();
    const belongs = GROUPS.find(([name]) => name === this.shown)[1];
    const shown = this.orders.filter(belongs).map((order) => ({ ...order, isExplained: order.id === this.explanation?.orderId }));
    showList(this.list, shown, {
      key: (order) => order.id,
      make: (order) => this.card(order),
      placeholder: empty('No orders here', 'They appear as riders order.'),
    });
  }

  filter(name, belongs) {
    return el('button', {
      type: 'button',
      'data-group': name,
      'aria-pressed': String(name === this.shown),
      onclick: () => { this.shown = name; this.render(); },
    }, name, ' ', el('b', {}, this.orders.filter(belongs).length));
  }

  card(order) {
    const quiet = (label, action, more = {}) => {
      const made = button(label, action, 'quiet');
      made.setAttribute('aria-label', `${label} ${order.order_code}`);
      for (const [name, value] of Object.entries(more)) made.setAttribute(name, value);
      return made;
    };
    const act = (command) => async () => {
      await post(`/api/orders/${order.id}/${command}/`);
      await this.refresh();
    };
    const isOnHisWay = ['accepted', 'arrived'].includes(order.status);
    return orderCard(order,
      el('div', { class: 'row' },
        el('span', { class: 'facts' }, facts(order)),
        el('span', { class: 'commands' },
          quiet('Drivers', () => this.explain(order), { 'aria-expanded': String(order.isExplained) }),
          isOnHisWay && quiet('Take back', act('unassign')),
          isOpen(order) && quiet('Cancel', act('cancel')))),
      order.isExplained && this.explanation.element);
  }

  /** Opens who came into question for an order, or closes it. */
  async explain(order) {
    const assign = async (driver_id) => {
      await post(`/api/orders/${order.id}/assign/`, { driver_id });
      await this.refresh();
    };
    this.explanation = order.isExplained ? null : new Explanation(order.id, assign);
    await this.explanation?.refresh(this.orders);
    this.render();
  }

  onNotification() {
    this.refresh();
  }

  close() {
    clearInterval(this.timer);
  }
}

function facts(order) {
  const isComing = order.status === 'accepted' && order.distance_to_pickup_km !== null;
  return [
    `rider ${order.rider_id}`,
    order.driver_id !== null && `driver ${order.driver_id}`,
    isComing && `${order.distance_to_pickup_km} km to the pickup`,
    isTrip(order) && arrival(order),
    order.pin && `PIN ${order.pin}`,
  ].filter(Boolean).join(' · ');
}
