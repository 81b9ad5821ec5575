-- Notes that the token hashes of a full sync are complete, unless a later sync has
-- begun.
-- KEYS: manifest. ARGV: the prefix of what the sync staged.
if redis.call('HGET', KEYS[1], 'writing') ~= ARGV[1] then return 0 end
return redis.call('HDEL', KEYS[1], 'writing')
