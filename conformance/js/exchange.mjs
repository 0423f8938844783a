// Real clients exchange events through a running server:
//
//   node conformance/js/exchange.mjs "$PUSHER_URL"       (http://KEY:SECRET@HOST:PORT/apps/ID, client events enabled)
//
// That something does not arrive is shown by a later event on the same channel that does: a channel keeps its order.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import test from 'node:test';
import { Journal, Server, journal, subscribed } from './clients.mjs';

const pusherURL = process.argv[2] ?? process.env.PUSHER_URL;
if (!pusherURL) {
  console.error('usage: node exchange.mjs PUSHER_URL');
  process.exit(2);
}
const server = new Server(pusherURL);
const { sdk } = server;

// Names of this run only, so that the script can run twice against one server.
const run = randomUUID().slice(0, 8);
const named = (name) => `${name}-${run}`;

const ada = { user_id: 'ada', user_info: { name: 'Ada' } };
const bob = { user_id: 'bob', user_info: { name: 'Bob' } };

/** Subscribes a pusher-js client and returns its channel with the journal of it. */
async function join(client, name) {
  const channel = client.subscribe(name);
  const log = journal(channel);
  await subscribed(channel);
  return { channel, log };
}

test('public: a trigger reaches pusher-js and laravel-echo, in order and as it was sent', async (t) => {
  const name = named('orders');
  const { log } = await join(server.client(t), name);
  const heard = new Journal();
  const channel = server.echo(t).channel(name);
  channel.listen('.order.paid', (data) => heard.add('order.paid', data));
  await subscribed(channel.subscription);

  const texts = [{ id: 7 }, 'plain text', '', 'ü🎈</script>\u2028"\\', ['a', 1, null], true, '5'];
  for (const data of texts) await sdk.trigger(name, 'order.paid', data);
  await sdk.trigger([named('other'), name], 'order.paid', 'end');

  await log.until('order.paid "end"');
  await heard.until('order.paid "end"');
  // Clients parse what looks like JSON, so that the text 5 arrives as the number.
  const want = [...texts.slice(0, -1), 5, 'end'].map((data) => `order.paid ${JSON.stringify(data)}`);
  assert.deepEqual(heard.entries, want);
  assert.deepEqual(log.entries, ['pusher:subscription_succeeded {}', ...want]);
});

test('private: client events reach the others and not their sender', async (t) => {
  const name = named('private-orders');
  const first = await join(server.client(t), name);
  const second = await join(server.client(t), name);
  const echo = server.echo(t);
  const whispers = new Journal();
  const third = echo.private(named('orders'));
  third.listenForWhisper('typing', (data) => whispers.add('typing', data));
  await subscribed(third.subscription);

  assert.equal(first.channel.trigger('client-typing', { from: 'first' }), true);
  await whispers.until('typing {"from":"first"}');
  third.whisper('typing', { from: 'echo' });
  await first.log.until('client-typing {"from":"echo"}');
  await sdk.trigger(name, 'end', {});
  await Promise.all([first.log, second.log].map((log) => log.until('end')));

  const succeeded = 'pusher:subscription_succeeded {}';
  const [fromFirst, fromEcho] = ['client-typing {"from":"first"}', 'client-typing {"from":"echo"}'];
  assert.deepEqual(first.log.entries, [succeeded, fromEcho, 'end {}']);
  assert.deepEqual(second.log.entries, [succeeded, fromFirst, fromEcho, 'end {}']);
  assert.deepEqual(whispers.entries, ['typing {"from":"first"}']);
});

