// An application in Node, without a framework, that says who its users are and which channels they may join.
//
//     HARK_SECRET=... node backend.mjs 8080
//
// Hark asks it at the URL that hark.yaml names as callback. Every question is signed like a Pusher webhook, with the
// secret of the app: it comes from the environment here.
import { createHmac, timingSafeEqual } from 'node:crypto';
import { createServer } from 'node:http';

const secret = process.env.HARK_SECRET;
if (!secret) throw new Error('HARK_SECRET is not set');

// The application's own data: sessions, and who owns which order.
const users = {
  'ada-session': { id: '7', info: { name: 'Ada' }, roles: ['editor'] },
  'bob-session': { id: '9', info: { name: 'Bob' }, roles: [] },
};
const orders = { 'A/1': '7', 'A/2': '9' };

// policies answer one question each: may this user (null: a guest) be on the channel?
const policies = {
  // Hark asks again after 15 minutes, and may answer itself for 30 seconds.
  'private-order.{id}': (user, { id }) => ({ allow: user !== null && orders[id] === user.id, ttl: 900, cache: 30 }),
  'presence-office': (user) => ({ allow: user !== null, info: { desk: 'window' } }),
};
const mayJoin = (user, { pattern, params }) => policies[pattern]?.(user, params) ?? { allow: false };

const kinds = {
  // The cookie or the token is what the client sent to Hark.
  authenticate(question, headers) {
    const session = headers.authorization?.slice('Bearer '.length) ?? /(?:^|; )session=([^;]*)/.exec(headers.cookie ?? '')?.[1];
    if (!session) return [200, { user: null }]; // a guest
    return users[session] ? [200, { user: users[session] }] : [401, {}];
  },
  authorize: (question) => [200, mayJoin(question.user, question)],
  // What one page asks for at once.
  authorize_many: ({ user, channels }) => [
    200, { decisions: Object.fromEntries(channels.map((asked) => [asked.channel, mayJoin(user, asked)])) },
  ],
};

function reply(body, headers) {
  const signature = Buffer.from(headers['x-pusher-signature'] ?? '');
  const expected = Buffer.from(createHmac('sha256', secret).update(body).digest('hex'));
  if (signature.length !== expected.length || !timingSafeEqual(signature, expected)) return [401, { error: 'not signed by Hark' }];
  const question = JSON.parse(body);
  if (Math.abs(Date.now() - question.time_ms) > 300_000) return [401, { error: 'an old question' }];
  return kinds[question.kind]?.(question, headers) ?? [404, { error: `unknown kind ${question.kind}` }];
}

createServer(async (request, response) => {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  let [status, body] = [500, {}]; // which opens nothing
  try {
    [status, body] = reply(Buffer.concat(chunks), request.headers);
  } catch (error) {
    console.error(error);
  }
  response.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(body));
}).listen(Number(process.argv[2]), '127.0.0.1', function () {
  console.log(`started: http://127.0.0.1:${this.address().port}`);
});
