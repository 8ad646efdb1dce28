// One's own profile, language, password and sign-out.

import { call, changePassword } from './api.js';
import { fill, h } from './dom.js';
import { currentLanguage, languages, setLanguage, t } from './i18n.js';
import { state, touch } from './store.js';
import { avatar } from './text.js';
import { ask, dialog, sure, toast } from './ui.js';

/** Opens the dialog. `redraw()` builds the page anew in another language; `signedOut(all)` ends the login. */
export function showSettings({ signedOut, redraw }) {
  const box = dialog(t('settings.title'), { name: 'settings' });
  const { me } = state;
  const name = me.nickname || me.username;
  const line = (label, control) => h('div', { class: 'setting' }, h('span', {}, label), control);
  const language = h('select', { 'aria-label': t('settings.language'), name: 'language' }, Object.entries(languages).map(([key, words]) => h('option', { value: key, lang: key }, words)));
  language.value = currentLanguage();
  language.addEventListener('change', () => {
    setLanguage(language.value);
    box.close();
    redraw();
  });
  const button = (action, label, onclick, kind = '') => h('button', { type: 'button', class: `small ${kind}`, 'data-action': action, onclick }, label);
  const leave = (all) => {
    const run = async () => {
      box.close();
      await signedOut(all);
    };
    const waiting = state.outbox.size;
    if (waiting) sure(t('settings.sign_out_waiting', { n: waiting }), t('settings.sign_out'), run);
    else run();
  };
  fill(
    box.body,
    h('div', { class: 'profile' }, avatar(me.userId, name, { url: me.avatar }), h('span', { class: 'lines' }, h('strong', {}, name), h('small', {}, `@${me.username} · ${me.userId}`), me.bio ? h('small', {}, me.bio) : null)),
    line(t('settings.profile'), button('profile', t('edit'), () => profile(box))),
    line(t('settings.language'), language),
    line(t('settings.password'), button('password', t('change'), password)),
    line(t('settings.docs'), h('a', { class: 'small', href: '/docs' }, t('auth.docs'))),
    h('footer', {}, button('sign-out-all', t('settings.sign_out_all'), () => leave(true)), button('sign-out', t('settings.sign_out'), () => leave(false), 'danger')),
  );
}

function profile(box) {
  const { me } = state;
  box.close();
  ask({
    title: t('settings.profile'), name: 'profile', submit: t('save'),
    fields: [
      { name: 'nickname', label: t('field.nickname'), value: me.nickname ?? '', max: 64, min: 1 },
      { name: 'bio', label: t('field.bio'), value: me.bio ?? '', max: 256, type: 'area' },
      { name: 'strangers', label: t('settings.strangers'), value: me.strangers ?? 'allow', options: { allow: t('settings.strangers_allow'), deny: t('settings.strangers_deny') } },
    ],
    run: async (values) => {
      Object.assign(me, await call('PUT', '/api/user/profile', values));
      touch('list', 'people', 'presence');
    },
  });
}

function password() {
  ask({
    title: t('settings.password'), name: 'password', submit: t('change'), text: t('settings.password_hint'),
    fields: [
      { name: 'old', label: t('field.oldPassword'), type: 'password', max: 128, min: 1, autocomplete: 'current-password' },
      { name: 'next', label: t('field.newPassword'), type: 'password', max: 128, min: 8, autocomplete: 'new-password' },
    ],
    run: async ({ old, next }) => {
      await changePassword(old, next);
      toast(t('settings.password_done'), 'good');
    },
  });
}
