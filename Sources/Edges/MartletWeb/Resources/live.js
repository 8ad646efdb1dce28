// Between the socket and the store: what happens after a login, what each push means, and what the user's doings send.

import { ApiError, call, callAll, forget, session } from './api.js';
import { load, save, saveSoon } from './cache.js';
import { isMessage } from './log.js';
import { Outbox } from './outbox.js';
import { refreshGroup, refreshPeople, inboxEvent } from './people.js';
import { Socket } from './socket.js';
import { conversation, reset, state, touch } from './store.js';
import { uuidv7 } from './uuid.js';

const PAGE = 50;
// The first sync brings a screenful of each conversation; a resuming one fetches what was missed.
const FIRST_PAGE = 30;
const MISSED_PAGE = 100;
const MOST_CURSORS = 1000;
const TYPING_LASTS = 5000;
const GAP_PATIENCE = 600;

let socket = null;
let onEnded = () => {};

/** Starts following the server for the signed-in user; `ended(reason)` is called where only a new login helps. */
export function start(ended) {
  onEnded = ended;
  reset();
  state.me = { ...session() };
  load();
  state.outbox = new Outbox({
    send: (data) => socket.request('send', data),
    onStored: stored,
    onChange: (id) => touch(id, 'list'),
  });
  for (const { conversationId } of state.outbox.inOrder()) conversation(conversationId).listed = true;
  connect();
}

function connect() {
  socket = new Socket({ onReady, onPush, onState });
  socket.start();
}

/** Ends the connection, at sign-out. */
export function stop() {
  socket?.stop();
  socket = null;
}

/** Takes the connection back after another page took it. */
export function takeOver() {
  socket.stop();
  connect();
}

export const retryNow = () => socket?.retryNow();

function onState(next) {
  state.connection = next;
  state.outbox?.connected(next.name === 'online');
  touch('connection');
  if (next.name !== 'stopped') return;
  if (['signed_out', 'banned', 'ended'].includes(next.reason)) {
    save();
    forget();
    onEnded(next.reason);
  }
}

async function onReady(hello) {
  Object.assign(state.me, { username: hello.username ?? state.me.username, nickname: hello.nickname ?? state.me.nickname });
  state.clockSkew = hello.serverTime ? hello.serverTime - Date.now() : 0;
  await sync();
  if (state.active?.startsWith('r:')) enterRoom(state.active).catch(() => {});
  // The lists carry what no event does: titles, presence, other members' cursors.
  refreshConversations().catch(() => {});
  refreshPeople().catch(() => {});
  if (state.active) loadCursors(state.active);
}

/** Brings every conversation up to date. The server holds pushes back until this is answered. */
async function sync() {
  for (let round = 0; round < 200; round++) {
    const known = cursors();
    const limit = Object.keys(known).length ? MISSED_PAGE : FIRST_PAGE;
    const answer = await socket.request('sync', { cursors: known, limit }, 30_000).catch((error) => {
      if (error.retryable || limit === FIRST_PAGE) throw error;
      // What this browser kept is of no use to the server: begin anew.
      for (const item of state.conversations.values()) item.log.clear();
      state.inboxSeq = undefined;
      return null;
    });
    let more = !answer;
    for (const part of answer?.conversations ?? []) {
      more = more || part.more === true;
      synced(part);
    }
    saveSoon();
    if (!more) return;
  }
}

function cursors() {
  const held = [...state.conversations.values()].filter((item) => item.kind !== 'room' && !item.left && !item.log.isEmpty);
  held.sort((a, b) => b.lastTime - a.lastTime);
  const entries = held.slice(0, MOST_CURSORS).map((item) => [item.id, item.log.hi]);
  if (state.inboxSeq !== undefined) entries.push([`u:${state.me.userId}`, state.inboxSeq]);
  return Object.fromEntries(entries);
}

