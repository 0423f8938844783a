-- catchup returns what came after a position, or the state where that is not known.
-- KEYS[13] says whether the nodes are still telling Redis what it lost.
local epoch, seq, ms, count = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
load('')
if P.new then return {'none'} end
if epoch == P.epoch then
  if seq == P.seq and ms == P.ms then return {'fill', num(P.seq), {}} end
  if seq < P.seq then
    local at = num(ms) .. '-' .. num(seq)
    if #redis.call('XRANGE', KEYS[2], at, at) == 1 then
      return {'fill', num(P.seq), redis.call('XRANGE', KEYS[2], '(' .. at, '+', 'COUNT', count)}
    end
    local first = redis.call('XRANGE', KEYS[2], '-', '+', 'COUNT', 1)
    if #first == 1 and tonumber(string.match(first[1][1], '%d+$')) == seq + 1 then
      return {'fill', num(P.seq), redis.call('XRANGE', KEYS[2], '-', '+', 'COUNT', count)}
    end
  end
end
local settle = tonumber(redis.call('HGET', KEYS[13], 'settle') or 0) - now
return {'gap', num(math.max(settle, 0)), state()}
