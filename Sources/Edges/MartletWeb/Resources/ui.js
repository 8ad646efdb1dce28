// Dialogs, menus and short notices.

import { fill, h, icon, iconButton } from './dom.js';
import { explain, t } from './i18n.js';

/** A short notice at the edge of the page, read out by screen readers. */
export function toast(text, kind = 'plain') {
  const element = h('div', { class: `toast ${kind}` }, text);
  document.getElementById('toasts').append(element);
  setTimeout(() => element.remove(), 5000);
}

/** Runs something that the user asked for, and says so where it fails. */
export async function attempt(work) {
  try {
    return await work();
  } catch (error) {
    toast(explain(error), 'bad');
    return undefined;
  }
}

/** A modal dialog; Escape, the cross and a click beside it close it. */
export function dialog(title, { wide, name } = {}) {
  const heading = h('h2', { id: 'dialog-title' }, title);
  const body = h('div', { class: 'dialog-body' });
  const element = h(
    'dialog', { class: wide ? 'wide' : '', 'aria-labelledby': 'dialog-title', 'data-dialog': name },
    h('header', {}, heading, iconButton('close', t('close'), () => element.close())), body,
  );
  element.addEventListener('close', () => element.remove());
  let pressedOutside = false;
  element.addEventListener('pointerdown', (event) => {
    pressedOutside = event.target === element;
  });
  element.addEventListener('click', (event) => {
    if (event.target === element && pressedOutside) element.close();
  });
  document.body.append(element);
  element.showModal();
  return { element, body, heading, close: () => element.close() };
}

/**
 * A dialog with fields. `run(values)` is awaited; where it throws, the dialog stays and says why. A field is `{name, label, type?, value?, max?,
 * min?, hint?, options?, people?, autocomplete?}`.
 */
export function ask({ title, text, fields = [], submit, danger, name, run }) {
  const box = dialog(title, { name });
  const problem = h('p', { class: 'problem', role: 'alert' });
  const inputs = new Map();
  const rows = fields.map((field) => row(field, inputs));
  const button = h('button', { type: 'submit', class: danger ? 'danger' : 'primary' }, submit ?? t('ok'));
  const form = h(
    'form', { novalidate: true, autocomplete: 'off' },
    text ? h('p', { class: 'dim' }, text) : null, rows, problem,
    h('footer', {}, h('button', { type: 'button', onclick: box.close }, t('cancel')), button),
  );
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    problem.textContent = '';
    const values = Object.fromEntries([...inputs].map(([key, read]) => [key, read()]));
    const short = fields.find((field) => field.min && [...values[field.name]].length < field.min);
    if (short) {
      problem.textContent = short.min > 1 ? t('error.too_short', { field: short.label, n: short.min }) : t('error.needed', { field: short.label });
      form.elements[short.name]?.focus();
      return;
    }
    button.disabled = true;
    try {
      await run(values);
      box.close();
    } catch (error) {
      problem.textContent = explain(error);
      button.disabled = false;
    }
  });
  fill(box.body, form);
  (form.querySelector('input, textarea, select') ?? button).focus();
  return box;
}

function row(field, inputs) {
  const { name, label, type = 'text', value = '', max, hint, options, people } = field;
  if (type === 'people') return peopleRow(field, inputs, people);
  const common = { name, id: `field-${name}`, autocomplete: field.autocomplete ?? 'off', maxlength: max };
  let input;
  if (options) {
    input = h('select', common, Object.entries(options).map(([key, words]) => h('option', { value: key }, words)));
    input.value = value;
  } else if (type === 'area') {
    input = h('textarea', { ...common, rows: 3, value });
  } else {
    input = h('input', { ...common, type, value, inputmode: field.inputmode, autocapitalize: 'off', spellcheck: 'false' });
  }
  inputs.set(name, () => (type === 'password' ? input.value : input.value.trim()));
  return h('label', { class: 'field' }, h('span', {}, label), input, hint ? h('small', {}, hint) : null);
}

function peopleRow({ name, label }, inputs, people) {
  const boxes = people.map((person) => h('input', { type: 'checkbox', name, value: String(person.id) }));
  inputs.set(name, () => boxes.filter((box) => box.checked).map((box) => Number(box.value)));
  return h(
    'fieldset', { class: 'field' }, h('legend', {}, label),
    people.length === 0 ? h('small', {}, t('people.none_to_pick')) : null,
    h('div', { class: 'picker' }, people.map((person, i) => h('label', {}, boxes[i], person.picture, h('span', {}, person.name)))),
  );
}

/** A question with yes and no. */
export function sure(text, submit, run) {
  return ask({ title: submit, text, submit, danger: true, name: 'sure', run });
}

/** A menu at a button: `{label, icon?, danger?, run}` each, nothing for what is falsy; `top` is shown above. Arrow keys move, Escape closes. */
export function menu(anchor, entries, top) {
  const buttons = entries.filter(Boolean).map((entry) => h(
    'button',
    {
      type: 'button', role: 'menuitem', class: entry.danger ? 'bad' : '', 'data-action': entry.name,
      onclick: () => {
        element.hidePopover();
        entry.run();
      },
    },
    entry.icon ? icon(entry.icon) : null, h('span', {}, entry.label),
  ));
  const element = h('div', { class: 'menu', role: 'menu', popover: 'auto' }, top ? top(() => element.hidePopover()) : null, buttons);
  element.addEventListener('keydown', (event) => {
    const all = [...element.querySelectorAll('button')];
    const step = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 }[event.key];
    if (event.key === 'Escape') event.stopPropagation();
    if (!step) return;
    event.preventDefault();
    all[(all.indexOf(document.activeElement) + step + all.length) % all.length].focus();
  });
  element.addEventListener('toggle', (event) => {
    if (event.newState !== 'closed') return;
    element.remove();
    anchor.setAttribute('aria-expanded', 'false');
    if (anchor.isConnected && (document.activeElement === document.body || !document.activeElement)) anchor.focus({ preventScroll: true });
  });
  // Inside an open modal dialog only its own descendants can be used.
  (anchor.closest('dialog') ?? document.body).append(element);
  element.showPopover();
  anchor.setAttribute('aria-expanded', 'true');
  const at = anchor.getBoundingClientRect();
  const size = element.getBoundingClientRect();
  const below = at.bottom + 4 + size.height < innerHeight;
  element.style.left = `${Math.max(8, Math.min(at.right - size.width, innerWidth - size.width - 8))}px`;
  element.style.top = `${Math.max(8, below ? at.bottom + 4 : at.top - size.height - 4)}px`;
  element.querySelector('button')?.focus();
}
