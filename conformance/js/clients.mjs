// Real clients of one server: pusher-js, laravel-echo, and the official server SDK.

import assert from 'node:assert/strict';
import Echo from 'laravel-echo';
import PusherServer from 'pusher';
import Pusher from 'pusher-js';

const DEADLINE = 15_000; // ms; a wait that long has failed

/** A Journal keeps what happened, in order, each entry as one line of text. */
export class Journal {
  entries = [];
  #waiting = new Set();

  add(name, data) {
    this.entries.push(data === undefined ? name : `${name} ${JSON.stringify(data)}`);
    for (const check of this.#waiting) check();
  }

  /** Resolves when there are n entries that begin with the text. */
  until(text, n = 1) {
    return new Promise((resolve, reject) => {
      const check = () => {
        if (this.entries.filter((e) => e.startsWith(text)).length < n) return;
        clearTimeout(timer);
        this.#waiting.delete(check);
        resolve();
      };
      const timer = setTimeout(() => {
        reject(new Error(`waited for ${n} × ${text}; so far:\n  ${this.entries.join('\n  ')}`));
      }, DEADLINE);
      this.#waiting.add(check);
      check();
    });
  }
}

/** What arrives on a pusher-js channel, internal events included. Counts of subscribers come when others come and go. */
export function journal(channel) {
  const j = new Journal();
  channel.bind_global((event, data) => {
    if (event === 'pusher:subscription_count') return;
    // subscription_succeeded of a presence channel hands over the live list of members.
    j.add(event, data?.members ? { count: data.count, members: data.members } : data);
  });
  return j;
}

/** A Server opens clients that end with the test t which they were opened for. */
export class Server {
  constructor(pusherURL) {
    const url = new URL(pusherURL);
    this.key = url.username;
    this.secure = url.protocol === 'https:';
    this.host = url.hostname;
    this.port = Number(url.port || (this.secure ? 443 : 80));
    this.sdk = PusherServer.forURL(pusherURL, {
      encryptionMasterKeyBase64: Buffer.alloc(32, 'master key ').toString('base64'),
    });
    this.pusherURL = pusherURL;
  }

  /** The options of a client. Its subscriptions are signed by the SDK; member is who it is on presence channels. */
  options(member) {
    return {
      cluster: '',
      wsHost: this.host,
      wsPort: this.port,
      wssPort: this.port,
      forceTLS: this.secure,
      enabledTransports: ['ws', 'wss'],
      channelAuthorization: {
        customHandler: ({ socketId, channelName }, callback) => {
          try {
            const data = channelName.startsWith('presence-') ? member : undefined;
            callback(null, this.sdk.authorizeChannel(socketId, channelName, data));
          } catch (e) {
            callback(e, null);
          }
        },
      },
    };
  }

  /** A pusher-js client, perhaps not connected yet. */
  client(t, member, { key = this.key, ...options } = {}) {
    const client = new Pusher(key, { ...this.options(member), ...options });
    t.after(() => client.disconnect());
    return client;
  }

  /** A laravel-echo client as a Laravel application makes it, perhaps not connected yet. */
  echo(t, member) {
    const echo = new Echo({ broadcaster: 'reverb', key: this.key, Pusher, ...this.options(member) });
    t.after(() => echo.disconnect());
    return echo;
  }

  /** The decoded body of a signed GET. */
  async get(path, params) {
    const response = await this.sdk.get({ path, params });
    assert.equal(response.status, 200);
    return response.json();
  }

  /** Waits until a presence channel has that many sockets. Only a close has no answer that could be waited for. */
  async untilSockets(channel, n) {
    const end = Date.now() + DEADLINE;
    for (;;) {
      const { subscription_count: got } = await this.get(`/channels/${channel}`, { info: 'subscription_count' });
      if (got === n) return;
      if (Date.now() > end) assert.fail(`${channel} has ${got} sockets, not ${n}`);
      await new Promise((resolve) => { setTimeout(resolve, 20); });
    }
  }
}

/** Resolves when a pusher-js channel is subscribed. */
export function subscribed(channel) {
  if (channel.subscribed) return Promise.resolve();
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`${channel.name} was not subscribed`)), DEADLINE);
    channel.bind('pusher:subscription_succeeded', () => { clearTimeout(timer); resolve(); });
    channel.bind('pusher:subscription_error', (e) => { clearTimeout(timer); reject(new Error(JSON.stringify(e))); });
  });
}