function synced(part) {
  const id = part.conversationId;
  const events = part.events ?? [];
  if (id.startsWith('u:')) {
    state.inboxSeq = Math.max(part.reset ? 0 : state.inboxSeq ?? 0, part.lastSeq ?? 0, events.at(-1)?.seq ?? 0);
    return;
  }
  const item = conversation(id);
  if (part.reset) item.restarted();
  item.log.after(events, part);
  if (item.log.isEmpty) item.log.first = part.firstSeq ?? 1;
  item.counted(part);
  for (const event of events) noticed(item, event);
  acknowledge(item);
  if (item.readSeq > (part.readSeq ?? 0)) sendRead(item);
  if (part.more !== true && item.log.hasGap) fillGap(item);
  touch(id, 'list');
}

/** What every event of a conversation tells besides itself. */
function noticed(item, event) {
  if (event.from && event.fromName && !state.names.has(event.from)) state.names.set(event.from, event.fromName);
  if (event.type === 'membership') (event.content.userIds ?? []).forEach((id, i) => !state.names.has(id) && state.names.set(id, event.content.names?.[i]));
  if (event.type === 'group' && event.content.name) item.title = event.content.name;
  if (isMessage(event) || event.type === 'membership') {
    item.lastTime = Math.max(item.lastTime, event.time);
    item.listed = true;
  }
  if (isMessage(event)) item.hidden = false;
}

/** Reads all pages of the conversation list. */
export async function refreshConversations() {
  const items = await callAll('/api/chat/conversations');
  const seen = new Set();
  for (const row of items) {
    const item = conversation(row.conversationId);
    seen.add(item.id);
    const { title, avatar, peer, groupId, pinned, muted } = row;
    Object.assign(item, { title, avatar, pinned, muted, hidden: false, listed: true });
    if (peer) item.peer = peer;
    if (groupId) item.groupId = groupId;
    item.peerReadSeq = Math.max(item.peerReadSeq, row.peerReadSeq ?? 0);
    item.peerDeliveredSeq = Math.max(item.peerDeliveredSeq, row.peerDeliveredSeq ?? 0);
    item.lastTime = Math.max(item.lastTime, row.lastTime ?? 0);
    if (row.lastMessage) item.lastKnown = row.lastMessage;
    item.counted(row);
    if (item.readSeq > (row.readSeq ?? 0)) sendRead(item);
    touch(item.id);
  }
  for (const item of state.conversations.values()) {
    if (seen.has(item.id) || item.kind === 'room') continue;
    if (item.id !== state.active && state.outbox.of(item.id).length === 0) item.listed = false;
  }
  saveSoon();
  touch('list');
}

let refreshTimer = 0;
export function refreshSoon() {
  refreshTimer ||= setTimeout(() => {
    refreshTimer = 0;
    refreshConversations().catch(() => {});
  }, 150);
}

function onPush(cmd, data) {
  if (cmd === 'msg' || cmd === 'event') return arrived(data);
  if (cmd === 'notify') {
    state.inboxSeq = Math.max(state.inboxSeq ?? 0, data.seq);
    saveSoon();
    return inboxEvent(data, refreshSoon);
  }
  if (cmd === 'presence') return presence(data);
  const item = state.conversations.get(data.conversationId);
  if (!item) return undefined;
  if (cmd === 'read') {
    if (data.userId === state.me.userId) item.readSeq = Math.max(item.readSeq, data.readSeq);
    else item.readers.set(data.userId, Math.max(item.readers.get(data.userId) ?? 0, data.readSeq));
    if (data.userId === item.peer) item.peerReadSeq = Math.max(item.peerReadSeq, data.readSeq);
  } else if (cmd === 'delivered') {
    if (data.userId === item.peer) item.peerDeliveredSeq = Math.max(item.peerDeliveredSeq, data.deliveredSeq);
  } else if (cmd === 'typing') {
    typed(item.id, data.userId);
  }
  saveSoon();
  return touch(item.id, 'list');
}

