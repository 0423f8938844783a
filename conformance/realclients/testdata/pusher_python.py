"""Signs and sends as the official Python SDK (pusher 3.3) does, with nothing but the standard library.

    python3 pusher_python.py PUSHER_URL METHOD [ARGUMENT...]

Each argument is JSON; so is what is printed. Errors of the server end it with status 1 and the answer on stderr.

The SDK's habits, each a trap for a server:
  - body_md5 is sent and signed with GET requests, too: the digest of nothing
  - bodies and channel_data are json.dumps with its defaults: blanks after : and , and everything beyond ASCII escaped,
    while event data keeps such characters as they are
  - the query is sent exactly as it was signed, commas and all, and sorted with the signature in its place
  - GET requests have no Content-Type
  - the path that terminates a user's connections does not name the app
"""

import hashlib
import hmac
import http.client
import json
import sys
import time
from urllib.parse import urlsplit


class Pusher:
    def __init__(self, url):
        parts = urlsplit(url)
        self.key, self.secret = parts.username, parts.password
        self.host, self.port = parts.hostname, parts.port
        self.app = parts.path.rsplit("/", 1)[-1]

    def sign(self, text):
        return hmac.new(self.secret.encode(), text.encode(), hashlib.sha256).hexdigest()

    def request(self, method, path, params):
        headers = {"X-Pusher-Library": "pusher-http-python 3.3.3"}
        body, query = b"", dict(params)
        if method == "POST":
            body, query = json.dumps(params).encode(), {}
            headers["Content-Type"] = "application/json"
        query.update(
            auth_key=self.key,
            auth_timestamp="%.0f" % time.time(),
            auth_version="1.0",
            body_md5=hashlib.md5(body).hexdigest(),
        )
        query["auth_signature"] = self.sign("\n".join([method, path, query_string(query)]))
        connection = http.client.HTTPConnection(self.host, self.port, timeout=10)
        connection.request(method, path + "?" + query_string(query), body or None, headers)
        response = connection.getresponse()
        text = response.read().decode()
        if response.status not in (200, 202):
            sys.exit("%s: %s" % (response.status, text))
        return json.loads(text)

    def app_request(self, method, path, params):
        return self.request(method, "/apps/%s%s" % (self.app, path), params)

    def trigger(self, channels, name, data, socket_id=None):
        params = {"name": name, "channels": channels, "data": data_to_string(data)}
        if socket_id:
            params["socket_id"] = socket_id
        return self.app_request("POST", "/events", params)

    def trigger_batch(self, batch):
        events = [dict(event, data=data_to_string(event["data"])) for event in batch]
        return self.app_request("POST", "/batch_events", {"batch": events})

    def channels_info(self, prefix, attributes):
        params = {"filter_by_prefix": prefix}
        if attributes:
            params["info"] = ",".join(attributes)
        return self.app_request("GET", "/channels", params)

    def channel_info(self, channel, attributes):
        return self.app_request("GET", "/channels/" + channel, {"info": ",".join(attributes)})

    def users_info(self, channel):
        return self.app_request("GET", "/channels/%s/users" % channel, {})

    def authenticate(self, channel, socket_id, custom_data=None):
        text, answer = "%s:%s" % (socket_id, channel), {}
        if custom_data:
            answer["channel_data"] = json.dumps(custom_data)
            text += ":" + answer["channel_data"]
        answer["auth"] = "%s:%s" % (self.key, self.sign(text))
        return answer

    def authenticate_user(self, socket_id, user_data):
        encoded = json.dumps(user_data)
        auth = "%s:%s" % (self.key, self.sign("%s::user::%s" % (socket_id, encoded)))
        return {"auth": auth, "user_data": encoded}

    def terminate_user_connections(self, user_id):
        return self.request("POST", "/users/%s/terminate_connections" % user_id, {})


def query_string(params):
    return "&".join("%s=%s" % pair for pair in sorted(params.items()))


def data_to_string(data):
    return data if isinstance(data, str) else json.dumps(data, ensure_ascii=False)


if __name__ == "__main__":
    url, method, *arguments = sys.argv[1:]
    json.dump(getattr(Pusher(url), method)(*map(json.loads, arguments)), sys.stdout)
