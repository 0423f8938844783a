-- What changes on a place.

-- emit gives body the next position.
local function emit(body, id)
  P.emitted = P.emitted + 1
  P.seq, P.ms = P.seq + 1, math.max(P.ms, now)
  if append(P.epoch, num(P.seq), num(P.ms), body, id) then
    P.first, P.bytes, P.oldest = true, 0, P.ms
  end
  P.bytes = P.bytes + #body + 64
end

local function save(age, cap)
  if P.emitted > 0 then
    P.bytes = trim(P.bytes, P.oldest, age, cap)
    outlive(P.first, P.beforems, P.ms, age)
  end
  redis.call('HSET', KEYS[1], 'e', P.epoch, 's', num(P.seq), 'm', num(P.ms), 'b', num(P.bytes),
    't', num(P.total), 'k', P.counted and '1' or '0', 'w', num(P.kept), 'r', num(P.repairs))
end

-- rest keeps what nobody is on for a while: positions go on if somebody comes back.
local function rest(keep)
  local _, _, left = cached()
  redis.call('PEXPIRE', KEYS[1], num(math.max(keep, left)))
end