function arrived(event) {
  const known = state.conversations.has(event.conversationId);
  const item = conversation(event.conversationId);
  if (!item.log.push(event)) return;
  noticed(item, event);
  if (item.kind !== 'room') {
    const { target } = event.content ?? {};
    if (!known || !item.title || (target && target === item.lastKnown?.seq)) refreshSoon();
    if (isMessage(event)) acknowledge(item);
    if (item.kind === 'group' && (event.type === 'membership' || event.type === 'group')) refreshGroup(item.groupId);
  }
  if (isMessage(event)) state.typing.get(item.id)?.delete(event.from);
  if (item.log.hasGap) setTimeout(() => fillGap(item), GAP_PATIENCE);
  saveSoon();
  touch(item.id, 'list');
}

/** Reads what is missing between the window and what lies beyond it; called after a while, for answers and pushes may cross. */
async function fillGap(item) {
  if (item.filling) return;
  item.filling = true;
  try {
    while (item.log.hasGap) {
      const before = item.log.hi;
      const page = await call('GET', '/api/chat/messages', { conversationId: item.id, after: before, limit: 100 });
      item.log.after(page.items, page);
      for (const event of page.items) noticed(item, event);
      touch(item.id, 'list');
      if (item.log.hi === before) break;
    }
  } catch {
    // The next event or sync tries again.
  } finally {
    item.filling = false;
  }
}

function presence({ userId, online, conversationId, username, here }) {
  if (conversationId) {
    const room = state.rooms.find((candidate) => candidate.conversationId === conversationId);
    if (room && userId !== state.me.userId) room.people = Math.max(0, (room.people ?? 0) + (here ? 1 : -1));
    if (username && !state.names.has(userId)) state.names.set(userId, username);
    return touch('list', conversationId);
  }
  state.online.set(userId, online);
  return touch('people', 'list', 'presence');
}

function typed(id, userId) {
  if (userId === state.me.userId) return;
  if (!state.typing.has(id)) state.typing.set(id, new Map());
  const who = state.typing.get(id);
  clearTimeout(who.get(userId));
  who.set(userId, setTimeout(() => {
    who.delete(userId);
    touch(id, 'list');
  }, TYPING_LASTS));
}

/** Tells the server how far this device has received, once for what arrives together. */
function acknowledge(item) {
  if (item.kind === 'room' || item.ackTimer) return;
  item.ackTimer = setTimeout(() => {
    item.ackTimer = 0;
    const { hi } = item.log;
    if (hi <= item.acked || !socket) return;
    socket.request('ack', { conversationId: item.id, seq: hi }).then(() => {
      item.acked = Math.max(item.acked, hi);
    }, () => {});
  }, 80);
}

/** Moves one's read cursor to the newest event. Without a connection the next login sends it. */
export function markRead(item) {
  if (item.kind === 'room' || item.log.isEmpty || item.readSeq >= item.log.hi) return;
  const had = item.unread;
  const lastOther = item.log.inOrder().findLast((event) => event.from !== state.me.userId && isMessage(event));
  const wasRead = !lastOther || lastOther.seq <= item.readSeq;
  item.readSeq = item.log.hi;
  // One's own messages and changes move nobody's ticks: no need to tell.
  if (had || !wasRead) sendRead(item);
  saveSoon();
  touch('list', item.id);
}

function sendRead(item) {
  if (!socket || item.kind === 'room') return;
  const seq = item.readSeq;
  socket.request('read', { conversationId: item.id, seq }).then((answer) => {
    item.readSeq = Math.max(item.readSeq, answer.readSeq ?? 0);
    touch('list', item.id);
  }, () => {});
}

