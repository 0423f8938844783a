-- A place: KEYS[1] is its hash, KEYS[2] its stream, KEYS[3] its pub/sub channel.
local P = {emitted = 0}

local function load(candidate)
  local h = redis.call('HMGET', KEYS[1], 'e', 's', 'm', 'b', 'o', 't', 'k', 'w', 'r')
  P.new = not h[1]
  P.epoch = h[1] or candidate
  P.seq, P.ms = tonumber(h[2] or 0), tonumber(h[3] or 0)
  P.bytes, P.oldest = tonumber(h[4] or 0), tonumber(h[5] or 0)
  P.total, P.counted, P.kept = tonumber(h[6] or 0), h[7] == '1', tonumber(h[8] or 0)
  P.repairs = tonumber(h[9] or 0)
  P.before, P.beforems = P.seq, P.ms
end

-- emit gives body the next position, keeps it and hands it to all nodes.
local function emit(body, id)
  if P.emitted == 0 and redis.call('EXISTS', KEYS[2]) == 0 then
    P.bytes, P.oldest = 0, 0
  end
  P.emitted = P.emitted + 1
  P.seq = P.seq + 1
  P.ms = math.max(P.ms, now)
  local at = num(P.ms) .. '-' .. num(P.seq)
  redis.call('XADD', KEYS[2], at, 'e', body, 'i', id)
  P.bytes = P.bytes + #body + 64
  if P.oldest == 0 then P.oldest = P.ms end
  redis.call('SPUBLISH', KEYS[3], 'p' .. P.epoch .. ' ' .. num(P.seq) .. ' ' .. num(P.ms) .. ' ' .. body)
end

-- trim lets go of what is older than age ms, and of what is more than cap bytes,
-- but for the last entry: some more of it each time, so that not every event has to
-- look, and a bounded amount.
local function trim(age, cap)
  if P.bytes <= cap and P.oldest >= now - age - 1000 then return end
  if P.bytes > cap then cap = cap - cap / 16 end
  for _ = 1, 8 do
    local old = redis.call('XRANGE', KEYS[2], '-', '+', 'COUNT', 33)
    local n = 0
    for i = 1, math.min(#old - 1, 32) do
      local ms = tonumber(string.match(old[i][1], '^%d+'))
      if P.bytes <= cap and ms >= now - age then break end
      P.bytes = P.bytes - #old[i][2][2] - 64
      n = i
    end
    if #old > 0 then
      P.oldest = tonumber(string.match(old[n + 1][1], '^%d+'))
    end
    if n > 0 then redis.call('XTRIM', KEYS[2], 'MINID', old[n + 1][1]) end
    if n < 32 then return end
  end
end

local function save(age, cap)
  if P.emitted > 0 then
    trim(age, cap)
    redis.call('PEXPIRE', KEYS[2], age + 10000)
  end
  redis.call('HSET', KEYS[1], 'e', P.epoch, 's', num(P.seq), 'm', num(P.ms), 'b', num(P.bytes),
    'o', num(P.oldest), 't', num(P.total), 'k', P.counted and '1' or '0', 'w', num(P.kept),
    'r', num(P.repairs))
end

-- sockets returns how many there are, as far as anybody is told: one at least where
-- nodes that end have sent the last ones away, since they are expected elsewhere.
local function sockets() return math.max(P.total, math.min(P.kept, 1)) end

-- cached returns the name, the data and the rest of the life of the cached event.
local function cached()
  local c = redis.call('HMGET', KEYS[1], 'cn', 'cd', 'cu')
  if not c[3] then return '', '', 0 end
  local left = tonumber(c[3]) - now
  if left <= 0 then
    return '', '', 0
  end
  return c[1], c[2], left
end

-- rest keeps what nobody is on for a while: positions go on if somebody comes back.
local function rest(keep)
  local _, _, left = cached()
  redis.call('PEXPIRE', KEYS[1], num(math.max(keep, left)))
end
