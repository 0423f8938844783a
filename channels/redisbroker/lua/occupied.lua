-- occupied lists a page of an app's occupied channels. KEYS[1] are their names,
-- KEYS[2] is what is known of the partition. All keys of a partition are in one slot:
-- ARGV[3] and ARGV[4] begin those of a place's hash and of its users.
if tonumber(redis.call('HGET', KEYS[2], 'settle') or 0) > now then return {'settling'} end
local names = redis.call('ZRANGE', KEYS[1], ARGV[1], ARGV[2], 'BYLEX', 'LIMIT', 0, ARGV[5])
local list = {}
for _, name in ipairs(names) do
  local h = redis.call('HMGET', ARGV[3] .. name, 't', 'cn', 'cd', 'cu', 'w')
  local left = tonumber(h[4] or 0) - now
  list[#list + 1] = name
  list[#list + 1] = num(math.max(tonumber(h[1] or 0), math.min(tonumber(h[5] or 0), 1)))
  list[#list + 1] = num(redis.call('HLEN', ARGV[4] .. name))
  list[#list + 1] = left > 0 and h[2] or ''
  list[#list + 1] = left > 0 and h[3] or ''
  list[#list + 1] = num(math.max(left, 0))
end
return {'ok', list}
