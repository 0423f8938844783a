// Puts down what the real pusher-js hears when its user has signed in: lines[where] is a list of texts.

const query = new URLSearchParams(location.search);
const port = Number(query.get('port'));
// The backend signs presence channels of a page that signs in without channel_data.
const params = { user: query.get('user'), watch: query.get('watch') ?? '', signin: 'yes' };

const pusher = new Pusher(query.get('key'), {
  cluster: '',
  wsHost: query.get('host'),
  wsPort: port,
  wssPort: port,
  forceTLS: false,
  enabledTransports: ['ws', 'wss'],
  channelAuthorization: { endpoint: 'auth', transport: 'ajax', params },
  userAuthentication: { endpoint: 'user-auth', transport: 'ajax', params },
});

const lines = {};
function put(where, event, data) {
  (lines[where] ??= []).push(`${event} ${JSON.stringify(data)}`);
  document.getElementById('lines').textContent = JSON.stringify(lines, null, 2);
}

for (const name of ['cache-prices', 'private-encrypted-mail', 'private-encrypted-cache-mail', 'presence-room', 'counted']) {
  pusher.subscribe(name).bind_global((event, data) => {
    if ((event === 'pusher:subscription_count') !== (name === 'counted')) return;
    put(name, event, data?.members ?? data);
  });
}
pusher.user.bind_global((event, data) => put('user', event, data));
for (const event of ['online', 'offline']) {
  pusher.user.watchlist.bind(event, ({ user_ids: ids }) => put('watchlist', event, ids));
}
pusher.connection.bind('error', ({ error, data }) => put('errors', 'error', (error?.data ?? data).code));
pusher.connection.bind('state_change', ({ current }) => put('states', 'state', current));
pusher.signin();
