// A group's own dialog: what it is, who is in it, and what one may do there.

import { call } from './api.js';
import { fill, h, iconButton } from './dom.js';
import { explain, fullTime, t } from './i18n.js';
import { loadGroup } from './people.js';
import { nameOf, state, subscribe } from './store.js';
import { avatar } from './text.js';
import { ask, attempt, dialog, menu, sure } from './ui.js';
import { chatWith } from './view-people.js';

/** Opens the dialog; it follows what happens in the group while it is open. */
export function showGroup(groupId) {
  const box = dialog(t('group.info'), { wide: true, name: 'group' });
  const redraw = () => {
    const group = state.groups.get(groupId);
    if (group) draw(box, group);
  };
  const unsubscribe = subscribe((topics) => {
    if (topics.has('group') && !state.groups.has(groupId)) box.close();
    else if (topics.has('group') || topics.has('presence')) redraw();
  });
  box.element.addEventListener('close', unsubscribe);
  redraw();
  loadGroup(groupId).then(redraw, (error) => {
    if (!state.groups.has(groupId)) fill(box.body, h('p', { class: 'problem', role: 'alert' }, explain(error)));
  });
}

function draw(box, group) {
  const { groupId } = group;
  const manages = group.role === 'owner' || group.role === 'admin';
  const invites = manages || group.join === 'open';
  box.heading.textContent = group.name;
  const action = (name, label, run, kind = '') => h('button', { type: 'button', class: `small ${kind}`, 'data-action': name, onclick: run }, label);
  fill(
    box.body,
    h('p', { class: 'dim' }, `${t('group.id')}: ${groupId} · ${t('group.count', { n: group.members })} · ${t(`group.join_${group.join}`)}`),
    group.description ? h('p', {}, group.description) : null,
    group.announcement ? h('section', { class: 'card' }, h('h3', {}, t('group.announcement')), h('p', { class: 'words' }, group.announcement)) : null,
    group.mutedUntil ? h('p', { class: 'problem' }, t('group.all_muted')) : null,
    h(
      'div', { class: 'actions wrap' },
      invites ? action('invite', t('group.invite'), () => invite(group), 'primary') : null,
      manages ? action('edit', t('group.edit'), () => edit(group)) : null,
      manages ? action('mute-all', t(group.mutedUntil ? 'group.unmute_all' : 'group.mute_all'), () => attempt(() => change('PUT', '/api/group/mute', { groupId, ...(group.mutedUntil ? { until: 0 } : {}) }))) : null,
      group.role && group.role !== 'owner' ? action('leave', t('group.leave'), () => sure(t('group.leave_sure', { name: group.name }), t('group.leave'), () => leave(box, 'POST', '/api/group/leave', groupId)), 'danger') : null,
      group.role === 'owner' ? action('dissolve', t('group.dissolve'), () => sure(t('group.dissolve_sure', { name: group.name }), t('group.dissolve'), () => leave(box, 'DELETE', `/api/group/${groupId}`, groupId)), 'danger') : null,
    ),
    group.requests?.length ? h('section', { 'data-section': 'group-requests' }, h('h3', {}, t('group.requests')), h('ul', { class: 'people' }, group.requests.map((request) => requestRow(request, groupId)))) : null,
    h('h3', {}, t('group.members')),
    h('ul', { class: 'people', 'data-section': 'members' }, (group.people ?? []).map((member) => memberRow(member, group, box))),
  );

  async function change(method, path, params) {
    await call(method, path, params);
    await loadGroup(groupId);
  }
}

async function leave(box, method, path, groupId) {
  await call(method, path, method === 'POST' ? { groupId } : {});
  const item = state.conversations.get(`g:${groupId}`);
  if (item) item.listed = false;
  state.groups.delete(groupId);
  box.close();
  location.hash = '#/';
}

function requestRow({ requestId, userId, username, nickname, message }, groupId) {
  const name = nickname || username;
  const answer = (action) => () => attempt(async () => {
    await call('PUT', '/api/group/request', { requestId, action });
    await loadGroup(groupId);
  });
  return h(
    'li', { class: 'person' }, avatar(userId, name), h('span', { class: 'lines' }, h('strong', {}, name), h('small', {}, message || `@${username}`)),
    h('span', { class: 'actions' }, h('button', { type: 'button', class: 'small primary', 'data-action': 'accept', onclick: answer('accept') }, t('accept')), h('button', { type: 'button', class: 'small', 'data-action': 'reject', onclick: answer('reject') }, t('reject'))),
  );
}

