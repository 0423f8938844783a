// What an app may switch on, and what goes to users, through a running server:
//
//	node --test-force-exit conformance/js/users.mjs "$PUSHER_URL"     (client events, subscription counts and watchlists enabled)
//
// As in exchange.mjs, a later event on the same channel shows that something does not arrive.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import test from 'node:test';
import { Journal, Server, journal, subscribed } from './clients.mjs';

const pusherURL = process.argv[2] ?? process.env.PUSHER_URL;
if (!pusherURL) {
  console.error('usage: node users.mjs PUSHER_URL');
  process.exit(2);
}
const server = new Server(pusherURL);
const { sdk } = server;
const run = randomUUID().slice(0, 8);
const named = (name) => `${name}-${run}`;
const cacheMiss = 'pusher:cache_miss {}';

/** A client that signs in as a user, with the events that pusher-js hands to pusher.user. */
async function user(t, id, more = {}) {
  const client = server.client(t, undefined, {
    userAuthentication: {
      customHandler: ({ socketId }, callback) => callback(null, sdk.authenticateUser(socketId, { id, ...more })),
    },
  });
  const log = new Journal();
  client.user.bind_global((event, data) => log.add(event, data));
  const watched = new Journal();
  for (const event of ['online', 'offline']) {
    client.user.watchlist.bind(event, ({ user_ids: ids }) => watched.add(event, ids));
  }
  client.signin();
  await client.user.signinDonePromise;
  assert.equal(client.user.user_data.id, id);
  return { client, log, watched };
}

/** Resolves when a signed-in client is on its own channel, which pusher-js subscribes by itself. */
async function onOwnChannel({ client, log }, id) {
  const { serverToUserChannel: channel } = client.user;
  await subscribed(channel);
  await sdk.sendToUser(id, 'ready', {});
  await log.until('ready');
}

for (const kind of ['cache-', 'private-cache-', 'private-encrypted-cache-', 'presence-cache-']) {
  test(`${kind}: a miss, then the last event before anything else`, async (t) => {
    const name = named(`${kind}prices`);
    const open = async (id) => {
      const channel = server.client(t, { user_id: id, user_info: {} }).subscribe(name);
      const log = journal(channel);
      await subscribed(channel);
      return log;
    };
    const early = await open('ada');
    await early.until(cacheMiss);
    await sdk.trigger(name, 'price', { eur: 1 });
    await sdk.trigger(name, 'price', { eur: 2 });
    await early.until('price {"eur":2}');
    const late = await open('bob');
    await late.until('price');
    await sdk.trigger(name, 'end', {});
    await late.until('end');
    const heard = late.entries.filter((e) => !e.startsWith('pusher:subscription_succeeded'));
    assert.deepEqual(heard, ['price {"eur":2}', 'end {}']);
  });
}

test('info=cache: the value and how long it is kept', async () => {
  const name = named('cache-info');
  assert.deepEqual(await server.get(`/channels/${name}`, { info: 'cache' }), { occupied: false, cache: null });
  await sdk.trigger(name, 'price', 'one');
  const { cache } = await server.get(`/channels/${name}`, { info: 'cache' });
  assert.equal(cache.data, 'one');
  assert.ok(cache.ttl > 0 && cache.ttl <= 1800, `ttl ${cache.ttl}`);
});

test('signin: sendToUser reaches all tabs of that user, and nobody else', async (t) => {
  const [ada, bob] = [named('ada'), named('bob')];
  const tabs = [await user(t, ada), await user(t, ada), await user(t, bob)];
  await onOwnChannel(tabs[0], ada);
  await onOwnChannel(tabs[1], ada);
  await onOwnChannel(tabs[2], bob);
  await sdk.sendToUser(ada, 'mail', { from: 'bob' });
  await sdk.sendToUser(ada, 'end', {});
  await sdk.sendToUser(bob, 'end', {});
  await Promise.all(tabs.map(({ log }) => log.until('end')));
  const mails = ({ log }) => log.entries.filter((e) => e.startsWith('mail'));
  assert.deepEqual(tabs.map(mails), [['mail {"from":"bob"}'], ['mail {"from":"bob"}'], []]);
});

