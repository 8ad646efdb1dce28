// One conversation: its heading, its messages, and what the user does with them.

import { Composer } from './composer.js';
import { fill, h, icon, iconButton, patch } from './dom.js';
import { currentLanguage, explain, t } from './i18n.js';
import { isMessage, isShown } from './log.js';
import { change, loadOlder, markRead, open } from './live.js';
import { loadGroup } from './people.js';
import { directId, nameOf, state, titleOf } from './store.js';
import { avatar } from './text.js';
import { attempt, menu, sure, toast } from './ui.js';
import { showGroup } from './view-group.js';
import { conversationMenu, show, typingNames } from './view-list.js';
import { dayRow, messageRow, newRow, noteRow } from './view-message.js';
import { friendActions } from './view-people.js';

const TOGETHER = 5 * 60_000;
const NEAR = 80;
const MANY = 800;
const QUICK = ['👍', '❤️', '😂', '🎉', '😮', '😢'];

export class ChatView {
  constructor(item) {
    this.item = item;
    this.stuck = true;
    this.bottom = 0;
    this.firstNew = item.kind !== 'room' && item.unread > 0 ? item.readSeq + 1 : 0;
    this.fresh = 0;
    this.header = h('header', { class: 'bar chat-bar' });
    this.notice = h('button', { type: 'button', class: 'announcement', hidden: true, onclick: () => this.info() });
    this.top = h('div', { class: 'top', 'aria-hidden': 'true' });
    this.rows = h('ol', { class: 'rows' });
    this.scroller = h('div', { class: 'scroll', role: 'log', tabindex: 0, 'aria-label': t('chat.messages'), onkeydown: (event) => this.rowKey(event) }, this.top, this.rows);
    this.jump = h('button', { type: 'button', class: 'jump', hidden: true, 'aria-label': t('chat.newest'), onclick: () => this.toBottom(true) }, icon('down'), h('b', { class: 'badge', hidden: true }));
    this.typing = h('div', { class: 'typing-line', 'aria-live': 'polite' });
    this.composer = new Composer(item, { editLast: () => this.editLast() });
    this.closed = h('p', { class: 'closed', hidden: true });
    this.element = h(
      'section', { class: 'chat', 'data-id': item.id },
      this.header, this.notice, h('div', { class: 'middle' }, this.scroller, this.jump), this.typing, this.closed, this.composer.element,
    );
  }

  start() {
    this.scroller.addEventListener('scroll', () => this.scrolled(), { passive: true });
    // Pictures that load and the keyboard of a phone change heights; who reads the end stays there.
    this.sizes = new ResizeObserver(() => this.sticks() && this.toBottom());
    this.sizes.observe(this.rows);
    this.sizes.observe(this.scroller);
    this.seen = () => this.read();
    addEventListener('focus', this.seen);
    document.addEventListener('visibilitychange', this.seen);
    this.drawHeader();
    this.draw();
    this.composer.start();
    this.load();
  }

  destroy() {
    this.gone = true;
    this.sizes.disconnect();
    removeEventListener('focus', this.seen);
    document.removeEventListener('visibilitychange', this.seen);
    this.composer.destroy();
  }

  async load() {
    const { item } = this;
    if (item.kind === 'group') loadGroup(item.groupId).catch(() => {});
    try {
      await open(item);
    } catch (error) {
      if (error.code !== 0) toast(explain(error), 'bad');
      this.unopened = true;
    }
    this.fillScreen();
  }

  changed(topics) {
    if (this.gone) return;
    if (topics.has('connection') && state.connection.name === 'online' && this.unopened) {
      this.unopened = false;
      this.load();
    }
    if (topics.has(this.item.id) || topics.has('list') || topics.has('presence')) this.drawHeader();
    if (topics.has(this.item.id) || topics.has('presence')) this.draw();
  }

  drawHeader() {
    const { item } = this;
    const title = item.kind === 'room' ? item.title || t('room.world') : titleOf(item);
    const group = state.groups.get(item.groupId);
    const room = state.rooms.find((candidate) => candidate.conversationId === item.id);
    const online = item.kind === 'direct' ? Boolean(state.online.get(item.peer)) : undefined;
    const isFriend = item.kind === 'direct' && state.friends.has(item.peer);
    const under = {
      direct: isFriend ? t(online ? 'presence.online' : 'presence.offline') : '',
      group: group ? t('group.count', { n: group.members }) : '',
      room: room?.people === undefined ? '' : t('room.people', { n: room.people }),
    }[item.kind];
    const typing = typingNames(item);
    const announcement = group?.announcement ?? '';
    const sig = [title, under, typing, online, item.avatar, announcement, item.left, item.pinned, item.muted, currentLanguage()].join('|');
    if (sig === this.headerSig) return;
    this.headerSig = sig;
    const info = item.kind === 'room' ? null : iconButton('more', t('chat.options'), () => this.options(info), { 'data-action': 'chat-options', 'aria-haspopup': 'menu' });
    fill(
      this.header,
      iconButton('back', t('back'), () => { location.hash = '#/'; }, { class: 'icon-button only-narrow', 'data-action': 'back' }),
      item.kind === 'room' ? h('span', { class: 'avatar room', 'aria-hidden': 'true' }, icon('world')) : avatar(item.peer ?? item.id, title, { url: item.avatar, online: isFriend ? online : undefined, square: item.kind === 'group' }),
      h('div', { class: 'titles' }, h('h2', {}, title), h('small', { class: typing ? 'typing' : '', 'data-presence': isFriend ? (online ? 'online' : 'offline') : undefined }, typing || under)),
      item.kind === 'group' ? iconButton('info', t('group.info'), () => this.info(), { 'data-action': 'group-info' }) : null,
      info,
    );
    fill(this.typing, typing);
    this.typing.hidden = !typing;
    fill(this.notice, h('b', {}, t('group.announcement')), ' ', announcement);
    this.notice.hidden = !announcement;
    this.closed.hidden = !item.left;
    if (item.left) this.closed.textContent = t(`left.${item.left}`);
    this.composer.element.hidden = Boolean(item.left);
  }

