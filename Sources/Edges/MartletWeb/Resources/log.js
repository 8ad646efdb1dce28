// One conversation's events as far as this page holds them: a window `lo…hi` without gaps, and perhaps single events beyond it
// whose predecessors are still on their way (an answer to a send may overtake the pushes before it).

const CHANGES = new Set(['edit', 'recall', 'react']);
const NOTES = new Set(['membership', 'group']);

/** Whether a person reads this event, as opposed to changes of other events and of the group. */
export const isMessage = (event) => !CHANGES.has(event.type) && !NOTES.has(event.type);

/** Whether this event has a line of its own in the chat. */
export const isShown = (event) => !CHANGES.has(event.type);

export class Log {
  constructor() {
    this.clear();
  }

  clear() {
    this.lo = 0;
    this.hi = 0;
    this.first = 1;
    this.events = new Map();
    this.sorted = null;
  }

  get isEmpty() {
    return this.hi === 0;
  }

  /** Whether older events than the held ones may be read. */
  get hasOlder() {
    return this.lo > Math.max(1, this.first);
  }

  get hasGap() {
    return this.events.size > this.hi - this.lo + 1 && this.hi > 0;
  }

  /** The held events in order. */
  inOrder() {
    this.sorted ??= [...this.events.values()].sort((a, b) => a.seq - b.seq);
    return this.sorted;
  }

  /** Takes a page that reaches down from the window, or the newest page into an empty one. */
  before(items, { firstSeq, lastSeq }) {
    if (firstSeq) this.first = firstSeq;
    if (items.length === 0) {
      if (this.lo) this.first = this.lo;
      return;
    }
    const asOf = Math.max(lastSeq ?? 0, items.at(-1).seq);
    for (const event of items) this.put(event, asOf);
    if (this.isEmpty) this.hi = items.at(-1).seq;
    this.lo = this.lo ? Math.min(this.lo, items[0].seq) : items[0].seq;
    this.extend();
  }

  /**
   * Takes a page that follows the window. Where it does not join on, what lies between may not be read: the window starts anew, as it
   * does at the server's word, which may leave nothing.
   */
  after(items, { firstSeq, lastSeq, reset }) {
    if (firstSeq) this.first = firstSeq;
    if (reset || (this.hi && items.length && items[0].seq > this.hi + 1)) {
      const { first } = this;
      this.clear();
      this.first = first;
    }
    if (items.length === 0) return;
    const asOf = Math.max(lastSeq ?? 0, items.at(-1).seq);
    for (const event of items) this.put(event, asOf);
    this.lo ||= items[0].seq;
    this.hi = Math.max(this.hi, items.at(-1).seq);
    this.extend();
  }

  /** Takes one live event. False where it was known. */
  push(event) {
    if (this.events.has(event.seq) || (this.hi && event.seq >= this.lo && event.seq <= this.hi)) return false;
    this.put(event, event.seq);
    if (this.isEmpty) this.lo = this.hi = event.seq;
    this.extend();
    return true;
  }

  /** Lets go of the oldest events beyond `keep`, but of none after `readSeq`; scrolling up reads them again. */
  trim(keep, readSeq) {
    const lo = Math.min(this.hi - keep + 1, readSeq);
    if (this.isEmpty || lo <= this.lo) return;
    for (const seq of this.events.keys()) if (seq < lo) this.events.delete(seq);
    this.lo = lo;
    this.sorted = null;
  }

  extend() {
    while (this.events.has(this.hi + 1)) this.hi++;
  }

  put(event, asOf) {
    const known = this.events.get(event.seq);
    if (known && known.asOf >= asOf) return;
    this.sorted = null;
    this.events.set(event.seq, { ...event, asOf, version: (known?.version ?? 0) + 1 });
    if (!known && CHANGES.has(event.type)) this.apply(event);
  }

  /**
   * Carries a change over to its message. A message that was read later than the change happened has it already; one that is not
   * held will be read in its present state.
   */
  apply(change) {
    const { target, content, emoji, on } = { ...change.content };
    const message = this.events.get(target);
    if (!message || change.seq <= message.asOf) return;
    if (change.type === 'edit' && change.seq > (message.editSeq ?? 0) && !message.recalled) {
      message.content = content;
      message.edited = change.time;
      message.editSeq = change.seq;
    } else if (change.type === 'recall') {
      message.content = {};
      message.recalled = true;
      delete message.reactions;
    } else if (change.type === 'react') {
      message.reactions = reacted(message.reactions ?? [], emoji, change.from, on !== false);
    }
    message.version++;
  }
}

function reacted(reactions, emoji, userId, on) {
  const others = (entry) => (entry.emoji === emoji ? entry.userIds.filter((id) => id !== userId) : entry.userIds);
  const next = reactions.map((entry) => ({ ...entry, userIds: others(entry) }));
  if (on) {
    const entry = next.find((candidate) => candidate.emoji === emoji);
    if (entry) entry.userIds.push(userId);
    else next.push({ emoji, userIds: [userId] });
  }
  return next.filter((entry) => entry.userIds.length > 0);
}
