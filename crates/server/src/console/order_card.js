// How an order looks, wherever it is shown.

import { date, duration, el, time } from './dom.js';

const STATUS = {
  searching: 'Searching',
  pending: 'Offered',
  accepted: 'Driver on the way',
  arrived: 'Driver is there',
  in_progress: 'On the way',
  completed: 'Completed',
  cancelled: 'Cancelled',
  no_driver: 'No driver',
};

const OVER = ['completed', 'cancelled', 'no_driver'];
const TRIP = ['accepted', 'arrived', 'in_progress'];

export const isOver = (order) => OVER.includes(order.status);
export const isTrip = (order) => TRIP.includes(order.status);
/** Whether it can still be cancelled: until the rider is in the car. */
export const isOpen = (order) => !isOver(order) && order.status !== 'in_progress';

/** When its driver will be where he is going, where that is known. */
export const arrival = (order) => order.eta_seconds !== undefined && `${duration(order.eta_seconds)} away`;

/** A card for an order; `extra` comes below, such as what the user can do. */
export function orderCard(order, ...extra) {
  return el('li', { class: 'card order', 'data-status': order.status },
    el('div', { class: 'row' },
      el('strong', { class: 'code' }, order.order_code),
      el('span', { class: 'status' }, STATUS[order.status] ?? order.status),
      el('span', { class: 'space' }),
      time(order.created_at)),
    el('ol', { class: 'way' }, el('li', {}, order.address_from), el('li', {}, order.address_to)),
    wishes(order),
    ...extra);
}

/** For when, and for which vehicle, where the rider has said so. */
function wishes(order) {
  const chip = (...content) => el('li', {}, ...content);
  const all = [
    order.pickup_at && chip('Pickup ', date(order.pickup_at)),
    order.vehicle_class && chip(order.vehicle_class),
    order.seats && chip(order.seats === 1 ? '1 seat' : `${order.seats} seats`),
  ].filter(Boolean);
  return all.length > 0 && el('ul', { class: 'wishes', 'aria-label': 'Wishes' }, all);
}

/** Kilometres between two points given in degrees. */
export function distanceKm(fromLatitude, fromLongitude, toLatitude, toLongitude) {
  const radians = (degrees) => (degrees * Math.PI) / 180;
  const half = (from, to) => Math.sin(radians(to - from) / 2) ** 2;
  const angle = half(fromLatitude, toLatitude)
    + Math.cos(radians(fromLatitude)) * Math.cos(radians(toLatitude)) * half(fromLongitude, toLongitude);
  return 2 * 6371 * Math.asin(Math.sqrt(angle));
}
