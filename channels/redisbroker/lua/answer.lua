-- answer keeps what a node says to a question, unless it comes too late. KEYS[1] is the
-- list of the question's answers, ARGV[1] the end of the time for them, in ms.
if now > tonumber(ARGV[1]) then return {'late'} end
redis.call('RPUSH', KEYS[1], ARGV[2])
redis.call('PEXPIREAT', KEYS[1], num(tonumber(ARGV[1]) + 1000))
return {'ok'}
