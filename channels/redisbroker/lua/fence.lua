-- fence ends a lease that has run out, or that its own node gives up, and claims what
-- is left of the node for a time: whoever gets a 1 takes its sockets off, now or later.
local name, claim, own = ARGV[1], tonumber(ARGV[2]), ARGV[3] == '1'
local score = redis.call('ZSCORE', KEYS[1], name)
if score then
  if not own and tonumber(score) >= now then return 0 end
  redis.call('ZREM', KEYS[1], name)
  redis.call('ZADD', KEYS[2], now, name)
  redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', num(now - 86400000))
else
  local claimed = redis.call('ZSCORE', KEYS[3], name)
  if not claimed or tonumber(claimed) >= now then return 0 end
end
redis.call('ZADD', KEYS[3], now + claim, name)
return 1
