// Puts down what the real pusher-js hears, for the test that opened the page: lines[channel] is a list of texts.

const query = new URLSearchParams(location.search);
const port = Number(query.get('port'));

const pusher = new Pusher(query.get('key'), {
  cluster: '',
  wsHost: query.get('host'),
  wsPort: port,
  wssPort: port,
  forceTLS: false,
  enabledTransports: ['ws', 'wss'],
  channelAuthorization: { endpoint: 'auth', transport: 'ajax', params: { user: query.get('user') } },
});

const lines = {};
for (const name of ['orders', 'private-orders', 'presence-room']) {
  lines[name] = [];
  pusher.subscribe(name).bind_global((event, data) => {
    if (event === 'pusher:subscription_count') return; // comes when others come and go
    lines[name].push(`${event} ${JSON.stringify(data?.members ?? data)}`);
    document.getElementById('lines').textContent = JSON.stringify(lines, null, 2);
  });
}
