-- sync says how many sockets and which users a node has on a place. KEYS[4] are the
-- leases, KEYS[9] the node's users there, KEYS[10] the places it is on, KEYS[11] the
-- app's occupied channels.
local name, deadline, age, cap, keep = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local version, count, counted = tonumber(ARGV[7]), tonumber(ARGV[8]), ARGV[9] == '1'
local whole, silent, doubt = ARGV[10] == '1', ARGV[11] == '1', ARGV[12] == '1'
local app, channel, most, keeps = ARGV[13], ARGV[14], ARGV[15], tonumber(ARGV[16])
if not redis.call('ZSCORE', KEYS[4], name) then return {'fenced'} end
local had, kept, old = 0, 0, redis.call('HGET', KEYS[5], name)
if old then
  local v, c, k = string.match(old, '(%d+):(%d+)(k?)')
  if tonumber(v) > version then return {'late'} end
  had, kept = tonumber(c), #k
end
if deadline > 0 and now > deadline then return {'late'} end
load(ARGV[3])
P.counted = P.counted or counted

-- While the nodes are still telling Redis what it lost it cannot say who comes or goes:
-- that has to wait. A further socket, of which nobody is told anything, need not; and
-- what Redis has lost is added, while who is missing is held, since nodes have yet to
-- tell on which of them they are.
local function news()
  return #ARGV > 16 or P.counted or (had + kept > 0) ~= (count + keeps > 0) or redis.call('EXISTS', KEYS[9]) == 1
end
local settle = tonumber(redis.call('HGET', KEYS[13], 'settle') or 0) - now
if settle > 0 and not silent and news() then return {'settling', num(settle)} end

local results, listed, repaired, held = {}, {}, false, false
local function add(user, info, body)
  if redis.call('SADD', KEYS[9], user) == 0 then return end
  repaired = silent
  if redis.call('HINCRBY', KEYS[6], user, 1) > 1 then return end
  redis.call('HSET', KEYS[7], user, info)
  redis.call('ZADD', KEYS[8], P.seq + 1 + (silent and redis.call('HLEN', KEYS[6]) / 1000000 or 0), user)
  if silent then return end
  emit(body, '')
  note(app, channel, 'member_added', user, most)
end

local i = 17
while i <= #ARGV do
  if ARGV[i] == 'L' then
    if redis.call('SREM', KEYS[9], ARGV[i + 1]) == 1 then
      removed(ARGV[i + 1], app, channel, most)
    end
    i = i + 2
  else -- 'E', most users, n, and of each its id, its info and what tells of it
    local bound, n, come = tonumber(ARGV[i + 1]), tonumber(ARGV[i + 2]), 0
    local first, last = i + 3, i + 3 * n
    if bound > 0 then
      for j = first, last, 3 do
        if redis.call('HEXISTS', KEYS[6], ARGV[j]) == 0 then come = come + 1 end
      end
    end
    if come > 0 and redis.call('HLEN', KEYS[6]) + come > bound then
      results[#results + 1] = '0'
      count = count - tonumber(ARGV[last + 3])
    else
      results[#results + 1] = '1'
      for j = first, last, 3 do
        add(ARGV[j], ARGV[j + 1], ARGV[j + 2])
        listed[ARGV[j]] = true
      end
    end
    i = last + 4
  end
end
if whole then
  for _, user in ipairs(redis.call('SMEMBERS', KEYS[9])) do
    if not listed[user] and settle > 0 then
      held = true
    elseif not listed[user] then
      redis.call('SREM', KEYS[9], user)
      removed(user, app, channel, most)
    end
  end
end

if settle <= 0 then
  if had + kept > 0 then silent = false end -- not forgotten, so what has changed is news
elseif silent and (P.counted or count + keeps == 0) then
  held = held or count < had or keeps < kept
  count, keeps = math.max(count, had), math.max(keeps, kept)
end
repaired = repaired or silent and P.counted and count ~= had
if count + keeps > 0 then
  redis.call('HSET', KEYS[5], name, num(version) .. ':' .. num(count) .. string.rep('k', keeps))
  redis.call('SADD', KEYS[10], app .. ' ' .. channel)
else
  redis.call('SREM', KEYS[10], app .. ' ' .. channel)
  if doubt then -- an earlier call may still arrive
    redis.call('HSET', KEYS[5], name, num(version) .. ':0')
  else
    redis.call('HDEL', KEYS[5], name)
  end
end
tally(P.total + count - had, P.kept + keeps - kept, app, channel, most, silent)
if sockets() == 0 and P.new and P.emitted == 0 then
  redis.call('PEXPIRE', KEYS[5], keep)
  return {'ok', '0', '0', table.concat(results), {P.epoch, '0', '0', '0', '', '', '0', '0'}, '0'}
end
if repaired then
  P.repairs = P.repairs + 1
  redis.call('SPUBLISH', KEYS[3], 'r' .. num(P.repairs))
end
save(age, cap)
if sockets() == 0 then
  rest(keep)
  redis.call('PEXPIRE', KEYS[5], keep)
end
return {'ok', num(P.before), num(P.beforems), table.concat(results), state(), held and num(settle) or '0'}
