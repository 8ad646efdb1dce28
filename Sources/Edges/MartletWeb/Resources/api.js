// REST: one function per call shape, the token pair, and its refresh.

const KEY = 'martlet.session';

/** An answer that is not a success. `reason` is stable and decides what the user reads; `offline` means that there was no answer. */
export class ApiError extends Error {
  constructor(code, reason, { field, message, retryAfterMs } = {}) {
    super(message || reason);
    this.code = code;
    this.reason = reason;
    this.field = field;
    this.retryAfterMs = retryAfterMs;
  }

  /** Whether the same request may succeed later without anyone changing it. */
  get retryable() {
    return this.code === 0 || this.code === 408 || this.code === 429 || this.code >= 500;
  }
}

let current = read();
let refreshing = null;
let onSignedOut = () => {};

function read() {
  try {
    return JSON.parse(localStorage.getItem(KEY));
  } catch {
    return null;
  }
}

function write(value) {
  current = value;
  if (value) localStorage.setItem(KEY, JSON.stringify(value));
  else localStorage.removeItem(KEY);
}

/** Who is signed in here: userId, username, nickname and the tokens; null before a login. */
export const session = () => current;

/** Called once when the server no longer accepts the tokens. */
export function whenSignedOut(handler) {
  onSignedOut = handler;
}

/** Forgets the tokens of this browser. */
export function forget() {
  write(null);
}

// A sign-out or sign-in in another tab is one for this tab too: they share the tokens.
addEventListener('storage', (event) => {
  if (event.key !== KEY) return;
  const before = current;
  current = read();
  if (before && current?.userId !== before.userId) location.reload();
});

function keep(data) {
  write({
    ...current,
    ...data,
    expiresAt: Date.now() + (data.expiresIn ?? 900) * 1000,
  });
}

/** One request and its envelope, without tokens. */
async function request(method, path, params, token) {
  const inQuery = method === 'GET' || method === 'DELETE';
  let url = path;
  const headers = { accept: 'application/json' };
  if (token) headers.authorization = `Bearer ${token}`;
  let body;
  if (inQuery) {
    const query = new URLSearchParams(Object.entries(params ?? {}).filter(([, value]) => value !== undefined));
    if (query.size !== 0 && `${query}`) url += `?${query}`;
  } else {
    headers['content-type'] = 'application/json';
    body = JSON.stringify(params ?? {});
  }
  let response;
  try {
    response = await fetch(url, { method, headers, body, cache: 'no-store', credentials: 'omit' });
  } catch {
    throw new ApiError(0, 'offline');
  }
  let answer;
  try {
    answer = await response.json();
  } catch {
    answer = null;
  }
  if (response.ok && answer) return answer.data ?? {};
  const data = answer?.data ?? {};
  const retryAfter = Number(response.headers.get('retry-after'));
  throw new ApiError(response.status, data.reason ?? (response.status >= 500 ? 'unavailable' : 'internal'), {
    field: data.field,
    message: answer?.message,
    retryAfterMs: retryAfter ? retryAfter * 1000 : undefined,
  });
}

/** A signed-in call. An expired access token is renewed once and the call repeated. */
export async function call(method, path, params) {
  const token = await freshToken();
  try {
    return await request(method, path, params, token);
  } catch (error) {
    if (error.code !== 401 || !['invalid_token', 'not_signed_in'].includes(error.reason)) throw error;
    return request(method, path, params, await refresh(token));
  }
}

/** All items of a list that comes in pages, up to `pages` of them. */
export async function callAll(path, params = {}, pages = 20) {
  const items = [];
  let cursor;
  for (let page = 0; page < pages; page++) {
    const data = await call('GET', path, { limit: 100, ...params, cursor });
    items.push(...(data.items ?? []));
    cursor = data.nextCursor;
    if (cursor === undefined || cursor === null) break;
  }
  return items;
}

/** An access token that is good for some time yet. */
export async function freshToken() {
  if (!current) throw new ApiError(401, 'not_signed_in');
  if (current.expiresAt - Date.now() > 30_000) return current.accessToken;
  return refresh(current.accessToken);
}

/**
 * Renews the pair; `stale` is the access token that was refused. Only one renewal runs at a time, across tabs too where the browser has
 * locks: a refresh token that is used twice ends every login that came from it.
 */
export function refresh(stale) {
  const locked = navigator.locks ? (work) => navigator.locks.request('martlet.refresh', work) : (work) => work();
  refreshing ??= locked(() => renew(stale)).finally(() => {
    refreshing = null;
  });
  return refreshing;
}

async function renew(stale) {
  current = read();
  if (!current) throw signedOut('not_signed_in');
  if (current.accessToken !== stale) return current.accessToken;
  try {
    keep(await request('POST', '/api/auth/refresh', { refreshToken: current.refreshToken }));
  } catch (error) {
    if (error.code === 401 || error.code === 403) throw signedOut(error.reason);
    throw error;
  }
  return current.accessToken;
}

function signedOut(reason) {
  write(null);
  onSignedOut(reason);
  return new ApiError(401, reason);
}

/** Signs up or in, and remembers the tokens. */
export async function signIn(path, fields) {
  const data = await request('POST', path, { ...fields, device: 'web' });
  current = null;
  keep(data);
  return data;
}

/** A new password; the server ends every other session and gives this one new tokens. */
export async function changePassword(oldPassword, newPassword) {
  keep(await call('PUT', '/api/user/password', { oldPassword, newPassword }));
}

/** Ends the login on the server as far as it can be reached, and here in any case. */
export async function signOut(all) {
  try {
    await call('POST', '/api/auth/logout', all ? { all: true } : {});
  } catch {
    // Without the network the tokens simply run out.
  }
  write(null);
}

/** Whether the server answers at all; asked where the browser believes that there is no network. */
export async function reachable() {
  try {
    return (await fetch('/healthz', { cache: 'no-store' })).ok;
  } catch {
    return false;
  }
}
