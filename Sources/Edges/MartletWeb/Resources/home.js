// The rooms' page: a guest of a random name in one room, over the gowebsocket dialect's WebSocket and HTTP calls.

const app = Number(document.body.dataset.app);
const byId = (id) => document.getElementById(id);
const [messages, people, text, keyForm] = ['messages', 'people', 'text', 'key-form'].map(byId);

const HEARTBEAT = 30_000;
const LONGEST_WAIT = 30_000;
const TIMEOUT = 15_000;
const KEPT = 500;
// From this WebSocket close code on, coming back at once is of no use.
const FINAL_CLOSE = 4100;

let credential = '';
let me = ownName();

// MARK: Names

function ownName() {
  try {
    const kept = sessionStorage.getItem('martlet.room.name');
    if (kept) return kept;
  } catch {
    // A browser that keeps nothing gives a new name each time.
  }
  return newName();
}

/** A surname and two characters: nine bytes of the nineteen that a name may have. */
function newName() {
  const surnames = '赵钱孙李周吴郑王冯陈褚卫蒋沈韩杨朱秦许何吕张孔曹严华金魏陶姜谢邹苏潘葛范彭鲁韦马方任袁柳唐';
  const given = '安白春东飞风光海和恒华嘉健江杰静君开兰乐丽林龙美明宁平晴清然荣瑞山诗思松涛天文霞晓欣星雪雅阳怡英永雨玉远云泽哲志子';
  const pick = (text) => [...text][crypto.getRandomValues(new Uint32Array(1))[0] % [...text].length];
  const name = pick(surnames) + pick(given) + pick(given);
  try {
    sessionStorage.setItem('martlet.room.name', name);
  } catch {
    // As above.
  }
  return name;
}

const isToken = () => credential !== '' && !credential.startsWith('mk_');

/** Under an account's token the server knows the name; this page does not. */
function showName() {
  byId('me').textContent = isToken() ? '（访问令牌的用户）' : me;
}

// MARK: Elements; what came from the network becomes text, never markup

function element(name, { className = '', words = '', ...properties } = {}, ...children) {
  const node = document.createElement(name);
  if (className) node.className = className;
  if (words) node.textContent = words;
  Object.assign(node, properties);
  node.append(...children);
  return node;
}

function append(node) {
  const atEnd = messages.scrollHeight - messages.scrollTop - messages.clientHeight < 80;
  messages.append(node);
  while (messages.childElementCount > KEPT) messages.firstElementChild.remove();
  if (atEnd || node.classList.contains('own')) messages.scrollTop = messages.scrollHeight;
}

const note = (words) => append(element('div', { className: 'note', words }));

