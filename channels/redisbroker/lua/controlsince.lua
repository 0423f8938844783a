-- controlsince returns the commands after a number, or each app's last where that is
-- not known. The highest number that a node knows is taken over, for a Redis that has
-- lost what it had.
local since = tonumber(ARGV[1])
local last = tonumber(redis.call('HGET', KEYS[1], 's') or 0)
if since > last then
  redis.call('HSET', KEYS[1], 's', num(since))
  last = since
end
if since == last then return {'fill', num(last), {}} end
if ARGV[3] ~= '1' then
  local first = redis.call('XRANGE', KEYS[2], '(' .. num(since) .. '-0', '+', 'COUNT', 1)
  if #first == 1 and tonumber(first[1][2][8]) == since then
    return {'fill', num(last), redis.call('XRANGE', KEYS[2], '(' .. num(since) .. '-0', '+', 'COUNT', ARGV[2])}
  end
end
return {'gap', num(last), redis.call('HGETALL', KEYS[4])}