function memberRow(member, group, box) {
  const { userId, username, role, mutedUntil } = member;
  const { groupId } = group;
  const name = nameOf(userId, member.nickname || username);
  const online = state.online.get(userId) ?? member.online;
  const mine = userId === state.me.userId;
  const muted = mutedUntil && (mutedUntil > Date.now() + (state.clockSkew ?? 0));
  const owner = group.role === 'owner';
  const above = !mine && (owner || (group.role === 'admin' && role === 'member'));
  const run = (method, path, params) => () => attempt(async () => {
    await call(method, path, { groupId, ...params });
    await loadGroup(groupId);
  });
  const more = mine ? null : iconButton('more', t('friend.options', { name }), () => menu(more, [
    {
      name: 'message', label: t('friend.message'), icon: 'chats',
      run: () => {
        box.close();
        chatWith(userId, name);
      },
    },
    owner && { name: 'role', label: t(role === 'admin' ? 'group.make_member' : 'group.make_admin'), icon: 'people', run: run('PUT', '/api/group/role', { userId, role: role === 'admin' ? 'member' : 'admin' }) },
    owner && { name: 'transfer', label: t('group.transfer'), icon: 'reply', run: () => sure(t('group.transfer_sure', { name }), t('group.transfer'), run('PUT', '/api/group/transfer', { userId })) },
    above && { name: 'mute', label: t(muted ? 'group.unmute' : 'group.mute'), icon: 'mute', run: run('PUT', '/api/group/mute', { userId, ...(muted ? { until: 0 } : {}) }) },
    above && { name: 'kick', label: t('group.kick'), icon: 'close', danger: true, run: () => sure(t('group.kick_sure', { name }), t('group.kick'), run('POST', '/api/group/kick', { userIds: [userId] })) },
  ]), { 'aria-haspopup': 'menu' });
  const facts = [`@${username}`, role === 'member' ? '' : t(`group.role_${role}`), muted ? t('group.muted_until', { time: fullTime(mutedUntil) }) : ''].filter(Boolean);
  return h(
    'li', { class: 'person', 'data-user': username, 'data-role': role }, avatar(userId, name, { online: Boolean(online) }),
    h('span', { class: 'lines' }, h('strong', {}, mine ? `${name} (${t('you')})` : name), h('small', {}, facts.join(' · '))), more,
  );
}

function invite(group) {
  const inside = new Set((group.people ?? []).map((member) => member.userId));
  const people = [...state.friends.values()].filter((friend) => !inside.has(friend.userId))
    .map((friend) => ({ id: friend.userId, name: nameOf(friend.userId), picture: avatar(friend.userId, nameOf(friend.userId)) }));
  ask({
    title: t('group.invite'), name: 'invite', submit: t('group.invite'), fields: [{ name: 'userIds', label: t('people.friends'), type: 'people', people }],
    run: async ({ userIds }) => {
      if (userIds.length === 0) return;
      await call('POST', '/api/group/invite', { groupId: group.groupId, userIds: userIds.slice(0, 100) });
      await loadGroup(group.groupId);
    },
  });
}

function edit(group) {
  ask({
    title: t('group.edit'), name: 'edit-group', submit: t('save'),
    fields: [
      { name: 'name', label: t('field.name'), value: group.name, max: 64, min: 1 },
      { name: 'description', label: t('field.description'), value: group.description ?? '', max: 512, type: 'area' },
      { name: 'announcement', label: t('group.announcement'), value: group.announcement ?? '', max: 2048, type: 'area' },
      { name: 'join', label: t('group.join_mode'), value: group.join, options: Object.fromEntries(['approval', 'open', 'closed'].map((mode) => [mode, t(`group.join_${mode}`)])) },
    ],
    run: async (values) => {
      // Only what changed: every changed field is an event that the whole group reads.
      const changed = Object.fromEntries(Object.entries(values).filter(([key, value]) => value !== (group[key] ?? '')));
      if (Object.keys(changed).length === 0) return;
      await call('PUT', `/api/group/${group.groupId}`, changed);
      await loadGroup(group.groupId);
    },
  });
}
