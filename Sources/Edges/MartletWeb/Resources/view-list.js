// The list of conversations.

import { call } from './api.js';
import { h, icon, patch } from './dom.js';
import { currentLanguage, listTime, t } from './i18n.js';
import { preview } from './preview.js';
import { conversation, listed, nameOf, state, titleOf, touch } from './store.js';
import { avatar } from './text.js';
import { attempt, menu, sure } from './ui.js';

/** Shows a conversation; the address is what the shell follows. */
export function show(id) {
  location.hash = `#/c/${id}`;
}

/** Draws conversations, then the app's rooms, into `panel`. */
export function drawList(panel) {
  if (!panel.querySelector('.conversations')) {
    panel.replaceChildren(
      h('ul', { class: 'conversations', 'aria-label': t('tab.chats'), onkeydown: move }),
      h('p', { class: 'hint', hidden: true }, t('list.empty')),
      h('h2', { class: 'section' }, t('room.section')),
      h('ul', { class: 'conversations rooms', 'aria-label': t('room.section'), onkeydown: move }),
    );
  }
  const [chats, rooms] = panel.querySelectorAll('.conversations');
  const items = listed();
  patch(chats, items, { key: (item) => item.id, sig: signature, make: row });
  panel.querySelector('.hint').hidden = items.length > 0;
  const roomItems = state.rooms.map((room) => ({ ...room, item: conversation(room.conversationId) }));
  patch(rooms, roomItems, {
    key: (room) => room.conversationId,
    sig: (room) => [room.people, room.name, room.conversationId === state.active, currentLanguage()].join('|'),
    make: roomRow,
  });
}

/** Where the row of an item would look different, this is different. */
function signature(item) {
  const last = item.lastMessage;
  const waiting = state.outbox.of(item.id).at(-1);
  return [
    titleOf(item), item.avatar, item.unread, item.pinned, item.muted, last?.seq, last?.version, last && preview(last, item), waiting?.clientId,
    waiting?.state, item.id === state.active, state.online.get(item.peer), typingNames(item), last?.from === state.me.userId && item.stateOf(last),
    listTime(item.lastTime), currentLanguage(),
  ].join('|');
}

/** Who writes at the moment, as a line; empty where nobody does. */
export function typingNames(item) {
  const who = [...(state.typing.get(item.id)?.keys() ?? [])];
  if (who.length === 0) return '';
  if (item.kind === 'direct') return t('typing.one');
  return who.length === 1 ? t('typing.name', { name: nameOf(who[0]) }) : t('typing.many', { n: who.length });
}

function row(item) {
  const title = titleOf(item);
  const { unread } = item;
  const waiting = state.outbox.of(item.id).at(-1);
  const last = waiting ?? item.lastMessage;
  const mine = waiting || last?.from === state.me.userId;
  const typing = typingNames(item);
  const line = typing || (last ? preview(last, item) : '');
  const button = h(
    'button',
    {
      type: 'button', class: 'conversation', 'aria-current': item.id === state.active ? 'true' : undefined, 'data-id': item.id,
      'data-unread': String(unread), onclick: () => show(item.id),
      oncontextmenu: (event) => {
        event.preventDefault();
        conversationMenu(button, item);
      },
    },
    avatar(item.peer ?? item.id, title, { url: item.avatar, online: item.kind === 'direct' ? Boolean(state.online.get(item.peer)) : undefined, square: item.kind === 'group' }),
    h(
      'span', { class: 'lines' },
      h('span', { class: 'line' }, h('strong', {}, title), item.muted ? icon('mute') : null, item.pinned ? icon('pin') : null, h('time', {}, listTime(item.lastTime))),
      h(
        'span', { class: 'line' },
        mine && !typing ? tick(waiting ? waiting.state : item.stateOf(last)) : null,
        h('span', { class: typing ? 'preview typing' : 'preview' }, line),
        unread ? h('b', { class: item.muted ? 'badge muted' : 'badge', 'aria-label': t('list.unread', { n: unread }) }, unread > 99 ? '99+' : String(unread)) : null,
      ),
    ),
  );
  return h('li', {}, button);
}

function roomRow({ conversationId, name, people }) {
  const title = name || t('room.world');
  return h('li', {}, h(
    'button', { type: 'button', class: 'conversation', 'data-id': conversationId, 'aria-current': conversationId === state.active ? 'true' : undefined, onclick: () => show(conversationId) },
    h('span', { class: 'avatar room', 'aria-hidden': 'true' }, icon('world')),
    h('span', { class: 'lines' }, h('span', { class: 'line' }, h('strong', {}, title)), h('span', { class: 'line' }, h('span', { class: 'preview' }, people === undefined ? t('room.hint') : t('room.people', { n: people })))),
  ));
}

/** The sign of how far a message has come. */
export function tick(stateName) {
  const glyph = { waiting: 'clock', sending: 'clock', stored: 'tick', delivered: 'ticks', read: 'ticks', failed: 'alert' }[stateName];
  return h('span', { class: `tick ${stateName}`, role: 'img', 'aria-label': t(`state.${stateName}`), title: t(`state.${stateName}`) }, icon(glyph));
}

/** Pin, mute, hide: also reached from the chat's own menu. */
export function conversationMenu(anchor, item, more = []) {
  const set = (fields) => () => attempt(async () => {
    const answer = await call('PUT', '/api/chat/conversation', { conversationId: item.id, ...fields });
    Object.assign(item, { pinned: answer.pinned, muted: answer.muted, hidden: answer.hidden });
    touch('list', item.id);
    if (fields.hidden && state.active === item.id) location.hash = '#/';
  });
  menu(anchor, [
    ...more,
    { name: 'pin', label: t(item.pinned ? 'list.unpin' : 'list.pin'), icon: 'pin', run: set({ pinned: !item.pinned }) },
    { name: 'mute', label: t(item.muted ? 'list.unmute' : 'list.mute'), icon: 'mute', run: set({ muted: !item.muted }) },
    { name: 'hide', label: t('list.hide'), icon: 'close', run: () => sure(t('list.hide_sure'), t('list.hide'), set({ hidden: true })) },
  ]);
}

/** Arrow keys move through the rows, across both lists. */
function move(event) {
  if (event.altKey || !['ArrowUp', 'ArrowDown', 'Home', 'End'].includes(event.key)) return;
  const all = [...event.currentTarget.closest('.panel').querySelectorAll('.conversation')];
  const at = all.indexOf(document.activeElement);
  if (at < 0) return;
  event.preventDefault();
  const next = { ArrowUp: Math.max(0, at - 1), ArrowDown: Math.min(all.length - 1, at + 1), Home: 0, End: all.length - 1 }[event.key];
  all[next].focus();
}
