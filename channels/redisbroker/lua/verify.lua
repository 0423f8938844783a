-- verify looks for what a publish was told to have been put there. If a place is the same
-- and does not have it, it was lost: all nodes are told so, in their order.
local epoch, entry, id, age, cap = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5])
load('')
if P.new or P.epoch ~= epoch then return 0 end
local there = redis.call('XRANGE', KEYS[2], entry, entry)
if #there == 1 and there[1][2][4] == id then return 0 end
emit(ARGV[6], '')
save(age, cap)
return 1
