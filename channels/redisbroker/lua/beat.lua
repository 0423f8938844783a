-- beat renews a node's lease in one partition, or says that it has none. KEYS[1] are
-- the leases, KEYS[2] what is known of the partition, KEYS[3] the dead nodes whose
-- sockets are being taken off, KEYS[4] those whose lease was ended, of late: a node
-- that has no lease and is none of them was forgotten.
local name, lease, candidate, known, register = ARGV[1], tonumber(ARGV[2]), ARGV[3], ARGV[4], ARGV[5] == '1'
local id, lost = redis.call('HGET', KEYS[2], 'id'), false
if not id then
  id, lost = candidate, known ~= ''
  redis.call('HSET', KEYS[2], 'id', id)
elseif known ~= '' and known ~= id then
  lost = true
end
if lost then redis.call('HSET', KEYS[2], 'fresh', num(now + lease)) end -- it had everything, and has nothing
local run = string.match(redis.call('INFO', 'server'), 'run_id:(%x+)') or ''
local ran = redis.call('HGET', KEYS[2], 'run')
if run ~= ran then -- another process: it may have lost the last second, or all
  redis.call('HSET', KEYS[2], 'run', run)
  lost = lost or ran ~= false
end
if lost then redis.call('HSET', KEYS[2], 'settle', num(now + lease)) end
local status = 'ok'
if register or redis.call('ZSCORE', KEYS[1], name) then
  redis.call('ZADD', KEYS[1], now + lease, name)
elseif redis.call('ZSCORE', KEYS[4], name) then
  status = 'fenced'
else
  status = 'forgotten'
end
-- When the next lease runs out, or somebody is to be cleared away, so that it is seen in time.
local left = lease
for i = 1, 3, 2 do
  local next = redis.call('ZRANGE', KEYS[i], num(now), '+inf', 'BYSCORE', 'LIMIT', 0, 1, 'WITHSCORES')
  if next[2] then left = math.min(left, tonumber(next[2]) - now) end
end
return {status, id, num(now), run, num(left),
  redis.call('ZRANGE', KEYS[1], '-inf', '(' .. num(now), 'BYSCORE', 'LIMIT', 0, 8),
  redis.call('ZRANGE', KEYS[3], '-inf', '(' .. num(now), 'BYSCORE', 'LIMIT', 0, 8)}
