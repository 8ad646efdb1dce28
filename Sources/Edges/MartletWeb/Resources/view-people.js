// Friends, requests, invitations and the dialogs that lead to them.

import { call } from './api.js';
import { h, iconButton, patch } from './dom.js';
import { currentLanguage, t } from './i18n.js';
import { refreshSoon } from './live.js';
import { refreshBlocked, refreshFriends, refreshInvitations, refreshRequests } from './people.js';
import { conversation, directId, nameOf, state, touch } from './store.js';
import { avatar } from './text.js';
import { ask, attempt, menu, sure, toast } from './ui.js';
import { show } from './view-list.js';

/** Opens the direct conversation with a user. */
export function chatWith(userId, title) {
  const item = conversation(directId(userId));
  item.title ||= title ?? '';
  item.listed = true;
  show(item.id);
}

/** Draws requests, invitations, friends and blocked users into `panel`. */
export function drawPeople(panel) {
  if (!panel.querySelector('.people')) panel.replaceChildren(...['requests', 'invitations', 'friends', 'blocked'].map((name) => h('section', { class: 'people', 'data-section': name }, h('h2', { class: 'section' }, t(`people.${name}`)), h('ul', {}))), h('p', { class: 'hint' }, t('people.empty')));
  const part = (name, items, key, make, sig) => {
    const section = panel.querySelector(`[data-section=${name}]`);
    section.hidden = items.length === 0;
    patch(section.querySelector('ul'), items, { key, make, sig: (item) => `${JSON.stringify(item)}${sig?.(item) ?? ''}${currentLanguage()}` });
  };
  const online = (friend) => Boolean(state.online.get(friend.userId));
  const friends = [...state.friends.values()].sort((a, b) => online(b) - online(a) || nameOf(a.userId).localeCompare(nameOf(b.userId)));
  part('requests', state.requests, (request) => request.requestId, requestRow);
  part('invitations', state.invitations, (invitation) => invitation.groupId, invitationRow);
  part('friends', friends, (friend) => friend.userId, friendRow, online);
  part('blocked', state.blocked, (user) => user.userId, blockedRow);
  panel.querySelector('.hint').hidden = friends.length + state.requests.length > 0;
}

const person = (picture, name, under, ...actions) => h('li', { class: 'person' }, picture, h('span', { class: 'lines' }, h('strong', {}, name), under ? h('small', {}, under) : null), h('span', { class: 'actions' }, actions));
const small = (label, onclick, kind, name) => h('button', { type: 'button', class: `small ${kind ?? ''}`, onclick, 'data-action': name }, label);

function requestRow({ requestId, userId, username, nickname, message }) {
  const answer = (action) => () => attempt(async () => {
    await call('PUT', '/api/friend/request', { requestId, action });
    await Promise.all([refreshRequests(), refreshFriends()]);
    refreshSoon();
  });
  const name = nickname || username;
  return person(avatar(userId, name), name, message || `@${username}`, small(t('accept'), answer('accept'), 'primary', 'accept'), small(t('reject'), answer('reject'), '', 'reject'));
}

function invitationRow({ groupId, name, by, byName }) {
  const answer = (action) => () => attempt(async () => {
    await call('PUT', '/api/group/invitation', { groupId, action });
    await refreshInvitations();
    refreshSoon();
  });
  return person(avatar(`g:${groupId}`, name, { square: true }), name, t('group.invited_by', { name: nameOf(by, byName) }), small(t('accept'), answer('accept'), 'primary', 'accept'), small(t('reject'), answer('reject'), '', 'reject'));
}

function friendRow(friend) {
  const name = nameOf(friend.userId);
  const online = Boolean(state.online.get(friend.userId));
  const more = iconButton('more', t('friend.options', { name }), () => menu(more, [
    { name: 'message', label: t('friend.message'), icon: 'chats', run: () => chatWith(friend.userId, name) }, ...friendActions(friend.userId),
  ]), { 'aria-haspopup': 'menu' });
  return h('li', { class: 'person' }, h(
    'button', { type: 'button', class: 'person-main', 'data-user': friend.username, 'data-online': String(online), onclick: () => chatWith(friend.userId, name) },
    avatar(friend.userId, name, { url: friend.avatar, online }),
    h('span', { class: 'lines' }, h('strong', {}, name), h('small', {}, `@${friend.username} · ${t(online ? 'presence.online' : 'presence.offline')}`)),
  ), more);
}