  info() {
    if (this.item.kind === 'group') showGroup(this.item.groupId);
  }

  options(anchor) {
    const { item } = this;
    conversationMenu(anchor, item, item.kind === 'direct' ? friendActions(item.peer) : []);
  }

  /** What the rows are: days, notes, messages, and what still waits. */
  entries() {
    const { item } = this;
    const list = [];
    let before = null;
    let newShown = this.firstNew === 0;
    const day = (time) => {
      const date = new Date(time).toDateString();
      if (before?.date !== date) list.push({ kind: 'day', key: `day ${date}`, time });
      return date;
    };
    const add = (row, event) => {
      const date = day(event.time);
      if (!newShown && !row.mine && event.seq >= this.firstNew) {
        newShown = true;
        list.push({ kind: 'new', key: 'new' });
        before = null;
      }
      const first = !before || before.from !== event.from || before.date !== date || event.time - before.time > TOGETHER;
      list.push({ ...row, event, first });
      before = { from: event.from, time: event.time, date };
    };
    for (const event of item.log.inOrder()) {
      if (!isShown(event)) continue;
      if (!isMessage(event)) {
        const date = day(event.time);
        list.push({ kind: 'note', key: `seq ${event.seq}`, event });
        before = { date };
        continue;
      }
      const mine = event.from === state.me.userId;
      add({ kind: 'message', key: mine && event.clientId ? event.clientId : `seq ${event.seq}`, mine, state: mine ? item.stateOf(event) : undefined }, event);
    }
    const stored = new Set(list.map((row) => row.key));
    for (const entry of state.outbox.of(item.id)) {
      if (stored.has(entry.clientId)) continue;
      const event = { ...entry, from: state.me.userId, fromName: state.me.username };
      add({ kind: 'message', key: entry.clientId, mine: true, entry, state: entry.state }, event);
    }
    return list;
  }

  draw() {
    const anchor = this.sticks() ? null : this.anchor();
    const { item } = this;
    // Thousands of rows would make every further message slow.
    if (this.stuck && item.log.events.size > MANY) item.log.trim(MANY / 2, item.kind === 'room' ? item.log.hi : item.readSeq);
    patch(this.rows, this.entries(), {
      key: (row) => row.key,
      sig: (row) => {
        if (row.kind !== 'message') return `${currentLanguage()}|${new Date().toDateString()}`;
        const quoted = row.event.content?.replyTo && item.log.events.get(row.event.content.replyTo)?.version;
        return [row.event.version, row.state, row.first, row.event.seq, nameOf(row.event.from), quoted, row.event.reason, currentLanguage()].join('|');
      },
      make: (row) => {
        if (row.kind === 'day') return dayRow(row.time);
        if (row.kind === 'new') return newRow();
        if (row.kind === 'note') return noteRow(row.event);
        return messageRow(row, item, (name, what, detail) => this.act(name, what, detail));
      },
    });
    this.rows.dataset.empty = String(item.wasLoaded === true && this.rows.children.length === 0);
    this.rows.dataset.hint = t('chat.empty');
    this.top.hidden = !item.log.hasOlder;
    if (anchor) this.restore(anchor);
    else this.toBottom();
    this.read();
  }

  /** The first visible row and where it stands, so that the reader's place survives rows that come in above. */
  anchor() {
    const top = this.scroller.getBoundingClientRect().top;
    const row = [...this.rows.children].find((child) => child.patchKey !== 'new' && child.getBoundingClientRect().bottom > top);
    return row && { key: row.patchKey, offset: row.getBoundingClientRect().top };
  }

  restore({ key, offset }) {
    const row = [...this.rows.children].find((child) => child.patchKey === key);
    if (row) this.scroller.scrollTop += row.getBoundingClientRect().top - offset;
  }

  toBottom(byUser) {
    if (byUser) this.stuck = true;
    this.scroller.scrollTop = this.scroller.scrollHeight;
    this.bottom = this.scroller.scrollTop;
  }

  /** Whether the end stays in view. Who has scrolled up since it was last shown is not pulled back, though the event is still to come. */
  sticks() {
    const { scrollTop, scrollHeight, clientHeight } = this.scroller;
    if (scrollTop < this.bottom - NEAR && scrollHeight - scrollTop - clientHeight >= NEAR) this.stuck = false;
    return this.stuck;
  }

