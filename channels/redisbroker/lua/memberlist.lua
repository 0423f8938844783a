if tonumber(redis.call('HGET', KEYS[13], 'settle') or 0) > now then return {'settling'} end
load('')
return {'ok', state()}
