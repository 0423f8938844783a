-- ask puts a question to all nodes. KEYS[1] is the pub/sub channel of the commands,
-- ARGV[1] how long there is to answer, in ms, ARGV[2] the question.
redis.call('SPUBLISH', KEYS[1], 'q' .. num(now + tonumber(ARGV[1])) .. ' ' .. ARGV[2])
return {'ok'}
