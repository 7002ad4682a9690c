// Small helpers around the DOM. Text from outside only ever becomes text nodes.

/** Makes an element: properties, `on…` listeners, `class`, `data-…`/`aria-…` attributes, then children. */
export function el(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
    else if (name === 'class' || name.includes('-') || name === 'role' || name === 'for') element.setAttribute(name, value);
    else element[name] = value;
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

export const byId = (id) => document.getElementById(id);

/** A button that is disabled while its action runs, and says when the action failed. */
export function button(label, action, kind = '') {
  return el('button', {
    type: 'button',
    class: kind,
    onclick: async (event) => {
      const pressed = event.currentTarget;
      pressed.disabled = true;
      try {
        await action();
      } catch (error) {
        toast(error.message);
      } finally {
        pressed.disabled = false;
      }
    },
  }, label);
}

/** What a list shows when there is nothing in it. */
export const empty = (title, hint) => el('div', { class: 'empty' }, el('strong', {}, title), el('p', {}, hint));

/**
 * Shows an element for each item, or the placeholder if there is one. Elements whose item did not change stay as they are, so that
 * nothing jumps and no button loses the focus.
 */
export function showList(list, items, { key, make, placeholder }) {
  const active = document.activeElement;
  const focused = [...list.children].find((child) => child.contains(active));
  const button = focused && [...focused.querySelectorAll('button')].indexOf(active);
  const before = new Map([...list.children].map((child) => [child.key, child]));
  const wanted = items.map((item) => keep(before.get(key(item)), item) ?? remember(make(item), key(item), item));
  if (!items.length && placeholder) wanted.push(placeholder);
  for (const child of [...list.children]) if (!wanted.includes(child)) child.remove();
  wanted.forEach((element, index) => {
    if (list.children[index] !== element) list.insertBefore(element, list.children[index] ?? null);
  });
  const successor = focused && !focused.isConnected && wanted.find((element) => element.key === focused.key);
  // What only went from the old element to the new one has lost the focus on its way.
  if (successor) (active.isConnected ? active : successor.querySelectorAll('button')[button])?.focus();
}

const keep = (element, item) => (element?.shows === JSON.stringify(item) ? element : null);
const remember = (element, key, item) => Object.assign(element, { key, shows: JSON.stringify(item) });

/** Says something for a few seconds. */
export function toast(text) {
  const note = el('p', { class: 'toast' }, text);
  byId('toasts').append(note);
  setTimeout(() => note.remove(), 6000);
}

const clock = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit', second: '2-digit' });
const calendar = new Intl.DateTimeFormat(undefined, { day: 'numeric', month: 'short', hour: '2-digit', minute: '2-digit' });

/** The time of today, or the date of another day. */
export function time(iso) {
  const isToday = new Date(iso).toDateString() === new Date().toDateString();
  return moment(iso, isToday ? clock : calendar);
}

/** The date and the time of what is planned. */
export const date = (iso) => moment(iso, calendar);

function moment(iso, format) {
  const at = new Date(iso);
  return el('time', { dateTime: iso, title: at.toLocaleString() }, format.format(at));
}

/** How long something takes, in words. */
export function duration(seconds) {
  const minutes = Math.round(seconds / 60);
  if (minutes < 1) return 'less than a minute';
  return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
