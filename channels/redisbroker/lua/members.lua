-- Who comes and goes: KEYS[5] how many sockets each node has on the place, KEYS[6] on how
-- many nodes each user is, KEYS[7] what the others see of them, KEYS[8] the order in
-- which they came, KEYS[11] the app's occupied channels, KEYS[12] the stream of notes.
local function note(app, channel, what, user, most)
  redis.call('XADD', KEYS[12], 'MAXLEN', '~', most, '*', 'app', app, 'channel', channel, 'event', what,
    'user', user, 'epoch', P.epoch, 'seq', num(P.seq))
end

local function field(tag, s) return tag .. #s .. ':' .. s end

-- removed takes a user off one node: that of the last is told.
local function removed(user, app, channel, most)
  if redis.call('HINCRBY', KEYS[6], user, -1) > 0 then return end
  redis.call('HDEL', KEYS[6], user)
  redis.call('HDEL', KEYS[7], user)
  redis.call('ZREM', KEYS[8], user)
  emit('1M' .. field('r', user), '')
  note(app, channel, 'member_removed', user, most)
end

-- tally sets how many sockets there are in all, and how many nodes keep the place,
-- which nodes and webhooks are told.
local function tally(total, kept, app, channel, most, silent)
  local was = sockets()
  P.total, P.kept = total, kept
  local is = sockets()
  if is ~= was and P.counted and not silent then
    emit('1C' .. field('c', num(is)), '')
  end
  if was == 0 and is > 0 then
    redis.call('ZADD', KEYS[11], 0, channel)
    redis.call('PERSIST', KEYS[1])
    if redis.call('EXISTS', KEYS[5]) == 1 then redis.call('PERSIST', KEYS[5]) end
    if not silent then note(app, channel, 'channel_occupied', '', most) end
  elseif was > 0 and is == 0 then
    redis.call('ZREM', KEYS[11], channel)
    if not silent then note(app, channel, 'channel_vacated', '', most) end
  end
end