test('signin: another user\'s channel is refused', async (t) => {
  const [ada, bob] = [named('ada'), named('bob')];
  const { client } = await user(t, bob);
  const errors = new Journal();
  client.connection.bind('error', ({ data }) => errors.add('error', data.message));
  client.send_event('pusher:subscribe', { auth: '', channel: `#server-to-user-${ada}` });
  await errors.until('error');
  assert.match(errors.entries[0], /Not authorized to subscribe/);
});

test('signin: presence takes the user from it, without channel_data', async (t) => {
  const [name, id] = [named('presence-signed-in'), named('ada')];
  const { client } = await user(t, id, { user_info: { name: 'Ada' } });
  client.config.channelAuthorizer = ({ socketId, channelName }, callback) => {
    const { auth } = sdk.authorizeChannel(socketId, channelName);
    callback(null, { auth });
  };
  const channel = client.subscribe(name);
  await subscribed(channel);
  assert.deepEqual([channel.members.count, channel.members.me.id, channel.members.me.info], [1, id, { name: 'Ada' }]);
});

test('terminate: the connections of that user end for good', async (t) => {
  const [ada, bob] = [named('ada'), named('bob')];
  const tabs = [await user(t, ada), await user(t, ada)];
  const other = await user(t, bob);
  await onOwnChannel(other, bob);
  const logs = tabs.map(({ client }) => {
    const log = new Journal();
    client.connection.bind('error', ({ error, data }) => log.add('error', (error?.data ?? data)?.code));
    client.connection.bind('state_change', ({ current }) => log.add('state', current));
    return log;
  });
  await sdk.terminateUserConnections(ada);
  await Promise.all(logs.map((log) => log.until('state "disconnected"')));
  // pusher-js emits the error of a close that it gives up after twice.
  for (const log of logs) assert.deepEqual([...new Set(log.entries)], ['error 4009', 'state "disconnected"']);
  await onOwnChannel(other, bob); // "ready" came once more: it is still there
  assert.equal(other.client.connection.state, 'connected');
});

test('watchlist: who is there, who comes, who goes', async (t) => {
  const [ada, bob, eve] = [named('ada'), named('bob'), named('eve')];
  await user(t, bob);
  const { watched } = await user(t, ada, { watchlist: [bob, eve] });
  await watched.until('offline');
  assert.deepEqual([...watched.entries].sort(), [`offline ["${eve}"]`, `online ["${bob}"]`]);
  const first = await user(t, eve);
  await watched.until(`online ["${eve}"]`);
  const second = await user(t, eve);
  first.client.disconnect();
  second.client.disconnect();
  await watched.until(`offline ["${eve}"]`, 2);
  assert.deepEqual(watched.entries.slice(2), [`online ["${eve}"]`, `offline ["${eve}"]`]);
});

test('subscription_count: told to those who are there, and to those who come', async (t) => {
  const name = named('counted');
  const open = async () => {
    const client = server.client(t);
    const channel = client.subscribe(name);
    const log = new Journal();
    channel.bind('pusher:subscription_count', ({ subscription_count: n }) => log.add('count', n));
    await subscribed(channel);
    return { client, channel, log };
  };
  const first = await open();
  await first.log.until('count 1');
  const second = await open();
  await second.log.until('count 2');
  await first.log.until('count 2');
  assert.equal(first.channel.subscriptionCount, 2);
  second.client.disconnect();
  await first.log.until('count 1', 2);
  assert.deepEqual([first.log.entries, second.log.entries], [['count 1', 'count 2', 'count 1'], ['count 2']]);
  const { subscription_count: asked } = await server.get(`/channels/${name}`, { info: 'subscription_count' });
  assert.equal(asked, 1);
});
