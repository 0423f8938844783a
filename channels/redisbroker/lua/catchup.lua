-- catchup returns what came after a position, or the state where that is not known. To
-- whom checks it returns the state as well, once nothing is missing before it. KEYS[13]
-- says whether the nodes are still telling Redis what it lost. Where a master was lost with
-- the last of what it had told, another goes on from before that: then catchup returns the
-- last entry that both have.
local epoch, seq, ms, count, checks = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4]), ARGV[5] == '1'
load('')
if P.new then return {'none'} end
local settle = math.max(tonumber(redis.call('HGET', KEYS[13], 'settle') or 0) - now, 0)
local function fill(entries)
  local answer = {'fill', num(P.seq), num(P.repairs), entries}
  if checks and seq + #entries == P.seq then
    answer[5], answer[6] = num(settle), state()
  end
  return answer
end
if epoch == P.epoch then
  if seq == P.seq and ms == P.ms then return fill({}) end
  local at = num(ms) .. '-' .. num(seq)
  if seq < P.seq then
    if #redis.call('XRANGE', KEYS[2], at, at) == 1 then
      return fill(redis.call('XRANGE', KEYS[2], '(' .. at, '+', 'COUNT', count))
    end
    local first = redis.call('XRANGE', KEYS[2], '-', '+', 'COUNT', 1)
    if #first == 1 and tonumber(string.match(first[1][1], '%d+$')) == seq + 1 then
      return fill(redis.call('XRANGE', KEYS[2], '-', '+', 'COUNT', count))
    end
  end
  local both = seq > 0 and redis.call('XREVRANGE', KEYS[2], '(' .. at, '-', 'COUNT', 1) or {}
  if #both == 1 then return {'forked', num(settle), both[1][1]} end
end
return {'gap', num(settle), state()}
