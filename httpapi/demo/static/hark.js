// A client of the Pusher protocol, short enough to read in one go. Real pages use pusher-js.
//
//   const hark = new Hark('wss://host/app/KEY', authorize);  // authorize(socketId, channel) gives {auth, channel_data}
//   const room = hark.subscribe('presence-room');            // room.members: a Map from user id to user_info
//   room.addEventListener('client-typing', (e) => …);        // e.detail: {event, data, userId}; '*' is every event
//   room.trigger('client-typing', {});
//
// hark itself fires 'state' (connecting, connected, waiting, refused) and 'error'.

const PONG_WAIT = 30_000; // ms, as in pusher-js

class Channel extends EventTarget {
  members = new Map();
  constructor(name, send) {
    super();
    this.name = name;
    this.trigger = (event, data) => send({ event, data, channel: name });
  }
  receive(event, data, userId) {
    if (event === 'pusher_internal:subscription_succeeded') this.members = new Map(Object.entries(data.presence?.hash ?? {}));
    if (event === 'pusher_internal:member_added') this.members.set(data.user_id, data.user_info);
    if (event === 'pusher_internal:member_removed') this.members.delete(data.user_id);
    for (const type of [event, '*']) this.dispatchEvent(new CustomEvent(type, { detail: { event, data, userId } }));
  }
}

export class Hark extends EventTarget {
  #url; #authorize; #socket; #socketId; #activity; #silence; #failures = 0;
  #channels = new Map();
  constructor(url, authorize) {
    super();
    this.#url = url;
    this.#authorize = authorize;
    this.#connect();
  }
  subscribe(name) {
    const channel = new Channel(name, (message) => this.#send(message));
    this.#channels.set(name, channel);
    if (this.#socketId) this.#join(channel);
    return channel;
  }
  #connect() {
    this.#fire('state', 'connecting');
    this.#socket = new WebSocket(`${this.#url}?protocol=7&client=hark-demo&version=1.0`);
    this.#socket.onmessage = ({ data }) => this.#receive(JSON.parse(data));
    this.#socket.onclose = ({ code, reason }) => this.#closed(code, reason);
  }
  #receive({ event, channel, data, user_id: userId }) {
    this.#watch();
    try { data = JSON.parse(data); } catch { /* plain text, or the object of pusher:error */ }
    if (event === 'pusher:connection_established') this.#established(data);
    else if (event === 'pusher:ping') this.#send({ event: 'pusher:pong', data: {} });
    else if (event === 'pusher:error') this.#fire('error', data.message);
    else this.#channels.get(channel)?.receive(event, data, userId);
  }
  #established({ socket_id: socketId, activity_timeout: seconds }) {
    [this.#socketId, this.#activity, this.#failures] = [socketId, seconds * 1000, 0];
    this.#fire('state', 'connected');
    this.#channels.forEach((channel) => this.#join(channel));
  }
  async #join(channel) {
    const socketId = this.#socketId;
    const signed = /^(private|presence)-/.test(channel.name);
    try {
      const auth = signed ? await this.#authorize(socketId, channel.name) : {};
      if (socketId === this.#socketId) this.#send({ event: 'pusher:subscribe', data: { ...auth, channel: channel.name } });
    } catch (e) {
      this.#fire('error', `${channel.name}: ${e.message}`);
    }
  }
  #send(message) {
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(message));
  }
  #watch() { // a network that is gone says nothing: ask after a silence, give up after another
    clearTimeout(this.#silence);
    this.#silence = setTimeout(() => {
      this.#send({ event: 'pusher:ping', data: {} });
      this.#silence = setTimeout(() => this.#socket.close(), PONG_WAIT);
    }, this.#activity ?? PONG_WAIT);
  }
  #closed(code, reason) {
    clearTimeout(this.#silence);
    this.#socketId = undefined;
    if ((code >= 4000 && code < 4100) || code >= 4300) return this.#fire('state', 'refused', reason); // for good
    this.#fire('state', 'waiting');
    const wait = code >= 4200 ? 100 : Math.min(1000 * 2 ** this.#failures++, 5_000);
    setTimeout(() => this.#connect(), wait * (0.5 + Math.random())); // spread, so that a restart is no stampede
  }
  #fire(type, ...detail) {
    this.dispatchEvent(new CustomEvent(type, { detail: detail.join(': ') }));
  }
}
