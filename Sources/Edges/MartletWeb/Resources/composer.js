// Writing: the text field with its reply or edit, and names to mention.

import { fill, h, icon, iconButton } from './dom.js';
import { t } from './i18n.js';
import { change, sendText, tellTyping } from './live.js';
import { gist } from './preview.js';
import { nameOf, state } from './store.js';
import { avatar } from './text.js';
import { attempt } from './ui.js';

const MOST = 4096;
const drafts = new Map();

export class Composer {
  /** `editLast()` is called for ArrowUp in an empty field. */
  constructor(item, { editLast }) {
    this.item = item;
    this.editLast = editLast;
    this.about = null;
    this.aboutBox = h('div', { class: 'about', hidden: true });
    this.names = h('ul', { class: 'names', role: 'listbox', id: 'mention-names', 'aria-label': t('chat.mention'), hidden: true });
    this.input = h('textarea', {
      class: 'input', rows: 1, maxlength: MOST, 'aria-label': t('chat.write'), placeholder: t('chat.write'), enterkeyhint: 'send', dir: 'auto',
      'aria-controls': 'mention-names', value: drafts.get(item.id) ?? '',
    });
    this.button = h('button', { type: 'submit', class: 'send', 'aria-label': t('chat.send'), title: t('chat.send') }, icon('send'));
    this.element = h('form', { class: 'composer' }, this.names, this.aboutBox, h('div', { class: 'entry' }, this.input, this.button));
    this.element.addEventListener('submit', (event) => {
      event.preventDefault();
      this.send();
    });
    this.input.addEventListener('keydown', (event) => this.key(event));
    this.input.addEventListener('input', () => this.typed());
    this.input.addEventListener('blur', () => setTimeout(() => this.closeNames(), 150));
  }

  start() {
    this.grow();
    // On a touch screen focus would cover half of the chat with the keyboard.
    if (matchMedia('(pointer: fine)').matches) this.input.focus({ preventScroll: true });
  }

  destroy() {
    if (this.about?.kind !== 'edit') drafts.set(this.item.id, this.input.value);
  }

  grow() {
    this.input.style.height = 'auto';
    this.input.style.height = `${this.input.scrollHeight + 2}px`;
    this.button.disabled = this.input.value.trim() === '';
  }

  typed() {
    this.grow();
    if (this.input.value && this.about?.kind !== 'edit') tellTyping(this.item);
    this.suggest();
  }

  key(event) {
    // Enter that chooses a word in an input method belongs to the input method.
    if (event.isComposing || event.keyCode === 229) return;
    if (!this.names.hidden && this.nameKey(event)) return;
    if (event.key === 'Enter' && !event.shiftKey) {
      event.preventDefault();
      this.send();
    } else if (event.key === 'Escape' && this.about) {
      event.preventDefault();
      this.cancel();
    } else if (event.key === 'ArrowUp' && this.input.value === '' && !event.altKey && !this.about) {
      event.preventDefault();
      this.editLast();
    }
  }

  /** Answers a message. */
  reply(event) {
    this.show('reply', event, t('chat.replying', { name: nameOf(event.from, event.fromName) }));
  }

  /** Changes a message. */
  edit(event) {
    this.show('edit', event, t('chat.editing'));
    this.input.value = event.content.text;
    this.grow();
  }

  show(kind, event, title) {
    if (this.about?.kind === 'edit') this.input.value = '';
    this.about = { kind, event };
    fill(this.aboutBox, icon(kind), h('span', {}, h('b', {}, title), h('small', {}, gist(event))), iconButton('close', t('cancel'), () => this.cancel()));
    this.aboutBox.hidden = false;
    this.grow();
    this.input.focus();
  }

  cancel() {
    if (this.about?.kind === 'edit') this.input.value = '';
    this.about = null;
    this.aboutBox.hidden = true;
    this.grow();
    this.input.focus();
  }

  send() {
    const text = this.input.value.trim();
    if (!text) return;
    const about = this.about;
    const mentions = this.mentions(text);
    this.input.value = '';
    drafts.delete(this.item.id);
    this.closeNames();
    this.cancel();
    if (about?.kind !== 'edit') {
      sendText(this.item, text, { mentions, replyTo: about?.event.seq });
      return;
    }
    const { content, seq } = about.event;
    if (text === content.text) return;
    const next = { ...content, text };
    delete next.mentions;
    if (mentions.length) next.mentions = mentions;
    attempt(() => change(this.item, 'edit', { target: seq, content: next })).then((done) => {
      // What was written must not be lost because the server did not answer.
      if (done === undefined && state.connection.name !== 'online' && !this.input.value) this.input.value = text;
      this.grow();
    });
  }

  get people() {
    return this.item.kind === 'group' ? (state.groups.get(this.item.groupId)?.people ?? []) : [];
  }

  mentions(text) {
    if (!text.includes('@') || this.item.kind !== 'group') return [];
    const ids = this.people
      .filter((person) => person.userId !== state.me.userId)
      .filter((person) => [person.nickname, person.username, nameOf(person.userId)].some((name) => name && text.includes(`@${name}`)))
      .map((person) => person.userId);
    if (/@(all|everyone)\b|@所有人/iu.test(text)) ids.unshift(0);
    return ids.slice(0, 50);
  }

  /** Offers names while the word before the caret begins with @. */
  suggest() {
    const { value, selectionStart } = this.input;
    const match = /(?:^|\s)@([^\s@]{0,32})$/u.exec(value.slice(0, selectionStart));
    if (!match || this.people.length === 0) {
      this.closeNames();
      return;
    }
    const typed = match[1].toLowerCase();
    const people = this.people.filter((person) => person.userId !== state.me.userId).map((person) => ({ ...person, shown: person.nickname || person.username }));
    const found = [{ userId: 0, shown: t('chat.everyone'), username: 'all' }, ...people]
      .filter((person) => person.shown.toLowerCase().startsWith(typed) || person.username?.toLowerCase().startsWith(typed)).slice(0, 6);
    fill(this.names, found.map((person, i) => h(
      'li',
      {
        role: 'option', id: `mention-${i}`, 'aria-selected': String(i === 0), onpointerdown: (event) => event.preventDefault(),
        onclick: () => this.take(person, match[1].length),
      },
      avatar(person.userId, person.shown), h('span', {}, person.shown),
    )));
    this.names.hidden = found.length === 0;
    this.input.setAttribute('aria-activedescendant', 'mention-0');
  }

  nameKey(event) {
    const all = [...this.names.children];
    const at = all.findIndex((option) => option.getAttribute('aria-selected') === 'true');
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) {
      all[at].setAttribute('aria-selected', 'false');
      const next = (at + step + all.length) % all.length;
      all[next].setAttribute('aria-selected', 'true');
      this.input.setAttribute('aria-activedescendant', `mention-${next}`);
    } else if (event.key === 'Enter' || event.key === 'Tab') {
      all[at].click();
    } else if (event.key === 'Escape') {
      this.closeNames();
    } else {
      return false;
    }
    event.preventDefault();
    return true;
  }

  take(person, typedLength) {
    const at = this.input.selectionStart;
    this.input.setRangeText(`${person.shown} `, at - typedLength, at, 'end');
    this.closeNames();
    this.grow();
  }

  closeNames() {
    this.names.hidden = true;
    this.input.removeAttribute('aria-activedescendant');
  }
}
