-- alive lists the nodes whose lease has not run out. KEYS[1] are the leases of a
-- partition, KEYS[2] is what is known of it: a Redis that has lost the leases does not
-- know who lives.
local about = redis.call('HMGET', KEYS[2], 'id', 'settle')
if not about[1] or tonumber(about[2] or 0) > now then return {'settling'} end
return {'ok', redis.call('ZRANGE', KEYS[1], '(' .. num(now), '+inf', 'BYSCORE')}
