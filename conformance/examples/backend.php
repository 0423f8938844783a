<?php
// An application in plain PHP that says who its users are and which channels they may join.
//
//     HARK_SECRET=... php -S 127.0.0.1:8080 backend.php
//
// Hark asks it at the URL that hark.yaml names as callback. Every question is signed like a Pusher webhook, with the
// secret of the app: it comes from the environment here.

// The application's own data: sessions, and who owns which order.
const USERS = [
    'ada-session' => ['id' => '7', 'info' => ['name' => 'Ada'], 'roles' => ['editor']],
    'bob-session' => ['id' => '9', 'info' => ['name' => 'Bob'], 'roles' => []],
];
const ORDERS = ['A/1' => '7', 'A/2' => '9'];

function answer(int $status, array $body = []): never
{
    http_response_code($status);
    header('Content-Type: application/json');
    echo json_encode((object) $body);
    exit;
}

// mayJoin answers one question: may this user (null: a guest) be on the channel?
function mayJoin(?array $user, string $pattern, array $params): array
{
    return match ($pattern) {
        // Hark asks again after 15 minutes, and may answer itself for 30 seconds.
        'private-order.{id}' => ['allow' => $user !== null && (ORDERS[$params['id']] ?? null) === $user['id'],
            'ttl' => 900, 'cache' => 30],
        'presence-office' => ['allow' => $user !== null, 'info' => ['desk' => 'window']],
        default => ['allow' => false],
    };
}

$body = file_get_contents('php://input');
$secret = getenv('HARK_SECRET') ?: throw new RuntimeException('HARK_SECRET is not set');
if (!hash_equals(hash_hmac('sha256', $body, $secret), $_SERVER['HTTP_X_PUSHER_SIGNATURE'] ?? '')) {
    answer(401, ['error' => 'not signed by Hark']);
}
$question = json_decode($body, true, 16, JSON_THROW_ON_ERROR);
if (abs(microtime(true) * 1000 - $question['time_ms']) > 300_000) {
    answer(401, ['error' => 'an old question']);
}

switch ($question['kind']) {
    case 'authenticate': // the cookie or the token is what the client sent to Hark
        $session = $_COOKIE['session'] ?? substr($_SERVER['HTTP_AUTHORIZATION'] ?? '', strlen('Bearer '));
        if ($session === '') {
            answer(200, ['user' => null]); // a guest
        }
        isset(USERS[$session]) ? answer(200, ['user' => USERS[$session]]) : answer(401);
    case 'authorize':
        answer(200, mayJoin($question['user'] ?? null, $question['pattern'], $question['params']));
    case 'authorize_many': // what one page asks for at once
        $decisions = [];
        foreach ($question['channels'] as $asked) {
            $decisions[$asked['channel']] = mayJoin($question['user'] ?? null, $asked['pattern'], $asked['params']);
        }
        answer(200, ['decisions' => (object) $decisions]);
    default:
        answer(404, ['error' => 'unknown kind ' . $question['kind']]);
}
