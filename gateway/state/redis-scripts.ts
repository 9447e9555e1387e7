// What Redis does in one step, with nobody in between: small Lua scripts that touch only the keys they are given.
import { PARTS } from './counts.ts';

/** Sets KEYS[1] if it still is what was read ('' for absent), and lists it: value, its life, its name, its end. */
export const SWAP: string = `
if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then return 0 end
if ARGV[3] == '' then redis.call('SET', KEYS[1], ARGV[2]) else redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3]) end
redis.call('ZADD', KEYS[2], ARGV[5], ARGV[4])
return 1`;

/** Strikes ARGV[1] from the index KEYS[2] unless its record KEYS[1] is there: by its own clock Redis has the last word. */
export const STRIKE: string = `
if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
return redis.call('ZREM', KEYS[2], ARGV[1])`;

/**
 * Lets one more pass at KEYS[1], of ARGV[1] in ARGV[2] milliseconds, and answers 0, or the milliseconds after which one
 * would. The log is that of `Counts`: pairs of an entry's time and total, the first of which has ended. It is written when
 * one passes and lives for a period from then, so its time to live says how long ago that was, by Redis's own clock and
 * whatever those of gateways say. Entries' times count from the first that passed.
 */
export const ADMIT: string = `
local limit, period = tonumber(ARGV[1]), tonumber(ARGV[2])
local log = redis.call('GET', KEYS[1]) or struct.pack('<dd', -period, 0)
local left = math.max(0, redis.call('PTTL', KEYS[1]))
if left > period then -- Its clock was set back.
  left = period
  redis.call('SET', KEYS[1], log, 'PX', period)
end
local function entry(i) return struct.unpack('<dd', log, i * 16 - 15) end
local newest = #log / 16
local time, total = entry(newest)
local now = time + period - left
local ended = 1
while ended < newest and entry(ended + 1) + period <= now do ended = ended + 1 end
local last = ended
while total - select(2, entry(last)) >= limit do last = last + 1 end
if last > ended then return entry(last) + period - now end
local part = period / ${PARTS}
if math.floor(time / part) == math.floor(now / part) then newest = newest - 1 end
log = string.sub(log, ended * 16 - 15, newest * 16) .. struct.pack('<dd', now, total + 1)
redis.call('SET', KEYS[1], log, 'PX', period)
return 0`;
