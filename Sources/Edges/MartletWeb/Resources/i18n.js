// Words and dates in the user's language.

import en from './lang-en.js';
import zh from './lang-zh.js';

const KEY = 'martlet.language';
const dictionaries = { en, zh };

/** The languages that the page speaks, by their own names. */
export const languages = { en: 'English', zh: '中文' };

let language = initial();
let formats = make();
document.documentElement.lang = tag();

function initial() {
  const chosen = localStorage.getItem(KEY);
  if (chosen in dictionaries) return chosen;
  return (navigator.languages ?? [navigator.language]).map((name) => name.slice(0, 2)).find((name) => name in dictionaries) ?? 'en';
}

function tag() {
  return language === 'zh' ? 'zh-CN' : 'en';
}

function make() {
  const format = (options) => new Intl.DateTimeFormat(language === 'zh' ? 'zh-CN' : navigator.language.startsWith('en') ? navigator.language : 'en', options);
  return {
    clock: format({ hour: '2-digit', minute: '2-digit', hourCycle: 'h23' }),
    weekday: format({ weekday: 'short' }),
    day: format({ weekday: 'long', month: 'long', day: 'numeric' }),
    date: format({ year: 'numeric', month: 'long', day: 'numeric' }),
    short: format({ month: 'short', day: 'numeric' }),
    full: format({ dateStyle: 'medium', timeStyle: 'short' }),
    plural: new Intl.PluralRules(tag()),
  };
}

export const currentLanguage = () => language;

/** Switches and remembers; who shows words must build them anew. */
export function setLanguage(next) {
  language = next;
  localStorage.setItem(KEY, next);
  formats = make();
  document.documentElement.lang = tag();
}

/** The text of a key, `{name}` replaced by `values.name`. A number `n` may choose between `key` and `key.one`. */
export function t(key, values = {}) {
  const words = dictionaries[language];
  const one = values.n !== undefined && formats.plural.select(values.n) === 'one' ? words[`${key}.one`] : undefined;
  const text = one ?? words[key] ?? en[key] ?? key;
  return text.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
}

/** What to tell the user about an error of the server or the network. */
export function explain(error) {
  const words = dictionaries[language];
  if (error?.reason === undefined) console.error(error);
  if (error?.reason === 'invalid_field' && `field.${error.field}` in words) return t('error.invalid_field_named', { field: t(`field.${error.field}`) });
  return t(`error.${error?.reason}` in en ? `error.${error.reason}` : 'error.internal');
}

export const clock = (time) => formats.clock.format(time);
export const fullTime = (time) => formats.full.format(time);

/** Whole days from `time` to now, by the calendar. */
function daysAgo(time) {
  const midnight = (value) => new Date(value).setHours(0, 0, 0, 0);
  return Math.round((midnight(Date.now()) - midnight(time)) / 86_400_000);
}

/** The heading of a day in a chat. */
export function dayName(time) {
  const days = daysAgo(time);
  if (days === 0) return t('day.today');
  if (days === 1) return t('day.yesterday');
  return new Date(time).getFullYear() === new Date().getFullYear() ? formats.day.format(time) : formats.date.format(time);
}

/** The short time of the list. */
export function listTime(time) {
  if (!time) return '';
  const days = daysAgo(time);
  if (days <= 0) return clock(time);
  if (days === 1) return t('day.yesterday');
  return days < 7 ? formats.weekday.format(time) : formats.short.format(time);
}
