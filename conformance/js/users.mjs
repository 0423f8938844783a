// What an app may switch on, and what goes to users, through a running server:
//
//	node --test-force-exit conformance/js/users.mjs "$PUSHER_URL"     (client events, subscription counts and watchlists enabled)
//
// As in exchange.mjs, a later event on the same channel shows that something does not arrive. The presence channels of
// users who sign in are signed without channel_data: who the member is, the sign-in has said.

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

/** Resolves when a signed-in client is on its own channel, which pusher-js subscribes by itself, and hears what comes there. */
async function onOwnChannel({ client, log }, id) {
  await subscribed(client.user.serverToUserChannel);
  const before = log.entries.filter((e) => e.startsWith('ready')).length;
  await sdk.sendToUser(id, 'ready', {});
  await log.until('ready', before + 1);
}

for (const kind of ['cache-', 'private-cache-', 'private-encrypted-cache-', 'presence-cache-']) {
  test(`${kind}: a miss, then the last event before anything else`, async (t) => {
    const name = named(`${kind}prices`);
    const open = async (id) => {
      const channel = server.client(t, { user_id: id, user_info: {} }).subscribe(name);
      const log = journal(channel);
      await subscribed(channel);
      return { channel, log };
    };
    /** What came after the success, which came first; without who else joined. */
    const heard = ({ log: { entries: [first, ...more] } }) => {
      assert.match(first, /^pusher:subscription_succeeded /);
      return more.filter((e) => !e.startsWith('pusher:member_added'));
    };
    const early = await open('ada');
    await early.log.until(cacheMiss);
    const witness = await open('bob');
    await sdk.trigger(name, 'price', { eur: 1 });
    await sdk.trigger(name, 'price', { eur: 2 });
    await witness.log.until('price {"eur":2}');
    // What clients say is not kept. Channels that encrypt carry none of it.
    const said = kind.startsWith('cache') || kind.includes('encrypted') ? [] : ['client-said {}'];
    if (said.length > 0) {
      early.channel.trigger('client-said', {});
      await witness.log.until('client-said');
    }
    const late = await open('eve');
    await sdk.trigger(name, 'end', {});
    await Promise.all([early, witness, late].map(({ log }) => log.until('end')));
    assert.deepEqual(heard(early), [cacheMiss, 'price {"eur":1}', 'price {"eur":2}', 'end {}']);
    assert.deepEqual(heard(witness), [cacheMiss, 'price {"eur":1}', 'price {"eur":2}', ...said, 'end {}']);
    assert.deepEqual(heard(late), ['price {"eur":2}', 'end {}']);
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
  await Promise.all(tabs.slice(0, 2).map(({ log }) => log.until('end')));
  await sdk.sendToUser(bob, 'end', {});
  await tabs[2].log.until('end');
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

test('signin: a wrong signature is an error, and the connection stays', async (t) => {
  const client = server.client(t, undefined, {
    userAuthentication: {
      customHandler: (_, callback) => callback(null, { auth: `${server.key}:${'0'.repeat(64)}`, user_data: '{"id":"ada"}' }),
    },
  });
  const errors = new Journal();
  client.connection.bind('error', ({ data }) => errors.add('error', data.code));
  client.signin();
  await errors.until('error');
  await subscribed(client.subscribe(named('still-open')));
  assert.deepEqual([errors.entries, client.user.user_data], [['error null'], null]);
});

test('signin: presence takes the user from it, without channel_data', async (t) => {
  const [name, ada, bob] = [named('presence-signed-in'), named('ada'), named('bob')];
  const join = async (id, info) => {
    const { client } = await user(t, id, { user_info: info });
    const channel = client.subscribe(name);
    const log = journal(channel);
    await subscribed(channel);
    return { client, channel, log };
  };
  const first = await join(ada, { name: 'Ada' });
  const second = await join(bob, { name: 'Bob' });
  await first.log.until('pusher:member_added');
  assert.deepEqual(first.log.entries.slice(1), [`pusher:member_added ${JSON.stringify({ id: bob, info: { name: 'Bob' } })}`]);
  for (const [{ channel: { members } }, id, info] of [[first, ada, { name: 'Ada' }], [second, bob, { name: 'Bob' }]]) {
    assert.deepEqual([members.count, members.me.id, members.me.info], [2, id, info]);
  }
  second.client.disconnect();
  await first.log.until('pusher:member_removed');
  assert.deepEqual((await server.get(`/channels/${name}/users`)).users, [{ id: ada }]);
});

test('terminate: the connections signed in as that user end for good, and no others', async (t) => {
  const [ada, bob, room] = [named('ada'), named('bob'), named('presence-terminate')];
  const tabs = [await user(t, ada), await user(t, ada)];
  const other = await user(t, bob);
  // A member of that name who has not signed in is somebody else.
  const member = server.client(t, { user_id: ada, user_info: {} });
  const channel = member.subscribe(room);
  const seen = journal(channel);
  await subscribed(channel);
  const logs = [...tabs, other, { client: member }].map(({ client: { connection } }) => {
    const log = new Journal();
    connection.bind('error', ({ error, data }) => log.add('error', (error?.data ?? data)?.code));
    connection.bind('state_change', ({ current }) => log.add('state', current));
    return log;
  });
  await sdk.terminateUserConnections(ada);
  await Promise.all(logs.slice(0, 2).map((log) => log.until('state "disconnected"')));
  await onOwnChannel(other, bob);
  await sdk.trigger(room, 'end', {});
  await seen.until('end');
  // pusher-js emits the error of a close that it gives up after twice. Would it try again, it were connecting.
  const ended = ['error 4009', 'state "disconnected"'];
  assert.deepEqual(logs.map((log) => [...new Set(log.entries)]), [ended, ended, [], []]);

  // Whoever is let in again by the application is there again.
  tabs[0].client.connect();
  await logs[0].until('state "connected"');
  await tabs[0].client.user.signinDonePromise;
  await onOwnChannel(tabs[0], ada);
});

test('watchlist: who is there, who comes, who goes with the last tab', async (t) => {
  const [ada, bob, eve, zoe] = [named('ada'), named('bob'), named('eve'), named('zoe')];
  await user(t, bob);
  const { watched } = await user(t, ada, { watchlist: [bob, eve, zoe] });
  await watched.until('offline');
  assert.deepEqual([...watched.entries].sort(), [`offline ["${eve}","${zoe}"]`, `online ["${bob}"]`]);
  const first = await user(t, eve);
  await watched.until(`online ["${eve}"]`);
  const second = await user(t, eve);
  // Zoe goes after Eve's first tab, and that is told first: the tab told nothing.
  first.client.disconnect();
  const third = await user(t, zoe);
  await watched.until(`online ["${zoe}"]`);
  third.client.disconnect();
  await watched.until(`offline ["${zoe}"]`);
  second.client.disconnect();
  await watched.until(`offline ["${eve}"]`);
  assert.deepEqual(watched.entries.slice(2), [
    `online ["${eve}"]`, `online ["${zoe}"]`, `offline ["${zoe}"]`, `offline ["${eve}"]`,
  ]);
});

test('watchlist: of more than 100 users the first 100 are watched, and an error says so', async (t) => {
  const ada = named('ada');
  const client = server.client(t, undefined, {
    userAuthentication: {
      customHandler: ({ socketId }, callback) => {
        const watchlist = Array.from({ length: 101 }, (_, i) => `user-${i}`);
        callback(null, sdk.authenticateUser(socketId, { id: ada, watchlist }));
      },
    },
  });
  const log = new Journal();
  client.connection.bind('error', ({ data }) => log.add('error', data.code));
  client.user.watchlist.bind('offline', ({ user_ids: ids }) => log.add('offline', ids.length));
  client.signin();
  await Promise.all([log.until('error 4302'), log.until('offline 100')]);
  assert.deepEqual([client.user.user_data.id, client.connection.state], [ada, 'connected']);
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

test('subscription_count: presence channels have members instead', async (t) => {
  const name = named('presence-counted');
  const log = new Journal();
  const open = async (id) => {
    const channel = server.client(t, { user_id: id, user_info: {} }).subscribe(name);
    for (const event of ['pusher:subscription_count', 'end']) channel.bind(event, (data) => log.add(event, data));
    await subscribed(channel);
  };
  await open('ada');
  await open('bob');
  await sdk.trigger(name, 'end', {});
  await log.until('end', 2);
  assert.deepEqual(log.entries, ['end {}', 'end {}']);
});
