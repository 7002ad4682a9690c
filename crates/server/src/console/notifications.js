// Live notifications, and marking them as read.

import { get, post } from './api.js';
import { button, el, empty, showList, time, toast } from './dom.js';
import { LiveSocket } from './socket.js';

const SHOWN_MAX = 100;

export class Notifications {
  constructor(panel, { openChat, onNew, onUnread }) {
    Object.assign(this, { openChat, onNew, onUnread, notifications: [], last: 0 });
    this.list = el('ul', { class: 'cards' });
    const readAll = button('Mark all as read', () => this.readAll(), 'quiet');
    panel.replaceChildren(el('div', { class: 'head' }, el('h2', {}, 'Notifications'), el('span', { class: 'space' }), readAll), this.list);
    this.start();
  }

  /** First what is stored, then from there on: nothing is missed in between. */
  async start() {
    try {
      this.notifications = (await get('/api/notifications/?limit=30')).results;
      this.last = this.notifications[0]?.id ?? 0;
    } catch (error) {
      toast(error.message);
    }
    if (this.isClosed) return;
    this.render();
    const since = () => this.last;
    this.socket = new LiveSocket('/ws/notifications/', { onMessage: (data) => this.onMessage(data), since, onEnd: toast });
  }

  onMessage(data) {
    if (data.type === 'notification') this.add(data.notification);
    if (data.type === 'notification_read') this.markLocally(data.notification_id);
  }

  add(notification) {
    if (notification.id <= this.last) return;
    this.last = notification.id;
    this.notifications = [notification, ...this.notifications].slice(0, SHOWN_MAX);
    this.render();
    this.onNew(notification);
  }

  markLocally(id) {
    const found = this.notifications.find((notification) => notification.id === id);
    if (found) found.status = 'read';
    this.render();
  }

  read(notification) {
    const sent = this.socket?.send({ type: 'mark_as_read', notification_id: notification.id });
    return sent ? undefined : post(`/api/notifications/${notification.id}/read/`).then(() => this.markLocally(notification.id));
  }

  async readAll() {
    await post('/api/notifications/read-all/');
    for (const notification of this.notifications) notification.status = 'read';
    this.render();
  }

  render() {
    this.onUnread(this.notifications.filter((notification) => notification.status === 'unread').length);
    showList(this.list, this.notifications, {
      key: (notification) => notification.id,
      make: (notification) => this.card(notification),
      placeholder: empty('Nothing new', 'What happens with your orders and chats is told here.'),
    });
  }

  card(notification) {
    const conversation = notification.data?.conversation_id;
    const isUnread = notification.status === 'unread';
    return el('li', { class: 'card notification', 'data-status': notification.status },
      el('div', { class: 'row' }, el('strong', {}, notification.title), el('span', { class: 'space' }), time(notification.created_at)),
      el('p', {}, notification.message),
      (conversation || isUnread) && el('div', { class: 'actions' },
        conversation && button('Open chat', () => this.openChat(conversation)),
        isUnread && button('Mark as read', () => this.read(notification), 'quiet')));
  }

  close() {
    this.isClosed = true;
    this.socket?.close();
  }
}
