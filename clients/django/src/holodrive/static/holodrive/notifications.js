// The notification bell: what is stored comes with the page, the rest over the socket, resumed where it broke off.
'use strict';

(() => {
  const BASE_MS = 500;
  const CAP_MS = 30000;
  const STABLE_MS = 5000;
  const KEEP_ALIVE_MS = 25000;
  const BADGE_MAX = 99;
  // The session has ended, or its key has changed: one more try with the cookie of now, then the page must be loaded anew.
  const UNAUTHORIZED = 4401;
  const UNAUTHORIZED_MAX = 2;

  class Bell {
    constructor(root, state) {
      this.root = root;
      this.words = root.dataset;
      this.toggle = root.querySelector('.holodrive-toggle');
      this.badge = root.querySelector('.holodrive-badge');
      this.panel = root.querySelector('.holodrive-panel');
      this.list = root.querySelector('.holodrive-list');
      this.empty = root.querySelector('.holodrive-empty');
      this.state = root.querySelector('.holodrive-state');
      this.announcement = root.querySelector('.holodrive-announcement');
      this.template = root.querySelector('template');
      this.links = state.links;
      this.limit = state.limit;
      this.since = state.since;
      this.unread = state.unread;
      this.items = new Map();
      // What was read here while the socket was away.
      this.waiting = new Set();
      this.tries = 0;
      this.refusals = 0;
      for (const notification of [...state.notifications].reverse()) this.show(notification);
      this.listen();
      this.render();
      this.connect();
    }

    listen() {
      this.toggle.addEventListener('click', () => (this.panel.hidden ? this.open() : this.close()));
      this.root.addEventListener('keydown', (event) => {
        if (event.key !== 'Escape' || this.panel.hidden) return;
        event.stopPropagation();
        this.close();
        this.toggle.focus();
      });
      document.addEventListener('pointerdown', (event) => {
        if (!this.root.contains(event.target)) this.close();
      });
      this.root.addEventListener('focusout', (event) => {
        if (event.relatedTarget && !this.root.contains(event.relatedTarget)) this.close();
      });
      window.addEventListener('online', () => this.hurry());
      window.addEventListener('pagehide', () => this.leave());
      window.addEventListener('pageshow', (event) => event.persisted && this.connect());
    }

    open() {
      // Where the screen is narrow the panel takes its width, below the bell.
      this.panel.style.setProperty('--holodrive-top', `${this.toggle.getBoundingClientRect().bottom + 8}px`);
      this.panel.hidden = false;
      this.toggle.setAttribute('aria-expanded', 'true');
      this.panel.focus({ preventScroll: true });
    }

    close() {
      this.panel.hidden = true;
      this.toggle.setAttribute('aria-expanded', 'false');
    }

    // The socket

    connect() {
      clearTimeout(this.retry);
      this.isOver = false;
      this.farewell = null;
      const protocol = window.location.protocol === 'https:' ? 'wss:' : 'ws:';
      const host = this.words.websocketUrl || window.websocketUrl || window.location.host;
      const resume = this.since === null ? '' : `?since=${this.since}`;
      const socket = new WebSocket(`${protocol}//${host}/ws/notifications/${resume}`);
      this.socket = socket;
      socket.onmessage = (event) => this.receive(JSON.parse(event.data));
      socket.onclose = (event) => this.socket === socket && this.closed(event.code);
      this.render();
    }

    receive(message) {
      switch (message.type) {
        case 'connection_established': this.established(); break;
        case 'notification': this.arrived(message.notification); break;
        case 'notification_read': this.markRead(message.notification_id); break;
        case 'error': if (message.reconnect !== undefined) this.farewell = message; break;
      }
    }

    established() {
      this.root.dataset.connected = '';
      this.connectedAt = performance.now();
      this.refusals = 0;
      this.keepAlive = setInterval(() => this.send({ type: 'ping' }), KEEP_ALIVE_MS);
      for (const id of this.waiting) this.send({ type: 'mark_as_read', notification_id: id });
      this.render();
    }

    get isConnected() {
      return 'connected' in this.root.dataset;
    }

    send(message) {
      if (this.isConnected && this.socket.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(message));
    }

    closed(code) {
      clearInterval(this.keepAlive);
      if (this.isConnected && performance.now() - this.connectedAt > STABLE_MS) this.tries = 0;
      delete this.root.dataset.connected;
      if (code === UNAUTHORIZED) this.refusals += 1;
      const isFinal = this.farewell?.reconnect === false && code !== UNAUTHORIZED;
      this.isOver = isFinal || this.refusals >= UNAUTHORIZED_MAX;
      if (!this.isOver) this.retry = setTimeout(() => this.connect(), this.farewell?.retry_after_ms ?? this.wait());
      this.render();
    }

    // Full jitter: anything up to a bound that doubles.
    wait() {
      const bound = Math.min(CAP_MS, BASE_MS * 2 ** this.tries);
      this.tries += 1;
      return Math.random() * bound;
    }

    hurry() {
      if (this.isOver || this.socket?.readyState <= WebSocket.OPEN) return;
      this.tries = 0;
      this.connect();
    }

    // A page that lies in the browser's history has no use for a connection.
    leave() {
      clearTimeout(this.retry);
      clearInterval(this.keepAlive);
      const socket = this.socket;
      this.socket = null;
      delete this.root.dataset.connected;
      socket?.close(1000);
    }

    // Notifications

    arrived(notification) {
      if (this.since !== null && notification.id <= this.since) return;
      this.since = notification.id;
      if (notification.status === 'unread') this.unread += 1;
      this.show(notification);
      this.render();
      this.announcement.textContent = `${this.words.new} ${notification.title}`;
    }

    show(notification) {
      const item = this.template.content.firstElementChild.cloneNode(true);
      const title = item.querySelector('.holodrive-title');
      title.textContent = notification.title;
      const address = this.address(notification);
      if (address) title.href = address;
      item.dataset.id = notification.id;
      item.dataset.status = notification.status;
      item.querySelector('.holodrive-message').textContent = notification.message;
      const time = item.querySelector('time');
      const at = new Date(notification.created_at);
      time.dateTime = notification.created_at;
      time.textContent = at.toLocaleString(document.documentElement.lang || undefined, { dateStyle: 'medium', timeStyle: 'short' });
      const button = item.querySelector('.holodrive-read');
      button.setAttribute('aria-label', `${button.textContent}: ${notification.title}`);
      button.addEventListener('click', () => this.read(notification.id));
      title.addEventListener('click', () => this.read(notification.id));
      button.hidden = notification.status === 'read';
      this.items.set(notification.id, item);
      this.list.prepend(item);
      for (const [id, oldest] of this.items) {
        if (this.items.size <= this.limit) break;
        oldest.remove();
        this.items.delete(id);
      }
    }

    address(notification) {
      const link = this.links[notification.related_object_type];
      return link && notification.related_object_id !== null ? link.replace(/0(?=\/[^/]*\/$)/, notification.related_object_id) : null;
    }

    // Told the server now, or as soon as it is there again; shown as read when it says so.
    read(id) {
      if (this.items.get(id)?.dataset.status === 'read') return;
      this.waiting.add(id);
      this.send({ type: 'mark_as_read', notification_id: id });
    }

    markRead(id) {
      this.waiting.delete(id);
      const item = this.items.get(id);
      if (item?.dataset.status === 'read') return;
      this.unread = Math.max(0, this.unread - 1);
      if (item) {
        const button = item.querySelector('.holodrive-read');
        const hadFocus = document.activeElement === button;
        item.dataset.status = 'read';
        button.hidden = true;
        if (hadFocus) (this.list.querySelector('.holodrive-read:not([hidden])') ?? this.panel).focus();
      }
      this.render();
    }

    render() {
      this.badge.hidden = this.unread === 0;
      this.badge.textContent = this.unread > BADGE_MAX ? `${BADGE_MAX}+` : this.unread;
      const count = this.unread ? `, ${this.unread} ${this.words.unread}` : '';
      this.toggle.setAttribute('aria-label', `${this.words.label}${count}`);
      this.empty.hidden = this.items.size > 0;
      const state = this.isConnected ? this.words.live : this.isOver ? this.words.signedOut : this.words.connecting;
      if (this.state.textContent !== state) this.state.textContent = state;
    }
  }

  const root = document.querySelector('[data-holodrive-bell]');
  const state = document.getElementById('holodrive-state');
  if (root && state) new Bell(root, JSON.parse(state.textContent));
})();
