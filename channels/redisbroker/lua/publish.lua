-- publish returns where it has put an event: epoch and entry. KEYS[4] is the memory of a
-- publish whose answer was lost, KEYS[5] what is known of the partition. ARGV[6] is how
-- long, in ms, a call of the same publish may have been under way; 0: there was none. What
-- follows is there for a cached event: the epoch of a new place, how long it is kept while
-- nobody is there, and the event.
local deadline, age, cap, body, id = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4], ARGV[5]
local again, candidate, keep, ttl, name, data = ARGV[6] ~= '0', ARGV[7], ARGV[8], ARGV[9], ARGV[10], ARGV[11]
if deadline > 0 and now > deadline then return {'late'} end
local done = redis.call('GET', KEYS[4])
if done then return done end
local h = redis.call('HMGET', KEYS[1], 'e', 's', 'm', 'b', 'o')
if not h[1] then -- nobody is there, or the nodes have not said yet what Redis has forgotten
  local about = redis.call('HMGET', KEYS[5], 'id', 'fresh')
  if not about[1] or tonumber(about[2] or 0) > now then return {'settling'} end
  if not ttl then return {'none'} end
  h = {candidate, 0, 0, 0, 0}
end
local epoch, last, bytes, oldest = h[1], tonumber(h[3]), tonumber(h[4]), tonumber(h[5] or 0)
if again then -- is it there already?
  local to = '+'
  repeat
    local page = redis.call('XREVRANGE', KEYS[2], to, '-', 'COUNT', 50)
    for _, e in ipairs(page) do
      if e[2][4] == id then return epoch .. ' ' .. e[1] end
      to = '(' .. e[1]
    end
  until #page < 50 or tonumber(string.match(to, '%d+')) < now - ARGV[6]
end
local ms = math.max(last, now)
local s, m = num(h[2] + 1), num(ms)
local first, entry = append(epoch, s, m, body, id)
if first then
  bytes, oldest = 0, ms
end
bytes = trim(bytes + #body + 64, oldest, age, cap)
outlive(first, last, ms, age)
redis.call('HSET', KEYS[1], 's', s, 'm', m, 'b', num(bytes))
if ttl then
  redis.call('HSET', KEYS[1], 'e', epoch, 'cn', name, 'cd', data, 'cu', num(now + ttl))
  local sockets = redis.call('HMGET', KEYS[1], 't', 'w')
  if (sockets[1] or 0) + (sockets[2] or 0) == 0 then
    redis.call('PEXPIRE', KEYS[1], num(math.max(keep, ttl)))
  end
end
local at = epoch .. ' ' .. entry
if again then redis.call('SET', KEYS[4], at, 'PX', 60000) end
return at
