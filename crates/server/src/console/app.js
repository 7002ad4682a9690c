// Login, and the panels of whoever is logged in.

import * as api from './api.js';
import { Chat } from './chat.js';
import { byId } from './dom.js';
import { DriverOrders } from './driver.js';
import { Notifications } from './notifications.js';
import { RiderOrders } from './rider.js';
import { closeAll, whenStateChanges } from './socket.js';
import { StaffOrders } from './staff.js';

let panels = [];

async function start() {
  try {
    await show(await api.get('/api/me/'));
  } catch (error) {
    showLogin(error.status === 401 || error.status === 403 ? '' : error.message);
  }
}

function showLogin(problem = '') {
  panels.forEach((panel) => panel.close());
  panels = [];
  closeAll();
  byId('console').hidden = byId('logout').hidden = byId('connection').hidden = true;
  byId('login').hidden = false;
  byId('who').textContent = '';
  document.title = 'HoloDrive';
  showLoginError(problem);
  byId('login-form').elements.username.focus();
}

function showLoginError(problem) {
  byId('login-error').textContent = problem;
  byId('login-error').hidden = !problem;
}

async function show(me) {
  const view = me.is_staff ? StaffOrders : (await isDriver()) ? DriverOrders : RiderOrders;
  const role = { [StaffOrders.name]: 'staff', [DriverOrders.name]: 'driver', [RiderOrders.name]: 'rider' }[view.name];
  byId('login').hidden = true;
  byId('console').hidden = byId('logout').hidden = false;
  byId('who').textContent = `${me.name} · ${role}`;
  const chat = new Chat(byId('chat'), { me });
  const openChat = (id) => { select('chat'); chat.open(id); };
  const orders = new view(byId('orders'), { openChat });
  const onNew = (notification) => { orders.onNotification(notification); chat.onNotification(notification); };
  const notifications = new Notifications(byId('notifications'), { openChat, onNew, onUnread: showUnread });
  panels = [chat, orders, notifications];
}

/** The name of the drivers' group is a setting of the server, so the server is asked. */
async function isDriver() {
  try {
    await api.get('/api/driver/orders/');
    return true;
  } catch (error) {
    if (error.status === 403) return false;
    throw error;
  }
}

function showUnread(count) {
  const badge = document.querySelector('[data-unread]');
  badge.textContent = count;
  badge.hidden = count === 0;
  document.title = count ? `(${count}) HoloDrive` : 'HoloDrive';
}

/** On narrow screens one panel is shown at a time. */
function select(name) {
  byId('console').dataset.shown = name;
  for (const tab of document.querySelectorAll('[data-panel]')) tab.setAttribute('aria-pressed', String(tab.dataset.panel === name));
}

function showConnection(connected) {
  const state = byId('connection');
  state.hidden = byId('console').hidden;
  state.dataset.connected = String(connected);
  state.textContent = connected ? 'Live' : 'Connecting…';
}

function showTheme(theme) {
  if (theme) document.documentElement.dataset.theme = theme;
}

byId('login-form').addEventListener('submit', async (event) => {
  event.preventDefault();
  const { username, password } = event.target.elements;
  const submit = event.submitter ?? event.target.querySelector('[type=submit]');
  submit.disabled = true;
  showLoginError('');
  try {
    await api.post('/api/session/', { username: username.value, password: password.value });
    password.value = '';
    await start();
  } catch (error) {
    showLoginError(error.message);
    password.select();
  } finally {
    submit.disabled = false;
  }
});

byId('logout').addEventListener('click', async () => {
  await api.remove('/api/session/').catch(() => {});
  showLogin();
});

byId('theme').addEventListener('click', () => {
  const system = matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light';
  const theme = (localStorage.getItem('theme') ?? system) === 'dark' ? 'light' : 'dark';
  localStorage.setItem('theme', theme);
  showTheme(theme);
});

for (const tab of document.querySelectorAll('[data-panel]')) tab.addEventListener('click', () => select(tab.dataset.panel));

showTheme(localStorage.getItem('theme'));
api.whenLoggedOut(() => { if (panels.length) showLogin('The session has ended: log in again.'); });
whenStateChanges(showConnection);
select('orders');
start();