test('presence: three tabs of two users are two members, one added and one removed each', async (t) => {
  const name = named('presence-room');
  const tab = async (member) => {
    const client = server.client(t, member);
    return { client, ...await join(client, name) };
  };
  const members = ({ channel: { members: m } }) => [m.count, Object.keys(m.members).sort().join()];

  const ada1 = await tab(ada);
  const bob1 = await tab(bob);
  const ada2 = await tab(ada);
  await sdk.trigger(name, 'all here', {});
  for (const one of [ada1, bob1, ada2]) {
    await one.log.until('all here');
    assert.deepEqual(members(one), [2, 'ada,bob']);
  }

  // Bob has one tab: he is gone with it, and back with the next.
  bob1.client.disconnect();
  await ada1.log.until('pusher:member_removed');
  const bob2 = await tab(bob);
  await ada1.log.until('pusher:member_added', 2);
  await ada2.log.until('pusher:member_added');

  // Ada has two: she is gone with the second.
  ada1.client.disconnect();
  await server.untilSockets(name, 2);
  await sdk.trigger(name, 'one tab closed', {});
  await bob2.log.until('one tab closed');
  assert.deepEqual(members(bob2), [2, 'ada,bob']);
  ada2.client.disconnect();
  await bob2.log.until('pusher:member_removed');
  assert.deepEqual(members(bob2), [1, 'bob']);
  const ada3 = await tab(ada);
  await sdk.trigger(name, 'end', {});
  await Promise.all([bob2.log, ada3.log].map((log) => log.until('end')));

  const succeeded = (...who) => {
    const list = Object.fromEntries(who.map((m) => [m.user_id, m.user_info]));
    return `pusher:subscription_succeeded ${JSON.stringify({ count: who.length, members: list })}`;
  };
  const added = (m) => `pusher:member_added ${JSON.stringify({ id: m.user_id, info: m.user_info })}`;
  const removed = (m) => `pusher:member_removed ${JSON.stringify({ id: m.user_id, info: m.user_info })}`;
  assert.deepEqual(ada1.log.entries, [succeeded(ada), added(bob), 'all here {}', removed(bob), added(bob)]);
  assert.deepEqual(bob1.log.entries, [succeeded(ada, bob), 'all here {}']);
  assert.deepEqual(ada2.log.entries.slice(0, 4), [succeeded(ada, bob), 'all here {}', removed(bob), added(bob)]);
  assert.deepEqual(bob2.log.entries, [succeeded(ada, bob), 'one tab closed {}', removed(ada), added(ada), 'end {}']);
  assert.deepEqual(ada3.log.entries, [succeeded(bob, ada), 'end {}']);
});

test('presence: client events carry who sent them, and only the server says who', async (t) => {
  const name = named('presence-typing');
  const first = await join(server.client(t, ada), name);
  const second = await join(server.client(t, bob), name);
  const heard = new Journal();
  second.channel.bind('client-typing', (data, { user_id: userId } = {}) => heard.add(`client-typing from ${userId}`, data));
  first.channel.trigger('client-typing', { user_id: 'mallory' });
  await heard.until('client-typing');
  assert.deepEqual(heard.entries, ['client-typing from ada {"user_id":"mallory"}']);
});

test('presence in laravel-echo: here, joining, leaving, whispers; numeric ids', async (t) => {
  // Laravel sends ids as numbers, and a list numbered from 0 must not turn into an array.
  const zero = { user_id: 0, user_info: { name: 'Zero' } };
  const one = { user_id: 1, user_info: { name: 'One' } };
  const watch = async (echo) => {
    const log = new Journal();
    const room = echo.join(named('echo'))
      .here((users) => log.add('here', users.map((u) => u.name).sort()))
      .joining((user) => log.add('joining', user.name))
      .leaving((user) => log.add('leaving', user.name))
      .listenForWhisper('typing', (data) => log.add('typing', data))
      .listen('.end', () => log.add('end'));
    await subscribed(room.subscription);
    return { log, room, echo };
  };
  const first = await watch(server.echo(t, zero));
  const second = await watch(server.echo(t, one));
  await first.log.until('joining "One"');
  second.room.whisper('typing', { on: true });
  await first.log.until('typing');
  second.echo.leave(named('echo'));
  await first.log.until('leaving');
  await sdk.trigger(named('presence-echo'), 'end', {});
  await first.log.until('end');

  assert.deepEqual(first.log.entries, ['here ["Zero"]', 'joining "One"', 'typing {"on":true}', 'leaving "One"', 'end']);
  assert.deepEqual(second.log.entries, ['here ["One","Zero"]']);
  assert.deepEqual((await server.get(`/channels/${named('presence-echo')}/users`)).users, [{ id: '0' }]);
});

test('toOthers: a trigger leaves out the socket it names', async (t) => {
  const name = named('news');
  const echo = server.echo(t);
  const mine = new Journal();
  const channel = echo.channel(name).listenToAll((event, data) => mine.add(event, data));
  await subscribed(channel.subscription);
  const { log } = await join(server.client(t), name);

  await sdk.trigger(name, 'posted', { n: 1 }, { socket_id: echo.socketId() });
  await sdk.trigger(name, 'end', {});
  await Promise.all([log.until('end'), mine.until('.end')]);
  assert.deepEqual(log.entries, ['pusher:subscription_succeeded {}', 'posted {"n":1}', 'end {}']);
  assert.deepEqual(mine.entries, ['.end {}']);
});

test('batch: events of one channel in order, counts where they were asked for', async (t) => {
  const [one, two] = [named('batch-one'), named('batch-two')];
  const client = server.client(t);
  const first = await join(client, one);
  const second = await join(client, two);
  const plain = await sdk.triggerBatch([
    { channel: one, name: 'a', data: 1 },
    { channel: two, name: 'b', data: { n: 2 } },
    { channel: one, name: 'c', data: 'three' },
  ]);
  assert.deepEqual(await plain.json(), {});
  await first.log.until('c');
  await second.log.until('b');
  assert.deepEqual(first.log.entries.slice(1), ['a 1', 'c "three"']);
  assert.deepEqual(second.log.entries.slice(1), ['b {"n":2}']);

  const counted = await sdk.triggerBatch([
    { channel: one, name: 'a', data: 1, info: 'subscription_count' },
    { channel: two, name: 'b', data: 2 },
  ]);
  assert.deepEqual(await counted.json(), { batch: [{ subscription_count: 1 }, {}] });
});

