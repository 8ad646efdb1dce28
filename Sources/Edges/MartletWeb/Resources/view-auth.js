// The page before a login: signing in and signing up.

import { signIn } from './api.js';
import { fill, h } from './dom.js';
import { currentLanguage, explain, languages, setLanguage, t } from './i18n.js';

/** Shows the form in `root`; `done()` is called when the tokens are there. `notice` says why the user is here again. */
export function showAuth(root, { notice, done }) {
  let mode = 'in';
  let kept = {};
  const draw = () => {
    document.title = 'Martlet';
    const problem = h('p', { class: 'problem', role: 'alert' }, notice ? t(`ended.${notice}`) : '');
    const field = (name, props) => h(
      'label', { class: 'field' }, h('span', {}, t(`field.${name}`)), h('input', { name, value: kept[name], ...props }),
      mode === 'up' && props.hint ? h('small', {}, props.hint) : null,
    );
    const form = h(
      'form', { class: 'auth-form', novalidate: true, 'data-mode': mode },
      field('username', { autocomplete: 'username', maxlength: 32, autocapitalize: 'off', spellcheck: 'false', hint: t('auth.username_hint') }),
      mode === 'up' ? field('nickname', { autocomplete: 'nickname', maxlength: 64, hint: t('auth.nickname_hint') }) : null,
      field('password', { type: 'password', autocomplete: mode === 'up' ? 'new-password' : 'current-password', maxlength: 128, hint: t('auth.password_hint') }),
      problem,
      h('button', { type: 'submit', class: 'primary' }, t(mode === 'up' ? 'auth.sign_up' : 'auth.sign_in')),
    );
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      submit(form, problem);
    });
    const tab = (value, label) => h('button', {
      type: 'button', role: 'tab', 'aria-selected': String(mode === value), 'data-tab': value,
      onclick: () => {
        kept = Object.fromEntries(new FormData(form));
        notice = null;
        mode = value;
        draw();
      },
    }, label);
    fill(root, h(
      'main', { class: 'auth' },
      h('div', { class: 'sky', 'aria-hidden': 'true' }, h('i'), h('i'), h('i')),
      h(
        'section', { class: 'auth-card' },
        h('div', { class: 'brand' }, h('img', { src: '/favicon.svg', alt: '', width: 56, height: 56 }), h('h1', {}, 'Martlet'), h('p', {}, t('auth.tagline'))),
        h('div', { class: 'segments', role: 'tablist' }, tab('in', t('auth.sign_in')), tab('up', t('auth.sign_up'))),
        form,
      ),
      h('footer', {}, languageLinks(draw), h('a', { href: '/docs' }, t('auth.docs'))),
    ));
    form.elements.username.focus();
  };

  async function submit(form, problem) {
    const values = Object.fromEntries(new FormData(form));
    values.username = values.username.trim();
    const wrong = check(values, mode);
    problem.textContent = wrong ? t(wrong[1]) : '';
    if (wrong) {
      form.elements[wrong[0]].focus();
      return;
    }
    const button = form.querySelector('[type=submit]');
    button.disabled = true;
    try {
      const fields = { username: values.username, password: values.password };
      if (values.nickname?.trim()) fields.nickname = values.nickname.trim();
      await signIn(mode === 'up' ? '/api/user/register' : '/api/user/login', fields);
      done();
    } catch (error) {
      problem.textContent = explain(error);
      button.disabled = false;
    }
  }
  draw();
}

/** The field that cannot be right, and why; the server decides about the rest. */
function check({ username, password }, mode) {
  if (!username) return ['username', 'auth.username_missing'];
  if (mode === 'up' && !/^[\p{L}\p{N}\p{M}_.-]{2,32}$/u.test(username)) return ['username', 'auth.username_hint'];
  if (!password) return ['password', 'auth.password_missing'];
  if (mode === 'up' && [...password].length < 8) return ['password', 'auth.password_hint'];
  return null;
}

function languageLinks(redraw) {
  return h('span', { class: 'languages', role: 'group', 'aria-label': t('settings.language') }, Object.entries(languages).map(([key, name]) => h(
    'button',
    {
      type: 'button', class: 'link', lang: key, 'data-language': key, 'aria-pressed': String(currentLanguage() === key),
      onclick: () => {
        setLanguage(key);
        redraw();
      },
    },
    name,
  )));
}
