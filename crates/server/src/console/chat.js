// Conversations, and the one that is open.

import { get, post, randomId } from './api.js';
import { button, el, empty, showList, time, toast } from './dom.js';
import { LiveSocket } from './socket.js';

/** Staff see conversations of which nobody notifies them. */
const REFRESH_MS = 10_000;
const TYPING_EVERY_MS = 3_000;
const TYPING_SHOWN_MS = 5_000;

export class Chat {
  constructor(panel, { me }) {
    Object.assign(this, { panel, me, openId: null, conversations: [] });
    this.timer = setInterval(() => this.refreshList(), REFRESH_MS);
    this.showConversations();
  }

  async showConversations() {
    this.leave();
    const support = !this.me.is_staff && button('Contact support', async () => {
      this.open((await post('/api/conversations/', { kind: 'support' })).id);
    });
    this.list = el('ul', { class: 'cards' });
    this.panel.replaceChildren(el('div', { class: 'head' }, el('h2', {}, 'Chat'), el('span', { class: 'space' }), support), this.list);
    await this.refreshList();
  }

  async refreshList() {
    if (this.openId !== null) return;
    try {
      this.conversations = (await get('/api/conversations/?limit=50')).results;
    } catch (error) {
      return toast(error.message);
    }
    if (this.openId !== null) return;
    const latest = (conversation) => conversation.last_message?.created_at ?? conversation.created_at;
    this.conversations.sort((one, other) => latest(other).localeCompare(latest(one)));
    showList(this.list, this.conversations, {
      key: (conversation) => conversation.id,
      make: (conversation) => this.card(conversation),
      placeholder: empty('No conversations', 'Rider and driver can talk once an order is accepted.'),
    });
  }

  card(conversation) {
    const last = conversation.last_message;
    return el('li', {}, el('button', { type: 'button', class: 'card conversation', onclick: () => this.open(conversation.id) },
      el('span', { class: 'row' }, el('strong', {}, title(conversation)), el('span', { class: 'space' }), time(last?.created_at ?? conversation.created_at)),
      el('span', { class: 'excerpt' }, last ? `${last.sender_name}: ${last.message}` : 'No messages yet')));
  }

  async open(id) {
    this.leave();
    this.openId = id;
    let messages = [];
    try {
      messages = (await get(`/api/conversations/${id}/messages/?limit=50`)).results.reverse();
    } catch (error) {
      toast(error.message);
      return this.showConversations();
    }
    if (this.openId !== id) return;
    this.room = new Room(this.panel, { id, me: this.me, heading: this.heading(id), messages, onBack: () => this.showConversations() });
  }

  heading(id) {
    const known = this.conversations.find((conversation) => conversation.id === id);
    return known ? title(known) : `Conversation ${id}`;
  }

  onNotification(notification) {
    if (notification.notification_type === 'chat_message') this.refreshList();
  }

  leave() {
    this.room?.close();
    this.room = null;
    this.openId = null;
  }

  close() {
    clearInterval(this.timer);
    this.leave();
  }
}

function title(conversation) {
  if (conversation.order_id !== null) return `Ride ORD-${String(conversation.order_id).padStart(6, '0')}`;
  return conversation.kind === 'support' ? `Support ${conversation.id}` : `Conversation ${conversation.id}`;
}

/** One conversation on its socket. */
class Room {
  constructor(panel, { id, me, heading, messages, onBack }) {
    Object.assign(this, { id, me, last: 0, typedAt: 0 });
    this.log = el('ol', { class: 'log', role: 'log', 'aria-label': heading, tabIndex: 0 });
    this.typing = el('p', { class: 'typing', role: 'status' });
    panel.replaceChildren(
      el('div', { class: 'head' }, button('←', onBack, 'quiet back'), el('h2', {}, heading)),
      this.log, this.typing, this.composer());
    panel.querySelector('.back').setAttribute('aria-label', 'Back to the conversations');
    messages.forEach((message) => this.add(message));
    if (!messages.length) this.log.append(empty('No messages yet', 'Say hello.'));
    const since = () => this.last;
    this.socket = new LiveSocket(`/ws/chat/${id}/`, { onMessage: (data) => this.onMessage(data), since, onEnd: (why) => this.end(why) });
    this.input.focus();
  }

  composer() {
    this.input = el('input', { name: 'message', maxLength: 4000, autocomplete: 'off', placeholder: 'Write a message', 'aria-label': 'Message' });
    this.form = el('form', { class: 'composer' }, this.input, el('button', { class: 'primary', type: 'submit' }, 'Send'));
    this.input.addEventListener('input', () => this.tellTyping());
    this.form.addEventListener('submit', (event) => {
      event.preventDefault();
      this.say(this.input.value);
    });
    return this.form;
  }

  /** The text stays in the field when there is no connection to send it on. */
  say(text) {
    if (!text.trim()) return;
    if (!this.socket.send({ type: 'chat_message', message: text, client_id: randomId() })) {
      toast('Not connected: the message was not sent. Try again in a moment.');
      return;
    }
    this.input.value = '';
    this.typedAt = 0;
    this.socket.send({ type: 'typing', is_typing: false });
  }

  tellTyping() {
    const now = performance.now();
    if (this.typedAt && now - this.typedAt < TYPING_EVERY_MS) return;
    this.typedAt = now;
    this.socket.send({ type: 'typing', is_typing: true });
  }

  onMessage(data) {
    switch (data.type) {
      case 'connection_established':
        this.markRead();
        break;
      case 'chat_message':
        this.add(data);
        this.showTyping('');
        this.markRead();
        break;
      case 'typing':
        this.showTyping(data.is_typing ? `${data.user_name} is typing…` : '');
        break;
      case 'message_read':
        if (data.read_by !== this.me.id) this.showRead(data.message_id);
        break;
      case 'error':
        toast(data.message);
        break;
    }
  }

  add(message) {
    if (message.message_id <= this.last) return;
    this.last = message.message_id;
    this.log.querySelector('.empty')?.remove();
    const mine = message.sender_id === this.me.id;
    if (!mine) this.lastOfOthers = message.message_id;
    this.log.append(el('li', { class: mine ? 'mine' : 'theirs', 'data-message': message.message_id },
      !mine && el('b', {}, message.sender_name, message.is_from_support && el('span', { class: 'status' }, 'Support')),
      el('p', {}, message.message),
      el('small', {}, time(message.created_at), el('span', { class: 'seen' }))));
    this.log.scrollTop = this.log.scrollHeight;
  }

  markRead() {
    if (this.lastOfOthers && this.lastOfOthers !== this.lastRead && this.socket.send({ type: 'read_message', message_id: this.lastOfOthers })) {
      this.lastRead = this.lastOfOthers;
    }
  }

  showRead(id) {
    for (const line of this.log.querySelectorAll('.mine')) {
      if (Number(line.dataset.message) <= id) line.querySelector('.seen').textContent = ' · read';
    }
  }

  /** Whoever stops without saying so is forgotten. */
  showTyping(text) {
    clearTimeout(this.typingTimer);
    this.typing.textContent = text;
    if (text) this.typingTimer = setTimeout(() => this.showTyping(''), TYPING_SHOWN_MS);
  }

  end(why) {
    for (const element of this.form.elements) element.disabled = true;
    this.showTyping(`This conversation is closed: ${why}`);
    clearTimeout(this.typingTimer);
  }

  close() {
    clearTimeout(this.typingTimer);
    this.socket.close();
  }
}
