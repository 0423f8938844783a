-- control orders a command to all nodes. KEYS[1] is what is known of the commands,
-- KEYS[2] their stream, KEYS[3] their pub/sub channel, KEYS[4] each app's last one,
-- KEYS[5] the memory of a command whose answer was lost. Numbers are of the clock, in
-- microseconds, so that they increase whatever is lost.
local deadline, app, body, id, again = tonumber(ARGV[1]), ARGV[2], ARGV[3], ARGV[4], ARGV[5] ~= '0'
if deadline > 0 and now > deadline then return {'late'} end
local done = redis.call('GET', KEYS[5])
if done then return {'ok', done} end
if again then
  for _, e in ipairs(redis.call('XREVRANGE', KEYS[2], '+', '-', 'COUNT', 200)) do
    if e[2][6] == id then return {'ok', (string.match(e[1], '^%d+'))} end
  end
end
local last = tonumber(redis.call('HGET', KEYS[1], 's') or 0)
local seq = num(math.max(last + 1, time[1] * 1000000 + time[2]))
redis.call('HSET', KEYS[1], 's', seq)
redis.call('HSET', KEYS[4], app, seq)
redis.call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[6], seq .. '-0', 'a', app, 'e', body, 'i', id, 'p', num(last))
redis.call('XTRIM', KEYS[2], 'MINID', '~', num(time[1] * 1000000 + time[2] - tonumber(ARGV[7]) * 1000))
redis.call('SPUBLISH', KEYS[3], 'c' .. seq .. ' ' .. num(last) .. ' ' .. #app .. ':' .. app .. body)
if again then redis.call('SET', KEYS[5], seq, 'PX', 60000) end
return {'ok', seq}
