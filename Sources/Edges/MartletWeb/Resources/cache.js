// The newest part of what the page knows, kept in this browser so that a reload shows it at once and resumes from its cursors.

import { Conversation, state } from './store.js';

const VERSION = 1;
const CONVERSATIONS = 60;
const EVENTS = 40;
const FIELDS = [
  'title', 'avatar', 'readSeq', 'unreadBase', 'unreadAt', 'acked', 'peerReadSeq', 'peerDeliveredSeq', 'lastTime', 'pinned', 'muted', 'hidden',
  'listed', 'lastKnown',
];
const key = () => `martlet.cache.${state.me.userId}`;
let timer = 0;

/** Saves soon; many calls make one save. */
export function saveSoon() {
  timer ||= setTimeout(save, 800);
}

/** Saves now, as far as the browser has room. */
export function save() {
  clearTimeout(timer);
  timer = 0;
  if (!state.me) return;
  const newest = [...state.conversations.values()].sort((a, b) => b.lastTime - a.lastTime).slice(0, CONVERSATIONS);
  const conversations = newest.filter((item) => item.kind !== 'room').map((item) => {
    const { lo, hi, first, events } = item.log;
    // Only the end of the window: what is kept must have no gap.
    const from = Math.max(lo, hi - EVENTS + 1);
    const kept = [];
    for (let seq = from; seq <= hi && hi > 0; seq++) if (events.has(seq)) kept.push(events.get(seq));
    return {
      id: item.id, log: { lo: from, hi, first, events: kept },
      ...Object.fromEntries(FIELDS.map((field) => [field, item[field]])),
    };
  });
  const friends = [...state.friends.values()].map(({ online, ...friend }) => friend);
  try {
    localStorage.setItem(key(), JSON.stringify({ version: VERSION, inbox: state.inboxSeq, conversations, friends }));
  } catch {
    localStorage.removeItem(key());
  }
}

/** Brings back what `save` kept. */
export function load() {
  try {
    const kept = JSON.parse(localStorage.getItem(key()));
    if (kept?.version !== VERSION) return;
    for (const { id, log, ...fields } of kept.conversations) {
      const item = Object.assign(new Conversation(id), fields);
      const events = log.events.map((event) => [event.seq, event]);
      Object.assign(item.log, { lo: events.length ? log.lo : 0, hi: events.length ? log.hi : 0, first: log.first, events: new Map(events), sorted: null });
      state.conversations.set(id, item);
    }
    for (const friend of kept.friends) state.friends.set(friend.userId, friend);
    state.inboxSeq = kept.inbox;
  } catch {
    localStorage.removeItem(key());
  }
}

/** Forgets it, at sign-out. */
export function erase() {
  clearTimeout(timer);
  timer = 0;
  if (state.me) localStorage.removeItem(key());
}
