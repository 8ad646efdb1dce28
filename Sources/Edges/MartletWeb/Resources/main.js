// Where the page starts: a login first, then the shell.

import { forget, session, signOut, whenSignedOut } from './api.js';
import { erase, save } from './cache.js';
import { start, stop } from './live.js';
import { state } from './store.js';
import { showAuth } from './view-auth.js';
import { showShell } from './view-shell.js';

const root = document.getElementById('app');
let leaveShell = () => {};

function enter() {
  if (!session()) {
    showAuth(root, { done: enter });
    return;
  }
  start(ended);
  leaveShell = showShell(root, { signedOut: leave });
}

/** The server ended the login: back to the form, with the reason. What waits in the outbox stays for the next login. */
function ended(reason) {
  stop();
  leaveShell();
  forget();
  showAuth(root, { notice: reason === 'banned' || reason === 'ended' ? reason : 'signed_out', done: enter });
}

/** The user signs out: nothing of the account stays in this browser. */
async function leave(all) {
  stop();
  state.outbox.clear();
  erase();
  await signOut(all);
  leaveShell();
  history.replaceState(null, '', '/');
  showAuth(root, { done: enter });
}

whenSignedOut(ended);
addEventListener('pagehide', () => session() && save());
enter();
