// What the page knows: conversations, people, groups, the state of the connection. Views read it and are told when to look again.

import { Log, isMessage } from './log.js';

/** One conversation: its log and the cursors of those in it. */
export class Conversation {
  constructor(id) {
    this.id = id;
    this.kind = { d: 'direct', g: 'group', r: 'room' }[id[0]];
    this.groupId = this.kind === 'group' ? Number(id.slice(2)) : undefined;
    if (this.kind === 'direct') this.peer = id.split(':').slice(1).map(Number).find((user) => user !== state.me?.userId);
    this.title = '';
    this.lastTime = 0;
    this.log = new Log();
    this.restarted();
  }

  /** The server's log is another than that which was held: what was counted by its numbers counts no more. */
  restarted() {
    this.readSeq = 0;
    this.unreadBase = 0;
    this.unreadAt = 0;
    this.acked = 0;
    this.peerReadSeq = 0;
    this.peerDeliveredSeq = 0;
    this.readers = new Map();
    this.lastKnown = undefined;
  }

  /** The newest message, as the list shows it. */
  get lastMessage() {
    const held = this.log.inOrder().findLast(isMessage);
    return held && held.seq >= (this.lastKnown?.seq ?? 0) ? held : this.lastKnown;
  }

  get lastSeq() {
    return Math.max(this.log.hi, this.lastKnown?.seq ?? 0, this.unreadAt);
  }

  /** Messages of others after the read cursor: counted where all of them are held, else the server's count and what came since. */
  get unread() {
    const me = state.me?.userId;
    const exact = this.log.lo > 0 && this.log.lo <= this.readSeq + 1;
    const after = exact ? this.readSeq : Math.max(this.unreadAt, this.readSeq);
    let count = exact ? 0 : this.readSeq >= this.unreadAt ? 0 : this.unreadBase;
    for (const event of this.log.events.values()) if (event.seq > after && event.from !== me && isMessage(event)) count++;
    return Math.min(count, 1000);
  }

  /** Takes the server's count, true as of `lastSeq`. */
  counted({ readSeq, unread, lastSeq }) {
    this.readSeq = Math.max(this.readSeq, readSeq ?? 0);
    if (unread === undefined || (lastSeq ?? 0) < this.unreadAt) return;
    this.unreadBase = unread;
    this.unreadAt = lastSeq ?? 0;
  }

  /** How far a message of one's own has come: `stored`, `delivered` or `read`. */
  stateOf(event) {
    if (this.kind === 'direct') {
      if (event.seq <= this.peerReadSeq) return 'read';
      return event.seq <= this.peerDeliveredSeq ? 'delivered' : 'stored';
    }
    return this.readersOf(event) > 0 ? 'read' : 'stored';
  }

  readersOf(event) {
    let count = 0;
    for (const [userId, seq] of this.readers) if (userId !== state.me?.userId && seq >= event.seq) count++;
    return count;
  }
}

/** The one state of the page. */
export const state = {
  me: null,
  conversations: new Map(),
  rooms: [],
  friends: new Map(),
  requests: [],
  invitations: [],
  blocked: [],
  groups: new Map(),
  online: new Map(),
  names: new Map(),
  typing: new Map(),
  connection: { name: 'idle' },
  active: null,
  outbox: null,
  inboxSeq: undefined,
  clockSkew: 0,
};

const initial = { ...state };

/** Forgets everything, at sign-out. */
export function reset() {
  for (const [key, value] of Object.entries(initial)) {
    if (value instanceof Map) state[key] = new Map();
    else state[key] = Array.isArray(value) ? [] : value;
  }
}

/** The conversation of this id, made where it is not known yet. */
export function conversation(id) {
  let found = state.conversations.get(id);
  if (!found) {
    found = new Conversation(id);
    state.conversations.set(id, found);
  }
  return found;
}

/** The direct conversation with a user. */
export function directId(userId) {
  const [low, high] = [state.me.userId, userId].sort((a, b) => a - b);
  return `d:${low}:${high}`;
}

/** What to call a user: the remark, the nickname, or what an event said. */
export function nameOf(userId, fallback) {
  if (userId === state.me?.userId) return state.me.nickname || state.me.username;
  const friend = state.friends.get(userId);
  return friend?.remark || friend?.nickname || state.names.get(userId) || fallback || friend?.username || `#${userId}`;
}

export function titleOf(item) {
  if (item.kind === 'direct') {
    return state.friends.get(item.peer)?.remark || item.title || nameOf(item.peer);
  }
  return item.title || item.id;
}

/** Conversations as the list shows them: pinned first, then by last activity. */
export function listed() {
  return [...state.conversations.values()]
    .filter((item) => item.kind !== 'room' && item.listed && !item.hidden)
    .sort((a, b) => Boolean(b.pinned) - Boolean(a.pinned) || b.lastTime - a.lastTime || (a.id < b.id ? -1 : 1));
}

/** Unread messages in all conversations that are not muted. */
export function unreadTotal() {
  return listed().reduce((sum, item) => sum + (item.muted ? 0 : item.unread), 0);
}

const listeners = new Set();
const changed = new Set();
let timer = 0;

/** Calls `listener(topics)` soon after something changed; topics are `list`, `people`, `connection`, and ids of conversations. */
export function subscribe(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** Says what changed. Many changes in a row make one call: a timer, for animation frames stand still in hidden tabs. */
export function touch(...topics) {
  for (const topic of topics) changed.add(topic);
  timer ||= setTimeout(() => {
    timer = 0;
    const topicsNow = new Set(changed);
    changed.clear();
    for (const listener of [...listeners]) listener(topicsNow);
  }, 12);
}
