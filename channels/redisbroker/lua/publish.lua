-- publish: KEYS[4] is the memory of a publish whose answer was lost, KEYS[5] what is
-- known of the partition.
local deadline, keep, id, ttl = tonumber(ARGV[1]), tonumber(ARGV[5]), ARGV[7], tonumber(ARGV[9])
if deadline > 0 and now > deadline then return {'late'} end
local done = redis.call('GET', KEYS[4])
if done then return {'ok', done} end
load(ARGV[2])
if ARGV[8] == '1' then -- again: is it there already? No call is under way for longer than ARGV[12] ms
  local to, oldest = '+', now - tonumber(ARGV[12])
  repeat
    local page = redis.call('XREVRANGE', KEYS[2], to, '-', 'COUNT', 50)
    for _, e in ipairs(page) do
      if e[2][4] == id then
        return {'ok', P.epoch .. ' ' .. e[1]}
      end
      to = '(' .. e[1]
    end
  until #page < 50 or tonumber(string.match(to, '%d+')) < oldest
end
if P.new then -- nobody is there, or the nodes have not said yet what Redis has forgotten
  local about = redis.call('HMGET', KEYS[5], 'id', 'fresh')
  if not about[1] or tonumber(about[2] or 0) > now then return {'settling'} end
  if ttl == 0 then return {'none'} end
end
if ttl > 0 then
  redis.call('HSET', KEYS[1], 'cn', ARGV[10], 'cd', ARGV[11], 'cu', num(now + ttl))
end
emit(ARGV[6], id)
save(tonumber(ARGV[3]), tonumber(ARGV[4]))
if sockets() == 0 and (P.new or ttl > 0) then rest(keep) end
local at = P.epoch .. ' ' .. num(P.ms) .. '-' .. num(P.seq)
if ARGV[8] == '1' then redis.call('SET', KEYS[4], at, 'PX', 60000) end
return {'ok', at}
