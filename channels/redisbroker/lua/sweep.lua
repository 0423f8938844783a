-- sweep takes some of a dead node's users off a place, and at last its sockets. The
-- keys are those of sync.
local name, age, cap, keep, limit = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local app, channel, most = ARGV[6], ARGV[7], ARGV[8]
if redis.call('ZSCORE', KEYS[4], name) then return {'alive'} end
if tonumber(redis.call('HGET', KEYS[13], 'settle') or 0) > now then return {'settling'} end -- who is on other nodes, too?
load('0')
for _, user in ipairs(redis.call('SPOP', KEYS[9], limit)) do
  removed(user, app, channel, most)
end
local left = redis.call('SCARD', KEYS[9])
if left == 0 then
  local old = redis.call('HGET', KEYS[5], name)
  redis.call('HDEL', KEYS[5], name)
  redis.call('SREM', KEYS[10], app .. ' ' .. channel)
  if old and not P.new then
    local count, kept = string.match(old, '(%d+)(k?)$')
    tally(P.total - tonumber(count), P.kept - #kept, app, channel, most, false)
  end
end
if not P.new then
  save(age, cap)
  if sockets() == 0 then rest(keep) end
end
return {'ok', num(left)}
