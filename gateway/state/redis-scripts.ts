// What Redis does in one step, with nobody in between: small Lua scripts that touch only the keys they are given.

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

/** Counts at KEYS[1] for ARGV[1] milliseconds from the first: the count and what is left of them. */
export const COUNT: string = `
local count = redis.call('INCR', KEYS[1])
if count == 1 then redis.call('PEXPIRE', KEYS[1], ARGV[1]) end
return {count, redis.call('PTTL', KEYS[1])}`;