function stored(entry, answer) {
  const item = conversation(answer.conversationId ?? entry.conversationId);
  const event = {
    conversationId: item.id, seq: answer.seq, messageId: answer.messageId, time: answer.time, from: state.me.userId,
    fromName: state.me.username, type: entry.type, content: entry.content, clientId: entry.clientId,
  };
  item.log.push(event);
  noticed(item, event);
  if (!item.title) refreshSoon();
  if (item.log.hasGap) setTimeout(() => fillGap(item), GAP_PATIENCE);
  saveSoon();
  touch(item.id, 'list');
}

/** Sends an edit, recall or reaction; its own event comes as the answer, not as a push. */
export async function change(item, type, content) {
  const { seq } = await socket.request(type, { conversationId: item.id, clientId: uuidv7(), ...content });
  item.log.push({
    conversationId: item.id, seq, from: state.me.userId, fromName: state.me.username, type, content, time: Date.now() + (state.clockSkew ?? 0),
  });
  if (item.log.hasGap) setTimeout(() => fillGap(item), GAP_PATIENCE);
  saveSoon();
  touch(item.id, 'list');
}

/** Puts a text on its way. */
export function sendText(item, text, { mentions, replyTo } = {}) {
  const content = { text };
  if (mentions?.length) content.mentions = mentions;
  if (replyTo) content.replyTo = replyTo;
  item.listed = true;
  typingSent.delete(item.id);
  const entry = state.outbox.add(item.id, 'text', content);
  item.lastTime = Math.max(item.lastTime, entry.time);
}

const typingSent = new Map();
/** Lets the others know; at most one word every three seconds. */
export function tellTyping(item) {
  const now = Date.now();
  if (now - (typingSent.get(item.id) ?? 0) < 3000) return;
  typingSent.set(item.id, now);
  socket?.tell('typing', { conversationId: item.id });
}

/** Makes sure that a conversation has something to show. */
export async function open(item) {
  if (item.kind === 'room') await enterRoom(item.id);
  else loadCursors(item.id);
  if (item.log.isEmpty) await loadOlder(item);
}

/** One more page of history; false where there is none. */
export async function loadOlder(item) {
  if (item.loading) return item.loading;
  if (!item.log.isEmpty && !item.log.hasOlder) return false;
  item.loading = (async () => {
    const before = item.log.lo || undefined;
    const page = await call('GET', '/api/chat/messages', { conversationId: item.id, before, limit: PAGE });
    for (const event of page.items) noticed(item, event);
    // An answer for a window that was begun anew meanwhile joins nothing.
    if ((item.log.lo || undefined) === before) item.log.before(page.items, page);
    item.wasLoaded = true;
    touch(item.id);
    return page.items.length > 0;
  })();
  try {
    return await item.loading;
  } catch (error) {
    // A conversation that nobody has written in yet may not exist on the server.
    if (error.code !== 404) throw error;
    item.wasLoaded = true;
    touch(item.id);
    return false;
  } finally {
    item.loading = null;
  }
}

async function loadCursors(id) {
  const item = state.conversations.get(id);
  if (item?.kind !== 'group') return;
  try {
    const data = await call('GET', '/api/chat/cursors', { conversationId: id, limit: 100 });
    for (const { userId, readSeq } of data.items) item.readers.set(userId, Math.max(item.readers.get(userId) ?? 0, readSeq));
    touch(id);
  } catch {
    // Ticks stay as they are.
  }
}

async function enterRoom(id) {
  if (!socket?.ws) throw new ApiError(0, 'offline');
  const item = conversation(id);
  const answer = await socket.request('enter', { conversationId: id });
  const room = state.rooms.find((candidate) => candidate.conversationId === id);
  if (room) room.people = answer.people;
  if (!item.log.isEmpty && answer.lastSeq > item.log.hi) {
    const page = await call('GET', '/api/chat/messages', { conversationId: id, limit: PAGE });
    if (page.items.length && page.items[0].seq > item.log.hi + 1) item.log.clear();
    item.log.after(page.items, page);
  }
  touch(id, 'list');
}

export function leaveRoom(id) {
  socket?.tell('exit', { conversationId: id });
}
