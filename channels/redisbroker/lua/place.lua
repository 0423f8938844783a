-- A place: KEYS[1] is its hash.
local P

local function load(candidate)
  local h = redis.call('HMGET', KEYS[1], 'e', 's', 'm', 'b', 'o', 't', 'k', 'w', 'r')
  local seq, ms = tonumber(h[2] or 0), tonumber(h[3] or 0)
  P = {
    new = not h[1], epoch = h[1] or candidate, emitted = 0,
    seq = seq, ms = ms, before = seq, beforems = ms, bytes = tonumber(h[4] or 0), oldest = tonumber(h[5] or 0),
    total = tonumber(h[6] or 0), counted = h[7] == '1', kept = tonumber(h[8] or 0), repairs = tonumber(h[9] or 0),
  }
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
