// A WebSocket that comes back by itself, and resumes where it stopped.

import { get } from './api.js';

const protocol = window.location.protocol === 'https:' ? 'wss:' : 'ws:';
const websocketHost = window.websocketUrl || window.location.host;

const BASE_MS = 500;
const CAP_MS = 20_000;
const STABLE_MS = 5_000;
const KEEP_ALIVE_MS = 25_000;

const open = new Set();
let onState = () => {};

/** Who is told whether all sockets are connected. */
export function whenStateChanges(listener) {
  onState = listener;
}

const tell = () => onState([...open].every((socket) => socket.connected));

export class LiveSocket {
  /** `since()` gives the last id seen, or undefined; `onEnd` hears why the socket does not come back. */
  constructor(path, { onMessage, since = () => undefined, onEnd = () => {} }) {
    Object.assign(this, { path, onMessage, since, onEnd, tries: 0, connected: false });
    open.add(this);
    this.connect();
  }

  connect() {
    const since = this.since();
    const wsUrl = `${protocol}//${websocketHost}${this.path}${since === undefined ? '' : `?since=${since}`}`;
    this.socket = new WebSocket(wsUrl);
    this.farewell = null;
    this.socket.onmessage = (event) => this.receive(JSON.parse(event.data));
    this.socket.onclose = (event) => this.closed(event.code);
  }

  receive(data) {
    if (data.type === 'connection_established') this.established();
    if (data.type === 'error' && data.reconnect !== undefined) this.farewell = data;
    else if (data.type !== 'pong') this.onMessage(data);
  }

  established() {
    this.connected = true;
    this.connectedAt = performance.now();
    this.keepAlive = setInterval(() => this.send({ type: 'ping' }), KEEP_ALIVE_MS);
    tell();
  }

  /** Whether the message went out. */
  send(message) {
    if (!this.connected || this.socket.readyState !== WebSocket.OPEN) return false;
    this.socket.send(JSON.stringify(message));
    return true;
  }

  closed(code) {
    clearInterval(this.keepAlive);
    if (this.connected && performance.now() - this.connectedAt > STABLE_MS) this.tries = 0;
    this.connected = false;
    if (!open.has(this)) return;
    tell();
    if (code === 1000 || code === 4403 || (this.farewell?.reconnect === false && code !== 4401)) return this.end();
    // A session that ended shows itself in the answer, which leads to the login form.
    if (code === 4401) get('/api/me/').catch(() => {});
    this.retry = setTimeout(() => this.connect(), this.farewell?.retry_after_ms ?? this.nextWait());
  }

  /** Full jitter: anything up to a bound that doubles. */
  nextWait() {
    const bound = Math.min(CAP_MS, BASE_MS * 2 ** this.tries);
    this.tries += 1;
    return Math.random() * bound;
  }

  end() {
    this.close();
    this.onEnd(this.farewell?.message ?? 'The server closed the connection.');
  }

  close() {
    open.delete(this);
    clearTimeout(this.retry);
    this.socket.close(1000);
    tell();
  }
}

export function closeAll() {
  for (const socket of [...open]) socket.close();
}