/** Only what a browser may load without harm: a web address, or a path of this server. */
function link(address) {
  try {
    const url = new URL(address, location.origin);
    // A call of this server is no picture, whoever says so.
    if (url.origin === location.origin && /^\/(user|system|api)\//.test(url.pathname)) return null;
    return ['http:', 'https:'].includes(url.protocol) ? url.href : null;
  } catch {
    return null;
  }
}

function body({ type, msg, url }) {
  const href = type !== 'text' && link(url || msg);
  if (!href) return [msg];
  const anchor = element('a', { href, target: '_blank', rel: 'noopener noreferrer' });
  if (type === 'img' || type === 'image') {
    const image = element('img', { alt: '图片', loading: 'lazy', referrerPolicy: 'no-referrer', src: href });
    image.onerror = () => image.replaceWith(`[图片] ${href}`);
    image.onload = () => messages.lastElementChild?.contains(image) && (messages.scrollTop = messages.scrollHeight);
    anchor.append(image);
  } else {
    anchor.textContent = `[${{ voice: '语音', video: '视频' }[type] ?? type}] ${href}`;
  }
  return [anchor];
}

function message(data, { own = false, time = Date.now() } = {}) {
  const when = new Date(time);
  const head = element('div', { className: 'head' },
    element('span', { className: 'from', words: data.from }),
    element('time', { dateTime: when.toISOString(), words: when.toLocaleTimeString('zh-CN', { hour: '2-digit', minute: '2-digit' }) }));
  const node = element('div', { className: own ? 'message own' : 'message' },
    head, element('div', { className: 'words' }, ...body(data)));
  append(node);
  return node;
}

// What is on the page already, by sender and msgId: the history and the pushes overlap.
const seen = new Set();
const mine = new Set();

function isNew(from, msgId) {
  if (mine.has(msgId)) return false;
  const key = `${from}\n${msgId}`;
  if (seen.has(key)) return false;
  seen.add(key);
  if (seen.size > 4 * KEPT) seen.delete(seen.values().next().value);
  return true;
}

// MARK: Who is here

let present = new Set();

function showPeople(count = present.size) {
  byId('count').textContent = String(Math.max(count, present.size));
  people.replaceChildren(...[...present].map((name) =>
    element('li', { words: name === me && !isToken() ? `${name}（我）` : name, className: name === me ? 'own' : '' })));
}

let listing = 0;

/** Asks who is here, soon: several reasons in a row make one call. */
function list(delay) {
  if (listing) return;
  listing = setTimeout(async () => {
    listing = 0;
    try {
      const data = await call('GET', '/user/list', { appId: app });
      present = new Set(data.userList);
      showPeople(data.userCount);
    } catch (error) {
      note(`无法取得在线列表：${error.message}`);
    }
  }, delay);
}

// MARK: HTTP calls

/** Returns the answer's `data`; throws an error with the server's words, and its `code`. */
async function call(method, path, parameters) {
  const form = new URLSearchParams(parameters);
  const headers = !credential ? {} : isToken() ? { authorization: `Bearer ${credential}` } : { 'x-api-key': credential };
  const get = method === 'GET';
  let answer;
  try {
    const response = await fetch(get ? `${path}?${form}` : path, {
      method, headers, body: get ? undefined : form, cache: 'no-store', signal: AbortSignal.timeout(TIMEOUT) });
    answer = await response.json();
  } catch {
    throw new Error('网络不通');
  }
  if (answer.code === 200) return answer.data;
  if (answer.code === 1003) keyForm.hidden = false;
  throw Object.assign(new Error(answer.msg), { code: answer.code });
}

function newMsgId() {
  const random = crypto.getRandomValues(new Uint32Array(2));
  return `${Date.now().toString(36)}-${random[0].toString(36)}${random[1].toString(36)}`;
}

async function deliver(node, msgId, words) {
  node.dataset.state = 'sending';
  node.querySelector('.failed')?.remove();
  try {
    const from = isToken() ? {} : { userId: me };
    const data = await call('POST', '/user/sendMessageAll', { appId: app, ...from, msgId, message: words });
    if (data.sendResults === false) throw new Error(data.sendResultsErr ?? '服务器没有发送');
    node.dataset.state = 'sent';
  } catch (error) {
    node.dataset.state = 'failed';
    // The same msgId again: where it did arrive, nothing is sent twice.
    const again = element('button', { type: 'button', words: '重发', onclick: () => deliver(node, msgId, words) });
    node.append(element('span', { className: 'failed', words: `未发送：${error.message}` }, again));
  }
}

/** What was said before, or while the connection was away. */
async function history() {
  try {
    const data = await call('GET', '/user/history', { appId: app, limit: 50 });
    const missed = data.messages.filter(({ from, msgId }) => isNew(from, msgId));
    for (const entry of missed) message(entry, { time: entry.time, own: entry.from === me && !isToken() });
    if (missed.length) note('以上是历史消息');
  } catch {
    // The room works without; `list` says what is wrong.
  }
}

// MARK: The connection

let socket = null;
let attempt = 0;
let timer = 0;
let heart = 0;
let counter = 0;
let names = 0;

function status(state, words) {
  byId('status').parentElement.dataset.state = state;
  byId('status').textContent = words;
  byId('retry').hidden = state === 'online' || state === 'connecting';
}

function send(cmd, data) {
  socket.send(JSON.stringify({ seq: `${Date.now()}-${++counter}`, cmd, data }));
}

function connect() {
  clearTimeout(timer);
  drop();
  status('connecting', '正在连接…');
  const ws = new WebSocket(`${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}/acc`);
  socket = ws;
  ws.onopen = () => ws === socket && send('login', { userId: me, appId: app, ...(isToken() && { serviceToken: credential }) });
  ws.onmessage = (event) => ws === socket && received(event.data);
  ws.onclose = (event) => {
    if (ws !== socket) return;
    if (event.code >= FINAL_CLOSE && event.code < 4200) refused(event.reason || `代码 ${event.code}`);
    else later();
  };
  timer = setTimeout(() => ws === socket && later(), TIMEOUT);
}

/** Lets go of the connection: whatever it still says is not heard. */
function drop() {
  clearInterval(heart);
  const ws = socket;
  socket = null;
  if (ws && ws.readyState < WebSocket.CLOSING) ws.close(1000);
}

function refused(words) {
  clearTimeout(timer);
  drop();
  status('refused', `登录被拒绝：${words}`);
}

/** Comes back after a while: longer each time, and not at the moment when everybody else does. */
function later() {
  clearTimeout(timer);
  drop();
  const limit = Math.min(LONGEST_WAIT, 1000 * 2 ** attempt++);
  const delay = limit / 2 + (Math.random() * limit) / 2;
  status('lost', `连接已断开，${Math.ceil(delay / 1000)} 秒后重新连接`);
  timer = setTimeout(connect, delay);
}

function again() {
  attempt = 0;
  connect();
}

function received(frame) {
  let value;
  try {
    value = JSON.parse(frame);
  } catch {
    // The old server also said things that are no JSON.
    return;
  }
  const { cmd, seq, response } = value;
  if (!response) return;
  if (cmd === 'login') loggedIn(response);
  else if (cmd === 'heartbeat') answered = true;
  else if (response.data) pushed(cmd, seq, response.data);
}

function loggedIn({ code, codeMsg }) {
  if (code === 1002 && names++ < 3 && !isToken()) {
    // A name that may not be one.
    me = newName();
    showName();
    return connect();
  }
  if (code === 1003) keyForm.hidden = false;
  if (code === 1004) return later();
  if (code !== 200) return refused(codeMsg);
  clearTimeout(timer);
  attempt = 0;
  names = 0;
  status('online', '已连接');
  beat();
  history();
  list(500);
}

let answered = true;

function beat() {
  answered = true;
  heart = setInterval(() => {
    if (!answered) return later();
    answered = false;
    send('heartbeat', {});
  }, HEARTBEAT);
}

function pushed(cmd, seq, data) {
  const from = String(data.from ?? '');
  switch (cmd) {
    case 'msg':
      if (isNew(from, seq)) message({ ...data, from, msg: String(data.msg ?? '') });
      break;
    case 'enter':
      note(`${from}：${data.msg}`);
      present.add(from);
      showPeople();
      break;
    case 'exit':
      note(`${from}：${data.msg}`);
      present.delete(from);
      showPeople();
      // Another connection of the same name may still be there.
      list(2000);
      break;
  }
}

// MARK: The user

byId('write').onsubmit = (event) => {
  event.preventDefault();
  const words = text.value.trim();
  if (!words) return;
  const msgId = newMsgId();
  mine.add(msgId);
  deliver(message({ type: 'text', msg: words, from: isToken() ? '我' : me }, { own: true }), msgId, words);
  text.value = '';
  text.focus();
};

text.onkeydown = (event) => {
  // While characters are being composed, the key belongs to the input method.
  if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  byId('write').requestSubmit();
};

keyForm.onsubmit = (event) => {
  event.preventDefault();
  credential = byId('key').value.trim();
  byId('key').value = '';
  keyForm.hidden = true;
  showName();
  again();
  text.focus();
};

byId('retry').onclick = again;
addEventListener('online', () => socket?.readyState !== WebSocket.OPEN && again());
addEventListener('pagehide', drop);
addEventListener('pageshow', (event) => event.persisted && again());

for (const room of document.body.dataset.rooms.split(' ').filter((room) => room && Number(room) !== app)) {
  byId('rooms').append(element('a', { href: `/home/index?appId=${room}`, words: `房间 ${room}` }));
}
showName();
connect();
list(500);