  scrolled() {
    const { scrollTop, scrollHeight, clientHeight } = this.scroller;
    this.stuck = scrollHeight - scrollTop - clientHeight < NEAR;
    if (scrollTop < 400) this.older();
    this.read();
  }

  async older() {
    if (this.gone || !this.item.log.hasOlder || this.item.loading) return;
    this.scroller.setAttribute('aria-busy', 'true');
    await attempt(() => loadOlder(this.item));
    this.scroller.removeAttribute('aria-busy');
    // The page is drawn by the change; only then is it known whether one more is needed.
    setTimeout(() => this.fillScreen(), 60);
  }

  fillScreen() {
    if (!this.gone && this.scroller.scrollHeight <= this.scroller.clientHeight + 200 && state.connection.name === 'online') this.older();
  }

  /** Read is what the user has before the eyes: the page is visible and has the focus, the chat shows its end. */
  read() {
    if (this.gone) return;
    const { item } = this;
    const watching = document.visibilityState === 'visible' && document.hasFocus() && this.element.offsetParent !== null;
    if (watching && this.stuck) markRead(item);
    const unread = item.kind === 'room' ? 0 : item.unread;
    const badge = this.jump.querySelector('.badge');
    this.jump.hidden = this.stuck;
    badge.hidden = unread === 0;
    badge.textContent = String(unread);
  }

  act(name, row, detail) {
    const { item } = this;
    const { event } = row;
    if (name === 'menu') this.messageMenu(row, detail);
    else if (name === 'react') this.react(event, detail);
    else if (name === 'retry') state.outbox.retry(row.entry.clientId);
    else if (name === 'discard') state.outbox.drop(row.entry.clientId);
    else if (name === 'card') show(directId(row.userId));
    else if (name === 'jump') this.goTo(event.content.replyTo);
    return item;
  }

  react(event, emoji) {
    const own = event.reactions?.find((entry) => entry.emoji === emoji)?.userIds.includes(state.me.userId);
    return attempt(() => change(this.item, 'react', { target: event.seq, emoji, on: !own }));
  }

  messageMenu({ event, mine }, anchor) {
    const { item } = this;
    const text = event.type === 'text' && !event.recalled;
    const role = state.groups.get(item.groupId)?.role;
    const quick = (close) => h('div', { class: 'quick', role: 'group', 'aria-label': t('message.react') }, QUICK.map((emoji) => h('button', {
      type: 'button', role: 'menuitem', 'aria-label': emoji, 'data-emoji': emoji,
      onclick: () => {
        close();
        this.react(event, emoji);
      },
    }, emoji)));
    menu(anchor, [
      !event.recalled && { name: 'reply', label: t('message.reply'), icon: 'reply', run: () => this.composer.reply(event) },
      text && { name: 'copy', label: t('message.copy'), icon: 'copy', run: () => attempt(() => copy(event.content.text)) },
      mine && text && { name: 'edit', label: t('message.edit'), icon: 'edit', run: () => this.composer.edit(event) },
      !event.recalled && (mine || role === 'owner' || role === 'admin') && {
        name: 'recall', label: t('message.recall'), icon: 'undo', danger: true,
        run: () => sure(t('message.recall_sure'), t('message.recall'), () => change(item, 'recall', { target: event.seq })),
      },
    ], event.recalled ? null : quick);
  }

  editLast() {
    const last = this.item.log.inOrder().findLast((event) => event.from === state.me.userId && event.type === 'text' && !event.recalled);
    if (last) this.composer.edit(last);
  }

  async goTo(seq) {
    for (let page = 0; page < 10 && !this.item.log.events.has(seq) && this.item.log.hasOlder; page++) {
      if (!(await attempt(() => loadOlder(this.item)))) break;
    }
    this.stuck = false;
    this.draw();
    const row = this.rows.querySelector(`[data-seq="${Number(seq)}"]`);
    row?.scrollIntoView({ block: 'center' });
    row?.classList.add('flash');
    setTimeout(() => row?.classList.remove('flash'), 1600);
  }

  /** Arrow keys move through the messages' action buttons, which Tab would visit one by one for ever. */
  rowKey(event) {
    if (event.altKey || !['ArrowUp', 'ArrowDown'].includes(event.key)) return;
    const all = [...this.rows.querySelectorAll('.more')];
    const at = all.indexOf(document.activeElement);
    const next = at < 0 ? (event.key === 'ArrowUp' ? all.length - 1 : -1) : at + (event.key === 'ArrowUp' ? -1 : 1);
    if (!all[next]) return;
    event.preventDefault();
    all[next].focus();
  }
}

/** The clipboard is open to secure pages only; a selection does for the others. */
async function copy(text) {
  if (navigator.clipboard) {
    await navigator.clipboard.writeText(text);
  } else {
    const area = h('textarea', { class: 'away', value: text });
    document.body.append(area);
    area.select();
    document.execCommand('copy');
    area.remove();
  }
  toast(t('message.copied'));
}
