-- info: KEYS[1] is a place's hash, KEYS[6] its users, KEYS[13] the partition's.
if tonumber(redis.call('HGET', KEYS[13], 'settle') or 0) > now then return {'settling'} end
load('')
local cn, cd, left = cached()
return {'ok', num(sockets()), num(redis.call('HLEN', KEYS[6])), cn, cd, num(left)}
