// Events in one line: for the list, for quotes, and for what happened in a group.

import { t } from './i18n.js';
import { nameOf, state } from './store.js';

const NAMED = new Set(['image', 'voice', 'video', 'file', 'location', 'card', 'sticker', 'redpacket', 'forward', 'custom']);

/** What a message says, in few words and without its sender. */
export function gist(event) {
  if (event.recalled) return t('message.recalled');
  const { text, name, greeting, title } = event.content ?? {};
  if (event.type === 'text') return String(text ?? '').replace(/\s+/g, ' ').slice(0, 160);
  const kind = t(`type.${NAMED.has(event.type) ? event.type : 'unknown'}`);
  const detail = { file: name, location: name, redpacket: greeting, forward: title }[event.type];
  return detail ? `[${kind}] ${detail}` : `[${kind}]`;
}

/** The line of the list. In groups it begins with who wrote. */
export function preview(event, item) {
  const own = event.from === undefined || event.from === state.me.userId;
  if (item.kind === 'direct' || own || !event.from) return gist(event);
  return `${nameOf(event.from, event.fromName)}: ${gist(event)}`;
}

/** What a membership or group event tells. */
export function note(event) {
  const c = event.content ?? {};
  const by = c.by ? nameOf(c.by, c.byName) : t('note.somebody');
  if (event.type === 'group') {
    if (c.dissolved) return t('note.dissolved', { by });
    if (c.name !== undefined) return t('note.renamed', { by, name: c.name });
    if (c.announcement !== undefined) return t('note.announced', { by });
    if (c.mutedUntil !== undefined) return t(c.mutedUntil ? 'note.all_muted' : 'note.all_unmuted', { by });
    return t('note.changed', { by });
  }
  const ids = c.userIds ?? [];
  const names = ids.map((id, i) => nameOf(id, c.names?.[i])).join(t('list.comma'));
  const alone = ids.length === 1 && ids[0] === c.by;
  switch (c.action) {
    case 'create': return t('note.created', { by });
    case 'join': return alone || !c.by ? t('note.joined', { names }) : t('note.added', { by, names });
    case 'leave': return t('note.left', { names });
    case 'kick': return t('note.kicked', { by, names });
    case 'role': return t(c.role === 'admin' ? 'note.admin' : 'note.member', { by, names });
    case 'mute': return t('note.muted', { by, names });
    case 'unmute': return t('note.unmuted', { by, names });
    case 'transfer': return t('note.transferred', { by, names });
    default: return t('note.changed', { by });
  }
}
