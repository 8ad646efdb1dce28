// Messages that the server has not acknowledged yet. They survive a reload; a retry carries the clientId of the first try, so that a
// message which was stored although the answer got lost is not stored again.

import { session } from './api.js';
import { uuidv7 } from './uuid.js';

const RETRY = 2000;

/**
 * Entries: `{clientId, conversationId, type, content, time, state, reason?}`, state `waiting`, `sending` or `failed`. Each has a key of its own in
 * localStorage, so that two tabs do not overwrite one another. In one conversation the next entry goes out only after the one before was
 * stored or refused: that keeps the order across breaks.
 */
export class Outbox {
  constructor({ send, onStored, onChange }) {
    Object.assign(this, { send, onStored, onChange });
    this.prefix = `martlet.outbox.${session().userId}.`;
    this.entries = new Map();
    this.busy = new Set();
    this.open = false;
    for (const key of Object.keys(localStorage)) {
      if (!key.startsWith(this.prefix)) continue;
      try {
        const entry = JSON.parse(localStorage.getItem(key));
        this.entries.set(entry.clientId, { ...entry, state: entry.state === 'failed' ? 'failed' : 'waiting' });
      } catch {
        localStorage.removeItem(key);
      }
    }
  }

  /** The entries of a conversation, in the order of writing. */
  of(conversationId) {
    return this.inOrder().filter((entry) => entry.conversationId === conversationId);
  }

  inOrder() {
    return [...this.entries.values()].sort((a, b) => (a.clientId < b.clientId ? -1 : 1));
  }

  get size() {
    return this.entries.size;
  }

  add(conversationId, type, content) {
    const entry = { clientId: uuidv7(), conversationId, type, content, time: Date.now(), state: 'waiting' };
    this.entries.set(entry.clientId, entry);
    this.save(entry);
    this.onChange(conversationId);
    this.pump(conversationId);
    return entry;
  }

  save(entry) {
    try {
      localStorage.setItem(this.prefix + entry.clientId, JSON.stringify(entry));
    } catch {
      // A full store costs the survival of a reload, not the message.
    }
  }

  drop(clientId) {
    const entry = this.entries.get(clientId);
    this.entries.delete(clientId);
    localStorage.removeItem(this.prefix + clientId);
    if (entry) this.onChange(entry.conversationId);
  }

  retry(clientId) {
    const entry = this.entries.get(clientId);
    if (!entry) return;
    this.mark(entry, 'waiting');
    this.pump(entry.conversationId);
  }

  clear() {
    for (const clientId of [...this.entries.keys()]) this.drop(clientId);
  }

  /** The connection came (true) or went (false). */
  connected(open) {
    this.open = open;
    if (open) for (const id of new Set(this.inOrder().map((entry) => entry.conversationId))) this.pump(id);
  }

  mark(entry, state, reason) {
    entry.state = state;
    entry.reason = reason;
    this.save(entry);
    this.onChange(entry.conversationId);
  }

  async pump(conversationId) {
    if (this.busy.has(conversationId)) return;
    this.busy.add(conversationId);
    try {
      while (this.open) {
        const entry = this.of(conversationId).find((candidate) => candidate.state === 'waiting');
        if (!entry) break;
        if (!(await this.attempt(entry))) break;
      }
    } finally {
      this.busy.delete(conversationId);
    }
  }

  /** One try; false where the conversation must wait before the next. */
  async attempt(entry) {
    this.mark(entry, 'sending');
    const { conversationId, clientId, type, content } = entry;
    try {
      const answer = await this.send({ conversationId, clientId, type, content });
      this.onStored(entry, answer);
      this.drop(clientId);
      return true;
    } catch (error) {
      if (!error.code && error.code !== 0) throw error;
      if (!error.retryable) {
        this.mark(entry, 'failed', error.reason);
        return true;
      }
      this.mark(entry, 'waiting');
      if (this.open) setTimeout(() => this.pump(conversationId), error.retryAfterMs ?? RETRY);
      return false;
    }
  }
}
