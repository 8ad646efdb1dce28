// One row of the chat: a message, a note about the group, the heading of a day.

import { h, icon, iconButton } from './dom.js';
import { clock, dayName, fullTime, t } from './i18n.js';
import { gist, note } from './preview.js';
import { nameOf, state } from './store.js';
import { avatar, fileSize, mediaUrl, rich, safeUrl } from './text.js';
import { tick } from './view-list.js';

const EVERYONE = ['all', 'everyone', '所有人'];

export const dayRow = (time) => h('li', { class: 'day' }, h('span', {}, dayName(time)));
export const newRow = () => h('li', { class: 'day new' }, h('span', {}, t('chat.new')));
export const noteRow = (event) => h('li', { class: 'note', 'data-seq': String(event.seq) }, note(event), ' ', h('time', { title: fullTime(event.time) }, clock(event.time)));

/** The names under which a message mentions people. */
function mentioned(event, item) {
  const ids = Array.isArray(event.content?.mentions) ? event.content.mentions : [];
  const people = state.groups.get(item.groupId)?.people ?? [];
  return ids.flatMap((id) => {
    if (id === 0) return EVERYONE;
    const member = people.find((person) => person.userId === id);
    return [nameOf(id), member?.nickname, member?.username, id === state.me.userId ? state.me.username : undefined];
  });
}

/**
 * A message. `row` is `{event, entry?, state?, first, mine}`: the event as read, or an entry of the outbox made to look like one. `act(name, row, anchor)` is what
 * the user does with it.
 */
export function messageRow(row, item, act) {
  const { event, entry, first, mine } = row;
  const { content = {}, recalled } = event;
  const forMe = !mine && Array.isArray(content.mentions) && (content.mentions.includes(state.me.userId) || content.mentions.includes(0));
  const name = nameOf(event.from, event.fromName);
  const showsPicture = !mine && item.kind !== 'direct';
  const more = entry ? null : iconButton('more', t('message.actions'), () => act('menu', row, more), { class: 'icon-button more', tabindex: -1, 'aria-haspopup': 'menu', 'data-action': 'message-menu' });
  const meta = h(
    'span', { class: 'meta' },
    event.edited ? h('span', { title: fullTime(event.edited) }, t('message.edited')) : null,
    h('time', { title: fullTime(event.time), datetime: new Date(event.time).toISOString() }, clock(event.time)),
    mine && !recalled ? readTick(row, item) : null,
  );
  const bubble = h(
    'div', { class: `bubble${recalled ? ' recalled' : ''}` },
    showsPicture && first ? h('span', { class: 'who' }, name) : null,
    !recalled && content.replyTo ? quote(content.replyTo, item, () => act('jump', row)) : null,
    recalled ? h('span', { class: 'words' }, t(mine ? 'message.recalled_mine' : 'message.recalled')) : body(event, item, act),
    meta,
  );
  return h(
    'li',
    {
      class: `row ${mine ? 'mine' : 'theirs'}${first ? ' first' : ''}${forMe ? ' for-me' : ''}`, 'data-seq': entry ? undefined : String(event.seq),
      'data-client-id': event.clientId, 'data-state': row.state,
    },
    showsPicture ? (first ? avatar(event.from, name) : h('span', { class: 'avatar-space' })) : null,
    h(
      'div', { class: 'stack' },
      h('div', { class: 'bubble-line' }, bubble, more),
      event.reactions?.length ? reactions(event, (emoji) => act('react', row, emoji)) : null,
      entry?.state === 'failed' ? failure(entry, row, act) : null,
    ),
  );
}

function readTick(row, item) {
  const sign = tick(row.state);
  if (item.kind === 'group' && row.state === 'read') sign.title = t('state.read_by', { n: item.readersOf(row.event) });
  return sign;
}

function failure(entry, row, act) {
  return h(
    'div', { class: 'failure' }, h('span', {}, t(`error.${entry.reason}`)),
    h('button', { type: 'button', class: 'link', 'data-action': 'retry', onclick: () => act('retry', row) }, t('message.retry')),
    h('button', { type: 'button', class: 'link', 'data-action': 'discard', onclick: () => act('discard', row) }, t('message.discard')),
  );
}

function quote(seq, item, onclick) {
  const target = item.log.events.get(seq);
  return h(
    'button', { type: 'button', class: 'quote', onclick },
    target ? h('b', {}, nameOf(target.from, target.fromName)) : null, h('span', {}, target ? gist(target) : t('message.earlier')),
  );
}

function reactions(event, toggle) {
  return h('div', { class: 'reactions' }, event.reactions.map(({ emoji, userIds }) => {
    const own = userIds.includes(state.me.userId);
    const names = userIds.map((id) => nameOf(id)).join(t('list.comma'));
    return h('button', {
      type: 'button', class: 'reaction', 'aria-pressed': String(own), title: names, 'aria-label': `${emoji} ${names}`, 'data-emoji': emoji, onclick: () => toggle(emoji),
    }, h('span', {}, emoji), h('small', {}, String(userIds.length)));
  }));
}

/** What a message holds, by type. What cannot be shown safely is named only. */
function body(event, item, act) {
  const c = event.content ?? {};
  const url = safeUrl(c.url);
  const shown = mediaUrl(c.url);
  const plain = () => h('span', { class: 'words dim' }, gist(event));
  const linked = () => (url ? h('a', { class: 'file', href: url, target: '_blank', rel: 'noopener noreferrer', download: event.type === 'file' ? c.name || '' : undefined }, icon('down'), h('span', {}, c.name || t(`type.${event.type}`), h('small', {}, fileSize(c.size)))) : plain());
  switch (event.type) {
    case 'text': return h('span', { class: `words${onlyEmoji(c.text) ? ' big' : ''}`, dir: 'auto' }, rich(String(c.text ?? ''), mentioned(event, item)));
    case 'image': return shown ? h('a', { href: url, target: '_blank', rel: 'noopener noreferrer' }, h('img', { class: 'picture', src: mediaUrl(c.thumbnail) ?? shown, alt: c.name || t('type.image'), loading: 'lazy', width: c.width, height: c.height })) : linked();
    case 'voice': return shown ? h('audio', { controls: true, preload: 'none', src: shown }) : linked();
    case 'video': return shown ? h('video', { class: 'picture', controls: true, preload: 'metadata', src: shown, poster: mediaUrl(c.thumbnail) }) : linked();
    case 'file': return linked();
    case 'location': return place(c);
    case 'card': return h('button', { type: 'button', class: 'file', onclick: () => act('card', { userId: Number(c.userId) }) }, icon('people'), h('span', {}, nameOf(c.userId), h('small', {}, t('type.card'))));
    case 'forward': return forwarded(c);
    default: return plain();
  }
}

function place({ lat, lon, name }) {
  const at = `${Number(lat).toFixed(5)}, ${Number(lon).toFixed(5)}`;
  return h('span', { class: 'file' }, icon('world'), h('span', {}, name || t('type.location'), h('small', {}, at)));
}

function forwarded({ items, title }) {
  const all = Array.isArray(items) ? items : [];
  return h(
    'details', { class: 'forward' }, h('summary', {}, title || t('message.forwarded', { n: all.length })),
    h('ol', {}, all.slice(0, 100).map((part) => h('li', {}, h('b', {}, part.fromName || '#'), ' ', gist(part)))),
  );
}

function onlyEmoji(text) {
  return /^(?:\p{Extended_Pictographic}(?:\uFE0F|\u200D|\p{Emoji_Modifier}|\p{Extended_Pictographic})*\s?){1,3}$/u.test(text ?? '');
}
