// Text: links, mentions, names and their pictures.

import { h } from './dom.js';

const LINK = /https?:\/\/[^\s<>"'`，。；！？、（）《》「」【】]+/giu;

/** Text with its links live and the mentioned names marked, as nodes. */
export function rich(text, names = []) {
  const nodes = [];
  let from = 0;
  for (const match of text.matchAll(LINK)) {
    const url = trimmed(match[0]);
    if (!safeUrl(url)) continue;
    nodes.push(...mentions(text.slice(from, match.index), names));
    nodes.push(h('a', { href: url, target: '_blank', rel: 'noopener noreferrer nofollow' }, url));
    from = match.index + url.length;
  }
  nodes.push(...mentions(text.slice(from), names));
  return nodes;
}

/** A sentence's punctuation is not part of a link, nor is a bracket that opened before it. */
function trimmed(url) {
  let end = url.length;
  while (end > 0) {
    const last = url[end - 1];
    const unbalanced = last === ')' && !url.slice(0, end).includes('(');
    if (!'.,;:!?*_~]'.includes(last) && !unbalanced) break;
    end--;
  }
  return url.slice(0, end);
}

function mentions(text, names) {
  if (!text) return [];
  const wanted = names.filter(Boolean).sort((a, b) => b.length - a.length).map((name) => `@${name}`);
  const nodes = [];
  let plain = 0;
  for (let at = text.indexOf('@'); at >= 0; at = text.indexOf('@', at + 1)) {
    const found = wanted.find((name) => text.startsWith(name, at));
    if (!found) continue;
    nodes.push(text.slice(plain, at), h('span', { class: 'mention' }, found));
    plain = at + found.length;
  }
  nodes.push(text.slice(plain));
  return nodes.filter((node) => node !== '');
}

/** The address where it is one that may be opened or shown: http, https or a path of this server; null otherwise. */
export function safeUrl(address) {
  if (typeof address !== 'string' || !address) return null;
  try {
    const url = new URL(address, location.origin);
    return url.protocol === 'http:' || url.protocol === 'https:' ? url.href : null;
  } catch {
    return null;
  }
}

/** The address where the page may show what is there: of this server, or https, as the content policy has it. */
export function mediaUrl(address) {
  const url = safeUrl(address);
  return url && (url.startsWith('https:') || new URL(url).origin === location.origin) ? url : null;
}

function initials(name) {
  const letters = [...name.trim()];
  if (letters.length === 0) return '?';
  if (/\p{Script=Han}/u.test(letters[0])) return letters.slice(-2).join('');
  const words = name.trim().split(/[\s._-]+/u).filter(Boolean);
  const second = words.length > 1 ? [...words.at(-1)][0] : '';
  return (letters[0] + second).toUpperCase();
}

/** A round picture of a person or group: the given one, or initials on a colour that stays with the id. */
export function avatar(id, name, { url, online, square } = {}) {
  const source = mediaUrl(url);
  const hue = [...String(id)].reduce((sum, letter) => (sum * 31 + letter.codePointAt(0)) % 997, 7) % 8;
  return h(
    'span',
    { class: `avatar hue-${hue}${square ? ' square' : ''}`, 'aria-hidden': 'true' },
    source ? h('img', { src: source, alt: '', loading: 'lazy' }) : initials(name || '?'),
    online === undefined ? null : h('span', { class: `dot${online ? ' on' : ''}` }),
  );
}

/** A size of a file for people. */
export function fileSize(bytes) {
  if (!Number.isFinite(bytes)) return '';
  const units = ['B', 'KB', 'MB', 'GB'];
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${value < 10 && unit ? value.toFixed(1) : Math.round(value)} ${units[unit]}`;
}
