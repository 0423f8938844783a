-- state is what a node is told of a place. KEYS[7] is what the others see of each user,
-- KEYS[8] the order in which they came.
local function state()
  local cn, cd, left = cached()
  local s = {P.epoch, num(P.seq), num(P.ms), num(sockets()), cn, cd, num(left), num(P.repairs)}
  local users = redis.call('ZRANGE', KEYS[8], 0, -1)
  for from = 1, #users, 1000 do
    local infos = redis.call('HMGET', KEYS[7], unpack(users, from, math.min(from + 999, #users)))
    for i, info in ipairs(infos) do
      s[#s + 1] = users[from + i - 1]
      s[#s + 1] = info or ''
    end
  end
  return s
end
