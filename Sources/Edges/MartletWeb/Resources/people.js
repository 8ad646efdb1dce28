// Friends, requests, groups: read from REST, kept fresh by the inbox.

import { call, callAll } from './api.js';
import { conversation, state, touch } from './store.js';
import { saveSoon } from './cache.js';

/** Reads all lists that the people pane shows, and one's own profile. */
export async function refreshPeople() {
  const [profile] = await Promise.all([
    call('GET', '/api/user/profile'), refreshFriends(), refreshRequests(), refreshInvitations(), refreshBlocked(),
  ]);
  Object.assign(state.me, profile);
  touch('people', 'list');
  await refreshRooms();
}

export async function refreshFriends() {
  const friends = await callAll('/api/friend/list', { limit: 1000 });
  state.friends = new Map(friends.map((friend) => [friend.userId, friend]));
  for (const friend of friends) state.online.set(friend.userId, friend.online);
  saveSoon();
  touch('people', 'list', 'presence');
}

export async function refreshRequests() {
  state.requests = await callAll('/api/friend/requests', {}, 3);
  touch('people');
}

export async function refreshInvitations() {
  state.invitations = await callAll('/api/group/invitations', {}, 3);
  touch('people');
}

export async function refreshBlocked() {
  state.blocked = await callAll('/api/friend/block', {}, 3);
  touch('people');
}

/** Rooms of the app; the world room is there even where the list cannot be read. */
export async function refreshRooms() {
  const world = { conversationId: `r:${state.me.appId ?? 1}`, name: '' };
  const rooms = (await call('GET', '/api/room/list').catch(() => ({}))).items ?? [];
  state.rooms = rooms.some((room) => room.conversationId === world.conversationId) ? rooms : [world, ...rooms];
  for (const room of state.rooms) conversation(room.conversationId).title = room.name;
  touch('list');
}

/** A group with its members, and its requests where one may answer them. */
export async function loadGroup(groupId) {
  const [group, members] = await Promise.all([
    call('GET', `/api/group/${groupId}`), callAll(`/api/group/${groupId}/members`, {}, 3),
  ]);
  group.people = members;
  for (const { userId, nickname, username } of members) state.names.set(userId, nickname || username);
  const manages = group.role === 'owner' || group.role === 'admin';
  group.requests = manages ? await callAll('/api/group/requests', { groupId }, 3).catch(() => []) : [];
  state.groups.set(groupId, group);
  touch('group', `g:${groupId}`);
  return group;
}

const groupTimers = new Map();
/** Reads a group again soon, where somebody looked at it before. */
export function refreshGroup(groupId) {
  if (!state.groups.has(groupId) || groupTimers.has(groupId)) return;
  groupTimers.set(groupId, setTimeout(() => {
    groupTimers.delete(groupId);
    loadGroup(groupId).catch(() => {});
  }, 150));
}

/** Carries an inbox event over to the lists. */
export function inboxEvent({ type, content }, refreshConversations) {
  const quietly = (work) => work.catch(() => {});
  switch (type) {
    case 'friend_request':
      quietly(refreshRequests());
      break;
    case 'friend_added':
    case 'friend_removed':
    case 'friend_rejected':
      quietly(refreshFriends());
      quietly(refreshRequests());
      refreshConversations();
      break;
    case 'friend_remark': {
      const friend = state.friends.get(content.userId);
      if (friend) friend.remark = content.remark;
      touch('people', 'list', 'presence');
      break;
    }
    case 'block_changed':
      quietly(refreshBlocked());
      quietly(refreshFriends());
      break;
    case 'group_invitation':
      quietly(refreshInvitations());
      break;
    case 'group_joined':
      conversation(content.conversationId).left = undefined;
      quietly(refreshInvitations());
      refreshConversations();
      break;
    case 'group_left': {
      const item = state.conversations.get(content.conversationId);
      if (item) Object.assign(item, { listed: false, left: content.reason });
      state.groups.delete(content.groupId);
      touch('list', 'group', content.conversationId);
      break;
    }
    case 'group_request':
      refreshGroup(content.groupId);
      break;
    case 'conversation_settings': {
      const { pinned, muted, hidden } = content;
      Object.assign(conversation(content.conversationId), { pinned, muted, hidden });
      touch('list', content.conversationId);
      break;
    }
    case 'profile_changed':
      quietly(refreshPeople());
      break;
    default:
  }
}
