// What Hark adds to Pusher's API, through a running server and the official Node SDK's call for any path:
//
//	node --test-force-exit conformance/js/control.mjs "$PUSHER_URL"
//
// As in exchange.mjs, a later event on the same connection shows that something does not arrive.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import test from 'node:test';
import { Journal, Server, journal, subscribed } from './clients.mjs';

const pusherURL = process.argv[2] ?? process.env.PUSHER_URL;
if (!pusherURL) {
  console.error('usage: node control.mjs PUSHER_URL');
  process.exit(2);
}
const server = new Server(pusherURL);
const { sdk } = server;
const run = randomUUID().slice(0, 8);
const named = (name) => `${name}-${run}`;

/** Asks the server; an answer other than 200 is an error of the SDK. */
const ask = async (what, body) => {
  const response = await sdk.post({ path: `/hark/${what}`, body });
  assert.equal(response.status, 200);
};
const say = (to, name, data) => ask('broadcast', { to, name, data: JSON.stringify(data) });

/** A client that is signed in as a user of this run, or a guest; and what it hears on no channel. */
async function connect(t, id) {
  const client = server.client(t, undefined, {
    userAuthentication: {
      customHandler: ({ socketId }, callback) => callback(null, sdk.authenticateUser(socketId, { id: named(id) })),
    },
  });
  const log = new Journal();
  client.bind_global((event, data) => {
    if (!event.startsWith('pusher:')) log.add(event, data);
  });
  client.connection.bind('state_change', ({ current }) => log.add(current));
  await log.until('connected');
  if (id) {
    client.signin();
    await client.user.signinDonePromise;
  }
  return { client, log, id: client.connection.socket_id };
}

test('broadcast: everybody, users, all but one socket; what is for nobody is refused', async (t) => {
  const [guest, ada, tab, bob] = await Promise.all([undefined, 'ada', 'ada', 'bob'].map((id) => connect(t, id)));
  await say({ users: [named('ada')] }, 'for-ada', { n: 1 });
  await ask('broadcast', { to: { everyone: true }, name: 'all', data: '{}', except_socket: tab.id });
  for (const to of [undefined, {}, { user: named('ada') }, { users: [] }]) {
    await assert.rejects(ask('broadcast', { to, name: 'nobody', data: '{}' }), { status: 400 });
  }
  await say({ everyone: true }, 'end', {});
  await Promise.all([guest, ada, tab, bob].map(({ log }) => log.until('end')));
  const heard = ({ log }) => log.entries.slice(log.entries.indexOf('connected') + 1);
  assert.deepEqual(heard(guest), ['all {}', 'end {}']);
  assert.deepEqual(heard(ada), ['for-ada {"n":1}', 'all {}', 'end {}']);
  assert.deepEqual(heard(tab), ['for-ada {"n":1}', 'end {}']);
  assert.deepEqual(heard(bob), ['all {}', 'end {}']);
});

test('an event for some of the subscribers', async (t) => {
  const name = named('news');
  const [ada, bob] = await Promise.all(['ada', 'bob'].map((id) => connect(t, id)));
  const logs = [ada, bob].map(({ client }) => journal(client.subscribe(name)));
  await Promise.all([ada, bob].map(({ client }) => subscribed(client.channel(name))));
  await sdk.post({ path: '/events', body: { name: 'secret', channel: name, data: '{}', only: { users: [named('ada')] } } });
  await sdk.trigger(name, 'end', {});
  await Promise.all(logs.map((log) => log.until('end')));
  assert.deepEqual(logs[0].entries.slice(1), ['secret {}', 'end {}']);
  assert.deepEqual(logs[1].entries.slice(1), ['end {}']);
});

test('revoke: the client is told, hears no more, and cannot come back with the signature it has', async (t) => {
  const name = named('private-doc');
  const [ada, bob] = await Promise.all(['ada', 'bob'].map((id) => connect(t, id)));
  const channel = ada.client.subscribe(name);
  const log = journal(channel);
  const other = journal(bob.client.subscribe(name));
  await Promise.all([subscribed(channel), subscribed(bob.client.channel(name))]);
  await ask('revoke', { to: { users: [named('ada')] }, channels: `private-doc-{run}`, reason: 'You left' });
  await log.until('pusher:subscription_error {"type":"AuthError","error":"You left","status":403}');
  await sdk.trigger(name, 'e', {});
  await other.until('e {}');
  ada.client.unsubscribe(name);
  const again = journal(ada.client.subscribe(name));
  await again.until('pusher:subscription_error');
  await sdk.trigger(name, 'e', {});
  await say({ users: [named('ada')] }, 'end', {});
  await ada.log.until('end');
  for (const entries of [log.entries, again.entries, ada.log.entries]) assert.ok(!entries.includes('e {}'));
});

test('reauthenticate: the client is back by itself; terminate: it stays away', async (t) => {
  const [ada, bob] = await Promise.all(['ada', 'bob'].map((id) => connect(t, id)));
  await ask('reauthenticate', { to: { users: [named('ada')] } });
  await ada.log.until('connected', 2);
  assert.notEqual(ada.client.connection.socket_id, ada.id);
  await ask('terminate', { to: { users: [named('bob')] }, reason: 'Banned' });
  await bob.log.until('disconnected');
});
