import { Hark } from './hark.js';

// Everything shown comes from other people: it is text, never markup.
const $ = (id) => document.getElementById(id);
const me = new URLSearchParams(location.search).get('user');
const TYPING_EVERY = 1000; // ms between two client-typing events of one person
const TYPING_SHOWN = 3000; // ms
const LINES = 200; // kept in a log

function element(tag, text, data = {}) {
  const e = document.createElement(tag);
  e.textContent = text;
  Object.assign(e.dataset, data);
  return e;
}

function log(list, text, kind, who = '') {
  const line = element('li', text, { kind });
  if (who) line.prepend(element('b', `${who} `));
  list.append(line);
  while (list.children.length > LINES) list.firstChild.remove();
  list.scrollTop = list.scrollHeight;
}

const socketURL = new URL(`../app/${document.documentElement.dataset.key}`, location.href);
socketURL.protocol = location.protocol.replace('http', 'ws');
socketURL.search = '';

const hark = new Hark(socketURL.href, async (socketId, channel) => {
  const body = new URLSearchParams({ socket_id: socketId, channel_name: channel, user_id: me });
  const response = await fetch('auth', { method: 'POST', body });
  if (!response.ok) throw new Error((await response.text()).trim());
  return response.json();
});
hark.addEventListener('state', ({ detail }) => {
  $('state').textContent = detail;
  $('state').dataset.state = detail.split(':')[0];
  if (detail !== 'connected') setReady(false);
});
hark.addEventListener('error', ({ detail }) => log($('room'), detail, 'error'));

// The public channel.
hark.subscribe('demo').addEventListener('*', ({ detail: { event, data } }) => {
  if (event.startsWith('pusher')) return;
  log($('public'), typeof data === 'string' ? data : JSON.stringify(data), 'event', event);
});
$('copy')?.addEventListener('click', async () => {
  await navigator.clipboard.writeText($('try').textContent);
  $('copy').textContent = 'Copied';
});

// The room: one presence channel, for those who gave a name.
function setReady(ready) {
  for (const e of $('say').elements) e.disabled = !ready;
}

function showMembers(members) {
  $('count').textContent = members.size;
  const rows = [...members].map(([id, info]) => {
    const you = id === me ? ' (you)' : '';
    return element('li', `${info.name ?? id}${you}`, { user: id });
  });
  $('online').replaceChildren(...rows);
}

function enter(room) {
  const typing = new Map(); // user id -> timer that forgets it
  const showTyping = () => {
    const names = [...typing.keys()].join(', ');
    $('typing').textContent = names && `${names} typing…`;
  };
  const stopped = (id) => {
    clearTimeout(typing.get(id));
    typing.delete(id);
    showTyping();
  };
  const on = (event, act) => room.addEventListener(event, ({ detail }) => {
    act(detail);
    showMembers(room.members);
  });
  on('pusher_internal:subscription_succeeded', () => setReady(true));
  on('pusher_internal:member_added', ({ data }) => log($('room'), 'joined', 'joined', data.user_id));
  on('pusher_internal:member_removed', ({ data }) => {
    stopped(data.user_id);
    log($('room'), 'left', 'left', data.user_id);
  });
  on('client-typing', ({ userId }) => {
    clearTimeout(typing.get(userId));
    typing.set(userId, setTimeout(stopped, TYPING_SHOWN, userId));
    showTyping();
  });
  on('client-message', ({ data, userId }) => {
    stopped(userId);
    log($('room'), String(data?.text ?? ''), 'message', userId);
  });

  let lastTyping = 0;
  $('text').addEventListener('input', () => {
    if (Date.now() - lastTyping < TYPING_EVERY) return;
    lastTyping = Date.now();
    room.trigger('client-typing', {});
  });
  $('say').addEventListener('submit', (e) => {
    e.preventDefault();
    room.trigger('client-message', { text: $('text').value });
    log($('room'), $('text').value, 'message', me);
    $('text').value = '';
    lastTyping = 0;
  });
}

if (me) {
  document.title = `${me} · Hark demo`;
  $('user').value = me;
  enter(hark.subscribe('presence-demo'));
}
