// pusher-js clients and the official server SDK, doing what another program says:
//
//   node conformance/js/scenario.mjs
//
// Every line of standard input is a request, every line of standard output the answer to one or something that happened to
// a client, in order:
//
//   {"id":1,"do":"connect","client":3,"key":"k1","host":"127.0.0.1","port":6001,"path":"/t/7"}   ->  {"re":1}
//   {"id":2,"do":"members","client":3,"channel":"orders"}   ->  {"re":2,"error":"not on orders"}
//                                                           ->  {"client":3,"on":"connection","event":"connected","at":…}
//   {"id":3,"do":"subscribe","client":3,"channels":["a","b"]}
//                                      ->  {"client":3,"on":"a","event":"total","data":{"totalCost":5},"at":…}
//
// on is the channel whose handlers heard it; "pusher", "user" and "connection" are the handlers of the client, of its user
// and of its connection. The program ends when its standard input does.

import { createInterface } from 'node:readline';
import PusherServer from 'pusher';
import Pusher from 'pusher-js';

const clients = new Map();
const servers = new Map();

const write = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);

/** A Client is a pusher-js client that tells everything. */
class Client {
  constructor({ client, key, host, port, path, auth, userAuth, options }) {
    this.number = client;
    this.pusher = new Pusher(key, {
      cluster: '',
      wsHost: host,
      wsPort: port,
      wsPath: path ?? '',
      forceTLS: false,
      enabledTransports: ['ws'],
      channelAuthorization: auth && authorization(auth),
      userAuthentication: userAuth && authorization(userAuth),
      ...options,
    });
    this.pusher.connection.bind('state_change', ({ current }) => this.tell('connection', current));
    this.pusher.connection.bind('error', (e) => this.tell('connection', 'error', e?.error?.data ?? e?.data ?? String(e)));
    this.pusher.bind_global((event, data) => {
      if (!['pusher:ping', 'pusher:pong'].includes(event)) this.tell('pusher', event, data);
    });
    this.pusher.user.bind_global((event, data) => this.tell('user', event, data));
  }

  tell(on, event, data, metadata) {
    write({ client: this.number, on, event, data: plain(data), user: metadata?.user_id, at: Date.now() });
  }

  subscribe(name) {
    const known = this.pusher.channel(name);
    const channel = this.pusher.subscribe(name);
    if (known === channel) return; // it tells already
    // Here and not by bind_global, whose handlers are not told who has sent a client event.
    const emit = channel.emit.bind(channel);
    channel.emit = (event, data, metadata) => {
      this.tell(name, event, data, metadata);
      return emit(event, data, metadata);
    };
  }
}

/** Headers go the way pusher-js sends them; a cookie as a browser would, which pusher-js does not do here. */
function authorization({ endpoint, headers, cookie }) {
  if (cookie === undefined) return { endpoint, headers, transport: 'ajax' };
  return {
    customHandler: async ({ socketId, channelName }, callback) => {
      const body = new URLSearchParams({ socket_id: socketId, ...(channelName && { channel_name: channelName }) });
      try {
        const response = await fetch(endpoint, { method: 'POST', body, headers: { ...headers, cookie } });
        if (response.status !== 200) throw new Error(`status ${response.status}`);
        callback(null, await response.json());
      } catch (e) {
        callback(e, null);
      }
    },
  };
}

/** Members are a live object with methods. */
function plain(data) {
  return data?.members && data.each ? membersOf(data) : data;
}

const membersOf = ({ count, members, me }) => ({ count, members, me: me?.id });

function channelOf(client, name) {
  const channel = client.pusher.channel(name);
  if (!channel) throw new Error(`not on ${name}`);
  return channel;
}

const requests = {
  connect: (r) => { clients.set(r.client, new Client(r)); },
  reconnect: (_, { pusher }) => pusher.connect(),
  disconnect: (_, { pusher }) => pusher.disconnect(),
  subscribe: ({ channels }, client) => channels.forEach((name) => client.subscribe(name)),
  unsubscribe: ({ channels }, { pusher }) => channels.forEach((name) => pusher.unsubscribe(name)),
  unsubscribePrefix: ({ prefix }, { pusher }) => {
    const names = pusher.allChannels().map((c) => c.name).filter((name) => name.startsWith(prefix));
    names.forEach((name) => pusher.unsubscribe(name));
    return names;
  },
  /** Resolves when the user's own channel is subscribed, too. */
  async signin(_, { pusher }) {
    pusher.signin();
    await pusher.user.signinDonePromise;
    const channel = pusher.user.serverToUserChannel;
    if (!channel) throw new Error('not signed in');
    if (!channel.subscribed) await new Promise((resolve) => { channel.bind('pusher:subscription_succeeded', resolve); });
    return pusher.user.user_data.id;
  },
  trigger: ({ channel, event, data }, client) => channelOf(client, channel).trigger(event, data),
  send: ({ event, data, channel }, { pusher }) => pusher.send_event(event, data, channel),
  members: ({ channel }, client) => membersOf(channelOf(client, channel).members),
  subscribed: ({ channel }, client) => channelOf(client, channel).subscribed,
  state: (_, { pusher }) => ({ state: pusher.connection.state, socket: pusher.connection.socket_id }),
  async sdk({ url, call, args }) {
    if (!servers.has(url)) servers.set(url, PusherServer.forURL(url));
    try {
      const response = await servers.get(url)[call](...args);
      return { status: response.status, body: await response.text() };
    } catch (e) {
      if (!e.status) throw e;
      return { status: e.status, body: e.body };
    }
  },
};

async function answer(request) {
  try {
    const value = await requests[request.do](request, clients.get(request.client));
    write({ re: request.id, value });
  } catch (e) {
    write({ re: request.id, error: String(e?.message ?? e) });
  }
}

const lines = createInterface({ input: process.stdin });
lines.on('line', (line) => { answer(JSON.parse(line)); });
lines.on('close', () => process.exit(0));
