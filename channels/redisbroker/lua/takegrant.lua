-- takegrant returns a grant and how long it would still be kept, and forgets it.
local g = redis.call('GET', KEYS[1])
if not g then return {} end
local left = num(redis.call('PTTL', KEYS[1]))
redis.call('DEL', KEYS[1])
return {g, left}
