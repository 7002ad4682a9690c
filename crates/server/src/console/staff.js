// Staff: everybody's orders, refreshed by notifications and by asking.

import { get, post } from './api.js';
import { button, el, empty, showList } from './dom.js';
import { isOver, isTrip, orderCard } from './order_card.js';

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
    this.render();
  }

  render() {
    // Nobody wants a button to be replaced under the finger.
    const focused = this.filters.contains(document.activeElement) && document.activeElement.dataset.group;
    this.filters.replaceChildren(...GROUPS.map(([name, belongs]) => this.filter(name, belongs)));
    if (focused) this.filters.querySelector(`[data-group="${focused}"]`)?.focus();
    const belongs = GROUPS.find(([name]) => name === this.shown)[1];
    showList(this.list, this.orders.filter(belongs), {
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
    const facts = [
      `rider ${order.rider_id}`,
      order.driver_id !== null && `driver ${order.driver_id}`,
      ['accepted', 'arrived'].includes(order.status) && order.distance_to_pickup_km !== null && `${order.distance_to_pickup_km} km to the pickup`,
    ].filter(Boolean);
    const line = el('span', { class: 'facts' }, facts.join(' · '));
    if (isOver(order)) return orderCard(order, el('div', { class: 'row' }, line));
    const cancel = button('Cancel', async () => {
      await post(`/api/orders/${order.id}/cancel/`);
      await this.refresh();
    }, 'quiet');
    cancel.setAttribute('aria-label', `Cancel ${order.order_code}`);
    return orderCard(order, el('div', { class: 'row' }, line, el('span', { class: 'space' }), cancel));
  }

  onNotification() {
    this.refresh();
  }

  close() {
    clearInterval(this.timer);
  }
}
