// Puts down what the real pusher-js hears when its user has signed in: lines[where] is a list of texts.

const query = new URLSearchParams(location.search);
const port = Number(query.get('port'));
const params = { user: query.get('user'), watch: query.get('watch') ?? '' };

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

for (const name of ['cache-prices', 'private-encrypted-mail', 'counted']) {
  pusher.subscribe(name).bind_global((event, data) => {
    if ((event === 'pusher:subscription_count') === (name === 'counted')) put(name, event, data);
  });
}
pusher.user.bind_global((event, data) => put('user', event, data));
for (const event of ['online', 'offline']) {
  pusher.user.watchlist.bind(event, ({ user_ids: ids }) => put('watchlist', event, ids));
}
pusher.signin();
