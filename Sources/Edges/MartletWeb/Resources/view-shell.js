// The frame around everything: the side with its lists, the stage with the chat, the banner, and moving between them.

import { fill, h, icon, iconButton } from './dom.js';
import { t } from './i18n.js';
import { leaveRoom, retryNow, takeOver } from './live.js';
import { conversation, listed, state, subscribe, titleOf, unreadTotal } from './store.js';
import { avatar } from './text.js';
import { menu } from './ui.js';
import { ChatView } from './view-chat.js';
import { drawList } from './view-list.js';
import { addFriend, drawPeople, joinGroup, newGroup } from './view-people.js';
import { showSettings } from './view-settings.js';

/** Shows the shell in `root`; gives back how to take it away. */
export function showShell(root, { signedOut }) {
  let parts;
  let chat = null;
  let tab = 'chats';
  let ticking = 0;

  function build() {
    const tabButton = (name, label, glyph) => h('button', {
      type: 'button', role: 'tab', id: `tab-${name}`, 'aria-selected': String(tab === name), 'aria-controls': 'side-panel', 'data-tab': name, onclick: () => choose(name),
    }, icon(glyph), h('span', {}, label), h('b', { class: 'badge', hidden: true }));
    parts = {
      banner: h('div', { class: 'banner', role: 'status', 'aria-live': 'polite', hidden: true }),
      me: h('button', { type: 'button', class: 'me', 'aria-label': t('settings.title'), title: t('settings.title'), 'data-action': 'settings', onclick: () => showSettings({ signedOut, redraw }) }),
      chats: tabButton('chats', t('tab.chats'), 'chats'),
      people: tabButton('people', t('tab.people'), 'people'),
      panel: h('div', { class: 'panel', id: 'side-panel', role: 'tabpanel', 'aria-labelledby': `tab-${tab}` }),
      stage: h('main', { class: 'stage' }),
    };
    const plus = iconButton('plus', t('new'), () => menu(plus, [
      { name: 'add-friend', label: t('friend.add'), icon: 'people', run: addFriend },
      { name: 'new-group', label: t('group.new'), icon: 'chats', run: newGroup },
      { name: 'join-group', label: t('group.join'), icon: 'plus', run: joinGroup },
    ]), { 'data-action': 'new', 'aria-haspopup': 'menu' });
    parts.shell = h(
      'div', { class: 'shell' },
      h(
        'aside', { class: 'side', 'aria-label': t('tab.chats') },
        h('header', { class: 'bar' }, h('img', { src: '/favicon.svg', alt: '', width: 30, height: 30 }), h('h1', {}, 'Martlet'), plus, parts.me),
        h('div', { class: 'segments', role: 'tablist' }, parts.chats, parts.people),
        parts.panel,
      ),
      parts.stage,
    );
    fill(root, parts.banner, parts.shell);
  }

  function choose(name) {
    tab = name;
    for (const key of ['chats', 'people']) parts[key].setAttribute('aria-selected', String(tab === key));
    parts.panel.setAttribute('aria-labelledby', `tab-${tab}`);
    parts.panel.replaceChildren();
    draw();
  }

  function draw() {
    if (tab === 'chats') drawList(parts.panel);
    else drawPeople(parts.panel);
    const badge = (part, count) => {
      const element = part.querySelector('.badge');
      element.textContent = count > 99 ? '99+' : String(count);
      element.hidden = count === 0;
    };
    badge(parts.chats, unreadTotal());
    badge(parts.people, state.requests.length + state.invitations.length);
    const name = state.me.nickname || state.me.username;
    if (parts.me.dataset.name !== name + state.me.avatar) {
      fill(parts.me, avatar(state.me.userId, name, { url: state.me.avatar }));
      parts.me.dataset.name = name + state.me.avatar;
    }
    const unread = unreadTotal();
    const title = state.active && state.conversations.has(state.active) ? titleOf(conversation(state.active)) : '';
    document.title = `${unread ? `(${unread}) ` : ''}${title ? `${title} – ` : ''}Martlet`;
  }

  function drawBanner() {
    clearTimeout(ticking);
    const { name, until, reason } = state.connection;
    const seconds = Math.max(1, Math.ceil((until - Date.now()) / 1000));
    document.documentElement.dataset.connection = name;
    // A connection that comes at once needs no words.
    const quiet = name === 'online' || name === 'idle' || (name === 'connecting' && parts.banner.hidden);
    if (quiet) {
      parts.banner.hidden = true;
      if (name === 'connecting') ticking = setTimeout(() => connectingLong(), 1200);
      return;
    }
    const words = {
      connecting: t('banner.connecting'), offline: t('banner.offline'), waiting: t('banner.waiting', { n: seconds }),
      stopped: t(`banner.${reason}`),
    }[name];
    const action = name === 'waiting' || name === 'offline'
      ? h('button', { type: 'button', class: 'link', onclick: retryNow }, t('banner.now'))
      : reason === 'replaced' ? h('button', { type: 'button', class: 'link', onclick: takeOver }, t('banner.here')) : null;
    fill(parts.banner, h('span', {}, words), action);
    parts.banner.dataset.state = name;
    parts.banner.hidden = false;
    if (name === 'waiting') ticking = setTimeout(drawBanner, 1000);
  }

  function connectingLong() {
    if (state.connection.name !== 'connecting') return;
    parts.banner.hidden = false;
    drawBanner();
  }

  /** The address decides what is shown, so that back and forward work, and a reload comes back here. */
  function route() {
    const match = /^#\/c\/(.+)$/.exec(location.hash);
    const id = match && decodeURIComponent(match[1]);
    const valid = id && /^(d:\d+:\d+|g:\d+|r:\d+(:.+)?)$/.test(id);
    parts.shell.dataset.pane = valid ? 'main' : 'list';
    if (valid && chat?.item.id === id) return;
    close();
    if (valid) {
      state.active = id;
      chat = new ChatView(conversation(id));
      fill(parts.stage, chat.element);
      chat.start();
    } else {
      state.active = null;
      fill(parts.stage, h('div', { class: 'empty' }, h('img', { src: '/favicon.svg', alt: '', width: 72, height: 72 }), h('p', {}, t('chat.none_open')), h('small', {}, t('chat.keys'))));
    }
    draw();
  }

  function close() {
    if (chat?.item.kind === 'room') leaveRoom(chat.item.id);
    chat?.destroy();
    chat = null;
  }

  function redraw() {
    close();
    state.active = null;
    build();
    drawBanner();
    route();
  }

  const onKey = (event) => {
    if (!event.altKey || event.ctrlKey || event.metaKey || !['ArrowUp', 'ArrowDown'].includes(event.key)) return;
    if (document.querySelector('dialog[open]')) return;
    const all = [...listed().map((item) => item.id), ...state.rooms.map((room) => room.conversationId)];
    if (all.length === 0) return;
    event.preventDefault();
    const at = all.indexOf(state.active);
    const next = event.key === 'ArrowDown' ? at + 1 : at < 0 ? all.length - 1 : at - 1;
    location.hash = `#/c/${all[(next + all.length) % all.length]}`;
  };

  build();
  addEventListener('hashchange', route);
  document.addEventListener('keydown', onKey);
  const unsubscribe = subscribe((topics) => {
    if (topics.has('connection')) drawBanner();
    if (topics.has('list') || topics.has('people') || topics.has('presence')) draw();
    chat?.changed(topics);
  });
  route();
  drawBanner();

  return () => {
    removeEventListener('hashchange', route);
    document.removeEventListener('keydown', onKey);
    clearTimeout(ticking);
    unsubscribe();
    close();
    for (const open of document.querySelectorAll('dialog, .menu')) open.remove();
    delete document.documentElement.dataset.connection;
  };
}