function blockedRow({ userId, username, nickname }) {
  return person(avatar(userId, nickname || username), nickname || username, `@${username}`, small(t('friend.unblock'), () => attempt(() => block(userId, false)), '', 'unblock'));
}

async function block(userId, on) {
  await call(on ? 'POST' : 'DELETE', '/api/friend/block', { userId });
  await Promise.all([refreshBlocked(), refreshFriends()]);
}

/** What can be done about a user: entries of a menu. */
export function friendActions(userId) {
  const friend = state.friends.get(userId);
  const name = nameOf(userId);
  const blocked = state.blocked.some((user) => user.userId === userId);
  return [
    !friend && !blocked && { name: 'add', label: t('friend.add'), icon: 'people', run: () => attempt(() => request({ userId })) },
    friend && { name: 'remark', label: t('friend.remark'), icon: 'edit', run: () => remark(friend) },
    blocked
      ? { name: 'unblock', label: t('friend.unblock'), icon: 'undo', run: () => attempt(() => block(userId, false)) }
      : { name: 'block', label: t('friend.block'), icon: 'alert', danger: true, run: () => sure(t('friend.block_sure', { name }), t('friend.block'), () => block(userId, true)) },
    friend && {
      name: 'delete', label: t('friend.delete'), icon: 'close', danger: true,
      run: () => sure(t('friend.delete_sure', { name }), t('friend.delete'), async () => {
        await call('DELETE', '/api/friend', { userId });
        await refreshFriends();
      }),
    },
  ];
}

function remark(friend) {
  ask({
    title: t('friend.remark'), text: t('friend.remark_hint', { name: friend.nickname || friend.username }), name: 'remark', submit: t('save'),
    fields: [{ name: 'remark', label: t('field.remark'), value: friend.remark ?? '', max: 64 }],
    run: async (values) => {
      await call('PUT', '/api/friend/remark', { userId: friend.userId, remark: values.remark });
      friend.remark = values.remark;
      touch('people', 'list', 'presence');
    },
  });
}

async function request(fields) {
  const answer = await call('POST', '/api/friend/request', fields);
  if (answer.accepted) await refreshFriends();
  toast(t(answer.accepted ? 'friend.added' : 'friend.requested'), 'good');
}

export function addFriend() {
  ask({
    title: t('friend.add'), name: 'add-friend', submit: t('friend.send_request'),
    fields: [
      { name: 'username', label: t('field.username'), max: 32, min: 1 },
      { name: 'message', label: t('friend.greeting'), max: 200 },
    ],
    run: ({ username, message }) => request({ username: username.replace(/^@/, ''), message: message || undefined }),
  });
}

const joinChoices = () => Object.fromEntries(['approval', 'open', 'closed'].map((mode) => [mode, t(`group.join_${mode}`)]));

export function newGroup() {
  const people = [...state.friends.values()].map((friend) => ({ id: friend.userId, name: nameOf(friend.userId), picture: avatar(friend.userId, nameOf(friend.userId)) }));
  ask({
    title: t('group.new'), name: 'new-group', submit: t('group.create'),
    fields: [
      { name: 'name', label: t('field.name'), max: 64, min: 1 },
      { name: 'description', label: t('field.description'), max: 512, type: 'area' },
      { name: 'join', label: t('group.join_mode'), options: joinChoices(), value: 'approval' },
      { name: 'members', label: t('group.members'), type: 'people', people },
    ],
    run: async ({ name, description, join, members }) => {
      const answer = await call('POST', '/api/group/create', { name, description: description || undefined, join, members: members.slice(0, 100) });
      Object.assign(conversation(answer.conversationId), { title: name, listed: true, lastTime: Date.now() });
      refreshSoon();
      show(answer.conversationId);
    },
  });
}

export function joinGroup() {
  ask({
    title: t('group.join'), name: 'join-group', submit: t('group.join'),
    fields: [
      { name: 'groupId', label: t('group.id'), max: 20, min: 1, inputmode: 'numeric' },
      { name: 'message', label: t('friend.greeting'), max: 200 },
    ],
    run: async ({ groupId, message }) => {
      const id = Number(groupId.replace(/^g:/, ''));
      const answer = await call('POST', '/api/group/join', { groupId: Number.isSafeInteger(id) ? id : 0, message: message || undefined });
      if (answer.status === 'requested') {
        toast(t('group.requested'), 'good');
        return;
      }
      conversation(`g:${id}`).listed = true;
      refreshSoon();
      show(`g:${id}`);
    },
  });
}
