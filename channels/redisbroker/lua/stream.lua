-- What happened on a place: KEYS[1] is its hash, KEYS[2] its stream, KEYS[3] its pub/sub
-- channel.

-- append keeps body at a position and hands it to all nodes. It returns whether that is
-- the first of the stream, and the entry's id.
local function append(epoch, seq, ms, body, id)
  local at = ms .. '-' .. seq
  if seq == '1' then redis.call('DEL', KEYS[2]) end -- what is there is of an epoch that was forgotten
  local first = not redis.call('XADD', KEYS[2], 'NOMKSTREAM', at, 'e', body, 'i', id)
  if first then
    redis.call('XADD', KEYS[2], at, 'e', body, 'i', id)
    redis.call('HSET', KEYS[1], 'o', ms)
  end
  redis.call('SPUBLISH', KEYS[3], 'p' .. epoch .. ' ' .. seq .. ' ' .. ms .. ' ' .. body)
  return first, at
end

-- trim lets go of what is older than age ms, and of what is more than cap bytes,
-- but for the last entry: some more of it each time, so that not every event has to
-- look, and a bounded amount. It returns how many bytes are left.
local function trim(bytes, oldest, age, cap)
  if bytes <= cap and oldest >= now - age - 1000 then return bytes end
  if bytes > cap then cap = cap - cap / 16 end
  for _ = 1, 32 do
    local old = redis.call('XRANGE', KEYS[2], '-', '+', 'COUNT', 9)
    local n = 0
    repeat
      n = n + 1
      oldest = tonumber(string.match(old[n][1], '^%d+'))
      local kept = n == #old or bytes <= cap and oldest >= now - age
      if not kept then bytes = bytes - #old[n][2][2] - 64 end
    until kept
    if n > 1 then redis.call('XTRIM', KEYS[2], 'MINID', old[n][1]) end
    if n < 9 or bytes <= cap and oldest >= now - age - 1000 then break end
  end
  redis.call('HSET', KEYS[1], 'o', num(oldest))
  return bytes
end

-- outlive has the stream be there for age ms after its last entry, and 5 to 10 s more:
-- the first entry in 5 s says so for those that follow in them.
local function outlive(first, last, ms, age)
  if first or ms - ms % 5000 > last then
    redis.call('PEXPIREAT', KEYS[2], num(ms + age + 10000))
  end
end
