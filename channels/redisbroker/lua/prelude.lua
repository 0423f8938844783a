-- What all scripts begin with. Numbers that go out are written in full: Lua would
-- write 1.7e15 for a large one.
local function num(v) return string.format('%.0f', v) end

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000) -- by Redis's clock, in ms