test('queries: channels, one channel, its users', async (t) => {
  const [room, empty, plain] = [named('presence-asked'), named('presence-empty'), named('asked')];
  await join(server.client(t, ada), room);
  await join(server.client(t, ada), room);
  const client = server.client(t, bob);
  await join(client, room);
  await join(client, plain);

  assert.deepEqual(await server.get('/channels', { filter_by_prefix: room, info: 'user_count' }), {
    channels: { [room]: { user_count: 2 } },
  });
  assert.deepEqual((await server.get('/channels')).channels[plain], {});
  assert.deepEqual(await server.get('/channels', { filter_by_prefix: named('nobody') }), { channels: {} });
  assert.deepEqual(await server.get(`/channels/${room}`, { info: 'user_count,subscription_count' }), {
    occupied: true, user_count: 2, subscription_count: 3,
  });
  assert.deepEqual(await server.get(`/channels/${empty}`, { info: 'user_count' }), { occupied: false, user_count: 0 });
  const { users } = await server.get(`/channels/${room}/users`);
  assert.deepEqual(users.map((u) => u.id).sort(), ['ada', 'bob']);

  const info = await sdk.trigger([room, plain], 'e', {}, { info: 'user_count,subscription_count' });
  assert.deepEqual(await info.json(), {
    channels: { [room]: { user_count: 2, subscription_count: 3 }, [plain]: { subscription_count: 1 } },
  });
});

test('encrypted: what the SDK encrypts, pusher-js decrypts; the server only carries it', async (t) => {
  const { log } = await join(server.client(t), named('private-encrypted-mail'));
  await sdk.trigger(named('private-encrypted-mail'), 'mail', { subject: 'ü🎈' });
  await log.until('mail');
  assert.deepEqual(log.entries, ['pusher:subscription_succeeded {}', 'mail {"subject":"ü🎈"}']);
});

test('an unknown key: 4001, and the client gives up', async (t) => {
  const { connection } = server.client(t, undefined, { key: 'no-such-key' });
  const log = new Journal();
  connection.bind('error', (e) => log.add('error', e.data?.code ?? e.error?.data?.code));
  connection.bind('state_change', ({ current }) => log.add('state', current));
  await log.until('error 4001');
  await log.until('state "disconnected"');
});

test('a wrong signature: the channel is told, the connection stays', async (t) => {
  const name = named('private-closed');
  const client = server.client(t, undefined, {
    channelAuthorization: {
      customHandler: (_, callback) => callback(null, { auth: `${server.key}:${'0'.repeat(64)}` }),
    },
  });
  const errors = new Journal();
  client.connection.bind('error', (e) => errors.add('error', e.data));
  const log = journal(client.subscribe(name));
  await log.until('pusher:subscription_error');
  await join(client, named('still-open'));

  const toSign = `${client.connection.socket_id}:${name}`;
  const message = `Invalid signature: Expected HMAC SHA256 hex digest of ${toSign}, but got ${'0'.repeat(64)}`;
  assert.deepEqual(log.entries, [
    `pusher:subscription_error ${JSON.stringify({ type: 'AuthError', error: message, status: 401 })}`,
  ]);
  assert.deepEqual(errors.entries, [`error ${JSON.stringify({ code: null, message })}`]);
});

test('a client event on a public channel: an error, and nobody hears it', async (t) => {
  const name = named('square');
  const client = server.client(t);
  const errors = new Journal();
  client.connection.bind('error', (e) => errors.add('error', e.data));
  const { channel } = await join(client, name);
  const { log } = await join(server.client(t), name);
  channel.trigger('client-shout', {});
  await errors.until('error');
  await sdk.trigger(name, 'end', {});
  await log.until('end');
  assert.match(errors.entries[0], /only supported on private and presence channels/);
  assert.deepEqual(log.entries, ['pusher:subscription_succeeded {}', 'end {}']);
});

test('a wrong secret: the SDK is told what should have been signed', async () => {
  const url = new URL(pusherURL);
  url.password = 'not-the-secret';
  const { sdk: stranger } = new Server(url.href);
  await assert.rejects(stranger.trigger(named('orders'), 'e', {}), ({ status, body }) => {
    assert.equal(status, 401);
    assert.match(body, /^Invalid signature: you should have sent HmacSHA256Hex\("POST\\n\/apps\//);
    return true;
  });
});
