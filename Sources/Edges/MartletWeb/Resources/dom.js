// Building and updating the page without a framework. Text only ever becomes text nodes, so that nothing a user wrote is parsed as markup.

const SVG = 'http://www.w3.org/2000/svg';

/** An element. `props`: `class`, `on…` listeners, properties of the element where it has them, attributes otherwise. */
export function h(tag, props, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props ?? {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name === 'class') element.className = value;
    else if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, '');
    else if (name === 'value') element.value = value;
    else element.setAttribute(name, value);
  }
  element.append(...flat(children));
  return element;
}

function flat(children) {
  return children.flat(4).filter((child) => child !== null && child !== undefined && child !== false);
}

/** Replaces all children. */
export function fill(element, ...children) {
  element.replaceChildren(...flat(children));
  return element;
}

const paths = {
  plus: 'M12 5v14M5 12h14',
  send: 'M4 12 20 5l-5 15-3.5-6.5z',
  back: 'M15 5l-7 7 7 7',
  more: 'M5 12h.01M12 12h.01M19 12h.01',
  close: 'M6 6l12 12M18 6 6 18',
  info: 'M12 11v6M12 7.5h.01M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18z',
  gear: 'M4 7h10M18 7h2M4 17h2M10 17h10M16 5v4M8 15v4',
  chats: 'M4 5h16v11H9l-5 4z',
  people: 'M9 11a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7zM2.5 20c.6-4 3-6 6.5-6s5.9 2 6.5 6M16 4.5a3.3 3.3 0 0 1 0 6.3M18 14.5c2 .8 3.2 2.6 3.5 5.5',
  world: 'M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18zM3 12h18M12 3c5 5 5 13 0 18M12 3c-5 5-5 13 0 18',
  clock: 'M12 20a8 8 0 1 0 0-16 8 8 0 0 0 0 16zM12 8v4l3 2',
  tick: 'M5 13l4 4L19 7',
  ticks: 'M2 13l4 4L16 7M11 16l1.5 1L22 7',
  alert: 'M12 8v5M12 16.5h.01M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18z',
  reply: 'M10 6 4 12l6 6M4 12h9c4 0 7 2 7 6',
  edit: 'M4 20l1-4L16 5l3 3L8 19zM14 7l3 3',
  undo: 'M5 9h9a5 5 0 0 1 0 10H8M5 9l4-4M5 9l4 4',
  copy: 'M9 9h10v11H9zM5 15V4h10',
  pin: 'M9 4h6l-1 6 3 3H7l3-3zM12 13v7',
  mute: 'M4 10v4h4l5 4V6L8 10zM17 10l4 4M21 10l-4 4',
  down: 'M6 9l6 6 6-6',
};

/** One of the page's own line icons; decorative, so the control around it carries the label. */
export function icon(name) {
  const svg = document.createElementNS(SVG, 'svg');
  svg.setAttribute('viewBox', '0 0 24 24');
  svg.setAttribute('class', 'icon');
  svg.setAttribute('aria-hidden', 'true');
  const path = document.createElementNS(SVG, 'path');
  path.setAttribute('d', paths[name]);
  svg.append(path);
  return svg;
}

/** A button that shows an icon only. */
export function iconButton(name, label, onclick, props = {}) {
  return h('button', { type: 'button', class: 'icon-button', 'aria-label': label, title: label, onclick, ...props }, icon(name));
}

/**
 * Brings the children of `parent` in line with `items`, touching only what changed: `key` names an item, `sig` says whether
 * its element is still right. Focus stays where it was even when elements move.
 */
export function patch(parent, items, { key, sig, make }) {
  const old = new Map();
  for (const child of parent.children) old.set(child.patchKey, child);
  const focused = parent.contains(document.activeElement) ? document.activeElement : null;
  const focusedKey = focused && Array.prototype.find.call(parent.children, (child) => child.contains(focused))?.patchKey;
  let next = parent.firstElementChild;
  for (const item of items) {
    const itemKey = key(item);
    const itemSig = sig(item);
    let element = old.get(itemKey);
    old.delete(itemKey);
    if (element && element.patchSig !== itemSig) {
      const fresh = make(item);
      if (next === element) next = fresh;
      element.replaceWith(fresh);
      element = fresh;
    }
    element ??= make(item);
    element.patchKey = itemKey;
    element.patchSig = itemSig;
    if (element === next) next = next.nextElementSibling;
    else parent.insertBefore(element, next);
  }
  for (const element of old.values()) element.remove();
  if (focused && document.activeElement !== focused) {
    const home = Array.prototype.find.call(parent.children, (child) => child.patchKey === focusedKey);
    const target = parent.contains(focused) ? focused : home?.matches('button, a, [tabindex]') ? home : home?.querySelector('button');
    target?.focus({ preventScroll: true });
  }
}
