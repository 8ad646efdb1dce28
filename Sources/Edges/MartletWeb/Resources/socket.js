// The WebSocket: signing in, requests and their answers, heartbeat, and coming back after a break.

import { ApiError, freshToken, reachable, refresh } from './api.js';

const TIMEOUT = 12_000;
const LONGEST_WAIT = 30_000;
// After these the server wants no return: the user must do something first.
const FINAL = new Map([
  [1003, 'protocol'], [1007, 'protocol'], [1009, 'protocol'],
  [4100, 'signed_out'], [4101, 'banned'], [4102, 'replaced'], [4103, 'ended'], [4104, 'signed_out'],
]);

/**
 * One lasting connection. `onReady` runs after every login and must finish (sync) before the state is `online`; `onPush(cmd, data)` gets
 * everything that the server sends unasked; `onState({name, until?, reason?})` follows `connecting`, `online`, `offline`, `waiting`, `stopped`.
 */
export class Socket {
  constructor({ onReady, onPush, onState }) {
    Object.assign(this, { onReady, onPush, onState });
    this.ws = null;
    this.state = { name: 'idle' };
    this.pending = new Map();
    this.counter = 0;
    this.attempt = 0;
    this.goawayUntil = 0;
    this.prefix = `${Date.now().toString(36)}-`;
    this.online = () => this.retryNow();
    this.offline = () => this.drop();
    this.wake = () => document.visibilityState === 'visible' && this.state.name === 'waiting' && this.retryNow();
  }

  start() {
    addEventListener('online', this.online);
    addEventListener('offline', this.offline);
    document.addEventListener('visibilitychange', this.wake);
    this.connect();
  }

  stop(reason = 'closed') {
    removeEventListener('online', this.online);
    removeEventListener('offline', this.offline);
    document.removeEventListener('visibilitychange', this.wake);
    clearTimeout(this.timer);
    this.set({ name: 'stopped', reason });
    this.discard(1000);
  }

  get isOnline() {
    return this.state.name === 'online';
  }

  set(state) {
    this.state = state;
    this.onState(state);
  }

  /** Sends a command; resolves with the answer's data, rejects with an `ApiError`. */
  request(cmd, data = {}, timeout = TIMEOUT) {
    const ws = this.ws;
    if (ws?.readyState !== WebSocket.OPEN) return Promise.reject(new ApiError(0, 'offline'));
    const seq = this.prefix + ++this.counter;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.pending.delete(seq);
        reject(new ApiError(408, 'offline'));
      }, timeout);
      this.pending.set(seq, { resolve, reject, timer });
      ws.send(JSON.stringify({ seq, cmd, data }));
    });
  }

  /** Sends what may be lost (typing). */
  tell(cmd, data) {
    if (this.isOnline) this.request(cmd, data).catch(() => {});
  }

  async connect() {
    clearTimeout(this.timer);
    if (this.state.name === 'connecting') return;
    this.set({ name: 'connecting' });
    try {
      // The browser's word on the network is a hint only: a server on this very machine needs none.
      if (!navigator.onLine && !(await reachable())) throw new ApiError(0, 'offline');
      this.token = await freshToken();
    } catch (error) {
      if (error.code !== 401) this.later();
      return;
    }
    if (this.state.name !== 'connecting') return;
    const ws = new WebSocket(`${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}/ws`);
    this.ws = ws;
    ws.onopen = () => this.opened(ws);
    ws.onmessage = (message) => this.received(ws, message.data);
    ws.onclose = (event) => ws === this.ws && this.closed(event.code);
    this.timer = setTimeout(() => ws === this.ws && this.state.name === 'connecting' && this.drop(), TIMEOUT * 2);
  }

  async opened(ws) {
    try {
      const hello = await this.login();
      if (ws !== this.ws) return;
      await this.onReady(hello);
      if (ws !== this.ws) return;
      clearTimeout(this.timer);
      this.beat(ws, (hello.heartbeat || 25) * 1000);
      this.since = Date.now();
      this.set({ name: 'online' });
    } catch (error) {
      if (ws !== this.ws || this.state.name === 'stopped') return;
      if (error.code === 403) this.stop(error.reason === 'banned' ? 'banned' : 'signed_out');
      else this.drop(error.retryAfterMs);
    }
  }

  async login() {
    const data = { device: 'web', resume: true };
    try {
      return await this.request('login', { ...data, token: this.token });
    } catch (error) {
      if (error.code !== 401) throw error;
      this.token = await refresh(this.token);
      return this.request('login', { ...data, token: this.token });
    }
  }

  beat(ws, interval) {
    clearInterval(this.heart);
    this.heard = Date.now();
    this.heart = setInterval(() => {
      if (ws !== this.ws) return;
      if (Date.now() - this.heard > interval * 2) this.drop();
      else this.tell('heartbeat', {});
    }, interval);
  }

  received(ws, text) {
    if (ws !== this.ws) return;
    this.heard = Date.now();
    const frame = JSON.parse(text);
    if (!frame.response) {
      if (frame.cmd === 'goaway') this.leave(frame.data?.delayMs ?? 0);
      else this.onPush(frame.cmd, frame.data ?? {});
      return;
    }
    const waiting = this.pending.get(frame.seq);
    if (!waiting) return;
    this.pending.delete(frame.seq);
    clearTimeout(waiting.timer);
    const { code, codeMsg, data } = frame.response;
    if (code === 200) waiting.resolve(data ?? {});
    else waiting.reject(new ApiError(code, data?.reason ?? 'internal', { ...data, message: codeMsg }));
  }

  /** The node is leaving: move within the time it gave, at a moment of our own so that not everyone comes at once. */
  leave(delayMs) {
    const delay = Math.random() * delayMs;
    this.goawayUntil = Date.now() + delay;
    const ws = this.ws;
    setTimeout(() => {
      if (ws !== this.ws) return;
      this.discard(1000);
      this.connect();
    }, delay);
  }

  closed(code) {
    this.discard();
    if (this.state.name === 'stopped') return;
    const final = FINAL.get(code);
    if (final) this.stop(final);
    else if (code === 1001) this.later(Math.max(0, this.goawayUntil - Date.now()) || undefined);
    else this.later();
  }

  /** Gives the connection up, for it is dead or of no use, and tries again later. */
  drop(retryAfterMs) {
    if (this.state.name === 'stopped') return;
    this.discard(1000);
    this.later(retryAfterMs);
  }

  discard(code) {
    const ws = this.ws;
    this.ws = null;
    clearInterval(this.heart);
    if (code && ws && ws.readyState < WebSocket.CLOSING) ws.close(code);
    for (const { reject, timer } of this.pending.values()) {
      clearTimeout(timer);
      reject(new ApiError(0, 'offline'));
    }
    this.pending.clear();
  }

  later(atLeast = 0) {
    clearTimeout(this.timer);
    if (this.since && Date.now() - this.since > 10_000) this.attempt = 0;
    this.since = 0;
    const limit = Math.min(LONGEST_WAIT, 1000 * 2 ** this.attempt++);
    const delay = Math.max(atLeast, limit / 2 + (Math.random() * limit) / 2);
    this.set({ name: navigator.onLine ? 'waiting' : 'offline', until: Date.now() + delay });
    this.timer = setTimeout(() => this.connect(), delay);
  }

  /** The network is back, or the user does not want to wait; also the way back after `replaced`. */
  retryNow() {
    if (this.state.name === 'online' || this.state.name === 'connecting') return;
    if (this.state.name === 'stopped') return;
    this.attempt = 0;
    this.connect();
  }
}
